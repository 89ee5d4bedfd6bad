//! Which calls would be answered if a backend died now, put together from the listeners before it.

use std::sync::Arc;

use super::build::Parts;
use crate::clock::Millis;
use crate::metrics::Covered;

/// The calls of the listeners before one backend.
pub(super) struct Coverage {
    /// Of each method.
    pub(super) methods: Vec<Method>,
    /// Of all of them.
    pub(super) whole: Covered,
}

/// The calls of one method.
pub(super) struct Method {
    pub(super) listener: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) covered: Covered,
}

impl Parts {
    /// What would be answered if a backend died at `now`.
    pub(super) fn coverage(&self, backend: &str, now: Millis) -> Coverage {
        let gateways = self.gateways.all();
        let methods = gateways.values().flat_map(|gateway| {
            let listener = gateway.counts.listener();
            let of = |(name, covered)| Method { listener: Arc::clone(listener), name, covered };
            gateway.counts.covered(backend, now).into_iter().map(of)
        });
        let mut coverage = Coverage { methods: methods.collect(), whole: Covered::default() };
        coverage.methods.iter().for_each(|method| coverage.whole += method.covered);
        coverage
    }
}
