//! `larder serve`: the gateway, until a signal ends it.
#![expect(clippy::print_stderr, reason = "what is wrong before there is a log goes to standard error")]

mod renewal;

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use renewal::{Source, roll_back};

use super::CONFIG;
use crate::accept::handover::{Handover, Predecessor};
use crate::accept::{Sockets, inherited};
use crate::admin::command::Command;
use crate::config::fit::System;
use crate::config::{Config, Loaded};
use crate::log;
use crate::runtime::{self, notify};
use crate::server::{self, Running, Saving, StartError, Surroundings};

/// Serves as the file says, or as the embedded configuration does.
pub(super) fn run(file: Option<&Path>) -> u8 {
    let loaded = load(file);
    let source = Source::new(file, &loaded);
    let Some(mut config) = loaded.config else {
        for problem in &loaded.problems {
            eprintln!("{problem}");
        }
        return CONFIG;
    };
    let filter = log::start(&config.log);
    announce(&config, file);
    let sockets = inherited();
    let fit = config.fit(System::ask());
    if let Some(problem) = fit.problem {
        eprintln!("larder: {problem}");
        return 1;
    }
    let warnings = loaded.warnings.iter().map(ToString::to_string);
    for warning in warnings.chain(fit.warnings) {
        warn!("{warning}");
    }
    let runtime = match runtime::start(&config.runtime) {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.spawn(runtime::give_memory_back());
    runtime.spawn(notify::live());
    let code = runtime.block_on(serve(config, source, sockets, filter));
    // A disk that hangs, or a pipe that nobody reads, keeps no thread that the end would wait for.
    runtime.shutdown_background();
    code
}

/// Says what starts.
fn announce(config: &Config, file: Option<&Path>) {
    let named = file.map_or_else(|| SAMPLE.into(), Path::to_string_lossy);
    let (listeners, backends, rules) = (config.listeners.len(), config.backends.len(), config.rules.len());
    let version = env!("CARGO_PKG_VERSION");
    info!(version, config = %named, listeners, backends, rules, "starting");
}

/// Reads the file, or what ships inside the program.
pub(super) fn load(file: Option<&Path>) -> Loaded {
    match file {
        Some(file) => Config::load(file, &|path| std::fs::read(path), &|name| std::env::var(name).ok()),
        None => Config::embedded(),
    }
}

async fn serve(config: Config, mut source: Source<'_>, sockets: Sockets, filter: log::Filter) -> u8 {
    let signals =
        (signal(SignalKind::hangup()), signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut hangup), Ok(mut terminate), Ok(mut interrupt)) = signals else {
        error!("signals cannot be received");
        return 1;
    };
    let (mut running, handover) = match start(config, &sockets).await {
        Ok(started) => started,
        Err(error) => return failed(&error),
    };
    running.log_by(filter);
    notify::ready();
    let is_relieved = {
        let mut relieved = pin!(relieved(handover, &sockets, running.saving()));
        loop {
            let is_watched = running.watches_its_file();
            tokio::select! {
                Some(()) = hangup.recv() => {
                    info!(target: log::AUDIT, by = "SIGHUP", what = "reload", "ordered");
                    source.reload(&mut running);
                }
                () = source.changed(), if is_watched => {
                    info!(target: log::AUDIT, by = "the watched file", what = "reload", "ordered");
                    source.reload(&mut running);
                }
                Some(command) = running.commands.recv() => obey(command, &mut running, &mut source),
                () = &mut relieved => break true,
                Some(()) = either(&mut terminate, &mut interrupt) => break false,
            }
        }
    };
    // From here on nothing is handed over: who starts now binds.
    if is_relieved {
        running.leave(GRACE).await;
    } else {
        notify::stopping();
        running.stop(GRACE).await;
    }
    0
}

/// Starts the gateway, in the place of one that runs if there is one, and gives by what the next one takes its place.
async fn start(config: Config, sockets: &Sockets) -> Result<(Running, Option<Handover>), ServeError> {
    let path = config.runtime.handover.clone();
    let failed = |source| ServeError::Handover { path: path.clone().unwrap_or_default(), source };
    let predecessor = match &path {
        Some(path) => Predecessor::ask(path, sockets).await.map_err(failed)?,
        None => None,
    };
    let surroundings = Surroundings { bind: sockets.clone(), ..Surroundings::system() };
    let running = server::start(config, surroundings).await?;
    sockets.close_rest();
    let handover = match (predecessor, &path) {
        (Some(predecessor), _) => Some(predecessor.relieve(sockets).await),
        (None, Some(path)) => Some(Handover::bind(path).map_err(failed)?),
        (None, None) => None,
    };
    Ok((running, handover))
}

/// Waits until another gateway has taken the place of this one, which finds what this one has learnt.
async fn relieved(handover: Option<Handover>, sockets: &Sockets, saving: Saving) {
    match handover {
        Some(handover) => handover.taken(sockets, async || saving.save().await).await,
        None => std::future::pending().await,
    }
}

/// Why the gateway does not serve.
#[derive(Debug, Error)]
enum ServeError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("runtime.handover: {} cannot be used", path.display())]
    Handover { path: PathBuf, source: io::Error },
}

async fn either(one: &mut Signal, other: &mut Signal) -> Option<()> {
    tokio::select! {
        received = one.recv() => received,
        received = other.recv() => received,
    }
}

fn obey(command: Command, running: &mut Running, source: &mut Source<'_>) {
    // Who asked may have gone.
    match command {
        Command::Reload(answer) => drop(answer.send(source.reload(running))),
        Command::RollBack(generation, answer) => {
            drop(answer.send(roll_back(running, generation)));
        }
    }
}

fn failed(error: &dyn std::error::Error) -> u8 {
    eprint!("larder: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprint!(": {cause}");
        source = cause.source();
    }
    eprintln!();
    1
}

/// What is served where no file is named.
pub(super) const SAMPLE: &str = "the sample inside the program";
/// How long calls under way may take once the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(30);
