//! The shared tier: what all gateways keep together. It may be away, slow or full of anything; none of it is an error.

mod counts;
mod memory;
pub mod redis;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::clock::Millis;
use crate::entry::Entry;

use super::envelope;

pub use counts::{Counts, Read, Write};
pub use memory::{Memory, State};

/// A place outside this process where entries are kept.
///
/// There is no error type: a store that is down, slow or holds something unreadable has nothing, and counts why.
pub trait Store: Send + Sync + Debug {
    /// The entry kept under exactly `key`, within the store's read timeout, and without waiting at all while the store
    /// is down. Its body may be a slice of a larger buffer: see [`Entry::detached`].
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Option<Entry>>;

    /// Keeps `entry` under `key` for `keep`, unless a younger one lies there. Returns at once: the write goes on
    /// behind, and is dropped and counted if too many already do. Must be called within a tokio runtime.
    fn put(&self, key: &[u8], entry: Arc<Entry>, keep: Duration);

    /// Removes what lies under `key`, unless it was born after `until`. Returns at once, like [`put`](Self::put).
    fn remove(&self, key: &[u8], until: Millis);

    /// Whether calls reach the store.
    fn is_up(&self) -> bool;

    /// Ends when all writes begun before have ended, one way or another. Writes begun meanwhile may be dropped: this is
    /// for shutting down, bounded in time by the caller.
    fn settled(&self) -> BoxFuture<'_, ()>;
}

/// How far ahead of our clock an entry's birth may lie. Clocks that are further apart are a fault to repair: the entry
/// would look younger than it is and be served for longer than its rule allows.
pub const MAX_AHEAD: Duration = Duration::from_secs(5);

/// What `value`, read under `key`, is worth.
fn judge(key: &[u8], value: &Bytes, now: Millis) -> Result<Entry, Read> {
    let entry = envelope::decode(key, value).map_err(Read::Unreadable)?;
    if entry.born > now.plus(MAX_AHEAD) {
        return Err(Read::Future);
    }
    Ok(entry)
}
