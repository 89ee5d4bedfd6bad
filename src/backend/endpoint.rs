//! One address of a backend: its connections, its standing, and what is learnt of it.

mod status;

use crate::dial::Address;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

use super::Settings;
use super::cell;
use super::cells::Cells;
use super::ends::Ends;
use super::finding::Finding;
use super::load::Load;
use super::means::Means;
use super::method::Method;
use super::pool::{Pool, Reaped};
use super::position::{Pace, Position};
use super::pulse::Pulse;
use super::share::Share;
use crate::bounded::Bounded;
use crate::tls::{Flaw, Name};
use crate::wire::Speech;

pub(crate) use status::{EndpointStatus, Habits};

/// What an endpoint must prove to be, or why nothing can prove it; nothing where TLS is not spoken. What must prove something else is another
/// endpoint.
pub(super) type Proves = Option<Result<Name, Flaw>>;

/// One address of a backend.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    /// What it speaks: at the same address, what speaks otherwise is another.
    pub(super) speech: Speech,
    /// What it must prove to be.
    pub(super) proves: Proves,
    /// Why the last TLS handshake with it failed, if it did.
    pub(super) untrusted: ArcSwapOption<String>,
    /// The path that each frame is posted to, over HTTP.
    pub(super) posts: Option<Arc<str>>,
    is_retired: AtomicBool,
    is_held: AtomicBool,
    /// Checks that found no sign of life, in a row.
    missed: AtomicU32,
    pub(super) means: Arc<Means>,
    pub(super) pool: Pool,
    pub(super) position: Position,
    pub(super) cells: Cells,
    pub(super) pulse: Arc<Pulse>,
    pub(super) load: Load,
    pub(super) share: Share,
    pub(super) ends: Ends,
    /// Whether it was told what may be wrong with it.
    pub(super) hinted: AtomicBool,
    /// Calls that pass although it is out of rotation.
    pub(super) passing: Bounded,
}

impl Endpoint {
    pub(super) fn new(address: Address, proves: Proves, means: &Arc<Means>) -> Self {
        let (now, settings) = (Instant::now(), means.settings());
        let new = Self {
            address,
            speech: settings.speech(),
            proves,
            untrusted: ArcSwapOption::empty(),
            posts: settings.posts.clone(),
            is_retired: AtomicBool::new(false),
            is_held: AtomicBool::new(false),
            missed: AtomicU32::new(0),
            pool: Pool::new(&settings),
            position: Position::new(settings.check_pace(), now),
            cells: Cells::default(),
            pulse: Pulse::new(),
            load: Load::new(now),
            ends: Ends::default(),
            share: Share::new(settings.slow_start, now),
            hinted: AtomicBool::new(false),
            passing: Bounded::default(),
            means: Arc::clone(means),
        };
        new.be_steered(&settings);
        new
    }

    /// Obeys other settings. What is known of it stays.
    pub(super) fn obey(&self, settings: &Settings) {
        self.pool.obey(settings);
        self.position.obey(self.pace(settings), Instant::now());
        self.share.obey(settings.slow_start);
        self.be_steered(settings);
    }

    /// Does as an operator says.
    fn be_steered(&self, settings: &Settings) {
        let steer = &settings.steer;
        self.share.order(steer.weight(&self.address));
        self.note(self.position.order(steer.of(&self.address), Instant::now()), None);
    }

    /// Whether it is held although it is gone: then it is checked all the time.
    pub(super) fn hold(&self, held: bool, settings: &Settings) {
        if self.is_held.swap(held, Ordering::AcqRel) != held {
            self.missed.store(0, Ordering::Release);
            self.position.obey(self.pace(settings), Instant::now());
        }
    }

    /// Notes what a check found.
    pub(super) fn checked(&self, finding: Finding, share: f64) {
        match self.is_sign_of_life(finding) {
            true => self.missed.store(0, Ordering::Release),
            false => drop(self.missed.fetch_add(1, Ordering::AcqRel)),
        }
        let effect = self.position.checked(finding, Instant::now(), share);
        self.note(effect, None);
    }

    /// Whether a check, or what came of late where it can tell nothing, shows that it is there and takes calls.
    pub(super) fn is_sign_of_life(&self, finding: Finding) -> bool {
        match finding {
            Finding::Alive | Finding::Warning => true,
            Finding::Nothing => {
                let lately = self.means.settings().check_interval * MISSES;
                Instant::now().checked_sub(lately).is_some_and(|moment| self.pulse.was_heard_since(moment))
            }
            Finding::Draining
            | Finding::Refused
            | Finding::Untrusted
            | Finding::Closed
            | Finding::Late
            | Finding::Unwell => false,
        }
    }

    /// Whether it shows that it is still there: what is held, is so while it does.
    pub(super) fn answers_checks(&self) -> bool {
        self.position.is_rotating() && self.missed.load(Ordering::Acquire) < MISSES
    }

    fn pace(&self, settings: &Settings) -> Pace {
        let pace = settings.check_pace();
        match self.is_held.load(Ordering::Acquire) {
            true => Pace { always: Some(pace.interval), ..pace },
            false => pace,
        }
    }

    /// It is one of the backend's endpoints no more: calls under way end where they are, no other begins, and what
    /// happens there is nobody's business.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
        self.pool.close();
    }

    /// Whether it is one of the backend's endpoints no more.
    pub(super) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Acquire)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.load.in_flight()
    }

    /// Closes the connections that were idle for too long or whose peer has closed them; says when to come again. A close is looked into: it
    /// may be the first that is seen of an endpoint's end.
    pub(super) fn reap(&self, now: Instant) -> Option<Instant> {
        let Reaped { next, found_closed, rest, age } = self.pool.reap(now, &self.means.tally);
        if found_closed {
            self.position.suspect(now);
            self.means.alarm.notify_one();
        }
        let (backend, endpoint) = (self.means.name(), &self.address);
        if let Some(age) = age {
            tracing::info!(%backend, %endpoint, kept_ms = age.as_millis(), "endpoint closes connections at an age");
        }
        if let Some(rest) = rest {
            tracing::info!(%backend, %endpoint, kept_ms = rest.as_millis(), "endpoint closes idle connections");
        }
        next
    }

    /// Whether it takes the calls of a method.
    #[inline]
    pub(super) fn takes(&self, method: &Method) -> bool {
        self.position.is_rotating() && (self.cells.is_in(method) || self.position.is_kept_in())
    }

    /// Whether another should have the calls of a method, because it fails too many of them.
    pub(super) fn is_poor_at(&self, method: &Method, now: Instant) -> bool {
        self.cells.is_poor(method, now)
    }

    /// Whether it waits for a call of a method that finds out whether it is back.
    pub(super) fn is_due(&self, method: &Method, now: Instant) -> bool {
        match self.position.is_rotating() {
            true => self.cells.find(method).is_some_and(|cell| cell.is_due(now, Duration::ZERO)),
            false => self.position.is_probe_due(now),
        }
    }

    /// How many calls pass at most that have nothing else to answer with: a quarter of what it was seen to handle at once, so that
    /// the rest is left to others.
    pub(super) fn passage(&self) -> usize {
        (self.pulse.parallel() / 4).max(1)
    }

    /// For how long nothing may come from it while calls wait.
    pub(super) fn patience(&self) -> Duration {
        (self.cells.waiting().slowest * SLOWEST_TIMES).clamp(SILENCE_LEAST, SILENCE_MOST)
    }

    /// Whether what waits may hold up a check: it may be all that the endpoint can handle.
    pub(super) fn may_be_held_up(&self) -> bool {
        let parallel = self.pulse.parallel();
        parallel < 2 || self.cells.waiting().unknown >= parallel
    }

    /// Takes into account how well it says it is: one that warns has half of its share.
    pub(super) fn warns(&self, finding: Finding) {
        let warns = match finding {
            Finding::Alive => false,
            Finding::Warning => true,
            Finding::Draining
            | Finding::Refused
            | Finding::Untrusted
            | Finding::Closed
            | Finding::Late
            | Finding::Unwell
            | Finding::Nothing => return,
        };
        if self.share.halve(warns) {
            let (backend, endpoint) = (self.means.name(), &self.address);
            tracing::info!(%backend, %endpoint, warns, "endpoint's status changed");
        }
    }

    /// When a method is out here and for how long.
    pub(super) fn limits(&self) -> cell::Limits {
        let settings = self.means.settings();
        cell::Limits { failures: settings.ejection_failures, time: settings.ejection() }
    }
}

/// Checks in a row without a sign of life, after which nothing is held any more.
const MISSES: u32 = 2;
/// Silence that lasts this many times the slowest answer of those that wait is none of theirs.
pub(super) const SLOWEST_TIMES: u32 = 3;
/// No silence is shorter: a pause of a second is a collector's or a scheduler's.
pub(super) const SILENCE_LEAST: Duration = Duration::from_secs(1);
/// No silence needs to be longer.
pub(super) const SILENCE_MOST: Duration = Duration::from_secs(30);
