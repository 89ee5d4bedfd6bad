//! One file of a saved local tier, as bytes.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use thiserror::Error;

use crate::cache::envelope::{Codec, MAX_KEY, Unreadable};
use crate::cache::local::Held;
use crate::cache::shared::MAX_AHEAD;
use crate::clock::Millis;
use crate::entry::{Entry, Slot};

/// What a file holds.
pub(super) struct Part(Bytes);

/// Why something in a part is not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Unread {
    /// Larder did not write it, or another version did.
    #[error("the file does not begin as a part")]
    Foreign,
    /// It ends in the middle of an entry.
    #[error("the file is cut off")]
    Truncated,
    /// An entry is none.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// An entry is of a time that has not come.
    #[error("an entry is from the future")]
    Future,
    /// It is no reply.
    #[error("an entry is a tombstone")]
    Tombstone,
}

impl Part {
    pub(super) fn new(content: Bytes) -> Self {
        Self(content)
    }

    /// The entries in it, each with its key, as they answer after a restart. Where one is damaged the next may be whole; where nobody knows
    /// how long it is, nothing more comes. A body is alone in its buffer.
    pub(super) fn entries(&self, now: Millis) -> impl Iterator<Item = Result<(Bytes, Slot), Unread>> {
        let mut rest = self.0.clone();
        // What was more before, and is not true any more, is an empty file.
        let foreign = !rest.is_empty() && !rest.starts_with(&MAGIC);
        rest.advance(if foreign { rest.len() } else { MAGIC.len().min(rest.len()) });
        let entries = std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| match record(&mut rest) {
                Some(envelope) => entry(&envelope, now),
                None => {
                    rest.clear();
                    Err(Unread::Truncated)
                }
            })
        });
        foreign.then_some(Err(Unread::Foreign)).into_iter().chain(entries)
    }
}

/// Takes the next envelope off, if it is all there.
fn record(rest: &mut Bytes) -> Option<Bytes> {
    let length = rest.try_get_u32().ok()? as usize;
    (length <= rest.len()).then(|| rest.split_to(length))
}

fn entry(envelope: &Bytes, now: Millis) -> Result<(Bytes, Slot), Unread> {
    let (key, slot) = Codec::default().open(envelope)?;
    let Slot::Entry(entry) = slot else { return Err(Unread::Tombstone) };
    if entry.born > now.plus(MAX_AHEAD) {
        return Err(Unread::Future);
    }
    Ok((Bytes::copy_from_slice(key), Slot::Entry(Arc::new(entry.restored()))))
}

/// Whether an entry is short enough for a part.
pub(super) fn fits(key: &[u8], entry: &Entry) -> bool {
    key.len() <= MAX_KEY && key.len() + entry.body.len() <= ENTRY_MAX
}

/// The last entries of `left`, as many as a part holds, and those that are left then.
pub(super) fn encode(mut left: Vec<Held>) -> (Vec<u8>, Vec<Held>) {
    let mut part = MAGIC.to_vec();
    while part.len() < PART_LEAST
        && let Some((key, entry)) = left.pop()
    {
        // What does not fit was left out before.
        let Ok(envelope) = Codec::default().encode(&key, &Slot::Entry(entry)) else { continue };
        let Ok(length) = u32::try_from(envelope.len()) else { continue };
        part.extend_from_slice(&length.to_be_bytes());
        part.extend_from_slice(&envelope);
    }
    (part, left)
}

/// The first four bytes of every part.
const MAGIC: [u8; 4] = [b'L', b'R', b'S', 1];
/// With so many bytes a part is full: 8 MiB.
const PART_LEAST: usize = 8 << 20;
/// The most bytes of a key and its reply: with what a part may have before it, the longest file that is read holds them.
const ENTRY_MAX: usize = 7 << 20;
