//! The methods of a backend, as far as something is learnt of each: a bounded number, whatever names come from the network.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::median::Median;
use super::pace::Pace;
use crate::call::{Call, Terms};
use crate::need::Demand;
use crate::seed::{Hashing, Seed};
use crate::wire::message::split_name;

/// All methods of one backend. What is learnt of one stays, whatever routes come and go.
#[derive(Debug)]
pub(crate) struct Methods {
    hashing: Hashing,
    count: AtomicUsize,
    known: Mutex<HashMap<Arc<str>, MethodOf>>,
}

/// One method of a backend, or some that nobody wrote down, as one.
#[derive(Debug)]
pub(crate) struct Method {
    /// Its label in metrics and logs.
    pub(super) name: Arc<str>,
    /// Its number among the methods of its backend.
    pub(super) index: usize,
    /// How long its answers take.
    pub(super) pace: Pace,
    /// What they usually take.
    pub(super) median: Median,
}

/// Which method the calls of one route are of.
#[derive(Clone, Debug)]
pub(crate) struct MethodOf(Of);

#[derive(Clone, Debug)]
enum Of {
    One(Arc<Method>),
    /// Names from the network: those that share a number share what is learnt.
    Unnamed(Arc<Unnamed>),
}

#[derive(Debug)]
struct Unnamed {
    all: Vec<Arc<Method>>,
    hashing: Hashing,
}

/// A call, and what is known of its method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The call.
    pub call: &'a Call,
    /// How its answer is understood.
    pub terms: &'a Terms,
    /// What is learnt of its method.
    pub method: &'a Arc<Method>,
    /// What makes it the same as others, where a rule caches it: it may be what endpoints die of.
    pub key: Option<&'a [u8]>,
    /// How much its answer is needed.
    pub demand: &'a Demand,
}

impl Question<'_> {
    /// Whether it comes because nothing is kept which answers it. A session call comes with its client, whatever is kept.
    pub(super) fn is_miss(&self) -> bool {
        self.key.is_some() && self.call.makes().is_none()
    }
}

impl Methods {
    /// None yet. `seed` decides which names from the network share a number.
    pub(crate) fn new(seed: Seed) -> Self {
        Self { hashing: seed.hashing(), count: AtomicUsize::new(0), known: Mutex::default() }
    }

    /// The method with this label.
    pub(crate) fn named(&self, label: &Arc<str>) -> MethodOf {
        self.add(label, |next| Of::One(next()))
    }

    /// The methods that share this label because nobody wrote their names down.
    pub(crate) fn unnamed(&self, label: &Arc<str>) -> MethodOf {
        self.add(label, |next| {
            let all = (0..UNNAMED).map(|_| next()).collect();
            Of::Unnamed(Arc::new(Unnamed { all, hashing: self.hashing.clone() }))
        })
    }

    fn add(&self, label: &Arc<str>, make: impl FnOnce(&dyn Fn() -> Arc<Method>) -> Of) -> MethodOf {
        let next = || {
            let index = self.count.fetch_add(1, Ordering::Relaxed);
            Arc::new(Method {
                name: Arc::clone(label),
                index,
                pace: Pace::default(),
                median: Median::default(),
            })
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(Arc::clone(label)).or_insert_with(|| MethodOf(make(&next))).clone()
    }
}

impl Method {
    /// How long an answer takes that takes far longer than usual: ten times the median, and a second at least. `None` while too few
    /// answers have come to tell.
    pub(crate) fn far_longer(&self) -> Option<Duration> {
        self.median.get().map(|usual| (usual * FAR_TIMES).max(FAR_LEAST))
    }
}

impl MethodOf {
    /// The method that a call with this name on the wire is of.
    #[inline]
    pub(crate) fn of(&self, name: &[u8]) -> &Arc<Method> {
        match &self.0 {
            Of::One(method) => method,
            Of::Unnamed(unnamed) => {
                let Unnamed { all, hashing } = &**unnamed;
                let number = hashing.hash_one(split_name(name).1) as usize % all.len();
                all.get(number).expect("the number is below their count")
            }
        }
    }
}

/// Into how many the methods of one label are told apart that nobody wrote down.
const UNNAMED: usize = 64;
/// How many times the median takes far longer than usual: what a method's slowest calls take seldom is as much.
const FAR_TIMES: u32 = 10;
/// What far longer than usual is at least. Clients give up later: thriftpy2's after 3 s, if they are told nothing else.
const FAR_LEAST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_label_is_one_method_for_good_and_names_from_the_network_are_a_few() {
        let methods = Methods::new(Seed::new(1));
        let (get, other) = (methods.named(&"S.get".into()), methods.unnamed(&"_OTHER".into()));
        let put = methods.named(&"S.put".into());
        assert!(Arc::ptr_eq(get.of(b"get"), methods.named(&"S.get".into()).of(b"S:get")));
        let names: Vec<[u8; 4]> = (0..1000).map(u32::to_be_bytes).collect();
        let all: HashSet<*const Method> = names
            .iter()
            .map(|name| other.of(name))
            .chain([get.of(b""), put.of(b"")])
            .map(Arc::as_ptr)
            .collect();
        assert_eq!(all.len(), UNNAMED + 2);
        assert!(Arc::ptr_eq(other.of(b"ping"), other.of(b"S:ping")));
    }
}
