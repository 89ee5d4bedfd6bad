//! What was found of the rules whose hits are verified, and which of them are not to be trusted any more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::key::Ignored;
use crate::metrics::Verdict;
use crate::rule::Caching;

/// What was found of each rule, by its pattern: for all listeners of a process, because it has one mode for all.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    found: Mutex<Found>,
    fell: Notify,
}

#[derive(Debug, Default)]
struct Found {
    rules: BTreeMap<Arc<str>, Record>,
    fallen: VecDeque<Fallen>,
}

/// The last verdicts of one rule, for as long as it has the same keys.
#[derive(Debug)]
struct Record {
    keys: (Ignored, u32),
    verdicts: VecDeque<Verdict>,
    /// It has lost its trust: what was found of it is shown, and nothing is added to it.
    has_fallen: bool,
}

/// What the last verdicts of a rule come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Hits to which the backend says the same.
    pub matches: usize,
    /// Those that have changed since they were kept.
    pub changed: usize,
    /// Those for which no one reply is right.
    pub mismatches: usize,
}

/// A rule that has lost its trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fallen {
    /// Its pattern.
    pub rule: Arc<str>,
    /// What was found of it.
    pub tally: Tally,
}

impl Trust {
    /// Notes what was found of a hit of the rule with this pattern.
    pub(crate) fn note(&self, rule: &Arc<str>, caching: &Caching, verdict: Verdict) {
        if verdict == Verdict::Unverified {
            return;
        }
        let mut found = self.found();
        let keys = (caching.ignored.clone(), caching.revision);
        let new = || Record { keys: keys.clone(), verdicts: VecDeque::new(), has_fallen: false };
        let record = found.rules.entry(Arc::clone(rule)).or_insert_with(new);
        if record.keys != keys {
            *record = new();
        }
        if record.has_fallen {
            return;
        }
        record.note(verdict);
        let tally = record.tally();
        if tally.is_too_bad() {
            record.has_fallen = true;
            found.fallen.push_back(Fallen { rule: Arc::clone(rule), tally });
            self.fell.notify_one();
        }
    }

    /// Has the rule with this pattern judged anew, if it has fallen: somebody wants it as it is.
    pub(crate) fn judge_anew(&self, rule: &str) {
        self.found().rules.retain(|pattern, record| **pattern != *rule || !record.has_fallen);
    }

    /// The last verdicts of the rule with this pattern; those by which it fell, if it has fallen.
    pub(crate) fn tally(&self, rule: &str) -> Tally {
        self.found().rules.get(rule).map(Record::tally).unwrap_or_default()
    }

    /// Those of each rule that has any, by its pattern.
    pub(crate) fn tallies(&self) -> Vec<(Arc<str>, Tally)> {
        let found = self.found();
        found.rules.iter().map(|(rule, record)| (Arc::clone(rule), record.tally())).collect()
    }

    /// Waits for the next rule that is not to be trusted any more.
    pub(crate) async fn fallen(&self) -> Fallen {
        loop {
            if let Some(fallen) = self.found().fallen.pop_front() {
                return fallen;
            }
            self.fell.notified().await;
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn note(&mut self, verdict: Verdict) {
        self.verdicts.push_front(verdict);
        self.verdicts.truncate(VERDICTS_MOST);
    }

    fn tally(&self) -> Tally {
        let count = |of| self.verdicts.iter().filter(|verdict| **verdict == of).count();
        Tally {
            matches: count(Verdict::Match),
            changed: count(Verdict::Changed),
            mismatches: count(Verdict::Mismatch),
        }
    }
}

impl Tally {
    /// How many verdicts there are.
    pub(crate) fn verdicts(self) -> usize {
        self.matches + self.changed + self.mismatches
    }

    /// Whether more of them are mismatches than chance may bring about.
    fn is_too_bad(self) -> bool {
        self.verdicts() >= VERDICTS_LEAST && self.mismatches * TRUSTED_OF > self.verdicts()
    }
}

/// Verdicts of a rule that count: its last ones.
const VERDICTS_MOST: usize = 64;
/// Verdicts that tell something.
const VERDICTS_LEAST: usize = 20;
/// One mismatch of so many verdicts is no reason for distrust: a reply may change twice between three calls.
const TRUSTED_OF: usize = 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::rule::Action;
    use crate::rule::method::Governed;
    use crate::rule::options::Options;
    use crate::rule::pattern::Pattern;
    use crate::setting::Period;

    fn caching(ignore: &str) -> Caching {
        let ttl = Some(Period::from(Duration::from_secs(1)));
        let options = Options { ttl, ignore: vec![ignore.to_owned()], ..Options::default() };
        let pattern: Pattern = "S.get".parse().unwrap();
        let governed = Governed::new([(&pattern, &options)], None);
        let (.., ruled) = governed.named().next().unwrap();
        let Action::Cache(caching) = &ruled.rule.action else { panic!("it keeps replies") };
        caching.clone()
    }

    fn note(trust: &Trust, caching: &Caching, verdict: Verdict, times: usize) {
        (0..times).for_each(|_| trust.note(&"S.get".into(), caching, verdict));
    }

    #[test]
    fn a_rule_falls_by_more_mismatches_than_chance_brings_about() {
        let (trust, caching) = (Trust::default(), caching("1"));
        note(&trust, &caching, Verdict::Mismatch, 19);
        assert_eq!(trust.fallen().now_or_never(), None, "few verdicts tell nothing");
        note(&trust, &caching, Verdict::Unverified, 100);
        assert_eq!(trust.tally("S.get").verdicts(), 19);
        note(&trust, &caching, Verdict::Match, 1);
        let tally = Tally { matches: 1, changed: 0, mismatches: 19 };
        assert_eq!(trust.fallen().now_or_never(), Some(Fallen { rule: "S.get".into(), tally }));
        note(&trust, &caching, Verdict::Match, 64);
        assert_eq!((trust.fallen().now_or_never(), trust.tally("S.get")), (None, tally), "it is shown");
        trust.judge_anew("S.get");
        assert_eq!(trust.tally("S.get"), Tally::default());
        note(&trust, &caching, Verdict::Match, 1);
        trust.judge_anew("S.get");
        assert_eq!(trust.tally("S.get").verdicts(), 1, "it has not fallen again");
    }

    #[test]
    fn what_changes_and_one_mismatch_among_many_verdicts_are_no_reason() {
        let (trust, caching) = (Trust::default(), caching("1"));
        note(&trust, &caching, Verdict::Changed, 63);
        for _ in 0..10 {
            note(&trust, &caching, Verdict::Mismatch, 1);
            note(&trust, &caching, Verdict::Match, 31);
        }
        assert_eq!(trust.fallen().now_or_never(), None);
        assert_eq!(trust.tally("S.get"), Tally { matches: 62, changed: 0, mismatches: 2 });
    }

    #[test]
    fn a_rule_with_other_keys_is_judged_anew() {
        let trust = Trust::default();
        note(&trust, &caching("1"), Verdict::Mismatch, 19);
        note(&trust, &caching("2"), Verdict::Mismatch, 1);
        assert_eq!((trust.tally("S.get").verdicts(), trust.fallen().now_or_never()), (1, None));
    }
}
