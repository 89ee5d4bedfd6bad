//! Another configuration in place of the one in force: as a whole, or not at all.

use std::error::Error as _;

use thiserror::Error;
use tracing::{info, warn};

use super::{Running, StartError};
use crate::admin::configuration::Came;
use crate::config::{Change, Changes, Config};

/// Why a configuration was not put in force. Nothing has changed then.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// A listener's address cannot be bound.
    #[error("{}", spelled(.0))]
    Start(#[from] StartError),
    /// There is none of that generation any more.
    #[error("generation {generation} is not remembered: expected {first} to {last}")]
    Forgotten {
        /// The one that was asked for.
        generation: u64,
        /// The earliest that is remembered.
        first: u64,
        /// The one in force.
        last: u64,
    },
}

impl Running {
    /// Puts another configuration in force, all at once. Calls under way end under the rules, and at the endpoints, they began with.
    ///
    /// Says what is in force now and what needs a restart.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub fn reload(&mut self, next: Config) -> Result<Changes, ReloadError> {
        self.renew(next, Came::Reload)
    }

    /// Puts an earlier configuration in force again, as [`reload`](Self::reload) does. The files that it names are not read again.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub(crate) fn roll_back(&mut self, generation: u64) -> Result<Changes, ReloadError> {
        let (first, last) = self.overview.reloads.remembered();
        let earlier = self.overview.reloads.earlier(generation);
        let earlier = earlier.ok_or(ReloadError::Forgotten { generation, first, last })?;
        self.renew(earlier, Came::Rollback { to: generation })
    }

    /// Whether a change of its configuration's files is to be heeded.
    pub(crate) fn watches_its_file(&self) -> bool {
        self.parts.rudder.lock().config.runtime.watch_config
    }

    /// Notes that a configuration was refused.
    pub(crate) fn reload_failed(&self, why: String) {
        self.overview.reloads.refused(why);
    }

    fn renew(&mut self, next: Config, came: Came) -> Result<Changes, ReloadError> {
        let doors = self.opened.bind(&next)?;
        warn_of_restart(&self.parts.changes(&next).restart);
        let (config, changes) = self.parts.reconfigure(next);
        self.opened.adopt(&config, doors, &self.parts.gateways.all(), &self.parts.commons);
        self.listeners = self.opened.addresses();
        let options = Change::paths(&changes.applied).join(", ");
        let says = Change::sayings(&changes.applied).join("; ");
        self.overview.reloads.applied(config, came, changes.clone());
        info!(%came, options, changes = says, "reloaded");
        Ok(changes)
    }
}

/// An error and what it comes from.
fn spelled(error: &StartError) -> String {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

/// Says what is not taken over, before anything is touched.
fn warn_of_restart(changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let (options, says) = (Change::paths(changes).join(", "), Change::sayings(changes).join("; "));
    warn!(options, changes = says, "these changes need a restart, and do not come into force");
}
