//! Asks the service that a method belongs to: which endpoint, over which connection, and what if that fails.

mod aging;
mod answer;
mod ask;
mod attempt;
mod balance;
mod budget;
mod candidates;
mod cell;
mod cells;
mod chance;
mod check;
mod closing;
mod connection;
mod counts;
mod deadline;
mod dialling;
mod discovery;
mod doubling;
mod endpoint;
mod endpoints;
mod ends;
mod errand;
mod finding;
mod idling;
mod lane;
mod limit;
mod line;
mod load;
mod loan;
mod lookup;
mod means;
mod median;
mod method;
mod misses;
mod mood;
pub(crate) mod options;
mod pace;
mod patience;
mod pool;
mod position;
mod private;
mod proof;
mod pulse;
mod quarantine;
mod queue;
mod replay;
mod resting;
mod retry;
mod room;
mod roster;
mod run;
mod session;
mod share;
mod sounding;
mod speaking;
mod spelled;
mod standing;
mod steer;
#[cfg(test)]
mod tests;
mod told;
mod turning;
mod unread;
mod vigil;
mod wary;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use counts::Counts;
pub(crate) use endpoint::{EndpointStatus, Habits};
pub(crate) use method::{Method, MethodOf, Methods, Question};
pub(crate) use misses::Loss;
pub(crate) use options::{Settings, Sharing};
pub(crate) use session::{Place, Session};
pub(crate) use standing::Why;
pub(crate) use steer::{Ordered, Steer};

use crate::dial::Dial;
use crate::fault::Fault;
use crate::files::Files;
use crate::seed::Seed;
use crate::state::State;
use budget::Budget;
use chance::Chance;
use discovery::Discovery;
use endpoints::Endpoints;
use lookup::Lookup;
use means::Means;
use quarantine::Quarantine;

/// What a backend takes from outside.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    /// The way out.
    pub dial: Arc<dyn Dial>,
    /// Where a file of endpoints is read.
    pub files: Arc<dyn Files>,
    /// Where the endpoints are kept that were found.
    pub state: Arc<State>,
}

/// A service behind one or more endpoints that all give the same answers.
#[derive(Debug)]
pub(crate) struct Backend {
    means: Arc<Means>,
    endpoints: Endpoints,
    budget: Budget,
    discovery: Discovery,
    lookup: watch::Sender<Lookup>,
}

impl Backend {
    /// A backend that opens its connections through `dial`. Literal addresses can be asked at once, host names once
    /// [`Backend::run`] has looked them up. `seed` decides the choice among endpoints, the jitter of ejections and
    /// retries, and the sequence ids.
    pub(crate) fn new(settings: Settings, outside: Outside, seed: Seed, counts: &Counts) -> Arc<Self> {
        let (tally, discovery) = (counts.of(&settings.name), Discovery::new(&outside));
        let dial = outside.dial;
        let (chance, left, tasks) = (Chance::new(seed), Notify::new(), TaskTracker::new());
        let budget = Budget::new(settings.retry_percent, settings.retry_burst, Instant::now());
        let methods = Methods::new(seed.of("methods"));
        let (name, alarm, turned) = (Arc::clone(&settings.name), Notify::new(), Notify::new());
        let quarantine = Quarantine::new(seed.of("quarantine"));
        let settings = ArcSwap::from_pointee(settings);
        let means = Arc::new(Means {
            name,
            settings,
            dial,
            chance,
            methods,
            tally,
            quarantine,
            left,
            turned,
            alarm,
            tasks,
        });
        let endpoints = Endpoints::new(Arc::clone(&means));
        let lookup = watch::Sender::new(Lookup::Pending);
        let backend = Self { means, endpoints, budget, discovery, lookup };
        backend.obey_list(None);
        Arc::new(backend)
    }

    /// Obeys other settings from here on; its name stays. What is known of endpoints that stay is kept, and calls under way
    /// end where they are.
    pub(crate) fn reload(&self, settings: Settings) {
        self.budget.obey(settings.retry_percent, settings.retry_burst);
        let before = self.means.settings.swap(Arc::new(settings));
        self.obey_list(Some(&before));
        self.endpoints.obey();
        self.discover_anew();
        self.means.alarm.notify_one();
    }

    /// Finds out where its endpoints are, closes idle connections and watches over the endpoints, until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            self.remember().await;
            tokio::join!(
                self.look_up_forever(),
                self.read_file_forever(),
                self.stand_in_soon(),
                self.keep_forever(),
                self.endpoints.reap_forever(),
                self.watch_forever(),
            );
        })
        .await;
    }

    /// Waits until nothing goes on that a call has left behind: connections that are still being opened, or closed.
    pub(crate) async fn settled(&self) {
        self.means.tasks.close();
        self.means.tasks.wait().await;
    }

    /// Its name in the configuration, logs and metrics.
    pub(crate) fn name(&self) -> &Arc<str> {
        self.means.name()
    }

    /// What it was told.
    pub(crate) fn settings(&self) -> Guard<Arc<Settings>> {
        self.means.settings()
    }

    /// Keys whose calls are sent nowhere because endpoints died of them.
    pub(crate) fn quarantined(&self) -> usize {
        self.means.quarantine.held(Instant::now())
    }

    /// Its methods.
    pub(crate) fn methods(&self) -> &Methods {
        &self.means.methods
    }

    /// Uses no connection any more that is open by now, but for what is under way there: what was said on it may mean something else from here on.
    pub(crate) fn renew(&self) {
        self.endpoints.all().iter().for_each(|endpoint| endpoint.pool.renew());
    }

    /// Whether every endpoint is known to fail. A call may still be let through to find out whether one is back: who has
    /// something else to answer with need not wait for it.
    pub(crate) fn is_down(&self) -> bool {
        if self.endpoints.is_empty() {
            return self.lookup.borrow().is_over();
        }
        !self.endpoints.any_is_back()
    }

    /// Waits until every endpoint is known to fail, or until one is back.
    pub(crate) async fn until_down(&self, down: bool) {
        loop {
            let mut turned = pin!(self.means.turned.notified());
            turned.as_mut().enable();
            if self.is_down() == down {
                return;
            }
            // That a lookup finds no address at all is told to nobody.
            let _ = tokio::time::timeout(LOOK_AGAIN, turned).await;
        }
    }

    /// Waits until no endpoint takes the calls of a method. All who wait are woken at that moment, in the order they came.
    pub(crate) async fn until_out(&self, method: &Method) {
        loop {
            let mut left = pin!(self.means.left.notified());
            left.as_mut().enable();
            if self.is_out(method) {
                return;
            }
            left.await;
        }
    }

    /// Whether no endpoint takes the calls of a method: those that have nothing else to answer with are still let through, a few at
    /// a time.
    pub(crate) fn is_out(&self, method: &Method) -> bool {
        if self.endpoints.is_empty() {
            return self.lookup.borrow().is_over();
        }
        !self.endpoints.any_takes(method)
    }

    /// The fault of a call that no endpoint may be asked for.
    pub(crate) fn down(&self) -> Fault {
        let why = if self.is_down() { ALL_FAIL } else { METHOD_FAILS };
        Fault::Down { backend: Arc::clone(self.name()), why }
    }

    /// Whether a refresh would get as far as an endpoint: one takes the method, or is due to be tried.
    pub(crate) fn is_worth_asking(&self, method: &Method) -> bool {
        !self.is_out(method) || self.endpoints.any_is_due(method)
    }

    /// Whether it has time for what nobody needs: no endpoint is out but by an operator's word, and where something limits the calls to one,
    /// or their misses, less than half of that is used up.
    pub(crate) fn is_at_ease(&self) -> bool {
        let has_room = |used: usize, most: Option<usize>| most.is_none_or(|most| used * 2 < most);
        let endpoints = self.endpoints();
        let is_well = |one: &EndpointStatus| match one.standing.why() {
            None => {
                let has_room = has_room(one.in_flight, one.limit) && has_room(one.misses, one.miss_limit);
                has_room && one.waiting == 0
            }
            Some(Why::Drained | Why::Ordered) => true,
            Some(_) => one.idle,
        };
        !self.is_down() && endpoints.iter().all(is_well)
    }

    /// Has something done that nobody waits for but the end of the process.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.means.tasks.spawn(work));
    }

    /// The methods that are out although endpoints are in rotation, by their labels.
    pub(crate) fn methods_out(&self) -> Vec<String> {
        match self.is_down() {
            true => Vec::new(),
            false => self.endpoints.methods_out(),
        }
    }

    /// The retries that its budget has left.
    pub(crate) fn retries_left(&self) -> f64 {
        self.budget.left(Instant::now())
    }

    /// Its endpoints as they are.
    pub(crate) fn endpoints(&self) -> Vec<EndpointStatus> {
        let mut endpoints = self.endpoints.status();
        self.mark_idle_addresses(&mut endpoints);
        endpoints
    }

    /// Why its file of endpoints is not obeyed, or why a name could not be looked up.
    pub(crate) fn undiscovered(&self) -> Option<Arc<str>> {
        let failed = || match &*self.lookup.borrow() {
            Lookup::Over(why) => why.clone(),
            Lookup::Pending => None,
        };
        self.discovery.flaw().or_else(failed)
    }

    /// What one client's connection has of its own here.
    pub(crate) fn session(&self) -> Session {
        Session::new(self.settings().connections)
    }
}

/// How often whoever waits for an outage or for its end looks by himself.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Why a backend is down.
const ALL_FAIL: &str = "every endpoint fails";
/// Why a call of a method has nowhere to go while others have.
const METHOD_FAILS: &str = "every endpoint fails at this method";
