//! Another configuration for the gateway that runs: from its file, or one that was in force before.

use std::path::Path;

use tracing::{error, warn};

use super::load;
use crate::admin::command::Reloaded;
use crate::config::{Change, Changes, Loaded};
use crate::runtime::notify;
use crate::server::{ReloadError, Running};

/// Puts what the file says in force, or keeps what is and says why.
pub(super) fn reload(running: &mut Running, file: Option<&Path>) -> Reloaded {
    notify::reloading();
    let reloaded = renew(running, load(file));
    notify::ready();
    reloaded
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

fn renew(running: &mut Running, loaded: Loaded) -> Reloaded {
    for problem in &loaded.problems {
        error!("{problem}");
    }
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let mut problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
    match loaded.config.map(|config| running.reload(config)) {
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
