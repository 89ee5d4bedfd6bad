//! Which gateway asks a backend for a key, while the others wait for what it keeps.
//!
//! It spares backends work and nothing hangs on it: a lease that nobody gives back ends by itself, and without a shared tier, or alone on it,
//! everybody asks.

use std::sync::Arc;
use std::time::Duration;

use super::Cache;
use super::shared::{Leased, Store};
use crate::rule::Tiers;

/// The right to ask for one key.
#[derive(Debug)]
pub struct Lease {
    store: Arc<dyn Store>,
    key: Box<[u8]>,
    token: u64,
}

/// Who asks.
#[derive(Debug)]
pub enum Turn {
    /// This gateway, with a lease if there are others to keep waiting.
    Ours(Option<Lease>),
    /// Another one does.
    Theirs,
}

impl Cache {
    /// Whether this gateway is to ask for `key`. It holds a lease for `life` then.
    pub async fn turn(&self, tiers: Tiers, key: &[u8], life: Duration) -> Turn {
        let (Some(store), Some(fleet)) = (self.shared_by(tiers), &self.fleet) else {
            return Turn::Ours(None);
        };
        let life = life.min(self.lease);
        if life.is_zero() || fleet.gateways() == 1 {
            return Turn::Ours(None);
        }
        let token = fleet.token();
        match store.lease(key, token, life).await {
            Leased::Ours => Turn::Ours(Some(Lease { store: Arc::clone(store), key: key.into(), token })),
            Leased::Theirs => Turn::Theirs,
            Leased::Unknown => Turn::Ours(None),
        }
    }
}

impl Lease {
    /// Gives it back: nothing was kept, so somebody else may ask at once.
    pub fn give_back(self) {
        let Self { store, key, token } = self;
        let giving = Arc::clone(&store);
        store.writes().begin(key.len(), async move { giving.give_back(&key, token).await });
    }
}
