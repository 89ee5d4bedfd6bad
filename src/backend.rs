//! Asks the service that a method belongs to: which endpoint, over which connection, and what if that fails.

mod balance;
mod connection;
mod counts;
mod ejection;
mod endpoint;
mod lease;
mod lookup;
pub mod options;
mod pool;
mod private;
mod round;
mod settings;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use counts::Counts;
pub use ejection::Standing;
pub use endpoint::EndpointState;
pub use private::Private;
pub use settings::{Settings, Sharing};

use crate::call::{Answer, Answering, Call, Repeat, Returns, Said, Terms};
use crate::dial::Dial;
use crate::fault::Fault;
use crate::wire::message::Kind;
use crate::wire::{Protocol, exception};
use balance::Chance;
use connection::{Broken, Reply};
use counts::Tally;
use ejection::{Effect, Verdict};
use endpoint::{Endpoint, Turn};
use lease::{Cut, Lease, Limit, Origin, Want};
use lookup::Lookup;
use round::{Again, Round, Second, verdict};

/// A service behind one or more endpoints that all give the same answers.
#[derive(Debug)]
pub struct Backend {
    settings: Settings,
    dial: Arc<dyn Dial>,
    endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
    lookup: watch::Sender<Lookup>,
    chance: Chance,
    tally: Tally,
}

impl Backend {
    /// How clients share its connections.
    pub fn sharing(&self) -> Sharing {
        self.settings.connections
    }

    /// A backend that opens its connections through `dial`. Literal addresses can be asked at once, host names once
    /// [`Backend::run`] has looked them up. `seed` decides the choice among endpoints and the jitter of ejections.
    pub fn new(settings: Settings, dial: Arc<dyn Dial>, seed: u64, counts: &Counts) -> Arc<Self> {
        let tally = counts.of(&settings.name);
        let backend = Self {
            settings,
            dial,
            endpoints: ArcSwap::default(),
            lookup: watch::Sender::new(Lookup::Pending),
            chance: Chance::new(seed),
            tally,
        };
        backend.begin();
        Arc::new(backend)
    }

    /// Looks host names up again and closes idle connections, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            tokio::join!(self.look_up_forever(), self.reap_forever());
        })
        .await;
    }

    /// Its name in the configuration, logs and metrics.
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// The protocol its endpoints speak.
    pub fn protocol(&self) -> Protocol {
        self.settings.protocol
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks for a reply, at another endpoint too where that is safe. `timeout` bounds the whole call, lines and tries
    /// included; `None` leaves it unbounded. `None` is answered to a call that has no reply, once it was sent.
    ///
    /// # Errors
    /// The last try's fault, or [`Fault::Down`] without a try.
    pub async fn ask(
        &self,
        call: &Call,
        terms: &Terms,
        timeout: Option<Duration>,
    ) -> Result<Option<Answer>, Fault> {
        self.same_protocol(call)?;
        let mut round = Round::new(timeout);
        let mut turn = self.first_turn(terms.repeat, round.whole).await?;
        let mut want = Want::Any;
        loop {
            let limit = self.attempt_limit(&round, terms);
            let endpoint = Arc::clone(&turn.endpoint);
            let (asked, again) = self.attempt(turn, call, terms, want, limit).await;
            let fault = match asked {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let next = round.next(&fault, terms.repeat).then(|| {
                round.tried.push(endpoint.address);
                self.choose(&round.tried, terms.repeat)
            });
            (turn, want) = match (next, again) {
                (None, _) => return Err(fault),
                (Some(Some(turn)), _) => (turn, Want::Any),
                (Some(None), Again::Same) => match Turn::take(&endpoint) {
                    Some(turn) => (turn, Want::Opened),
                    None => return Err(fault),
                },
                (Some(None), Again::Elsewhere) => return Err(fault),
            };
            self.tally.retried();
        }
    }

    /// Whether every endpoint is known to fail. A call may still be let through to find out whether one is back: who has
    /// something else to answer with need not wait for it.
    pub fn is_down(&self) -> bool {
        let endpoints = self.endpoints.load();
        if endpoints.is_empty() {
            return self.lookup.borrow().is_over();
        }
        !endpoints.iter().any(|one| one.ejection.is_rotating())
    }

    /// Whether a call would get as far as an endpoint: one is in rotation, or due to be probed.
    pub fn is_worth_asking(&self) -> bool {
        let now = Instant::now();
        !self.is_down() || self.endpoints.load().iter().any(|one| one.ejection.is_due(now, Duration::ZERO))
    }

    /// Its endpoints as they are.
    pub fn endpoints(&self) -> Vec<EndpointState> {
        self.endpoints.load().iter().map(|one| one.state()).collect()
    }

    /// A connection of one client's own, opened by its first call.
    pub fn private(&self) -> Private {
        Private::default()
    }

    async fn first_turn(&self, repeat: Repeat, limit: Option<Limit>) -> Result<Turn, Fault> {
        if self.endpoints.load().is_empty() {
            self.wait_for_lookup(limit.map(|limit| limit.at)).await?;
        }
        self.choose(&[], repeat).ok_or_else(|| Fault::Down { backend: Arc::clone(self.name()) })
    }

    fn choose(&self, tried: &[SocketAddr], repeat: Repeat) -> Option<Turn> {
        let endpoints = self.endpoints.load();
        balance::choose(&endpoints, tried, repeat, self.settings.ejection_time, &self.chance)
    }

    fn attempt_limit(&self, round: &Round, terms: &Terms) -> Option<Limit> {
        let second = terms.repeat == Repeat::Idempotent
            && round.second == Second::Possible
            && self.endpoints.load().len() > round.tried.len() + 1;
        let share = match (self.settings.attempt_timeout, round.whole) {
            (Some(own), _) => Some(own),
            (None, Some(whole)) if second => Some(whole.after / 2),
            (None, _) => None,
        };
        let attempt = Limit::after(share);
        match (attempt, round.whole) {
            (Some(attempt), Some(whole)) if whole.at < attempt.at => Some(whole),
            (Some(attempt), _) => Some(attempt),
            (None, whole) => whole,
        }
    }

    async fn attempt(
        &self,
        turn: Turn,
        call: &Call,
        terms: &Terms,
        want: Want,
        limit: Option<Limit>,
    ) -> (Result<Option<Answer>, Fault>, Again) {
        let (asked, again) = self.try_once(&turn.endpoint, call, terms, want, limit).await;
        self.settle(turn, asked.as_ref().map(Option::as_ref));
        (asked, again)
    }

    async fn try_once(
        &self,
        endpoint: &Arc<Endpoint>,
        call: &Call,
        terms: &Terms,
        mut want: Want,
        limit: Option<Limit>,
    ) -> (Result<Option<Answer>, Fault>, Again) {
        loop {
            let lease = match Lease::take(self, endpoint, want, limit.map(|limit| limit.at)).await {
                Ok(lease) => lease,
                Err(fault) => return (Err(fault), Again::Elsewhere),
            };
            let origin = lease.origin;
            match (self.carry(lease, call, terms, limit).await, origin) {
                (Ok(asked), _) => return (asked, Again::Elsewhere),
                // Its peer has closed it at rest; nothing was sent, so nothing is tried twice.
                (Err(Cut::Broken(Broken::Unsent)), Origin::Pool) => want = Want::Opened,
                (Err(cut @ Cut::Broken(Broken::Closed)), Origin::Pool) => {
                    return (Err(self.cut(cut)), Again::Same);
                }
                (Err(cut), Origin::Pool | Origin::Opened) => return (Err(self.cut(cut)), Again::Elsewhere),
            }
        }
    }

    /// Takes a call over one connection. The outer error leaves open what to do, the inner one is the backend's answer.
    async fn carry(
        &self,
        mut lease: Lease,
        call: &Call,
        terms: &Terms,
        limit: Option<Limit>,
    ) -> Result<Result<Option<Answer>, Fault>, Cut> {
        match terms.answer {
            Answering::Reply => {
                let reply = lease.exchange(call, limit).await?;
                lease.give_back(reply.after, self);
                Ok(self.classify(reply, terms).map(Some))
            }
            Answering::Oneway => {
                lease.send(call, limit).await?;
                lease.give_back_rested();
                Ok(Ok(None))
            }
            Answering::Unsure => {
                lease.send(call, limit).await?;
                lease.finish_later();
                Ok(Ok(None))
            }
        }
    }

    /// What a verified reply says.
    fn classify(&self, reply: Reply, terms: &Terms) -> Result<Answer, Fault> {
        let Reply { kind, body, .. } = reply;
        let backend = Arc::clone(self.name());
        if kind == Kind::Exception {
            let kind = exception::decode(self.protocol(), &body).kind;
            return Err(Fault::Exception { backend, kind, body });
        }
        match Said::of(self.protocol(), &body) {
            Err(error) => Err(Fault::Garbage { backend, why: error.to_string().into() }),
            Ok(Said::Nothing) if terms.returns == Returns::Value => {
                Err(Fault::MissingResult { backend, body })
            }
            Ok(Said::Declared(id)) if terms.failures.contains(&id) => {
                Err(Fault::Failure { backend, id, body })
            }
            Ok(said) => Ok(Answer { said, body }),
        }
    }

    /// Ends a turn by what came of it, and counts it.
    fn settle(&self, turn: Turn, asked: Result<Option<&Answer>, &Fault>) {
        let verdict = match asked {
            Ok(Some(_)) => {
                self.tally.answered();
                Verdict::Healthy
            }
            Ok(None) => {
                self.tally.sent();
                Verdict::Neutral
            }
            Err(fault) => {
                self.tally.failed(fault);
                verdict(fault)
            }
        };
        let address = turn.endpoint.address;
        match turn.settle(verdict, || self.chance.share()) {
            Effect::Unchanged => {}
            Effect::Ejected => {
                self.tally.ejected();
                tracing::warn!(backend = %self.name(), endpoint = %address, "endpoint ejected");
            }
            Effect::Returned => {
                tracing::info!(backend = %self.name(), endpoint = %address, "endpoint is back");
            }
        }
    }

    /// A client's own connection, at the first endpoint that lets one be opened, with the turn of its first call.
    async fn open_private(&self, limit: Option<Limit>) -> Result<(Lease, Turn), Fault> {
        let mut tried = Vec::new();
        let mut turn = self.first_turn(Repeat::Once, limit).await?;
        loop {
            // A client must not wait for ever for another one to leave.
            let bound = Instant::now() + self.settings.connect_timeout;
            let bound = limit.map_or(bound, |limit| limit.at.min(bound));
            let endpoint = Arc::clone(&turn.endpoint);
            let fault = match Lease::take(self, &endpoint, Want::Opened, Some(bound)).await {
                Ok(lease) => return Ok((lease, turn)),
                Err(fault) => fault,
            };
            self.settle(turn, Err(&fault));
            tried.push(endpoint.address);
            turn = match self.choose(&tried, Repeat::Once) {
                Some(turn) => turn,
                None => return Err(fault),
            };
        }
    }

    async fn reap_forever(&self) {
        loop {
            let now = Instant::now();
            let endpoints = self.endpoints.load_full();
            let next = endpoints.iter().filter_map(|one| one.pool.reap(now, &self.tally)).min();
            drop(endpoints);
            // What is given back from here on is idle for too long at the earliest one idle time from here.
            let latest = now + self.settings.idle_timeout.min(REAP_MOST);
            let at = next.map_or(latest, |next| next.min(latest)).max(now + REAP_LEAST);
            tokio::time::sleep_until(at).await;
        }
    }

    fn same_protocol(&self, call: &Call) -> Result<(), Fault> {
        if call.protocol == self.protocol() {
            return Ok(());
        }
        Err(Fault::Protocol {
            backend: Arc::clone(self.name()),
            theirs: self.protocol().as_str(),
            ours: call.protocol.as_str(),
        })
    }

    fn busy(&self) -> Fault {
        Fault::Busy { backend: Arc::clone(self.name()), waiting: self.settings.max_waiting }
    }

    fn closed(&self) -> Fault {
        Fault::Closed { backend: Arc::clone(self.name()) }
    }

    fn unreachable(&self, why: String) -> Fault {
        Fault::Unreachable { backend: Arc::clone(self.name()), why: why.into() }
    }

    fn cut(&self, cut: Cut) -> Fault {
        let backend = Arc::clone(self.name());
        match cut {
            Cut::Late(after) => Fault::Timeout { backend, after },
            Cut::Broken(Broken::Closed) => Fault::Closed { backend },
            Cut::Broken(Broken::Garbage(why)) => Fault::Garbage { backend, why },
            Cut::Broken(Broken::Unsent) => {
                let why = "the connection ended before the call was sent".into();
                Fault::Unreachable { backend, why }
            }
        }
    }
}

/// Waits for `future` until `deadline`, without a timer where there is none.
async fn within<T>(
    deadline: Option<Instant>,
    future: impl Future<Output = T>,
) -> Result<T, tokio::time::error::Elapsed> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await,
        None => Ok(future.await),
    }
}

/// The shortest time between two looks at the idle connections.
const REAP_LEAST: Duration = Duration::from_millis(50);
/// The longest: by then a connection that its peer has closed is closed here too.
const REAP_MOST: Duration = Duration::from_secs(1);
