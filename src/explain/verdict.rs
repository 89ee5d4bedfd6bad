//! What would become of a call, from what is held of it and who may be asked. The decision itself is `Gateway::answer`; tests hold this
//! against it.

use crate::outcome::Outcome;
use crate::rule::Freshness;
use crate::rule::options::BackupWhen;

/// What may answer a call that a rule caches, and who else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// What the reply of this process may be used for.
    pub local: Freshness,
    /// What that of the shared tier may be used for.
    pub shared: Freshness,
    /// Whether an old one of this process waits for the look into the shared tier.
    pub yields: bool,
    /// What answers where nothing kept does.
    pub means: Means,
}

/// What answers where nothing that is kept does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    /// Whether the backend fails at the method.
    pub is_out: bool,
    /// When the backup is asked, if there is one that does not fail too.
    pub backup: Option<BackupWhen>,
    /// Whether there is a fallback.
    pub falls_back: bool,
}

impl Situation {
    /// What becomes of a call that comes in it.
    pub(super) fn outcome(self) -> Outcome {
        let Self { local, shared, yields, means } = self;
        let backup_is_next = means.backup == Some(BackupWhen::BeforeStale);
        match local {
            Freshness::Fresh => return Outcome::HitLocal,
            Freshness::StaleWhileRevalidate => return Outcome::Stale,
            Freshness::StaleIfError if means.is_out && !backup_is_next && !yields => {
                return Outcome::StaleIfError;
            }
            Freshness::StaleIfError | Freshness::Expired => {}
        }
        match shared {
            Freshness::Fresh => return Outcome::HitShared,
            Freshness::StaleWhileRevalidate => return Outcome::Stale,
            Freshness::StaleIfError | Freshness::Expired => {}
        }
        let is_held = local.min(shared) == Freshness::StaleIfError;
        match means.backup {
            _ if !means.is_out => Outcome::Miss,
            Some(BackupWhen::BeforeStale) => Outcome::Backup,
            Some(BackupWhen::AfterStale) | None if is_held => Outcome::StaleIfError,
            Some(BackupWhen::AfterStale) => Outcome::Backup,
            None if means.falls_back => Outcome::Fallback,
            None => Outcome::Failed,
        }
    }
}

impl Means {
    /// What becomes of a call that is sent through, and comes to `usual` where the backend answers.
    pub(super) fn passed(self, usual: Outcome) -> Outcome {
        match self.backup {
            _ if !self.is_out => usual,
            Some(_) => Outcome::Backup,
            None if self.falls_back => Outcome::Fallback,
            None => Outcome::Failed,
        }
    }

    /// The same in an outage.
    pub(super) fn in_outage(self) -> Self {
        Self { is_out: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fresher_answers_first_and_what_is_old_in_an_outage() {
        use Freshness::{Expired, Fresh, StaleIfError as Old, StaleWhileRevalidate as Stale};
        let out = |backup, falls_back| Means { is_out: true, backup, falls_back };
        let (none, up) = (out(None, false), Means { is_out: false, ..out(None, true) });
        let (after, before) = (Some(BackupWhen::AfterStale), Some(BackupWhen::BeforeStale));
        for (local, shared, means, outcome) in [
            (Fresh, Expired, none, Outcome::HitLocal),
            (Stale, Fresh, none, Outcome::Stale),
            (Old, Fresh, up, Outcome::HitShared),
            (Old, Fresh, none, Outcome::StaleIfError),
            (Old, Expired, up, Outcome::Miss),
            (Expired, Stale, none, Outcome::Stale),
            (Expired, Old, none, Outcome::StaleIfError),
            (Expired, Old, out(after, true), Outcome::StaleIfError),
            (Expired, Old, out(before, true), Outcome::Backup),
            (Old, Expired, out(before, true), Outcome::Backup),
            (Expired, Expired, out(after, true), Outcome::Backup),
            (Expired, Expired, out(None, true), Outcome::Fallback),
            (Expired, Expired, none, Outcome::Failed),
        ] {
            let situation = Situation { local, shared, yields: false, means };
            assert_eq!(situation.outcome(), outcome, "{situation:?}");
        }
        let yields = Situation { local: Old, shared: Fresh, yields: true, means: none };
        assert_eq!(yields.outcome(), Outcome::HitShared);
    }

    #[test]
    fn a_call_that_is_passed_ends_as_its_backend_lets_it() {
        let means = Means { is_out: false, backup: None, falls_back: true };
        assert_eq!(means.passed(Outcome::Passed), Outcome::Passed);
        assert_eq!(means.in_outage().passed(Outcome::Passed), Outcome::Fallback);
    }
}
