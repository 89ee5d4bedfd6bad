//! The entries of one method while they are counted.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::stock::{MethodStock, States};
use crate::clock::Millis;
use crate::entry::Entry;
use crate::gateway::keepers::Keepers;
use crate::key::Parts;
use crate::mark::{Marks, Standing};
use crate::rule::Freshness;

/// Entries of one method.
#[derive(Debug)]
pub(super) struct Count {
    bytes: u64,
    /// In milliseconds, to about a percent.
    ages: Histogram<u64>,
    states: States,
    covered: u64,
}

/// What may be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// What a rule in force says.
    Ruled { freshness: Freshness, is_covered: bool },
    /// None knows its key.
    Unruled,
}

impl Judged {
    /// What the first of the rules says that know the key.
    pub(super) fn by(keepers: &Keepers, key: &[u8], entry: &Entry, now: Millis, marks: &Marks) -> Self {
        let Some(keeper) = keepers.knowing(key).next() else { return Self::Unruled };
        // A copy: looking leaves no trace in the seal.
        let entry = Entry::clone(entry);
        let standing = marks.standing(&entry.seal, keeper.keyed.covers(&entry.tags.covers, key));
        let freshness = keeper.keyed.judge(&entry, key, now, marks);
        Self::Ruled { freshness, is_covered: standing != Standing::Clear }
    }
}

impl Default for Count {
    fn default() -> Self {
        // Grows with the ages; the digits are within the bounds that it allows.
        let ages = Histogram::new(DIGITS).expect("it takes 0 to 5 digits");
        Self { bytes: 0, ages, states: States::default(), covered: 0 }
    }
}

impl Count {
    /// One more.
    pub(super) fn add(&mut self, bytes: u32, age: Duration, judged: Judged) {
        self.bytes += u64::from(bytes);
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX).min(AGE_MAX);
        // Every age up to there is taken.
        let _ = self.ages.record(age);
        let states = &mut self.states;
        *match judged {
            Judged::Unruled => &mut states.unruled,
            Judged::Ruled { freshness: Freshness::Fresh, .. } => &mut states.fresh,
            Judged::Ruled { freshness: Freshness::StaleWhileRevalidate, .. } => {
                &mut states.stale_while_revalidate
            }
            Judged::Ruled { freshness: Freshness::StaleIfError, .. } => &mut states.stale_if_error,
            Judged::Ruled { freshness: Freshness::Expired, .. } => &mut states.expired,
        } += 1;
        self.covered += u64::from(matches!(judged, Judged::Ruled { is_covered: true, .. }));
    }

    /// What it came to.
    pub(super) fn stock(self, method: String) -> MethodStock {
        let seconds = |millis: u64| millis as f64 / 1_000.0;
        MethodStock {
            method,
            entries: self.ages.len(),
            bytes: self.bytes,
            youngest_seconds: seconds(self.ages.min()),
            median_seconds: seconds(self.ages.value_at_quantile(0.5)),
            oldest_seconds: seconds(self.ages.max()),
            states: self.states,
            covered: self.covered,
        }
    }
}

/// The name of the method that a key belongs to, or that of all the others where it is not to be told apart.
pub(super) fn named(key: &[u8], is_told: impl FnOnce(&str) -> bool) -> String {
    let Parts { service, method, .. } = Parts::of(key);
    let name = format!("{}.{}", service.escape_ascii(), method.escape_ascii());
    if is_told(&name) { name } else { OTHER.to_owned() }
}

/// Significant digits of an age.
const DIGITS: u8 = 2;
/// The oldest that is told, in milliseconds: a hundred years.
const AGE_MAX: u64 = 100 * 365 * 24 * 3_600_000;
/// The name of all methods that are not told apart.
const OTHER: &str = "_OTHER";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Ignored, Prefix, Scope, Spelling};
    use crate::wire::Protocol;

    #[test]
    fn entries_are_counted_by_what_they_may_be_used_for() {
        let mut count = Count::default();
        let ruled = |freshness| Judged::Ruled { freshness, is_covered: false };
        count.add(100, Duration::ZERO, ruled(Freshness::Fresh));
        count.add(100, Duration::from_secs(2), ruled(Freshness::StaleWhileRevalidate));
        count.add(100, Duration::from_secs(40), ruled(Freshness::StaleIfError));
        count.add(
            50,
            Duration::from_secs(60),
            Judged::Ruled { freshness: Freshness::Expired, is_covered: true },
        );
        count.add(50, Duration::MAX, Judged::Unruled);
        let stock = count.stock("S.get".to_owned());
        let States { fresh, stale_while_revalidate, stale_if_error, expired, unruled } = stock.states;
        assert_eq!([fresh, stale_while_revalidate, stale_if_error, expired, unruled], [1; 5]);
        assert_eq!((stock.entries, stock.bytes, stock.covered), (5, 400, 1));
        assert!(stock.youngest_seconds == 0.0 && (stock.median_seconds - 40.0).abs() < 1.0, "{stock:?}");
        assert!(stock.oldest_seconds > 3e9, "{stock:?}");
    }

    #[test]
    fn a_key_tells_the_method_where_that_is_told_apart() {
        let scope = Scope {
            backend: "b",
            service: b"S",
            method: b"get\n",
            spelling: Spelling::Plain,
            protocol: Protocol::Binary,
            revision: 0,
            ignored: &Ignored::default(),
        };
        let key = Prefix::new(&scope).as_bytes().to_vec();
        assert_eq!(named(&key, |_| true), "S.get\\n");
        assert_eq!(named(&key, |_| false), OTHER);
    }
}
