//! Marks as a value: for whoever looks at all that may become of them.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use super::Marks;

/// The same marks, which go their own way from then on.
impl Clone for Marks {
    fn clone(&self) -> Self {
        let [latest, floor, unbroken, leased] = self.numbers().map(AtomicU64::new);
        Self {
            latest,
            floor,
            unbroken,
            leased,
            table: RwLock::new(self.read().clone()),
            crowded: Notify::new(),
        }
    }
}

/// By all that they may be asked.
impl Hash for Marks {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.numbers().hash(state);
        let table = self.read();
        (table.applied, table.floor, table.unsettled).hash(state);
        table.marked.iter().collect::<BTreeMap<_, _>>().hash(state);
    }
}

impl Marks {
    fn numbers(&self) -> [u64; 4] {
        [&self.latest, &self.floor, &self.unbroken, &self.leased].map(|number| number.load(Ordering::Acquire))
    }
}
