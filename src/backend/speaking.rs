//! What is spoken with an endpoint, on each connection to it that was opened.

use std::sync::Arc;

use super::Settings;
use super::connection::{Connection, Open};
use super::endpoint::Endpoint;
use super::means::Means;
use crate::dial::Stream;
use crate::post::client::{Posting, Target};
use crate::wire::Bounds;

impl Endpoint {
    /// A connection that was opened.
    pub(super) fn connection(&self, stream: Box<dyn Stream>, open: Open) -> Box<Connection> {
        let Means { chance, tally, .. } = &*self.means;
        tally.opened();
        let terms = (self.speech, self.means.settings().bounds);
        let stream = match &self.posts {
            None => stream,
            Some(path) => Box::new(Posting::over(stream, self.target(path, terms.1))),
        };
        Box::new(Connection::new(
            stream,
            terms,
            chance.seqids(),
            (open, Arc::clone(&self.pulse), self.pool.proven.next()),
        ))
    }

    fn target(&self, path: &Arc<str>, bounds: Bounds) -> Target {
        Target { path: Arc::clone(path), server: self.address.clone(), longest: bounds.frame }
    }

    /// Whether it speaks as `settings` say.
    pub(super) fn speaks_as(&self, settings: &Settings) -> bool {
        self.speech == settings.speech() && self.posts == settings.posts
    }
}
