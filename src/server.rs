//! The running gateway: builds its parts from a checked configuration, starts them, replaces the rules, and drains.

mod answers;
mod attend;
mod backends;
mod bound;
mod build;
mod certificates;
mod coverage;
mod distrust;
mod gateways;
mod gauges;
mod ledger;
mod listeners;
mod outages;
mod people;
mod reloads;
mod renewal;
mod room;
mod rudder;
mod steering;
mod subject;
mod tiers;
mod untold;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::accept::{Accept, Bind, Sockets};
use crate::admin;
use crate::admin::command::Command;
use crate::admin::steering::Steering;
use crate::cache::shared::Store;
use crate::clock::Clock;
use crate::config::Config;
use crate::dial::{Address, Dial, Tcp};
#[cfg(test)]
use crate::explain::Explainer;
use crate::files::{Disk, Files};
use crate::invalidation;
use crate::log::Filter;
#[cfg(test)]
use crate::purge::Purges;
use crate::purge::authority::Authority;

pub use renewal::ReloadError;

use bound::Bound;
use build::Parts;
use listeners::Listeners;
use subject::Overview;

/// A gateway that answers calls.
#[derive(Debug)]
pub struct Running {
    /// Where each listener is bound that is bound to an address of a network. A reload may change it.
    pub listeners: BTreeMap<String, SocketAddr>,
    /// Where the admin endpoint is bound.
    pub admin: SocketAddr,
    /// Where the invalidation service is bound, if there is one.
    pub invalidation: Option<SocketAddr>,
    /// What the admin endpoint is told to do. Whoever runs the gateway carries it out, or closes this.
    pub(crate) commands: mpsc::Receiver<Command>,
    opened: Listeners,
    parts: Arc<Parts>,
    overview: Arc<Overview>,
    stops: Stops,
    tasks: TaskTracker,
}

/// What a gateway takes from outside: time, the ways out and in, files, chance, and what it shares with other gateways.
#[derive(Debug)]
pub struct Surroundings<B> {
    /// The only clock.
    pub clock: Clock,
    /// The only way out.
    pub dial: Arc<dyn Dial>,
    /// The only way in.
    pub bind: B,
    /// What is read and written of files once it runs.
    pub files: Arc<dyn Files>,
    /// Where all that is random begins.
    pub seed: u64,
    /// The shared tier, in place of the one that the configuration names.
    pub store: Option<Arc<dyn Store>>,
    /// Where the admin endpoint runs.
    pub watch: Watch,
}

/// Where the admin endpoint runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// On a thread of its own, so that it answers however much there is to do for clients.
    Apart,
    /// Beside all else, where time is simulated.
    Beside,
}

impl Surroundings<Sockets> {
    /// The system's time, network and disks, and a seed that nobody knows.
    pub fn system() -> Self {
        let (dial, bind, files) = (Arc::new(Tcp), Sockets::default(), Arc::new(Disk));
        Self {
            clock: Clock::system(),
            dial,
            bind,
            files,
            seed: rand::random(),
            store: None,
            watch: Watch::Apart,
        }
    }
}

/// What a gateway has under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// Client connections.
    pub connections: usize,
    /// Bytes of unanswered calls and unsent replies.
    pub held: usize,
    /// Flights, and refreshes that pause.
    pub flights: usize,
    /// Calls at endpoints.
    pub calls: usize,
    /// Writes to the shared tier.
    pub writes: usize,
}

/// Why a gateway did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be bound.
    #[error("{what} cannot be bound to {address}")]
    Bind {
        /// The listener, or the admin endpoint.
        what: String,
        /// The address.
        address: Address,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The admin endpoint's socket in the file system cannot be used.
    #[error("admin.socket: {} cannot be used", path.display())]
    Socket {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The admin endpoint has no thread.
    #[error("the admin endpoint's thread cannot be started")]
    Thread(#[source] io::Error),
}

/// What ends when: calls are answered before what answers them goes away.
#[derive(Debug, Default)]
struct Stops {
    /// No further calls are read.
    calls: CancellationToken,
    /// Nothing is needed any more.
    all: CancellationToken,
}

/// Starts a gateway.
pub async fn start<B: Bind>(config: Config, surroundings: Surroundings<B>) -> Result<Running, StartError> {
    let stops = Stops::default();
    let tasks = TaskTracker::new();
    let watch = watch::Runtime::new(surroundings.watch)?;
    let mut listeners = Listeners::new(surroundings.bind.clone());
    let doors = listeners.bind(&config)?;
    let bound = Bound::of(&config, &surroundings.bind, &watch)?;
    let parts = Arc::new(Parts::build(&config, &surroundings, &stops, tasks.clone()));
    parts.warm().await;

    parts.start(Arc::clone(&surroundings.files));
    let overview = Arc::new(Overview::new(Arc::clone(&parts), surroundings.clock.clone()));
    let admin = bound.admin.network.0;
    let (orders, commands) = mpsc::channel(COMMANDS_MAX);
    let means = admin::Means {
        subject: Arc::clone(&overview),
        commands: orders,
        explainer: Arc::clone(&parts.people.explainer),
        adviser: Arc::clone(&parts.people.adviser),
        purges: Arc::clone(&parts.people.purges),
        inventory: Arc::clone(&parts.people.inventory),
        taps: Arc::clone(&parts.people.taps),
        steering: Arc::clone(&parts) as Arc<dyn Steering>,
        hosts: config.admin.hosts.clone(),
    };
    let authority = Authority::of_token(config.admin.token.clone());
    watch.serve(bound.admin, Arc::new(means), authority, (&tasks, &stops.all))?;
    let invalidation = bound.invalidation.map(|bound| invalidate(bound, &config, &parts, &tasks));

    listeners.adopt(&config, doors, &parts.gateways.all(), &parts.commons);
    info!("ready");
    let opened = listeners;
    let listeners = opened.addresses();
    Ok(Running { listeners, opened, admin, invalidation, commands, parts, overview, stops, tasks })
}

/// Starts the invalidation service, and says where it is.
fn invalidate<A: Accept>(
    (address, socket): (SocketAddr, A),
    config: &Config,
    parts: &Arc<Parts>,
    tasks: &TaskTracker,
) -> SocketAddr {
    let token = config.invalidation.as_ref().and_then(|settings| settings.token.clone());
    let service =
        invalidation::Service::new(Arc::clone(&parts.people.purges), Authority::new(address, token));
    tasks.spawn(invalidation::serve(socket, service, config.limits.clone(), parts.stop.clone()));
    info!(%address, "invalidation service listening");
    address
}

impl Running {
    /// Has switches change what is logged.
    pub(crate) fn log_by(&self, filter: Filter) {
        self.parts.rudder.log_by(filter);
    }

    /// What goes on in it beside its client connections.
    #[cfg(test)]
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// What it shows to those who watch it.
    #[cfg(test)]
    pub(crate) fn subject(&self) -> Arc<dyn admin::Subject> {
        Arc::clone(&self.overview) as Arc<dyn admin::Subject>
    }

    /// Who explains calls.
    #[cfg(test)]
    pub(crate) fn explainer(&self) -> &Explainer {
        &self.parts.people.explainer
    }

    /// Who purges.
    #[cfg(test)]
    pub(crate) fn purges(&self) -> &Purges {
        &self.parts.people.purges
    }

    /// What is under way at this moment. Nothing is, some time after its last client has left.
    pub fn under_way(&self) -> UnderWay {
        let Parts { gateways, commons, flights, backends, cache, .. } = &*self.parts;
        let open = gateways.all();
        let open = open.values().map(|gateway| gateway.counts.open.get()).sum::<i64>();
        let backends = backends.all();
        let endpoints = backends.values().flat_map(|to| to.backend.endpoints());
        UnderWay {
            connections: usize::try_from(open).unwrap_or_default(),
            held: commons.held.total(),
            flights: flights.tasks(),
            calls: endpoints.map(|endpoint| endpoint.in_flight).sum(),
            writes: cache.writes_under_way(),
        }
    }

    /// Does the local tier's pending work, which it otherwise does by a clock of its own when it is used.
    pub fn keep_house(&self) {
        let _bytes = self.parts.cache.local().bytes();
    }

    /// By which what it has learnt is kept while it goes on.
    pub(crate) fn saving(&self) -> Saving {
        Saving(Arc::clone(&self.parts))
    }

    /// Stops accepting, answers what was read, closes every connection at a message boundary, and ends all else. What has not ended
    /// after `grace` is cut off.
    pub async fn stop(mut self, grace: Duration) {
        info!("draining");
        self.overview.drain();
        self.drain(grace).await;
        self.saving().save().await;
        self.end().await;
    }

    /// Stops in the same way, but for what another process has taken over: its sockets, where that one tells checks that it is ready, and
    /// what is kept for the next start.
    pub(crate) async fn leave(mut self, grace: Duration) {
        info!("another gateway has taken over; draining");
        self.parts.ledger.pass_on();
        self.drain(grace).await;
        self.end().await;
    }

    /// Ends the clients' connections, and then what answered them.
    async fn drain(&mut self, grace: Duration) {
        self.commands.close();
        self.stops.calls.cancel();
        self.parts.commons.tasks.close();
        let drained = tokio::time::timeout(grace, self.parts.commons.tasks.wait()).await;
        if drained.is_err() {
            warn!(connections = self.parts.commons.tasks.len(), "some connections did not end in time");
        }
        let aloft = self.parts.flights.ground(SETTLE).await;
        if aloft > 0 {
            warn!(flights = aloft, "some flights did not land in time");
        }
        self.leave_backends().await;
        self.leave_cache().await;
    }

    /// Ends all that runs as long as the gateway.
    async fn end(self) {
        self.stops.all.cancel();
        self.tasks.close();
        // The admin endpoint may have a client that never hangs up.
        let _ = tokio::time::timeout(SETTLE, self.tasks.wait()).await;
        info!("stopped");
    }

    /// Ends the writes to the shared tier.
    async fn leave_cache(&self) {
        let settled = tokio::time::timeout(SETTLE, self.parts.cache.settled()).await;
        if settled.is_err() {
            warn!("some writes to the shared tier did not end in time");
        }
        self.parts.cache.end().await;
    }

    /// Ends the connections to backends that calls have left behind.
    async fn leave_backends(&self) {
        let backends = self.parts.backends.all();
        let settled = join_all(backends.values().map(|to| to.backend.settled()));
        if tokio::time::timeout(SETTLE, settled).await.is_err() {
            warn!("some connections to backends did not end in time");
        }
    }
}

/// Keeps what a gateway has learnt for the next start.
#[derive(Debug)]
pub(crate) struct Saving(Arc<Parts>);

impl Saving {
    /// Saves the ledger of outages and the local tier, where that is configured. A disk that hangs does not keep whoever waits for it.
    pub(crate) async fn save(&self) {
        let Self(parts) = self;
        if tokio::time::timeout(SETTLE, parts.keep_ledger()).await.is_err() {
            warn!("the outages are not kept: that takes longer than {} s", SETTLE.as_secs());
        }
        if tokio::time::timeout(SAVE, parts.snapshot.save(&parts.cache)).await.is_err() {
            warn!("the local tier is not saved: it takes longer than {} s", SAVE.as_secs());
        }
    }
}

/// Commands that wait for whoever runs the gateway; who gives a further one waits too.
const COMMANDS_MAX: usize = 8;
/// How long it may take to save the local tier before the process ends, or another takes its place.
const SAVE: Duration = Duration::from_secs(10);
/// How long the last flights, the last connections to backends, the last writes to the shared tier and to the disk, and the admin endpoint's last client, may take.
const SETTLE: Duration = Duration::from_secs(1);
