//! One spelling for all the ways to write the same arguments.
//!
//! The canonical form is the binary protocol with the fields of structs in ascending order of their ids and the elements of sets and
//! keys of maps in ascending order of their canonical bytes, at every depth. A call that is written so already, as most are, is copied.
//! Nothing is folded: doubles stand by their bits, an absent field is not its default. An empty map has no types, because the compact
//! protocol carries none. What two readers may read differently has no canonical form: a field, map key or set element given twice,
//! and a boolean other than 0 and 1.

use std::ops::Range;

use thiserror::Error;

use super::{Ignored, LeftOut};
use crate::wire::cursor::{Cursor, Field, I64_VARINT, U32_VARINT};
use crate::wire::{Protocol, Type, WireError};

/// Puts arguments into canonical form, call after call, without allocating in steady state.
#[derive(Debug)]
pub struct Canonical {
    parts: Vec<Part>,
    sorted: Vec<u8>,
    depth_max: usize,
}

/// Why a call has no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unkeyable {
    /// A field, map key or set element is given twice.
    #[error("a {0} is given twice")]
    Twice(&'static str),
    /// A boolean is neither 0 nor 1.
    #[error("a boolean is {0}, neither 0 nor 1")]
    Bool(u8),
    /// A number does not fit its type.
    #[error("a varint does not fit its type")]
    Number,
    /// The arguments are longer than [`KEY_MAX`].
    #[error("the arguments take more than {KEY_MAX} bytes")]
    Long,
    /// The arguments have more than [`VALUES_MAX`] values, those that are left out included.
    #[error("the arguments have more than {VALUES_MAX} values")]
    Values,
    /// The arguments have more than [`PARTS_MAX`] fields, set elements and map entries at once.
    #[error("the arguments have more than {PARTS_MAX} fields, set elements and map entries")]
    Parts,
    /// The info headers that are part of the key are longer than 16 KiB.
    #[error("the headers of the key take more than 16 KiB")]
    Headers,
    /// The arguments are no whole struct.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// The longest canonical form, in bytes. A longer call costs more to remember than to ask again.
pub const KEY_MAX: usize = 256 << 10;

/// Fields, set elements and map entries that may have to be put in order at a time: 1 MiB of places.
pub const PARTS_MAX: usize = 64 << 10;
/// Values of one call that are read for a key, those left out of it included: a few milliseconds' work.
pub const VALUES_MAX: usize = 512 << 10;
/// Places kept from call to call.
const PARTS_KEPT: usize = 256;
/// Bytes kept from call to call.
const SORTED_KEPT: usize = 4 << 10;

/// A field, set element or map entry in the output.
#[derive(Clone, Copy, Debug)]
struct Part {
    id: i16,
    start: u32,
    /// Where what the parts are sorted by ends: an element, or an entry's key.
    name_end: u32,
    end: u32,
}

impl Canonical {
    /// Takes arguments of at most `depth_max` structs and containers inside each other.
    pub fn new(depth_max: usize) -> Self {
        Self { parts: Vec::new(), sorted: Vec::new(), depth_max }
    }

    /// Appends the canonical form of the struct that fills `body` to `out`.
    #[inline]
    pub fn put(
        &mut self,
        protocol: Protocol,
        body: &[u8],
        ignored: &Ignored,
        out: &mut Vec<u8>,
    ) -> Result<(), Unkeyable> {
        self.parts.clear();
        let mut writing = Writing {
            canonical: self,
            at: Cursor::new(protocol, body, 0),
            out_max: out.len().saturating_add(KEY_MAX),
            values_left: VALUES_MAX,
            out,
        };
        writing.structure(LeftOut::Fields(ignored), 1)?;
        match body.len() - writing.at.pos() {
            0 => Ok(()),
            left => Err(WireError::Trailing { left }.into()),
        }
    }
}

impl Canonical {
    /// Gives back the memory that one call with very many parts took.
    #[inline]
    pub fn shrink(&mut self) {
        if self.parts.capacity() > PARTS_KEPT {
            self.parts = Vec::new();
        }
        if self.sorted.capacity() > SORTED_KEPT {
            self.sorted = Vec::new();
        }
    }
}

struct Writing<'a> {
    canonical: &'a mut Canonical,
    at: Cursor<'a>,
    out: &'a mut Vec<u8>,
    out_max: usize,
    values_left: usize,
}

impl Writing<'_> {
    fn structure(&mut self, ignored: LeftOut<'_>, depth: usize) -> Result<(), Unkeyable> {
        if depth > self.canonical.depth_max {
            return Err(WireError::Depth { bound: self.canonical.depth_max }.into());
        }
        let first = self.canonical.parts.len();
        let region = self.out.len();
        let mut last = 0;
        while let Some(field) = self.at.field(last)? {
            last = field.id;
            self.field(&field, ignored, depth)?;
        }
        self.arrange(first, region, "field", |a, b, _| a.id.cmp(&b.id))?;
        self.bytes(&[0])
    }

    /// One field. What is left out is read all the same, to find its end and to refuse it twice.
    fn field(&mut self, field: &Field, ignored: LeftOut<'_>, depth: usize) -> Result<(), Unkeyable> {
        let inner = match ignored {
            LeftOut::Fields(ignored) => ignored.of(field.id),
            LeftOut::Nothing | LeftOut::Whole => LeftOut::Nothing,
        };
        let start = self.out.len();
        let [high, low] = field.id.to_be_bytes();
        self.bytes(&[field.kind as u8, high, low])?;
        match field.inline {
            Some(value) => self.bytes(&[u8::from(value)])?,
            // However long a text that is left out may be, it does not count.
            None if field.kind == Type::String && matches!(inner, LeftOut::Whole) => {
                let length = self.at.size()?;
                self.at.take(length)?;
            }
            None => self.value(field.kind, inner, depth)?,
        }
        if matches!(inner, LeftOut::Whole) {
            self.out.truncate(start);
        }
        let (start, end) = (start as u32, self.out.len() as u32);
        self.part(Part { id: field.id, start, name_end: end, end })
    }

    fn value(&mut self, kind: Type, ignored: LeftOut<'_>, depth: usize) -> Result<(), Unkeyable> {
        self.values_left = self.values_left.checked_sub(1).ok_or(Unkeyable::Values)?;
        let binary = self.at.protocol() == Protocol::Binary;
        match kind {
            Type::Bool => {
                let value = self.at.boolean()?;
                let value = value.ok_or_else(|| Unkeyable::Bool(self.at.previous().unwrap_or_default()))?;
                self.bytes(&[u8::from(value)])
            }
            Type::Byte => self.copy(1),
            Type::Double if binary => self.copy(8),
            Type::Double => {
                let bits = u64::from_le_bytes(self.at.array()?);
                self.bytes(&bits.to_be_bytes())
            }
            Type::Uuid => self.copy(16),
            Type::I16 if binary => self.copy(2),
            Type::I32 if binary => self.copy(4),
            Type::I64 if binary => self.copy(8),
            Type::I16 => {
                let value: i16 = self.at.signed(U32_VARINT)?.ok_or(Unkeyable::Number)?;
                self.bytes(&value.to_be_bytes())
            }
            Type::I32 => {
                let value: i32 = self.at.signed(U32_VARINT)?.ok_or(Unkeyable::Number)?;
                self.bytes(&value.to_be_bytes())
            }
            Type::I64 => {
                let value: i64 = self.at.signed(I64_VARINT)?.ok_or(Unkeyable::Number)?;
                self.bytes(&value.to_be_bytes())
            }
            Type::String => {
                let length = self.at.size()?;
                self.bytes(&(length as u32).to_be_bytes())?;
                self.copy(length)
            }
            Type::Struct => self.structure(ignored, depth + 1),
            Type::List => self.list(depth + 1),
            Type::Set => self.set(depth + 1),
            Type::Map => self.map(depth + 1),
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), Unkeyable> {
        let (element, count) = self.elements(depth)?;
        for _ in 0..count {
            self.value(element, LeftOut::Nothing, depth)?;
        }
        Ok(())
    }

    fn set(&mut self, depth: usize) -> Result<(), Unkeyable> {
        let (element, count) = self.elements(depth)?;
        let (first, region) = (self.canonical.parts.len(), self.out.len());
        for _ in 0..count {
            let start = self.out.len() as u32;
            self.value(element, LeftOut::Nothing, depth)?;
            let end = self.out.len() as u32;
            self.part(Part { id: 0, start, name_end: end, end })?;
        }
        self.arrange(first, region, "set element", by_name)
    }

    fn map(&mut self, depth: usize) -> Result<(), Unkeyable> {
        self.deep(depth)?;
        let (types, count) = self.at.map()?;
        let (key, value) = types.unwrap_or((Type::Bool, Type::Bool));
        let codes = types.map_or([0, 0], |(key, value)| [key as u8, value as u8]);
        self.bytes(&codes)?;
        self.bytes(&(count as u32).to_be_bytes())?;
        let (first, region) = (self.canonical.parts.len(), self.out.len());
        for _ in 0..count {
            let start = self.out.len() as u32;
            self.value(key, LeftOut::Nothing, depth)?;
            let name_end = self.out.len() as u32;
            self.value(value, LeftOut::Nothing, depth)?;
            let end = self.out.len() as u32;
            self.part(Part { id: 0, start, name_end, end })?;
        }
        self.arrange(first, region, "map key", by_name)
    }

    fn elements(&mut self, depth: usize) -> Result<(Type, usize), Unkeyable> {
        self.deep(depth)?;
        let (element, count) = self.at.list()?;
        self.bytes(&[element as u8])?;
        self.bytes(&(count as u32).to_be_bytes())?;
        Ok((element, count))
    }

    fn deep(&self, depth: usize) -> Result<(), Unkeyable> {
        let bound = self.canonical.depth_max;
        if depth > bound { Err(WireError::Depth { bound }.into()) } else { Ok(()) }
    }

    fn part(&mut self, part: Part) -> Result<(), Unkeyable> {
        if self.canonical.parts.len() >= PARTS_MAX {
            return Err(Unkeyable::Parts);
        }
        self.canonical.parts.push(part);
        Ok(())
    }

    /// Puts the parts since `first`, which fill the output since `region`, into order.
    fn arrange(
        &mut self,
        first: usize,
        region: usize,
        what: &'static str,
        order: fn(&Part, &Part, &[u8]) -> std::cmp::Ordering,
    ) -> Result<(), Unkeyable> {
        let Self { canonical, out, .. } = self;
        let parts = canonical.parts.get_mut(first..).unwrap_or_default();
        let ascends = |a: &Part, b: &Part| order(a, b, out).is_lt();
        if !parts.is_sorted_by(ascends) {
            parts.sort_unstable_by(|a, b| order(a, b, out));
            if !parts.is_sorted_by(ascends) {
                return Err(Unkeyable::Twice(what));
            }
            canonical.sorted.clear();
            for part in parts.iter() {
                canonical.sorted.extend_from_slice(part.bytes(part.end, out));
            }
            out.truncate(region);
            out.extend_from_slice(&canonical.sorted);
        }
        canonical.parts.truncate(first);
        Ok(())
    }

    #[inline]
    fn copy(&mut self, count: usize) -> Result<(), Unkeyable> {
        let taken = self.at.take(count)?;
        self.bytes(taken)
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Unkeyable> {
        if self.out.len() + bytes.len() > self.out_max {
            return Err(Unkeyable::Long);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

impl Part {
    fn bytes<'a>(&self, end: u32, out: &'a [u8]) -> &'a [u8] {
        let range: Range<usize> = self.start as usize..end as usize;
        out.get(range).unwrap_or_default()
    }
}

fn by_name(a: &Part, b: &Part, out: &[u8]) -> std::cmp::Ordering {
    a.bytes(a.name_end, out).cmp(b.bytes(b.name_end, out))
}

#[cfg(test)]
mod tests;
