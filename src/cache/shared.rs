//! The shared tier: what all gateways keep together. It may be away, slow or full of anything; none of it is an error.

mod counts;
pub mod feed;
mod memory;
pub(crate) mod redis;
mod servers;
mod time;
mod writes;

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::clock::Millis;
use crate::entry::Slot;

use super::envelope::Codec;

pub use counts::{Counts, Read, Write};
use feed::Feed;
pub use memory::{Memory, State};
pub use servers::Servers;
pub use time::TierTime;
pub use writes::Writes;

/// A place outside this process that gateways keep their replies in.
///
/// There is no error type: a store that is down, slow or holds something unreadable has nothing, and counts why.
pub trait Store: Send + Sync + Debug {
    /// What lies under exactly `key`, within the store's read timeout, and without waiting at all while the store is
    /// down. A body may be a slice of a larger buffer: see [`Entry::detached`](crate::entry::Entry::detached).
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Option<Slot>>;

    /// The same for who only wants to know: it is not counted, and says why there is nothing.
    fn inspect<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Slot, Read>>;

    /// What `key` is called in the store, where people can look for it.
    fn name_of(&self, _key: &[u8]) -> Option<String> {
        None
    }

    /// Keeps `slot` under `key` for `keep`, unless what lies there stays by [`Slot::replaces`]. It ends within a second;
    /// whoever begins it counts how.
    fn put<'a>(&'a self, key: &'a [u8], slot: &'a Slot, keep: Duration) -> BoxFuture<'a, Write>;

    /// Takes the lease on a key for `life`, as `token`, if nobody holds it. Within the store's read timeout.
    fn lease<'a>(&'a self, key: &'a [u8], token: u64, life: Duration) -> BoxFuture<'a, Leased>;

    /// Gives back the lease that `token` holds on a key, if it still does.
    fn give_back<'a>(&'a self, key: &'a [u8], token: u64) -> BoxFuture<'a, Write>;

    /// The time by which births are told there.
    fn time(&self) -> &TierTime;

    /// The marks that the gateways of this store share.
    fn feed(&self) -> &dyn Feed;

    /// The room for writes to this store, and those under way.
    fn writes(&self) -> &Writes;

    /// Whether calls reach the store.
    fn is_up(&self) -> bool;

    /// How many of its servers calls do not reach: of what lies there, nothing answers.
    fn servers_away(&self) -> usize;

    /// Ends all that the store has running; it is down from then on.
    fn end(&self) -> BoxFuture<'_, ()>;
}

/// Who holds the lease on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    /// Who asked for it.
    Ours,
    /// Somebody else.
    Theirs,
    /// Nobody can tell: the store is down, or slow.
    Unknown,
}

/// How far ahead of our clock a birth may lie. Clocks that are further apart are a fault to repair: an entry would look
/// younger than it is and be served for longer than its rule allows.
pub const MAX_AHEAD: Duration = Duration::from_secs(5);

/// What `value`, read under `key`, is worth at this time of the tier.
fn judge(codec: &Codec, key: &[u8], value: &Bytes, now: Millis) -> Result<Slot, Read> {
    let slot = codec.decode(key, value).map_err(Read::Unreadable)?;
    if slot.born() > now.plus(MAX_AHEAD) {
        return Err(Read::Future);
    }
    Ok(slot)
}

/// How a read ended that brought this.
fn read(brought: &Result<Slot, Read>) -> Read {
    match brought {
        Ok(Slot::Entry(_)) => Read::Hit,
        Ok(Slot::Tombstone(_)) => Read::Tombstone,
        Err(read) => *read,
    }
}

/// How a write ended that met `there` and could not replace it.
fn outlived_by(there: &Slot) -> Write {
    match there {
        Slot::Entry(_) => Write::Older,
        Slot::Tombstone(_) => Write::Tombstone,
    }
}
