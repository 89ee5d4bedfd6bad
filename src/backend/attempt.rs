//! One call's right to ask an endpoint, and what its end proves: of the method there, of the endpoint, or of nobody.

mod evidence;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cell::{Cell, Waits};
use super::deadline::Deadline;
use super::endpoint::Endpoint;
use super::load::{Burden, Measure};
use super::method::Method;
use super::queue::{Among, Rank};
use super::standing::{Effect, Why};
use super::wary::Heard;
use crate::bounded::Admitted;
use crate::call::{Answer, Said};
use crate::fault::Fault;
use crate::need::Need;

/// One call's right to ask an endpoint. Dropped without a word of what came of it, it tells nothing.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) endpoint: Arc<Endpoint>,
    method: Arc<Method>,
    /// Whether its call comes because nothing is kept which answers it.
    is_miss: bool,
    cell: Arc<Cell>,
    /// None once it has been told what came of it, or left to another.
    role: Option<Role>,
    burden: Burden,
    /// When the call was sent, or is about to be.
    sent: Option<Instant>,
    /// When it was sent behind others of its client: how long it takes tells nothing.
    followed: Option<Instant>,
    /// While it waits for its answer.
    waits: Option<Waits>,
    chance: FairChance,
    /// Before whom it is served where calls wait in a line.
    rank: Rank,
}

/// As what a call was let through.
#[derive(Debug)]
enum Role {
    /// As any other.
    Call,
    /// It finds out whether its method is back at the endpoint.
    Trial,
    /// It finds out whether the endpoint is back.
    Probe,
    /// Its method is out there, and it has nothing else.
    Beside(Admitted),
    /// The endpoint is out, and it has nothing else.
    Beyond(Admitted),
}

/// Whether an endpoint had the time to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FairChance {
    Given,
    /// It was asked when its call's time was nearly spent, or its client keeps it busy.
    Denied,
}

impl Attempt {
    /// An attempt at an endpoint that takes calls.
    pub(super) fn call(endpoint: &Arc<Endpoint>, method: &Arc<Method>, now: Instant) -> Self {
        Self::with(endpoint, method, now, Role::Call)
    }

    /// The same, where it still does.
    pub(super) fn admit(endpoint: &Arc<Endpoint>, method: &Arc<Method>) -> Option<Self> {
        (endpoint.takes(method) && !endpoint.is_retired())
            .then(|| Self::call(endpoint, method, Instant::now()))
    }

    /// The attempt that finds out whether a method is back at an endpoint, `patience` after the first moment it may.
    pub(super) fn trial(
        endpoint: &Arc<Endpoint>,
        method: &Arc<Method>,
        now: Instant,
        patience: Duration,
    ) -> Option<Self> {
        let begun =
            endpoint.position.is_rotating() && endpoint.cells.find(method)?.begin_trial(now, patience);
        begun.then(|| Self::with(endpoint, method, now, Role::Trial))
    }

    /// The attempt that finds out whether an endpoint is back.
    pub(super) fn probe(endpoint: &Arc<Endpoint>, method: &Arc<Method>, now: Instant) -> Option<Self> {
        endpoint.position.begin_probe(now).then(|| Self::with(endpoint, method, now, Role::Probe))
    }

    /// An attempt at an endpoint where the method is out, if not too many pass.
    pub(super) fn beside(endpoint: &Arc<Endpoint>, method: &Arc<Method>, now: Instant) -> Option<Self> {
        if !endpoint.position.is_rotating() {
            return None;
        }
        let admitted = endpoint.cells.of(method).passing.join(endpoint.passage())?;
        Some(Self::with(endpoint, method, now, Role::Beside(admitted)))
    }

    /// An attempt at an endpoint that is out, if it lets pass and not too many do.
    pub(super) fn beyond(endpoint: &Arc<Endpoint>, method: &Arc<Method>, now: Instant) -> Option<Self> {
        if !endpoint.position.lets_pass() {
            return None;
        }
        let admitted = endpoint.passing.join(endpoint.passage())?;
        Some(Self::with(endpoint, method, now, Role::Beyond(admitted)))
    }

    /// How long its method's answers usually take, as far as anybody knows.
    pub(super) fn usual(&self) -> Duration {
        self.method.median.get().unwrap_or_default()
    }

    /// Whether it finds out if its endpoint is back.
    pub(super) fn is_probe(&self) -> bool {
        match self.role {
            Some(Role::Probe) => true,
            Some(Role::Call | Role::Trial | Role::Beside(_) | Role::Beyond(_)) | None => false,
        }
    }

    /// Before whom it is served in a line, where its answer is needed so much.
    pub(super) fn rank(&self, need: Need) -> Rank {
        match (self.rank, need) {
            (Rank::First, Need::Refresh) => Rank::Refresh,
            (rank, _) => rank,
        }
    }

    /// Notes whether its call comes because nothing is kept which answers it.
    pub(super) fn is_of_miss(&mut self, is_miss: bool) {
        self.is_miss = is_miss;
    }

    /// When its call was sent.
    pub(super) fn sent_at(&self) -> Option<Instant> {
        self.sent
    }

    /// Notes that it is a retry: it does not keep a call waiting that was not tried yet.
    pub(super) fn gives_way(&mut self) {
        self.rank = Rank::Later;
    }

    /// Notes that the call is held up by what its own client sent before.
    pub(super) fn stands_behind_others(&mut self) {
        self.chance = FairChance::Denied;
    }

    /// Notes how much of its time the call has left now that it is sent.
    pub(super) fn sends(&mut self, deadline: Option<Deadline>) {
        let now = Instant::now();
        self.sent = Some(now);
        self.waits = Some(self.cell.wait(now));
        if deadline.is_some_and(Deadline::is_nearly_spent) {
            self.chance = FairChance::Denied;
        }
    }

    /// Notes that it waits for more than its own handler: how long it takes tells nothing.
    pub(super) fn is_not_timed(&mut self) {
        self.sent = None;
    }

    /// Notes that it is sent behind others of its client.
    pub(super) fn follows(&mut self) {
        self.followed = Some(Instant::now());
    }

    /// Notes that a call which followed others ran out of its time, all of which it had when they were answered.
    pub(super) fn had_its_time(&mut self) {
        self.sent = self.since_if_known();
    }

    /// Leaves it to what goes on when the call has ended to say what came of it.
    pub(super) fn hand_over(&mut self) -> Self {
        let burden = self.endpoint.load.begin(None, Instant::now());
        Self {
            burden,
            endpoint: Arc::clone(&self.endpoint),
            method: Arc::clone(&self.method),
            is_miss: self.is_miss,
            cell: Arc::clone(&self.cell),
            role: self.role.take(),
            sent: None,
            followed: None,
            waits: None,
            chance: self.chance,
            rank: self.rank,
        }
    }

    /// Ends it with an answer.
    pub(super) fn answered(mut self, said: Said) {
        self.endpoint.means.tally.answered();
        self.endpoint.ends.answered();
        let now = Instant::now();
        self.tell_end(None, now);
        let tells = self.limits_hear(now);
        if let Some(sent) = self.sent {
            let took = now.duration_since(sent);
            self.method.pace.answered(took);
            let measure = match said {
                Said::Result | Said::Nothing => {
                    if !tells {
                        self.method.median.note(took);
                    }
                    Measure::Result
                }
                Said::Declared(_) => Measure::Exception,
            };
            self.endpoint.load.note(measure, took, self.method.median.get(), now);
        }
        if self.role.is_some() {
            let effect = self.method_answered(self.since(now), now);
            self.ends(effect, None);
        }
    }

    /// Tells the limits of an answer. Whether they take what it took for how much there is to do, and not for what is usual.
    fn limits_hear(&self, now: Instant) -> bool {
        let usual = self.method.median.get();
        let heard = Heard::new(self.since(now), now, usual.filter(|_| self.sent.is_some()));
        let tells = self.endpoint.pool.permits.answered(self.among(), heard);
        tells && usual.is_some()
    }

    /// Ends it with a call that has no reply and was sent.
    pub(super) fn sent(self) {
        self.endpoint.means.tally.sent();
        self.endpoint.ends.answered();
    }

    /// Ends it with a fault.
    pub(super) fn failed(self, fault: &Fault) {
        self.endpoint.means.tally.failed(fault);
        self.endpoint.ends.failed();
        let now = Instant::now();
        self.tell_end(Some(fault), now);
        self.measure(fault, now);
        self.proves_by(fault, now);
    }

    /// Ends it with a fault of the call before it, which proves what it proves once.
    pub(super) fn falls_with_another(self, fault: &Fault) {
        self.endpoint.means.tally.failed(fault);
        self.endpoint.ends.failed();
    }

    /// Ends it by what came of a call that is answered.
    pub(super) fn settle(self, asked: Result<&Answer, &Fault>) {
        match asked {
            Ok(answer) => self.answered(answer.said),
            Err(fault) => self.failed(fault),
        }
    }

    /// Ends it with what a fault proves, which no counter has to tell.
    pub(super) fn proves(self, fault: &Fault) {
        self.proves_by(fault, Instant::now());
    }

    fn proves_by(mut self, fault: &Fault, now: Instant) {
        if self.role.is_none() {
            return;
        }
        let (sent, position) = (self.since(now), &self.endpoint.position);
        let effect = match fault {
            Fault::Unreachable { refusal, .. } => self.unreached(*refusal, now),
            Fault::Timeout { .. } => {
                if let Some(sent) = self.sent.filter(|_| self.is_miss) {
                    self.endpoint.pool.permits.miss_took(now.duration_since(sent));
                }
                if self.sent.is_some() && self.chance == FairChance::Given {
                    self.endpoint.pool.permits.too_much(self.among(), sent, now);
                    self.method_failed(sent, now, fault);
                }
                self.suspects(now)
            }
            Fault::Garbage { .. } => {
                self.cell.heard(now);
                self.method_failed(sent, now, fault);
                self.suspects(now)
            }
            Fault::Failure { .. } => {
                self.cell.heard(now);
                self.endpoint.pool.permits.too_much(self.among(), sent, now);
                self.method_failed(sent, now, fault);
                self.endpoint_answered(sent, now)
            }
            Fault::Oversized { .. }
            | Fault::Exception { .. }
            | Fault::MissingResult { .. }
            | Fault::Session { .. } => self.method_answered(sent, now),
            Fault::Closed { end, .. } if end.blames_endpoint() => position.unreached(Why::Silent, now),
            Fault::Closed { .. } => position.closed(now),
            Fault::Down { .. }
            | Fault::Busy { .. }
            | Fault::Shed { .. }
            | Fault::Crowded { .. }
            | Fault::Quarantined { .. }
            | Fault::Internal
            | Fault::Stopped
            | Fault::Untranslatable { .. } => Effect::Unchanged,
        };
        self.ends(effect, Some(fault));
    }

    fn among(&self) -> Among {
        Among { method: Some(self.method.index), is_miss: self.is_miss }
    }

    fn since_if_known(&self) -> Option<Instant> {
        self.sent.or(self.followed)
    }

    fn since(&self, now: Instant) -> Instant {
        self.since_if_known().unwrap_or(now)
    }

    fn ends(&mut self, effect: Effect, fault: Option<&Fault>) {
        self.release();
        self.endpoint.note(effect, fault);
    }

    fn release(&mut self) {
        match self.role.take() {
            None | Some(Role::Call | Role::Probe) => {}
            Some(Role::Trial) => self.cell.end_trial(),
            Some(Role::Beside(admitted) | Role::Beyond(admitted)) => drop(admitted),
        }
    }

    fn with(endpoint: &Arc<Endpoint>, method: &Arc<Method>, now: Instant, role: Role) -> Self {
        let cell = endpoint.cells.of(method);
        let burden = endpoint.load.begin(method.median.get(), now);
        Self {
            burden,
            endpoint: Arc::clone(endpoint),
            method: Arc::clone(method),
            is_miss: false,
            cell,
            rank: role.rank(),
            role: Some(role),
            sent: None,
            followed: None,
            waits: None,
            chance: FairChance::Given,
        }
    }
}

impl Role {
    fn rank(&self) -> Rank {
        match self {
            Self::Trial | Self::Probe => Rank::Probe,
            Self::Call | Self::Beside(_) | Self::Beyond(_) => Rank::First,
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.release();
        self.endpoint.load.end(self.burden);
    }
}
