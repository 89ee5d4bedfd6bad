//! A rule in force for one method: what its calls may be answered with, and how old that may be.

mod fallback;
pub(crate) mod headers;
pub(crate) mod method;
pub(crate) mod options;
pub(crate) mod pattern;
mod ramp;
pub(crate) mod resolve;
pub(crate) mod sessions;
pub(crate) mod tagging;

use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::call::{Returns, Said, Terms};
use crate::clock::Millis;
use crate::entry::{Ending, Entry};
use crate::key::Ignored;
use crate::mark::Standing;
use crate::setting::Share;

pub(crate) use fallback::{Backup, Fallback};
use headers::Headers;
pub(crate) use ramp::Ramp;
use sessions::Session;
use tagging::{Invalidation, Tagging};

/// What holds for the calls of one method.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// What happens to its calls.
    pub action: Action,
    /// What a backend must know of the method.
    pub terms: Terms,
    /// Whether the IDL declares it.
    pub declaration: Declaration,
    /// The backend that is asked; the listener's own without.
    pub backend: Option<Arc<str>>,
    /// Who is asked where that one fails.
    pub backup: Option<Backup>,
    /// How long a whole call may take.
    pub timeout: Timeout,
    /// What answers when nothing else does.
    pub fallback: Option<Fallback>,
    /// What its calls change of what is kept.
    pub invalidation: Option<Arc<Invalidation>>,
    /// What keys would leave out, where it is learnt from its calls which rule it should have.
    pub studied: Option<Arc<Ignored>>,
    /// Whether its backend is spared: it is not asked for what a rule keeps.
    pub spares: bool,
    /// What its calls leave behind on their connection, where the rule says so.
    pub session: Option<Session>,
}

/// Who says how long a whole call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// The rule.
    Own(Duration),
    /// The backend; where it is silent too, a rule's method has a bound all the same, because its callers rely on the gateway to
    /// answer something.
    Ruled,
    /// The backend alone.
    Backend,
}

impl Timeout {
    /// How long a whole call may take at a backend with this timeout of its own; unbounded without.
    pub(crate) fn at(self, backend: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Own(own) => Some(own),
            Self::Ruled => Some(backend.unwrap_or(RULED_TIMEOUT)),
            Self::Backend => backend,
        }
    }
}

/// How long a call of a ruled method may take where nothing else is said.
const RULED_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether the IDL declares a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Declaration {
    /// It does.
    Declared,
    /// It does not, or there is none: a message's type is all that tells whether its client expects a reply.
    #[default]
    Undeclared,
}

/// What happens to a method's calls. An option for caching cannot be set on a passed method.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// They go to a backend.
    Pass,
    /// They are answered from what is kept.
    Cache(Caching),
    /// They go to a backend, and what would have been a hit is counted.
    Observe(Caching),
}

/// How the replies of a method are kept.
#[derive(Clone, Debug)]
pub(crate) struct Caching {
    /// How long a reply is fresh.
    pub ttl: Duration,
    /// The share of `ttl`, 0 to 1, by which it may be shortened for a key.
    pub ttl_jitter: f64,
    /// How long after `ttl` a reply answers while it is refreshed (RFC 5861).
    pub stale_while_revalidate: Duration,
    /// How long after `ttl` a reply answers when a backend fails (RFC 5861).
    pub stale_if_error: Duration,
    /// For how long after `ttl` a result answers then at least, by an operator's word. It asks no tier to keep anything for longer: what marks
    /// are remembered for, and what Redis keeps, stays as it is.
    pub hold: Duration,
    /// The keys that it is for.
    pub ramp: Ramp,
    /// How many of the fresh hits are verified.
    pub verify: Option<Share>,
    /// How long a caller waits before such a reply answers all the same; for the flight's end without.
    pub soft_timeout: Option<Duration>,
    /// Argument fields that are not in the key.
    pub ignored: Ignored,
    /// Info headers that are in the key, and those that go to a backend.
    pub headers: Headers,
    /// A number in the key.
    pub revision: u32,
    /// Where replies are kept.
    pub tiers: Tiers,
    /// Declared exceptions, by field id, that are kept as answers.
    pub exceptions: Arc<[i16]>,
    /// How long such an exception is fresh.
    pub exception_ttl: Duration,
    /// How long after that such an exception answers when a backend fails.
    pub exception_stale_if_error: Duration,
    /// Bytes of the longest reply that is kept.
    pub reply_max: usize,
    /// The tags of replies.
    pub tagging: Tagging,
    /// What is left of an entry while other gateways may have made marks that are not known here.
    pub unvouched: Standing,
}

/// Where replies are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiers {
    /// In this process alone.
    Local,
    /// In Redis alone.
    Shared,
    /// In both.
    Both,
}

impl Tiers {
    /// Whether the local tier is one of them.
    pub fn local(self) -> bool {
        matches!(self, Self::Local | Self::Both)
    }

    /// Whether the shared tier is one of them.
    pub fn shared(self) -> bool {
        matches!(self, Self::Shared | Self::Both)
    }
}

/// What an entry may still be used for, in the words of RFC 5861.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Freshness {
    /// It answers.
    Fresh,
    /// It answers while it is refreshed.
    StaleWhileRevalidate,
    /// It answers if a backend fails.
    StaleIfError,
    /// It does not answer.
    Expired,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// It is kept.
    Keep,
    /// It is not kept, and what was kept is wrong from now on.
    Remove,
    /// It is not kept, and what was is used for as long as its own age allows: in an outage it is all there is.
    Leave,
}

impl Caching {
    /// What `entry`, kept under `key`, may be used for at `now`, where marks leave so much of it. Both stale windows start where `ttl` ends.
    pub(crate) fn judge(&self, entry: &Entry, key: &[u8], now: Millis, standing: Standing) -> Freshness {
        let age = now.since(entry.born);
        let (ttl, revalidate, error) = match entry.ending {
            Ending::Exception(_) if self.keeping(entry) != Keeping::Keep => return Freshness::Expired,
            Ending::Exception(_) => (self.exception_ttl, Duration::ZERO, self.exception_stale_if_error),
            Ending::Result | Ending::Empty => {
                (self.ttl_of(entry, key), self.stale_while_revalidate, self.stale_if_error.max(self.hold))
            }
        };
        let (fresh, revalidated) = match standing {
            Standing::Clear => (ttl, ttl + revalidate),
            // It is left what an outage allows.
            Standing::Soft => (Duration::ZERO, Duration::ZERO),
            Standing::Hard => return Freshness::Expired,
        };
        if age < fresh {
            Freshness::Fresh
        } else if age < revalidated {
            Freshness::StaleWhileRevalidate
        } else if age < ttl + error {
            Freshness::StaleIfError
        } else {
            Freshness::Expired
        }
    }

    /// What becomes of an answer that just arrived.
    pub(crate) fn keeping(&self, entry: &Entry) -> Keeping {
        let fits = entry.body.len() <= self.reply_max;
        match entry.ending {
            Ending::Exception(_) if fits && self.lists(entry.ending) => Keeping::Keep,
            Ending::Exception(_) => Keeping::Remove,
            Ending::Result | Ending::Empty if fits => Keeping::Keep,
            Ending::Result | Ending::Empty => Keeping::Leave,
        }
    }

    /// Whether `entry`, held here and old, waits for what other gateways may have learnt since: an exception must not hide what there is by now.
    pub(crate) fn yields(&self, entry: &Entry) -> bool {
        matches!(entry.ending, Ending::Exception(_)) && self.tiers == Tiers::Both
    }

    /// Whether it is an exception that is kept as an answer.
    pub(crate) fn lists(&self, ending: Ending) -> bool {
        matches!(ending, Ending::Exception(id) if self.exceptions.contains(&id))
    }

    /// How much longer, from `now` on, an entry may answer while its backend is down; a little less where `ttl` is jittered, as if it
    /// were shortened by all that it may be.
    pub(crate) fn left(&self, entry: &Entry, now: Millis) -> Duration {
        let whole = match entry.ending {
            Ending::Exception(_) => self.exception_longest(),
            Ending::Result | Ending::Empty if self.ttl_jitter == 0.0 => {
                self.ttl + self.stale().max(self.hold)
            }
            Ending::Result | Ending::Empty => {
                self.ttl.mul_f64(1.0 - self.ttl_jitter.clamp(0.0, 1.0)) + self.stale().max(self.hold)
            }
        };
        whole.saturating_sub(now.since(entry.born))
    }

    /// The longest time for which an entry may be of use, but for an operator's word.
    pub(crate) fn longest(&self) -> Duration {
        (self.ttl + self.stale()).max(self.exception_longest())
    }

    /// The longest time for which a kept exception may be of use.
    fn exception_longest(&self) -> Duration {
        self.exception_ttl + self.exception_stale_if_error
    }

    /// For how long after `ttl` an entry may answer.
    fn stale(&self) -> Duration {
        self.stale_while_revalidate.max(self.stale_if_error)
    }

    /// The `ttl` of one entry: shortened by a share that its key and birth decide, so that all gateways agree.
    fn ttl_of(&self, entry: &Entry, key: &[u8]) -> Duration {
        if self.ttl_jitter == 0.0 {
            return self.ttl;
        }
        let drawn = xxh3_64_with_seed(key, entry.born.0) as f64 / u64::MAX as f64;
        self.ttl.mul_f64(1.0 - self.ttl_jitter.clamp(0.0, 1.0) * drawn)
    }
}

/// What a call ended with that was answered so, if that may be kept at all.
pub(crate) fn ending(said: Said, returns: Returns) -> Option<Ending> {
    match said {
        Said::Result => Some(Ending::Result),
        Said::Nothing if returns == Returns::Void => Some(Ending::Empty),
        Said::Nothing => None,
        Said::Declared(id) => Some(Ending::Exception(id)),
    }
}

#[cfg(test)]
mod tests;
