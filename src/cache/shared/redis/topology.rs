//! Which server is asked for a key.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use redis::Value;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Counts;
use super::door::Door;
use super::failure::{Failure, Setback};
use super::node::{Ask, Node, State};
use super::settings::Form;
use super::supervisor::Supervisor;
use super::whereabouts::Whereabouts;

/// The servers that keep replies.
#[derive(Debug)]
pub(super) enum Topology {
    /// One that has all keys.
    One(Arc<Node>, watch::Receiver<bool>),
}

impl Topology {
    /// Begins to look after the servers that the settings name.
    pub(super) fn start(
        door: Arc<Door>,
        counts: &Counts,
        random: impl Rng + Send + 'static,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let settings = Arc::clone(&door.settings);
        let (name, whereabouts) = match &settings.form {
            Form::One(place) => (place.to_string(), Whereabouts::Fixed(place.clone())),
        };
        let node = Node::new(name, settings.read_timeout, settings.max_writes, counts.clone());
        let node = Arc::new(node);
        let (tried, has_tried) = watch::channel(false);
        let supervisor = Supervisor {
            door,
            node: Arc::clone(&node),
            whereabouts,
            tried,
            amiss: Arc::new(Notify::new()),
            tasks: tasks.clone(),
        };
        tasks.spawn(supervisor.run(random, stop.child_token()));
        Self::One(node, has_tried)
    }

    /// Asks the server that owns `key`, and waits up to `within`; for a large value longer, while it comes.
    pub(super) async fn ask(&self, _key: &str, ask: Ask<'_>, within: Duration) -> Result<Value, Failure> {
        match self {
            Self::One(node, _) => node.ask(ask, false, within).await.map_err(|setback| match setback {
                Setback::Failed(failure) => failure,
                Setback::NoScript | Setback::Elsewhere(_) => Failure::Refused,
            }),
        }
    }

    /// Whether any key can be asked for.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Self::One(node, _) => node.is_up(),
        }
    }

    /// The servers and what they are.
    pub(super) fn servers(&self) -> Vec<(String, State)> {
        match self {
            Self::One(node, _) => vec![(node.name.clone(), node.state())],
        }
    }

    /// Ends when the first attempt to reach each server has ended.
    pub(super) async fn tried(&self) {
        match self {
            Self::One(_, tried) => {
                let mut tried = tried.clone();
                // The other end is dropped only with the supervisor, and then there is nothing to wait for.
                let _ = tried.wait_for(|tried| *tried).await;
            }
        }
    }
}
