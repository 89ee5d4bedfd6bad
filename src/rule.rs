//! A rule in force for one method: what its calls may be answered with, and how old that may be.

pub(crate) mod method;
pub(crate) mod options;
pub(crate) mod pattern;
pub(crate) mod resolve;
pub(crate) mod sessions;
pub(crate) mod tagging;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::call::{Returns, Said, Terms};
use crate::clock::Millis;
use crate::entry::{Ending, Entry};
use crate::key::Ignored;
use crate::mark::Standing;
use crate::wire::Protocol;

use tagging::{Invalidation, Tagging};

/// What holds for the calls of one method.
#[derive(Debug)]
pub(crate) struct Rule {
    /// What happens to its calls.
    pub action: Action,
    /// What a backend must know of the method.
    pub terms: Terms,
    /// Whether the IDL declares it.
    pub declaration: Declaration,
    /// The backend that is asked; the listener's own without.
    pub backend: Option<Arc<str>>,
    /// How long a whole call may take.
    pub timeout: Timeout,
    /// What answers when nothing else does.
    pub fallback: Option<Fallback>,
    /// What its calls change of what is kept.
    pub invalidation: Option<Arc<Invalidation>>,
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
#[derive(Debug)]
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
    /// How long a caller waits before such a reply answers all the same; for the flight's end without.
    pub soft_timeout: Option<Duration>,
    /// Argument fields that are not in the key.
    pub ignored: Ignored,
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

/// A rule's last answer, as the result struct of either protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fallback {
    /// For a client that speaks the binary protocol.
    pub binary: Bytes,
    /// For a client that speaks the compact protocol.
    pub compact: Bytes,
}

impl Fallback {
    /// The struct for a client that speaks `protocol`.
    pub(crate) fn body(&self, protocol: Protocol) -> Bytes {
        match protocol {
            Protocol::Binary => self.binary.clone(),
            Protocol::Compact => self.compact.clone(),
        }
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
                (self.ttl_of(entry, key), self.stale_while_revalidate, self.stale_if_error)
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
            Ending::Exception(id) if fits && self.exceptions.contains(&id) => Keeping::Keep,
            Ending::Exception(_) => Keeping::Remove,
            Ending::Result | Ending::Empty if fits => Keeping::Keep,
            Ending::Result | Ending::Empty => Keeping::Leave,
        }
    }

    /// Whether `entry`, held here and old, waits for what other gateways may have learnt since: an exception must not hide what there is by now.
    pub(crate) fn yields(&self, entry: &Entry) -> bool {
        matches!(entry.ending, Ending::Exception(_)) && self.tiers == Tiers::Both
    }

    /// How much longer, from `now` on, an entry may answer while its backend is down; a little less where `ttl` is jittered, as if it
    /// were shortened by all that it may be.
    pub(crate) fn left(&self, entry: &Entry, now: Millis) -> Duration {
        let whole = match entry.ending {
            Ending::Exception(_) => self.exception_longest(),
            Ending::Result | Ending::Empty if self.ttl_jitter == 0.0 => self.ttl + self.stale(),
            Ending::Result | Ending::Empty => {
                self.ttl.mul_f64(1.0 - self.ttl_jitter.clamp(0.0, 1.0)) + self.stale()
            }
        };
        whole.saturating_sub(now.since(entry.born))
    }

    /// The longest time for which an entry may be of use.
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
mod tests {
    use super::*;

    fn caching() -> Caching {
        Caching {
            ttl: Duration::from_secs(10),
            ttl_jitter: 0.0,
            stale_while_revalidate: Duration::from_secs(5),
            stale_if_error: Duration::from_secs(60),
            soft_timeout: None,
            ignored: Ignored::default(),
            revision: 0,
            tiers: Tiers::Both,
            exceptions: Arc::new([1]),
            exception_ttl: Duration::from_secs(2),
            exception_stale_if_error: Duration::ZERO,
            reply_max: 100,
            tagging: Tagging::default(),
        }
    }

    fn entry(ending: Ending) -> Entry {
        Entry::new(Millis(1_000), ending, Protocol::Binary, Bytes::from_static(&[0]))
    }

    #[track_caller]
    fn check(caching: &Caching, ending: Ending, age: u64, expected: Freshness) {
        let judged = caching.judge(&entry(ending), b"key", Millis(1_000 + age), Standing::Clear);
        assert_eq!(judged, expected, "at {age} ms");
    }

    #[test]
    fn a_ruled_method_has_a_bound_and_an_unruled_one_its_backends() {
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!([Timeout::Own(one).at(Some(two)), Timeout::Own(one).at(None)], [Some(one), Some(one)]);
        assert_eq!([Timeout::Ruled.at(Some(two)), Timeout::Ruled.at(None)], [Some(two), Some(RULED_TIMEOUT)]);
        assert_eq!([Timeout::Backend.at(Some(two)), Timeout::Backend.at(None)], [Some(two), None]);
    }

    #[test]
    fn an_entry_passes_through_its_states() {
        let caching = caching();
        check(&caching, Ending::Result, 0, Freshness::Fresh);
        check(&caching, Ending::Result, 9_999, Freshness::Fresh);
        check(&caching, Ending::Result, 10_000, Freshness::StaleWhileRevalidate);
        check(&caching, Ending::Result, 15_000, Freshness::StaleIfError);
        check(&caching, Ending::Result, 69_999, Freshness::StaleIfError);
        check(&caching, Ending::Result, 70_000, Freshness::Expired);
    }

    #[test]
    fn a_kept_exception_has_its_own_times() {
        check(&caching(), Ending::Exception(1), 1_999, Freshness::Fresh);
        check(&caching(), Ending::Exception(1), 2_000, Freshness::Expired);
        let stale = Caching { exception_stale_if_error: Duration::from_secs(30), ..caching() };
        check(&stale, Ending::Exception(1), 1_999, Freshness::Fresh);
        check(&stale, Ending::Exception(1), 2_000, Freshness::StaleIfError);
        check(&stale, Ending::Exception(1), 31_999, Freshness::StaleIfError);
        check(&stale, Ending::Exception(1), 32_000, Freshness::Expired);
        check(&stale, Ending::Exception(2), 0, Freshness::Expired);
        assert!(stale.yields(&entry(Ending::Exception(1))) && !stale.yields(&entry(Ending::Result)));
    }

    #[test]
    fn what_is_marked_softly_answers_in_an_outage_alone_and_what_is_marked_hard_never() {
        let judged = |caching: &Caching, ending, age: u64, standing| {
            caching.judge(&entry(ending), b"key", Millis(1_000 + age), standing)
        };
        let soft = |age| judged(&caching(), Ending::Result, age, Standing::Soft);
        assert_eq!(
            [0, 12_000, 69_999, 70_000].map(soft),
            [Freshness::StaleIfError, Freshness::StaleIfError, Freshness::StaleIfError, Freshness::Expired]
        );
        let short = Caching { stale_if_error: Duration::from_secs(1), ..caching() };
        assert_eq!(judged(&short, Ending::Result, 12_000, Standing::Clear), Freshness::StaleWhileRevalidate);
        assert_eq!(judged(&short, Ending::Result, 12_000, Standing::Soft), Freshness::Expired);
        let never_stale = Caching { exception_ttl: Duration::ZERO, ..caching() };
        assert_eq!(judged(&never_stale, Ending::Exception(1), 0, Standing::Soft), Freshness::Expired);
        assert_eq!(judged(&caching(), Ending::Result, 0, Standing::Hard), Freshness::Expired);
    }

    #[test]
    fn an_outage_only_entry_is_never_fresh() {
        let caching = Caching { ttl: Duration::ZERO, stale_while_revalidate: Duration::ZERO, ..caching() };
        check(&caching, Ending::Result, 0, Freshness::StaleIfError);
    }

    #[test]
    fn an_entry_is_of_use_until_the_last_of_its_windows_ends() {
        let longest = |swr, sie, exception| {
            let [stale_while_revalidate, stale_if_error, exception_stale_if_error] =
                [swr, sie, exception].map(Duration::from_secs);
            let caching =
                Caching { stale_while_revalidate, stale_if_error, exception_stale_if_error, ..caching() };
            caching.longest().as_secs()
        };
        assert_eq!([longest(5, 60, 0), longest(60, 5, 0), longest(5, 60, 90)], [70, 70, 92]);
    }

    #[test]
    fn what_is_left_of_an_entry_is_until_the_last_moment_at_which_it_may_answer() {
        let left = |caching: &Caching, ending, age: u64| {
            caching.left(&entry(ending), Millis(1_000 + age)).as_millis()
        };
        assert_eq!(
            [0, 69_999, 70_000, 99_000].map(|age| left(&caching(), Ending::Result, age)),
            [70_000, 1, 0, 0]
        );
        assert_eq!([0, 1_999, 2_000].map(|age| left(&caching(), Ending::Exception(1), age)), [2_000, 1, 0]);
        let stale = Caching { exception_stale_if_error: Duration::from_secs(30), ..caching() };
        assert_eq!(
            [0, 2_000, 32_000].map(|age| left(&stale, Ending::Exception(1), age)),
            [32_000, 30_000, 0]
        );
        let jittered = Caching { ttl_jitter: 0.5, ..caching() };
        assert_eq!(left(&jittered, Ending::Result, 0), 65_000);
        let revalidated = Caching { stale_if_error: Duration::ZERO, ..caching() };
        assert_eq!(left(&revalidated, Ending::Empty, 0), 15_000);
    }

    #[test]
    fn jitter_only_shortens_and_is_the_same_everywhere() {
        let jittered = Caching { ttl_jitter: 0.5, ..caching() };
        let ttl = jittered.ttl_of(&entry(Ending::Result), b"key");
        assert!(ttl <= jittered.ttl && ttl >= jittered.ttl / 2);
        assert_eq!(ttl, jittered.ttl_of(&entry(Ending::Result), b"key"));
        assert_ne!(ttl, jittered.ttl_of(&entry(Ending::Result), b"another"));
    }

    #[test]
    fn an_exception_that_is_not_kept_removes_and_a_long_reply_leaves() {
        assert_eq!(caching().keeping(&entry(Ending::Exception(2))), Keeping::Remove);
        assert_eq!(caching().keeping(&entry(Ending::Exception(1))), Keeping::Keep);
        let long = |ending| Entry { body: Bytes::from(vec![0; 101]), ..entry(ending) };
        assert_eq!(caching().keeping(&long(Ending::Result)), Keeping::Leave);
        assert_eq!(caching().keeping(&long(Ending::Exception(1))), Keeping::Remove);
    }

    #[test]
    fn a_tier_is_used_where_the_rule_names_it() {
        let used = [Tiers::Local, Tiers::Shared, Tiers::Both].map(|tiers| (tiers.local(), tiers.shared()));
        assert_eq!(used, [(true, false), (false, true), (true, true)]);
    }

    #[test]
    fn a_fallback_answers_in_its_clients_protocol() {
        let fallback = Fallback { binary: Bytes::from_static(b"b"), compact: Bytes::from_static(b"c") };
        let bodies = [Protocol::Binary, Protocol::Compact].map(|protocol| fallback.body(protocol));
        assert_eq!(bodies, [&b"b"[..], b"c"]);
    }
}
