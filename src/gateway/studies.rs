//! What is learnt of each method that a rule observes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::asking::Asking;
use crate::call::{Answer, Call, Said};
use crate::clock::{Clock, Millis};
use crate::fault::Fault;
use crate::key::Ignored;
use crate::seed::{Hashing, Seed};
use crate::study::{End, Lesson, Study};

/// The studies of one listener's methods, by their names on the wire. They outlive a reload, and end with the process.
#[derive(Debug)]
pub(crate) struct Studies {
    seed: Seed,
    by_name: RwLock<HashMap<Box<[u8]>, Arc<Study>, Hashing>>,
}

impl Studies {
    /// Nothing is known yet.
    pub(crate) fn new(seed: Seed) -> Self {
        Self { seed, by_name: RwLock::new(HashMap::with_hasher(seed.hashing())) }
    }

    /// A call that is sent now, if its method is studied. In a box: few methods are, and every call would have room for it.
    pub(super) fn begin(&self, asking: &Asking, call: &Call, clock: &Clock) -> Option<Box<Lesson>> {
        let ignored = asking.studied.as_ref()?;
        let now = clock.now();
        self.study(&call.name, ignored, now)?.asked(call.arguments(), now).map(Box::new)
    }

    /// The study of the method with this name. Names come from the network: of more than [`STUDIES`] nothing is learnt.
    fn study(&self, name: &[u8], ignored: &Arc<Ignored>, now: Millis) -> Option<Arc<Study>> {
        let same = |study: &&Arc<Study>| study.ignored() == &**ignored;
        let known = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(study) = known.get(name).filter(same) {
            return Some(Arc::clone(study));
        }
        drop(known);
        let mut known = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= STUDIES && !known.contains_key(name) {
            return None;
        }
        // Under another key it is another study.
        let seed = self.seed.of(&String::from_utf8_lossy(name)).number();
        let study = Arc::new(Study::new(seed, Arc::clone(ignored), now));
        known.insert(name.into(), Arc::clone(&study));
        Some(study)
    }

    /// Each of them, by the method's name on the wire.
    pub(crate) fn each(&self) -> Vec<(Box<[u8]>, Arc<Study>)> {
        let known = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let mut each: Vec<_> = known.iter().map(|(name, study)| (name.clone(), Arc::clone(study))).collect();
        each.sort_by(|(a, _), (b, _)| a.cmp(b));
        each
    }
}

/// What became of a call, as studies see it.
pub(super) fn end<'a>(asked: Result<Option<&'a Answer>, &Fault>) -> End<'a> {
    match asked {
        Ok(Some(answer @ Answer { said: Said::Result | Said::Nothing, .. })) => End::Reply(answer.reply()),
        Ok(Some(answer @ Answer { said: Said::Declared(_), .. })) => End::Exception(answer.reply()),
        Ok(None) => End::Silence,
        Err(_) => End::Fault,
    }
}

/// Methods of a listener that are studied: about 300 KiB each.
const STUDIES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_the_network_are_bounded() {
        let studies = Studies::new(Seed::new(1));
        let plain = Arc::new(Ignored::default());
        let study = |name: &str| studies.study(name.as_bytes(), &plain, Millis(0));
        for name in 0..STUDIES {
            assert!(study(&name.to_string()).is_some());
        }
        assert!(study("one too many").is_none());
        assert!(study("0").is_some());
        assert_eq!(studies.each().len(), STUDIES);
    }

    #[test]
    fn a_study_goes_on_until_its_keys_become_others() {
        let studies = Studies::new(Seed::new(1));
        let [plain, same, other] =
            [&[][..], &[], &[&[2_i16][..]]].map(|paths| Arc::new(Ignored::new(paths.iter().copied())));
        let first = studies.study(b"get", &plain, Millis(0)).unwrap();
        assert!(Arc::ptr_eq(&first, &studies.study(b"get", &same, Millis(9)).unwrap()));
        assert!(!Arc::ptr_eq(&first, &studies.study(b"get", &other, Millis(9)).unwrap()));
    }
}
