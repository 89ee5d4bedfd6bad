//! Whether an endpoint may have been out of a gateway's rotation.

use super::record::{Attempt, Record};
use crate::endpoints::Mood;
use crate::history::Moment;
use crate::service::Content;

impl Record<'_> {
    /// Whether the endpoint of an attempt may have been out of its gateway's rotation at any moment from then until `until`: it
    /// is not always listed, takes no connections, or has failed that gateway as often as takes it out.
    pub(super) fn may_be_out(&self, attempt: &Attempt, until: Moment) -> bool {
        let from = attempt.sent.saturating_sub(TROUBLE_LASTS);
        let endpoint = &self.world.endpoints[attempt.endpoint];
        // Connections that are not taken leave no trace in the history.
        let away = self.world.may_be_absent(attempt.endpoint);
        if away || endpoint.habits.one_at_a_time || refuses(&endpoint.moods, from, until) {
            return true;
        }
        let asked = self.attempts.values();
        let asked = asked.filter(|one| one.endpoint == attempt.endpoint && one.gateway == attempt.gateway);
        let failed = asked.filter(|one| one.may_fail_between(from, until)).count();
        let befell = self.befell.iter().filter(|at| (from..=until).contains(at)).count();
        failed + befell >= self.world.limits.ejection_failures as usize
    }
}

/// Whether an endpoint of these moods takes no connections at any moment of this time.
fn refuses(moods: &[(u64, Mood)], from: Moment, until: Moment) -> bool {
    let ends = moods.iter().skip(1).map(|(at, _)| *at * 1000).chain([Moment::MAX]);
    let mut in_time = moods.iter().zip(ends).filter(|((at, _), end)| *at * 1000 <= until && *end >= from);
    in_time.any(|((_, mood), _)| matches!(mood, Mood::Down | Mood::Full))
}

impl Attempt {
    /// Whether it may have counted against its endpoint within this time.
    fn may_fail_between(&self, from: Moment, until: Moment) -> bool {
        let improper = self
            .answer
            .as_ref()
            .is_some_and(|answer| !answer.honest || matches!(answer.content, Content::Declared { .. }));
        let over = self.over().unwrap_or(Moment::MAX);
        (improper || self.is_slow()) && self.sent <= until && over >= from
    }
}

/// How long an endpoint that failed may be left alone: the longest ejection, and some.
pub(super) const TROUBLE_LASTS: Moment = 40_000_000;
