//! Our walk and the official crate's reader say the same of any bytes.
//!
//! Where they do not, one of [`Difference`] stands in the bytes; there is no other.

use larder::wire::cursor::{Cursor, I64_VARINT, U32_VARINT};
use larder::wire::walk::{Walk, Walked};
use larder::wire::{Protocol, Type};
use proptest::prelude::*;
use thrift::TConfiguration;
use thrift::protocol::{TBinaryInputProtocol, TCompactInputProtocol, TInputProtocol, TType};

use super::tree::arguments;

/// What the official crate takes and the walk refuses, or the other way about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// Refused by the walk: an empty list or set of type 0 (stop) or 1 (void), which no value has.
    EmptyListOfNothing,
    /// Refused by the official crate: an empty binary map of unknown types. Its types mean nothing, and the compact protocol has none.
    EmptyMapOfUnknown,
    /// Refused by the official crate: a compact boolean element above 2. The walk steps over it; such a call has no key.
    CompactBool,
    /// Refused by the walk: a compact field id beyond 16 bits, which the official crate cuts to another id.
    WideFieldId,
}

/// The bytes of the struct at the start of `bytes`, if there is one.
fn walked(protocol: Protocol, bytes: &[u8]) -> Option<usize> {
    match Walk::new(protocol, 0, bytes.len(), 64).advance(bytes, usize::MAX) {
        Ok(Walked::Done(end)) => Some(end),
        Ok(Walked::Needs(_) | Walked::Unfinished) | Err(_) => None,
    }
}

fn skipped(protocol: Protocol, bytes: &[u8]) -> Option<usize> {
    let limits = TConfiguration::builder()
        .max_string_size(Some(bytes.len()))
        .max_container_size(Some(bytes.len()))
        .build()
        .unwrap();
    let mut left = bytes;
    let skipped = match protocol {
        Protocol::Binary => TBinaryInputProtocol::with_config(&mut left, true, limits).skip(TType::Struct),
        Protocol::Compact => TCompactInputProtocol::with_config(&mut left, limits).skip(TType::Struct),
    };
    skipped.ok().map(|()| bytes.len() - left.len())
}

#[track_caller]
fn agrees(protocol: Protocol, bytes: &[u8]) {
    let (ours, theirs) = (walked(protocol, bytes), skipped(protocol, bytes));
    if ours != theirs {
        let seen = difference(protocol, bytes);
        assert!(seen.is_some(), "{protocol:?} {bytes:02x?}: {ours:?}, official {theirs:?}");
    }
}

#[test]
fn each_difference_is_one() {
    use Difference::{CompactBool, EmptyListOfNothing, EmptyMapOfUnknown, WideFieldId};
    let (binary, compact) = (Protocol::Binary, Protocol::Compact);
    for (protocol, bytes, which, ours) in [
        (binary, &[15, 0, 1, 0, 0, 0, 0, 0, 0][..], EmptyListOfNothing, false),
        (binary, &[14, 0, 1, 1, 0, 0, 0, 0, 0], EmptyListOfNothing, false),
        (compact, &[0x19, 0x00, 0], EmptyListOfNothing, false),
        (binary, &[13, 0, 1, 5, 99, 0, 0, 0, 0, 0], EmptyMapOfUnknown, true),
        (compact, &[0x19, 0x11, 3, 0], CompactBool, true),
        (compact, &[0x05, 0x80, 0x80, 0x08, 7, 0], WideFieldId, false),
    ] {
        assert_eq!(difference(protocol, bytes), Some(which), "{bytes:02x?}");
        assert_eq!(walked(protocol, bytes).is_some(), ours, "{which:?}");
        assert_eq!(skipped(protocol, bytes).is_some(), !ours, "{which:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_what_the_official_crate_writes(call in arguments(), seed in any::<u64>(), end in any::<prop::sample::Index>()) {
        for protocol in [Protocol::Binary, Protocol::Compact] {
            let bytes = call.written(protocol, seed);
            prop_assert_eq!(walked(protocol, &bytes), Some(bytes.len()));
            prop_assert_eq!(skipped(protocol, &bytes), Some(bytes.len()));
            let cut = &bytes[..end.index(bytes.len())];
            prop_assert_eq!(walked(protocol, cut), None);
            prop_assert_eq!(skipped(protocol, cut), None);
        }
    }

    #[test]
    fn on_mutated_bytes(
        call in arguments(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for protocol in [Protocol::Binary, Protocol::Compact] {
            let mut bytes = call.written(protocol, 7);
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            agrees(protocol, &bytes);
        }
    }

    #[test]
    fn on_random_bytes(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0..17_u8], 0..100)) {
        agrees(Protocol::Binary, &bytes);
        agrees(Protocol::Compact, &bytes);
    }
}

/// The first difference that stands in the bytes, as far as they can be read.
fn difference(protocol: Protocol, bytes: &[u8]) -> Option<Difference> {
    Seeking { at: Cursor::new(protocol, bytes, 0), bytes }.value(Type::Struct, 0).err().flatten()
}

/// Reads until a difference, or until the bytes make no sense (`Err(None)`).
struct Seeking<'a> {
    at: Cursor<'a>,
    bytes: &'a [u8],
}

impl Seeking<'_> {
    fn value(&mut self, kind: Type, depth: usize) -> Result<(), Option<Difference>> {
        let binary = self.at.protocol() == Protocol::Binary;
        match kind {
            Type::Bool if !binary && self.peek(0)? > 2 => Err(Some(Difference::CompactBool)),
            Type::I16 | Type::I32 if !binary => self.at.varint(U32_VARINT).map(drop).or(Err(None)),
            Type::I64 if !binary => self.at.varint(I64_VARINT).map(drop).or(Err(None)),
            Type::String => {
                let size = self.at.size().or(Err(None))?;
                self.at.take(size).map(drop).or(Err(None))
            }
            Type::Struct if depth < 64 => self.structure(depth),
            Type::List | Type::Set if depth < 64 => self.list(depth),
            Type::Map if depth < 64 => self.map(depth),
            kind => {
                let width = kind.width(self.at.protocol()).ok_or(None)?;
                self.at.take(width).map(drop).or(Err(None))
            }
        }
    }

    fn structure(&mut self, depth: usize) -> Result<(), Option<Difference>> {
        let mut last = 0;
        loop {
            let head = self.at;
            match self.at.field(last) {
                Ok(None) => return Ok(()),
                Ok(Some(field)) => {
                    last = field.id;
                    if field.inline.is_none() {
                        self.value(field.kind, depth + 1)?;
                    }
                }
                Err(_) => {
                    self.at = head;
                    let long = self.at.protocol() == Protocol::Compact && matches!(self.peek(0)?, 1..14);
                    let whole = self.at.byte().is_ok() && self.at.varint(U32_VARINT).is_ok();
                    return Err((long && whole).then_some(Difference::WideFieldId));
                }
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), Option<Difference>> {
        let empty = match self.at.protocol() {
            Protocol::Binary => self.peek(0)? < 2 && (1..5).all(|at| self.peek(at) == Ok(0)),
            // A count of its own may be a zero too.
            Protocol::Compact => self.peek(0)? & 0x0f == 0 && matches!(self.peek(0)? >> 4, 0 | 15),
        };
        if empty {
            return Err(Some(Difference::EmptyListOfNothing));
        }
        let (element, count) = self.at.list().or(Err(None))?;
        (0..count).try_for_each(|_| self.value(element, depth + 1))
    }

    fn map(&mut self, depth: usize) -> Result<(), Option<Difference>> {
        let unknown = self.at.protocol() == Protocol::Binary
            && (Type::from_binary(self.peek(0)?).is_err() || Type::from_binary(self.peek(1)?).is_err());
        match self.at.map().or(Err(None))? {
            (None, _) if unknown => Err(Some(Difference::EmptyMapOfUnknown)),
            (None, _) => Ok(()),
            (Some((key, value)), count) => (0..count).try_for_each(|_| {
                self.value(key, depth + 1)?;
                self.value(value, depth + 1)
            }),
        }
    }

    fn peek(&self, ahead: usize) -> Result<u8, Option<Difference>> {
        self.bytes.get(self.at.pos() + ahead).copied().ok_or(None)
    }
}
