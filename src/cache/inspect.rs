//! What each tier holds under a key, for people who ask: nothing is counted, moved or refreshed by it.

use std::sync::Arc;

use super::Cache;
use super::shared::Read;
use crate::clock::Millis;
use crate::entry::{Entry, Slot};
use crate::mark::{Seal, Standing};
use crate::rule::Tiers;

/// What each tier holds under one key.
#[derive(Debug)]
pub(crate) struct Inspected {
    /// The local tier.
    pub local: Lying,
    /// The shared tier.
    pub shared: Lying,
    /// What the key is called there, if that can be told.
    pub name: Option<String>,
}

/// What lies in a tier.
#[derive(Debug)]
pub(crate) enum Lying {
    /// The rule does not use that tier, or there is none.
    Unused,
    /// Nothing.
    Nothing,
    /// Nobody can tell, and this is why.
    Unread(Read),
    /// Nothing that was asked for up to this moment may come there: it was proved wrong.
    Removed(Millis),
    /// A reply.
    Entry(Arc<Entry>),
    /// A reply that never answers: a hard mark covers it, something younger has proved it wrong, or nobody can tell which marks cover it.
    Dead(Arc<Entry>, Why),
}

/// Why a reply never answers, whatever its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A hard mark covers it.
    Marked,
    /// Another answer has proved it wrong.
    Removed,
    /// It is older than the marks that are known here, and the shared tier does not tell those before.
    Unknown,
}

impl Cache {
    /// What lies under `key`. The shared tier is asked within its read timeout.
    pub(crate) async fn inspect(&self, tiers: Tiers, key: &[u8]) -> Inspected {
        let local = match self.local.slot(key) {
            _ if !tiers.local() => Lying::Unused,
            None => Lying::Nothing,
            Some(Slot::Tombstone(born)) => Lying::Removed(born),
            Some(Slot::Entry(entry)) => self.inspect_local(key, entry).await,
        };
        let name = self.shared_by(tiers).and_then(|shared| shared.name_of(key));
        Inspected { local, shared: self.inspect_shared(tiers, key).await, name }
    }

    /// What an earlier process has left is held against the marks before it answers.
    async fn inspect_local(&self, key: &[u8], entry: Arc<Entry>) -> Lying {
        if self.fleet.is_none() || !entry.seal.is_doubtful() {
            // A copy: looking leaves no trace in the seal.
            return Lying::Entry(Arc::new(Entry::clone(&entry)));
        }
        self.inspect_vetted(key, entry, Seal::softened).await
    }

    async fn inspect_shared(&self, tiers: Tiers, key: &[u8]) -> Lying {
        let Some(shared) = self.shared_by(tiers) else { return Lying::Unused };
        let slot = match shared.inspect(key).await {
            Ok(slot) => shared.time().ours(slot),
            Err(Read::Miss) => return Lying::Nothing,
            Err(read) => return Lying::Unread(read),
        };
        let entry = match slot {
            Slot::Tombstone(born) => return Lying::Removed(born),
            Slot::Entry(entry) => entry,
        };
        if self.is_removed(key, entry.born) {
            return Lying::Dead(entry, Why::Removed);
        }
        self.inspect_vetted(key, entry, std::convert::identity).await
    }

    /// An entry that others may have learnt, held against the marks, under what becomes of its seal then.
    async fn inspect_vetted(&self, key: &[u8], entry: Arc<Entry>, sealed: fn(Seal) -> Seal) -> Lying {
        match self.vet(key, &entry).await {
            Some((Standing::Hard, _)) => Lying::Dead(entry, Why::Marked),
            Some((standing, tick)) => {
                let seal = sealed(Seal::held(tick, standing));
                Lying::Entry(Arc::new(Entry { seal, ..Entry::clone(&entry) }))
            }
            None => Lying::Dead(entry, Why::Unknown),
        }
    }

    /// Whether there is a shared tier, whether it is reached, and whether all marks of the other gateways are known here at `now`.
    pub(crate) fn sharing(&self, now: Millis) -> Option<Sharing> {
        let shared = self.shared.as_ref()?;
        Some(Sharing { is_up: shared.is_up(), is_leased: self.marks.is_leased(now) })
    }
}

/// How this process shares with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// Whether the shared tier is reached.
    pub is_up: bool,
    /// Whether all marks of the other gateways are known here.
    pub is_leased: bool,
}
