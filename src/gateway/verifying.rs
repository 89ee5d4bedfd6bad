//! Asks the backend again what was served: behind, for a sample of hits. What the verdicts mean is told in `verification.rs`.

use std::sync::Arc;

use tokio::time::Instant;

use super::Gateway;
use super::asking::Asking;
use super::route::Cached;
use crate::backend::Question;
use crate::bounded::Admitted;
use crate::call::{Call, ClientId};
use crate::entry::Entry;
use crate::metrics::Verdict;
use crate::need::{Demand, Need};
use crate::outcome::Outcome;
use crate::verification::{Sampler, Spelled, Trust, Witnesses};

/// What one listener verifies.
#[derive(Debug)]
pub(crate) struct Verification {
    /// Which hits.
    pub sampler: Sampler,
    /// Which calls the replies were kept for.
    pub witnesses: Witnesses,
    /// What is found of all rules of the process.
    pub trust: Arc<Trust>,
}

/// A hit that is verified.
struct Hit {
    gateway: Arc<Gateway>,
    cached: Arc<Cached>,
    key: Arc<[u8]>,
    call: Call,
    served: Arc<Entry>,
}

impl Gateway {
    /// Has the backend asked again, if this hit is in the sample of its rule. The call that was answered knows nothing of it.
    #[inline]
    pub(super) fn verify(
        self: &Arc<Self>,
        call: impl FnOnce() -> Call,
        cached: &Arc<Cached>,
        key: &[u8],
        served: &Arc<Entry>,
    ) {
        if let Some(share) = cached.keyed.caching.verify
            && self.verification.sampler.draws(share)
            && let Some(admitted) = cached.asking.destination().allowance.admit(Instant::now())
        {
            // It is nobody's call any more.
            let call = Call { client: ClientId::default(), ..call() };
            let (gateway, cached, served) = (Arc::clone(self), Arc::clone(cached), Arc::clone(served));
            Hit { gateway, cached, key: key.into(), call, served }.begin(admitted);
        }
    }

    /// Notes which call a reply is kept for, where that may tell something of what its rule ignores.
    pub(super) fn witness(&self, cached: &Cached, key: &[u8], call: &Call, kept: &Entry) {
        let caching = &cached.keyed.caching;
        if caching.verify.is_some() && !caching.ignored.is_empty() {
            self.verification.witnesses.note(key, call, kept.born);
        }
    }
}

impl Hit {
    /// Verifies it behind, if the backend has time for that.
    #[cold]
    fn begin(self, admitted: Admitted) {
        if !self.is_at_ease() {
            return;
        }
        let backend = Arc::clone(self.cached.asking.backend());
        backend.spawn(async move {
            let verdict = self.verdict().await.unwrap_or(Verdict::Unverified);
            let Self { gateway, cached, .. } = &self;
            cached.asking.counts.verified(verdict);
            gateway.verification.trust.note(&cached.rule, &cached.keyed.caching, verdict);
            drop(admitted);
        });
    }

    /// What is found; nothing where the backend does not say.
    async fn verdict(&self) -> Option<Verdict> {
        let Self { gateway, key, call, served, .. } = self;
        let served_said = Spelled::of(served.protocol, &served.body)?;
        let now = self.said(call).await?;
        if now == served_said {
            return Some(Verdict::Match);
        }
        let witness = gateway.verification.witnesses.of(key, served.born);
        let other = self.said(witness.as_ref().unwrap_or(call)).await?;
        if other == now {
            return Some(Verdict::Changed);
        }
        let again = self.said(call).await?;
        Some(if again == other { Verdict::Changed } else { Verdict::Mismatch })
    }

    /// What the backend says to a call, if it still has time.
    async fn said(&self, call: &Call) -> Option<Spelled> {
        if !self.is_at_ease() {
            return None;
        }
        let (asking, demand) = (&self.cached.asking, Demand::new(Need::Refresh));
        let question = Question { key: Some(&self.key), ..asking.question(call, &demand) };
        let answer = asking.shared(question).await.ok()?;
        Spelled::of(answer.protocol, &answer.body)
    }

    fn is_at_ease(&self) -> bool {
        let Self { gateway, cached, call, .. } = self;
        let (asking, now) = (&cached.asking, gateway.clock.now());
        let recent = asking.destination().traffic.recent.window(now);
        let has_answered = ANSWERED_INSTEAD.iter().all(|outcome| recent.count(*outcome) == 0);
        has_answered && gateway.cache.servers_away() == 0 && asking.is_at_ease(&call.name)
    }
}

impl Asking {
    /// Whether the backend has time for what nobody needs.
    fn is_at_ease(&self, name: &[u8]) -> bool {
        !self.is_out(name) && self.backend().is_at_ease()
    }
}

/// What answers where a backend does not.
const ANSWERED_INSTEAD: [Outcome; 4] =
    [Outcome::StaleIfError, Outcome::StaleIfSlow, Outcome::Backup, Outcome::Fallback];
