//! Calls that endpoints die of: whose connections ended on two that refused connections right after is sent nowhere for a time.
//!
//! ```text
//!          its connection ends               refused right after,
//!          on a call of the key              nothing answered between
//!   (none) --------------------> suspected ---------------------------> an endpoint died of it
//!      ^                             |                                     |  two did: sent nowhere for 10 s
//!      +-- the endpoint answers -----+                                     v
//!      +-- a call of the key is answered --------------------- one call finds out ---> it dies too: twice as long
//! ```
//!
//! A connection that ends proves little by itself: thriftpy2 ends it for an exception that the service does not declare. Nor are calls suspected
//! that were under way when the endpoint that another call was sent to died: a power cut ends all of them. Until it is known whether two
//! endpoints that broke off at a key are dead, it is sent nowhere either.

use crate::dial::Address;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::doubling::Doubling;
use super::method::Method;
use crate::seed::{Hashing, Seed};

/// The keys that are suspected, or known to be deadly: a bounded number.
#[derive(Debug)]
pub(super) struct Quarantine {
    hashing: Hashing,
    suspects: Mutex<BTreeMap<u64, Suspect>>,
    /// Whether there are any: the calls of a service that nothing kills look no further.
    any: AtomicBool,
    /// Whether it is open of any endpoint whether it died.
    open: AtomicBool,
}

/// A key at whose calls endpoints broke off.
#[derive(Debug)]
struct Suspect {
    method: Arc<Method>,
    cuts: Vec<Cut>,
    /// Quarantines so far.
    times: u32,
    /// It is sent nowhere before; after that, one call finds out.
    until: Option<Instant>,
    seen: Instant,
}

/// A connection that ended on a call.
#[derive(Clone, Debug)]
struct Cut {
    endpoint: Address,
    at: Instant,
    proof: Proof,
}

/// Whether an endpoint died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Open,
    Died,
}

/// A try on which the connection ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broke<'a> {
    /// The key of its call.
    pub(super) key: &'a [u8],
    pub(super) method: &'a Arc<Method>,
    pub(super) endpoint: &'a Address,
    /// When it was sent.
    pub(super) sent: Instant,
}

impl Quarantine {
    /// No suspects. `seed` decides under which numbers keys are remembered: who does not know it cannot have one taken for another.
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            hashing: seed.hashing(),
            suspects: Mutex::default(),
            any: AtomicBool::new(false),
            open: AtomicBool::new(false),
        }
    }

    /// Whether a call of this key may be sent now; if not, for how long none may. The one that may after a quarantine has the others wait.
    pub(super) fn admit(&self, key: &[u8], now: Instant) -> Result<(), Duration> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(suspect) = suspects.get_mut(&self.number(key)) else { return Ok(()) };
        if let Some(until) = suspect.until {
            if now < until {
                return Err(until - now);
            }
            suspect.cuts.clear();
            suspect.until = Some(now + TIMES.first);
            return Ok(());
        }
        if suspect.is_enough(now) { Err(RIGHT_AFTER) } else { Ok(()) }
    }

    /// Whether a call of this key that was sent is to be sent to no further endpoint.
    pub(super) fn has_enough(&self, key: &[u8], now: Instant) -> bool {
        self.any.load(Ordering::Acquire) && {
            let suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
            suspects.get(&self.number(key)).is_some_and(|suspect| suspect.is_enough(now))
        }
    }

    /// A connection ended on a call.
    pub(super) fn broke(&self, broke: Broke<'_>, now: Instant) {
        let Broke { key, method, endpoint, sent } = broke;
        let number = self.number(key);
        self.change(now, |suspects| {
            if suspects.len() >= SUSPECTS_MOST && !suspects.contains_key(&number) {
                let oldest = suspects.iter().min_by_key(|(_, suspect)| suspect.seen);
                let oldest = oldest.map(|(number, _)| *number);
                oldest.map(|number| suspects.remove(&number));
            }
            let suspect = suspects.entry(number).or_insert_with(|| Suspect::new(method, now));
            // What was under way when the other broke off may have ended for the same reason, and that was no call.
            if suspect.cuts.last().is_some_and(|last| sent < last.at) || suspect.cuts.len() >= CUTS_MOST {
                return;
            }
            suspect.seen = now;
            suspect.cuts.retain(|cut| cut.endpoint != *endpoint || cut.proof == Proof::Died);
            suspect.cuts.push(Cut { endpoint: endpoint.clone(), at: now, proof: Proof::Open });
        });
    }

    /// A call of this key was answered.
    pub(super) fn answered(&self, key: &[u8], now: Instant) {
        if self.any.load(Ordering::Acquire) {
            let number = self.number(key);
            self.change(now, |suspects| drop(suspects.remove(&number)));
        }
    }

    /// An endpoint has answered what it was asked at `asked`: it did not die of what broke off before.
    pub(super) fn lives(&self, endpoint: &Address, asked: Instant) {
        if !self.open.load(Ordering::Acquire) {
            return;
        }
        self.change(asked, |suspects| {
            for suspect in suspects.values_mut() {
                suspect
                    .cuts
                    .retain(|cut| cut.proof == Proof::Died || cut.endpoint != *endpoint || asked < cut.at);
            }
        });
    }

    /// Keys that are sent nowhere.
    pub(super) fn held(&self, now: Instant) -> usize {
        if !self.any.load(Ordering::Acquire) {
            return 0;
        }
        let suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        suspects.values().filter(|suspect| suspect.until.is_some_and(|until| now < until)).count()
    }

    /// An endpoint refuses connections: whatever it broke off at just before may be what it died of. Returns how many keys are sent nowhere
    /// from now on.
    pub(super) fn died(&self, backend: &str, endpoint: &Address, now: Instant) -> u64 {
        if !self.open.load(Ordering::Acquire) {
            return 0;
        }
        let mut deadly = 0;
        self.change(now, |suspects| {
            for suspect in suspects.values_mut() {
                if suspect.died_at(endpoint, now) && suspect.is_proven() {
                    let time = suspect.quarantine(now);
                    deadly += 1;
                    let method = &*suspect.method.name;
                    tracing::warn!(backend, method, %endpoint, for_ms = time.as_millis(), "endpoints die of a call: it is sent nowhere");
                }
            }
        });
        deadly
    }

    fn number(&self, key: &[u8]) -> u64 {
        self.hashing.hash_one(key)
    }

    fn change(&self, now: Instant, change: impl FnOnce(&mut BTreeMap<u64, Suspect>)) {
        // Each change is one assignment after another of plain values: no panic leaves it half done.
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut suspects);
        suspects.retain(|_, suspect| suspect.is_of_interest(now));
        self.any.store(!suspects.is_empty(), Ordering::Release);
        let open = suspects.values().flat_map(|suspect| &suspect.cuts).any(|cut| cut.proof == Proof::Open);
        self.open.store(open, Ordering::Release);
    }
}

impl Suspect {
    fn new(method: &Arc<Method>, now: Instant) -> Self {
        Self { method: Arc::clone(method), cuts: Vec::new(), times: 0, until: None, seen: now }
    }

    /// How many endpoints must have died: of what two have died before, one more proves enough.
    fn enough(&self) -> usize {
        if self.times == 0 { 2 } else { 1 }
    }

    /// Whether so many endpoints died of it, or may have.
    fn is_enough(&self, now: Instant) -> bool {
        self.cuts.iter().filter(|cut| cut.counts(now)).count() >= self.enough()
    }

    fn is_proven(&self) -> bool {
        self.cuts.iter().filter(|cut| cut.proof == Proof::Died).count() >= self.enough()
    }

    /// Whether this says for the first time that an endpoint died of it.
    fn died_at(&mut self, endpoint: &Address, now: Instant) -> bool {
        let mut open =
            self.cuts.iter_mut().filter(|cut| cut.proof == Proof::Open && cut.endpoint == *endpoint);
        let Some(cut) = open.find(|cut| cut.counts(now)) else { return false };
        cut.proof = Proof::Died;
        true
    }

    /// Sends it nowhere from now on, and for how long.
    fn quarantine(&mut self, now: Instant) -> Duration {
        let time = TIMES.whole(self.times);
        self.times += 1;
        (self.until, self.seen) = (Some(now + time), now);
        time
    }

    /// Whether anything may still come of it.
    fn is_of_interest(&self, now: Instant) -> bool {
        let is_suspected = !self.cuts.is_empty() || self.times > 0;
        is_suspected && now.saturating_duration_since(self.seen) < REMEMBERED
    }
}

impl Cut {
    /// Whether its endpoint died of it, or it is not known yet.
    fn counts(&self, now: Instant) -> bool {
        self.proof == Proof::Died || now.saturating_duration_since(self.at) < RIGHT_AFTER
    }
}

/// For how long a deadly key is sent nowhere.
const TIMES: Doubling = Doubling { first: Duration::from_secs(10), most: Duration::from_secs(600) };
/// Who refuses connections within this time after it broke off at a call, and answered nothing between, may have died of it: time for two
/// checks.
const RIGHT_AFTER: Duration = Duration::from_secs(1);
/// After this time without a further endpoint that died of it, a key is innocent.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Keys that are remembered; of more, those go first of which nothing was heard for the longest.
const SUSPECTS_MOST: usize = 1024;
/// Connections that are remembered of each.
const CUTS_MOST: usize = 4;

#[cfg(test)]
mod tests;
