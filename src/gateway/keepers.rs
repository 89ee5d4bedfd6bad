//! Which rules in force may use what is kept under a key.

use std::collections::HashMap;
use std::sync::Arc;

use super::Gateway;
use super::route::Cached;
use crate::key;
use crate::mark::Cover;

/// All rules in force that keep something, by what covers their methods.
#[derive(Debug, Default)]
pub(crate) struct Keepers(HashMap<Cover, Vec<Arc<Cached>>>);

impl Keepers {
    /// Those of these gateways, as they are now.
    pub(crate) fn of<'a>(gateways: impl IntoIterator<Item = &'a Arc<Gateway>>) -> Self {
        let mut all: HashMap<Cover, Vec<Arc<Cached>>> = HashMap::new();
        for gateway in gateways {
            for cached in gateway.routes.load().cached() {
                all.entry(cached.keyed.method()).or_default().push(Arc::clone(cached));
            }
        }
        Self(all)
    }

    /// Those that know this key.
    pub(crate) fn knowing<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a Arc<Cached>> {
        let [method, ..] = key::place(key);
        let all = self.0.get(&method).into_iter().flatten();
        all.filter(move |cached| cached.keyed.begins(key))
    }
}
