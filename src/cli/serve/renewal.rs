//! Another configuration for the gateway that runs: from its file, or one that was in force before.

use std::path::Path;
use std::sync::Arc;

use tracing::{error, warn};

use super::load;
use crate::admin::command::Reloaded;
use crate::config::fit::System;
use crate::config::{Change, Changes, Loaded, Watch};
use crate::files::Disk;
use crate::runtime::notify;
use crate::server::{ReloadError, Running};

/// Where the configuration is read, and the watch for that.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The sample inside the program without.
    file: Option<&'a Path>,
    watch: Watch,
}

impl<'a> Source<'a> {
    /// From this `file`, which was `loaded`.
    pub(super) fn new(file: Option<&'a Path>, loaded: &Loaded) -> Self {
        Self { file, watch: loaded.watch(Arc::new(Disk)) }
    }

    /// Waits until the file, or one that it names, holds something else.
    pub(super) async fn changed(&mut self) {
        match self.file {
            Some(_) => self.watch.changed().await,
            None => std::future::pending().await,
        }
    }

    /// Puts what the file says in force, or keeps what is and says why.
    pub(super) fn reload(&mut self, running: &mut Running) -> Reloaded {
        notify::reloading();
        let loaded = load(self.file);
        loaded.is_watched_by(&mut self.watch);
        let reloaded = renew(running, loaded);
        notify::ready();
        reloaded
    }
}

/// Puts an earlier configuration in force again, or says why not.
pub(super) fn roll_back(running: &mut Running, generation: u64) -> Reloaded {
    notify::reloading();
    let rolled_back = running.roll_back(generation);
    notify::ready();
    match rolled_back {
        Ok(changes) => applied(&changes, Vec::new()),
        // The file has nothing to do with it, and stands as it stood.
        Err(error) => Reloaded::Refused { problems: vec![tell(&error)], warnings: Vec::new() },
    }
}

fn renew(running: &mut Running, mut loaded: Loaded) -> Reloaded {
    let fit = loaded.config.as_mut().map(|config| config.fit(System::ask())).unwrap_or_default();
    let problems = loaded.problems.iter().map(ToString::to_string);
    let mut problems: Vec<String> = problems.chain(fit.problem).collect();
    for problem in &problems {
        error!("{problem}");
    }
    let warnings = loaded.warnings.iter().map(ToString::to_string);
    let warnings: Vec<String> = warnings.chain(fit.warnings).collect();
    for warning in &warnings {
        warn!("{warning}");
    }
    match loaded.config.filter(|_| problems.is_empty()).map(|config| running.reload(config)) {
        Some(Ok(changes)) => return applied(&changes, warnings),
        Some(Err(error)) => problems.push(tell(&error)),
        None => error!(problems = problems.len(), "nothing is reloaded; what is in force stays"),
    }
    running.reload_failed(problems.first().cloned().unwrap_or_default());
    Reloaded::Refused { problems, warnings }
}

fn applied(Changes { applied, restart }: &Changes, warnings: Vec<String>) -> Reloaded {
    let (changes, says) = (Change::paths(applied), Change::sayings(applied));
    Reloaded::Applied { changes, says, needs_restart: Change::paths(restart), warnings }
}

fn tell(error: &ReloadError) -> String {
    error!("{error}: nothing is reloaded; what is in force stays");
    error.to_string()
}
