//! Info headers: names and values that travel beside a message.

use bytes::{BufMut, BytesMut};

use crate::wire::cursor::Cursor;
use crate::wire::varint::{put_varint, varint_length};
use crate::wire::{Protocol, WireError};

/// Names and values, in the order in which they came. Names are told apart as HTTP does it: without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Each name and each value behind its length, as they stand in a frame.
    spelled: Vec<u8>,
    count: u32,
}

impl Info {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that names and values take.
    pub fn len(&self) -> usize {
        self.spelled.len()
    }

    /// Adds one behind the others. One for which there is no room beside them is left out.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let length =
            [name, value].iter().map(|text| varint_length(text.len() as u32) + text.len()).sum::<usize>();
        if self.spelled.len() + length > LENGTH_MAX || self.count >= COUNT_MAX {
            return;
        }
        for text in [name, value] {
            put_varint(text.len() as u32, &mut self.spelled);
            self.spelled.extend_from_slice(text);
        }
        self.count += 1;
    }

    /// Each name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut left = self.spelled.as_slice();
        std::iter::from_fn(move || Some((text(&mut left)?, text(&mut left)?)))
    }

    /// The values of one name.
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The last value of a name.
    pub fn get<'a>(&'a self, name: &'a [u8]) -> Option<&'a [u8]> {
        self.values(name).last()
    }

    /// Those whose name is wanted.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&[u8]) -> bool) -> Self {
        let mut only = Self::default();
        self.iter().filter(|(name, _)| wanted(name)).for_each(|(name, value)| only.push(name, value));
        only
    }

    /// Adds those of `others` whose names are not here.
    pub fn fill_from(&mut self, others: &Self) {
        for (name, value) in others.iter() {
            if self.get(name).is_none() {
                self.push(name, value);
            }
        }
    }

    /// Reads a block behind the number that says of which kind it is.
    pub(super) fn read(&mut self, at: &mut Cursor<'_>) -> Result<(), WireError> {
        let count = at.size()?;
        if count > COUNT_MAX as usize {
            return Err(WireError::InfoHeaders { count });
        }
        for _ in 0..count {
            let (name, value) = (sized(at)?, sized(at)?);
            self.push(name, value);
        }
        Ok(())
    }

    /// Bytes of their block; without any there is none.
    pub(super) fn spelled_length(&self) -> usize {
        if self.is_empty() { 0 } else { 1 + varint_length(self.count) + self.spelled.len() }
    }

    /// Appends their block.
    pub(super) fn put(&self, out: &mut BytesMut) {
        if self.is_empty() {
            return;
        }
        out.put_u8(super::OF_MESSAGE as u8);
        put_varint(self.count, out);
        out.put_slice(&self.spelled);
    }
}

fn sized<'a>(at: &mut Cursor<'a>) -> Result<&'a [u8], WireError> {
    let length = at.size()?;
    at.take(length)
}

/// Takes a text off the front, behind its length.
fn text<'a>(left: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut at = Cursor::new(Protocol::Compact, left, 0);
    let text = sized(&mut at).ok()?;
    *left = left.get(at.pos()..)?;
    Some(text)
}

/// Bytes that names and values may take: what the longest header has beside its other parts.
const LENGTH_MAX: usize = u16::MAX as usize * super::WORD - 16;
/// Info headers that a message may have: those of its connection are held against its own.
pub const COUNT_MAX: u32 = 256;
