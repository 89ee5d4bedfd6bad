//! Which gateway asks a backend for a key, while the others wait for what it keeps.
//!
//! It spares backends work and nothing hangs on it: a lease that nobody gives back ends by itself, and without a shared tier, or alone on it,
//! everybody asks.

use std::sync::Arc;
use std::time::Duration;

use super::Cache;
use super::shared::{Leased, Store};
use crate::rule::Tiers;

/// The right to ask for one key. It is given back when it is dropped: whoever waits may ask at once.
#[derive(Debug)]
pub struct Lease {
    store: Arc<dyn Store>,
    key: Box<[u8]>,
    token: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Held,
    GivenBack,
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
            Leased::Ours => {
                let (store, key, stage) = (Arc::clone(store), key.into(), Stage::Held);
                Turn::Ours(Some(Lease { store, key, token, stage }))
            }
            Leased::Theirs => Turn::Theirs,
            Leased::Unknown => Turn::Ours(None),
        }
    }
}

impl Lease {
    /// Gives it back now, when what was brought lies there.
    pub(super) async fn give_back(mut self) {
        self.stage = Stage::GivenBack;
        self.store.give_back(&self.key, self.token).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.stage == Stage::GivenBack {
            return;
        }
        let (store, key, token) = (Arc::clone(&self.store), std::mem::take(&mut self.key), self.token);
        // Without room it ends by itself.
        if let Ok(room) = self.store.writes().admit(key.len()) {
            room.begin(async move { store.give_back(&key, token).await });
        }
    }
}
