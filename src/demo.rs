//! `larder demo`: sample backends, the gateway and a load, then an outage and a recovery, with nothing else installed.

pub(crate) mod backend;
mod client;
mod generated;
mod load;
mod phase;
mod process;
mod scrape;
mod screen;
mod settings;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::server::{self, Running, StartError, Surroundings};
use crate::{config, runtime};

use load::{Felt, Load, Reader};
use phase::{Happened, Phase};
use process::Process;
use scrape::Outcomes;
use screen::Ink;

/// What can be chosen of the demo.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Adds the shared tier in this Redis, such as redis://127.0.0.1:6379/0.
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// Keeps everything running after the table, until Ctrl-C.
    #[arg(long)]
    pub hold: bool,
    /// How long the backends are up, then down, then up again.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds_per_phase: u64,
    /// Clients, each with a connection of its own.
    #[arg(long, value_name = "NUMBER", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub clients: u64,
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A sample backend, the runtime, a signal or the gateway's admin endpoint.
    #[error("the demo cannot go on: {0}")]
    Io(#[from] io::Error),
    /// What was given with `--redis` is no address.
    #[error("the demo's configuration cannot be used: {0}")]
    Config(config::Problem),
    /// The gateway.
    #[error("the demo's gateway did not start: {0}")]
    Start(#[from] StartError),
}

/// Shows everything, then ends; a signal ends it earlier. The sample backends die with it, whatever ends it.
///
/// # Errors
/// If something does not start, or the gateway stops to show its figures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), DemoError> {
    let runtime = runtime::start(&runtime::Settings::default())?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            shown = show(arguments) => match shown {
                // Whoever read the lines has seen enough.
                Err(DemoError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                shown => shown,
            },
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            _ = hangup.recv() => Ok(()),
        }
    })
}

async fn show(arguments: &Arguments) -> Result<(), DemoError> {
    let mut stage = Stage::set(arguments).await?;
    let time = Duration::from_secs(arguments.seconds_per_phase);
    let mut phases = Vec::new();
    say(&screen::heading())?;
    for phase in Phase::ALL {
        stage.change(phase).await?;
        phases.push((phase, stage.watch(phase, time).await?));
    }
    say(&screen::table(&phases, stage.ink))?;
    if arguments.hold {
        say(&screen::holding(stage.gateway, stage.running.admin))?;
        return std::future::pending().await;
    }
    drop(stage.load);
    stage.running.stop(GRACE).await;
    Ok(())
}

/// Everything that runs.
struct Stage {
    load: Load,
    running: Running,
    gateway: SocketAddr,
    backends: Vec<Process>,
    addresses: Vec<SocketAddr>,
    started: Instant,
    ink: Ink,
}

/// The figures at one moment.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    outcomes: Outcomes,
    counted: load::Counted,
}

impl Stage {
    async fn set(arguments: &Arguments) -> Result<Self, DemoError> {
        let backends = vec![Process::start(0).await?, Process::start(0).await?];
        let addresses: Vec<SocketAddr> = backends.iter().map(|backend| backend.address).collect();
        let loaded = settings::load(&addresses, arguments.redis.as_deref());
        let Some(config) = loaded.config else {
            let problem = loaded.problems.into_iter().next();
            return Err(problem
                .map_or_else(|| io::Error::from(io::ErrorKind::InvalidInput).into(), DemoError::Config));
        };
        let surroundings = Surroundings::system();
        let (clock, dial) = (surroundings.clock.clone(), Arc::clone(&surroundings.dial));
        let mut running = server::start(config, surroundings).await?;
        // It is watched, and takes no commands.
        running.commands.close();
        let gateway = running.listeners.values().next().copied();
        let gateway = gateway.ok_or_else(|| io::Error::other("the gateway has no listener"))?;
        let clients = usize::try_from(arguments.clients).unwrap_or(1);
        say(&screen::greeting(gateway, running.admin, &addresses, clients))?;
        let load = Load::start(gateway, clients, &dial, &clock);
        let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let ink = if colours { Ink::Colour } else { Ink::Plain };
        Ok(Self { load, running, gateway, backends, addresses, started: Instant::now(), ink })
    }

    /// Does what begins a phase.
    async fn change(&mut self, phase: Phase) -> io::Result<()> {
        match phase {
            Phase::Up => {}
            Phase::Outage => {
                self.backends.clear();
                say(&screen::note("both backends are killed (SIGKILL)", self.ink))?;
            }
            Phase::Recovery => {
                for address in &self.addresses {
                    self.backends.push(Process::start(address.port()).await?);
                }
                say(&screen::note("both backends are started again, where they were", self.ink))?;
            }
        }
        Ok(())
    }

    /// Prints a line each half second for a time, and returns what happened in all of it.
    async fn watch(&self, phase: Phase, time: Duration) -> io::Result<Happened> {
        let tally = &self.load.tally;
        let first = self.mark().await?;
        let (mut last, mut explained) = (first, false);
        // What was before belongs to another phase.
        let _before = (tally.felt(Reader::Phase), tally.felt(Reader::Line), tally.last_exception());
        let mut ticks = interval_at(first.at + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while last.at.duration_since(first.at) + TICK / 2 < time {
            ticks.tick().await;
            let mark = self.mark().await?;
            let happened = mark.since(&last, tally.felt(Reader::Line));
            let at = mark.at.duration_since(self.started);
            say(&screen::line(at, phase, &happened, self.ink))?;
            last = mark;
            match tally.last_exception() {
                Some(message) if !explained => {
                    explained = true;
                    say(&screen::note(&message, self.ink))?;
                }
                Some(_) | None => {}
            }
        }
        Ok(last.since(&first, tally.felt(Reader::Phase)))
    }

    async fn mark(&self) -> io::Result<Mark> {
        let outcomes = Outcomes::scrape(self.running.admin).await?;
        Ok(Mark { at: Instant::now(), outcomes, counted: self.load.tally.counted() })
    }
}

impl Mark {
    fn since(&self, earlier: &Self, felt: Felt) -> Happened {
        Happened {
            time: self.at.duration_since(earlier.at),
            outcomes: self.outcomes.since(&earlier.outcomes),
            counted: self.counted.since(earlier.counted),
            felt,
        }
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Time between two lines.
const TICK: Duration = Duration::from_millis(500);
/// How long calls under way may take at the end.
const GRACE: Duration = Duration::from_secs(2);
