//! The gateways in force, one for each listener: built at the start; changed, added and taken away by reloads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::cache::Cache;
use crate::call::identity::Secret;
use crate::clock::Clock;
use crate::config::{Config, Listener};
use crate::flight::Flights;
use crate::gateway::Gateway;
use crate::gateway::destination::{Destination, Destinations};
use crate::gateway::landed::Landed;
use crate::gateway::named::Directory;
use crate::gateway::observed::Observed;
use crate::gateway::route::Routes;
use crate::gateway::studies::Studies;
use crate::gateway::unkept::Unkept;
use crate::gateway::verifying::Verification;
use crate::gateway::vitals::Vitals;
use crate::log::Lines;
use crate::metrics::{ListenerCounts, Metrics};
use crate::seed::Seed;
use crate::tap::Taps;
use crate::verification::{Sampler, Trust, Witnesses};

/// All gateways, by their listeners' names.
#[derive(Debug)]
pub(super) struct Gateways {
    directory: Directory,
    common: Common,
    clients: Arc<AtomicU64>,
    /// What they say of the process.
    pub(super) vitals: Arc<Vitals>,
}

/// What they have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) cache: Arc<Cache>,
    pub(super) flights: Arc<Flights<Landed>>,
    pub(super) metrics: Metrics,
    /// What is known of rules that are verified.
    pub(super) trust: Arc<Trust>,
    /// Who watches their calls.
    pub(super) taps: Arc<Taps>,
    /// For how long they remember that a reply could not be kept.
    pub(super) unkept_time: Duration,
    pub(super) seed: Seed,
    pub(super) clock: Clock,
    /// Under which those are told apart who clients say they are.
    pub(super) secret: Secret,
}

/// All backends, by their names.
type Backends = BTreeMap<String, Arc<Destination>>;

impl Gateways {
    /// None yet.
    pub(super) fn new(common: Common) -> Self {
        let vitals = Arc::new(Vitals::new(common.clock.now()));
        Self {
            directory: Directory::default(),
            common,
            clients: Arc::new(AtomicU64::new(CLIENTS_FROM)),
            vitals,
        }
    }

    /// By which people name what they serve.
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Those there are.
    pub(super) fn all(&self) -> Arc<BTreeMap<String, Arc<Gateway>>> {
        self.directory.gateways()
    }

    /// Has those that are known obey `config`, adds what it has more, and takes the others away: who serves by one of these holds it.
    pub(super) fn adopt(&self, config: &Config, backends: &Backends) {
        let known = self.all();
        let all = config.listeners.iter().map(|(name, listener)| {
            let gateway = known.get(name).map_or_else(
                || Arc::new(self.build(name, listener, backends)),
                |known| {
                    let before = known.routes.swap(Arc::new(routes(listener, backends, &known.counts)));
                    known.routes.load().renew(&before);
                    Arc::clone(known)
                },
            );
            gateway.lines.admit_each_second(config.log.calls_per_second);
            (name.clone(), gateway)
        });
        self.directory.replace(all.collect());
    }

    fn build(&self, name: &str, listener: &Listener, backends: &Backends) -> Gateway {
        let Common { cache, flights, metrics, trust, taps, unkept_time, seed, clock, secret } = &self.common;
        let counts = metrics.listener(name.into());
        Gateway {
            routes: ArcSwap::from_pointee(routes(listener, backends, &counts)),
            counts,
            cache: Arc::clone(cache),
            flights: Arc::clone(flights),
            observed: Observed::new(seed.of("observed").of(name)),
            studies: Studies::new(seed.of("studies").of(name)),
            unkept: Unkept::new(*unkept_time, seed.of("unkept").of(name)),
            verification: verification(seed.of("verification").of(name), trust),
            lines: Lines::new(0),
            taps: Arc::clone(taps),
            secret: secret.clone(),
            vitals: Arc::clone(&self.vitals),
            clients: Arc::clone(&self.clients),
            clock: clock.clone(),
        }
    }
}

fn routes(listener: &Listener, all: &Backends, counts: &ListenerCounts) -> Routes {
    let to = Destinations { all, usual: &listener.backend, sessions: listener.settings.sessions };
    let routes = Routes::new(to, &listener.service, &listener.methods, counts);
    if listener.settings.fb303 { routes.asked_about_itself(to, counts) } else { routes }
}

fn verification(seed: Seed, trust: &Arc<Trust>) -> Verification {
    let (sampler, witnesses) = (Sampler::new(seed.of("sampler")), Witnesses::new(seed.of("witnesses")));
    Verification { sampler, witnesses, trust: Arc::clone(trust) }
}

/// The number of the first client; the number 0 is the gateway's own.
const CLIENTS_FROM: u64 = 1;
