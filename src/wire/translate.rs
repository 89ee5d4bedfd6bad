//! One struct from one protocol into the other, value by value, in one walk.
//!
//! What comes out means what went in, or nothing comes out: what a reader of the other protocol could take for something else has no
//! translation. Fields, elements and entries keep their order, and texts are bytes.
//!
//! An empty map has no types in the compact protocol and must have some in the binary one. It gets those of texts: readers look at the
//! types of elements that are there (Python and its C extension, thriftpy2, Node.js, Ruby, fbthrift), and some only whether they know them
//! (Java, C++, C#, Rust), as all know this one.

use thiserror::Error;

use super::cursor::{Cursor, Field, I64_VARINT, U32_VARINT};
use super::varint::put_varint;
use super::{Bounds, Protocol, Type, WireError};

/// Why a struct has no spelling in another protocol, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{flaw}", named(.path))]
pub struct Untranslatable {
    /// What has none.
    flaw: Flaw,
    /// The ids of the fields that lead there, from the outermost.
    path: Vec<i16>,
}

/// What has no spelling in another protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum Flaw {
    /// A boolean that readers take for different things.
    #[error("a boolean is {0}, neither true nor false")]
    Bool(u8),
    /// A number that the other protocol has no room for.
    #[error("a varint does not fit its type")]
    Number,
    /// It would be longer than a message may be.
    #[error("it would take more than {0} bytes")]
    Long(usize),
    /// It is no whole struct.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// The struct that fills `body`, at most 64 levels deep, as `to` spells it: at most 100 MiB.
///
/// # Errors
/// If something in it has no spelling there.
pub fn translate(from: Protocol, to: Protocol, body: &[u8]) -> Result<Vec<u8>, Untranslatable> {
    if from == to {
        return Ok(body.to_vec());
    }
    Translation::new(Cursor::new(from, body, 0), to, Bounds::default()).all_of(body.len())
}

struct Translation<'a> {
    at: Cursor<'a>,
    to: Protocol,
    out: Vec<u8>,
    bounds: Bounds,
    /// Where the flaw is, the innermost field first; empty until there is one.
    path: Vec<i16>,
}

impl<'a> Translation<'a> {
    fn new(at: Cursor<'a>, to: Protocol, bounds: Bounds) -> Self {
        Self { at, to, out: Vec::new(), bounds, path: Vec::new() }
    }

    /// The struct of `length` bytes.
    fn all_of(mut self, length: usize) -> Result<Vec<u8>, Untranslatable> {
        // Most are longer in the binary protocol, by a half or so.
        let room = match self.to {
            Protocol::Binary => length.saturating_mul(2),
            Protocol::Compact => length,
        };
        self.out.reserve(room.min(self.bounds.message));
        let translated = self.structure(self.bounds.depth).and_then(|()| match length - self.at.pos() {
            0 => Ok(()),
            left => Err(WireError::Trailing { left }.into()),
        });
        match translated {
            Ok(()) => Ok(self.out),
            Err(flaw) => {
                self.path.reverse();
                Err(Untranslatable { flaw, path: self.path })
            }
        }
    }

    /// A struct, where `levels` may lie inside each other from here on.
    fn structure(&mut self, levels: usize) -> Result<(), Flaw> {
        let inner = self.deeper(levels)?;
        let mut last = 0;
        while let Some(field) = self.at.field(last)? {
            self.field(&field, last, inner).inspect_err(|_| self.path.push(field.id))?;
            last = field.id;
        }
        self.out.push(0);
        Ok(())
    }

    /// A field behind the one with the id `last`.
    fn field(&mut self, field: &Field, last: i16, levels: usize) -> Result<(), Flaw> {
        self.room(SMALL)?;
        if field.kind != Type::Bool {
            self.head(field.kind, field.kind.compact_code(), (field.id, last));
            return self.value(field.kind, levels);
        }
        let value = match field.inline {
            Some(value) => value,
            None => self.boolean()?,
        };
        self.head(Type::Bool, truth(value), (field.id, last));
        match self.to {
            Protocol::Binary => self.out.push(u8::from(value)),
            Protocol::Compact => {}
        }
        Ok(())
    }

    /// The head of a field, which has another code in the compact protocol.
    fn head(&mut self, kind: Type, compact: u8, (id, last): (i16, i16)) {
        match self.to {
            Protocol::Binary => {
                let [high, low] = id.to_be_bytes();
                self.out.extend_from_slice(&[kind as u8, high, low]);
            }
            Protocol::Compact => match i32::from(id) - i32::from(last) {
                delta @ 1..=15 => self.out.push((delta as u8) << 4 | compact),
                _ => {
                    self.out.push(compact);
                    self.signed(i64::from(id));
                }
            },
        }
    }

    fn value(&mut self, kind: Type, levels: usize) -> Result<(), Flaw> {
        self.room(SMALL)?;
        match kind {
            Type::Bool => {
                let value = self.boolean()?;
                let byte = match self.to {
                    Protocol::Binary => u8::from(value),
                    Protocol::Compact => truth(value),
                };
                self.out.push(byte);
                Ok(())
            }
            Type::Byte => self.copy(1),
            Type::Uuid => self.copy(16),
            Type::Double => {
                // The one is big-endian, the other little-endian.
                let mut bytes: [u8; 8] = self.at.array()?;
                bytes.reverse();
                self.out.extend_from_slice(&bytes);
                Ok(())
            }
            Type::I16 => match self.to {
                Protocol::Binary => self.fixed(i16::to_be_bytes, U32_VARINT),
                Protocol::Compact => self.varying(i16::from_be_bytes),
            },
            Type::I32 => match self.to {
                Protocol::Binary => self.fixed(i32::to_be_bytes, U32_VARINT),
                Protocol::Compact => self.varying(i32::from_be_bytes),
            },
            Type::I64 => match self.to {
                Protocol::Binary => self.fixed(i64::to_be_bytes, I64_VARINT),
                Protocol::Compact => self.varying(i64::from_be_bytes),
            },
            Type::String => {
                let length = self.at.size()?;
                self.size(length);
                self.copy(length)
            }
            Type::Struct => self.structure(levels),
            Type::List | Type::Set => self.list(levels),
            Type::Map => self.map(levels),
        }
    }

    fn list(&mut self, levels: usize) -> Result<(), Flaw> {
        let inner = self.deeper(levels)?;
        let (element, count) = self.at.list()?;
        match self.to {
            Protocol::Binary => {
                self.out.push(element as u8);
                self.size(count);
            }
            Protocol::Compact if count < 15 => self.out.push((count as u8) << 4 | element.compact_code()),
            Protocol::Compact => {
                self.out.push(0xf0 | element.compact_code());
                self.size(count);
            }
        }
        (0..count).try_for_each(|_| self.value(element, inner))
    }

    fn map(&mut self, levels: usize) -> Result<(), Flaw> {
        let inner = self.deeper(levels)?;
        let (types, count) = self.at.map()?;
        let (key, value) = types.unwrap_or((Type::String, Type::String));
        match self.to {
            Protocol::Binary => {
                self.out.extend_from_slice(&[key as u8, value as u8]);
                self.size(count);
            }
            Protocol::Compact => {
                self.size(count);
                if count > 0 {
                    self.out.push(key.compact_code() << 4 | value.compact_code());
                }
            }
        }
        (0..count).try_for_each(|_| {
            self.value(key, inner)?;
            self.value(value, inner)
        })
    }

    fn boolean(&mut self) -> Result<bool, Flaw> {
        self.at.boolean()?.ok_or_else(|| Flaw::Bool(self.at.previous().unwrap_or_default()))
    }

    /// A number of the compact protocol in as many bytes as its type has.
    fn fixed<T: TryFrom<i64>, const N: usize>(
        &mut self,
        spelled: fn(T) -> [u8; N],
        bytes_max: usize,
    ) -> Result<(), Flaw> {
        let value = self.at.signed(bytes_max)?.ok_or(Flaw::Number)?;
        self.out.extend_from_slice(&spelled(value));
        Ok(())
    }

    /// A number of the binary protocol in as many bytes as it takes.
    fn varying<T: Into<i64>, const N: usize>(&mut self, read: fn([u8; N]) -> T) -> Result<(), Flaw> {
        let value = read(self.at.array()?);
        self.signed(value.into());
        Ok(())
    }

    /// A length or count.
    fn size(&mut self, size: usize) {
        match self.to {
            Protocol::Binary => self.out.extend_from_slice(&(size as u32).to_be_bytes()),
            Protocol::Compact => put_varint(size as u64, &mut self.out),
        }
    }

    fn signed(&mut self, value: i64) {
        put_varint((value << 1 ^ value >> 63) as u64, &mut self.out);
    }

    fn copy(&mut self, count: usize) -> Result<(), Flaw> {
        let taken = self.at.take(count)?;
        self.room(count)?;
        self.out.extend_from_slice(taken);
        Ok(())
    }

    /// Room for `count` bytes more.
    #[inline]
    fn room(&self, count: usize) -> Result<(), Flaw> {
        let bound = self.bounds.message;
        if self.out.len() + count > bound { Err(Flaw::Long(bound)) } else { Ok(()) }
    }

    /// How many levels may lie inside one of so many.
    fn deeper(&self, levels: usize) -> Result<usize, Flaw> {
        levels.checked_sub(1).ok_or(Flaw::Wire(WireError::Depth { bound: self.bounds.depth }))
    }
}

/// The code of a boolean in the compact protocol.
fn truth(value: bool) -> u8 {
    if value { 1 } else { 2 }
}

/// The field that a path leads to, as a message begins.
fn named(path: &[i16]) -> String {
    if path.is_empty() {
        return String::new();
    }
    let ids: Vec<String> = path.iter().map(i16::to_string).collect();
    format!("field {}: ", ids.join("."))
}

/// Bytes that the head of a field or a value takes at most, whatever else comes of it.
const SMALL: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    use Protocol::{Binary, Compact};

    #[track_caller]
    fn both_ways(binary: &[u8], compact: &[u8]) {
        assert_eq!(translate(Binary, Compact, binary).as_deref(), Ok(compact));
        assert_eq!(translate(Compact, Binary, compact).as_deref(), Ok(binary));
    }

    #[track_caller]
    fn untranslatable(from: Protocol, body: &[u8], why: &str) {
        let to = if from == Binary { Compact } else { Binary };
        assert_eq!(translate(from, to, body).map_err(|error| error.to_string()), Err(why.to_owned()));
    }

    #[test]
    fn booleans_stand_in_heads_and_in_elements() {
        both_ways(&[2, 0, 1, 1, 2, 0, 2, 0, 0], &[0x11, 0x12, 0]);
        both_ways(&[15, 0, 1, 2, 0, 0, 0, 2, 1, 0, 0], &[0x19, 0x21, 1, 2, 0]);
        let as_the_specification_had_it = [0x19, 0x22, 1, 0, 0];
        let binary = translate(Compact, Binary, &as_the_specification_had_it).unwrap();
        assert_eq!(binary, [15, 0, 1, 2, 0, 0, 0, 2, 1, 0, 0]);
    }

    #[test]
    fn ids_of_any_order_and_distance_return() {
        let binary = [3, 0, 15, 7, 3, 0, 31, 7, 3, 0, 2, 7, 3, 0xff, 0xfe, 7, 0];
        both_ways(&binary, &[0xf3, 7, 3, 62, 7, 3, 4, 7, 3, 3, 7, 0]);
    }

    #[test]
    fn lists_are_counted_in_their_heads_up_to_fourteen() {
        for count in [0_u8, 1, 14, 15, 200] {
            let elements = vec![9; count as usize];
            let binary = [&[15, 0, 1, 3, 0, 0, 0, count][..], &elements, &[0]].concat();
            let head: &[u8] = match count {
                0..15 => &[count << 4 | 3],
                15..128 => &[0xf3, count],
                128.. => &[0xf3, count | 0x80, 1],
            };
            both_ways(&binary, &[&[0x19], head, &elements, &[0]].concat());
        }
    }

    #[test]
    fn an_empty_map_becomes_one_of_texts() {
        let of_texts = [13, 0, 1, 11, 11, 0, 0, 0, 0, 0];
        both_ways(&of_texts, &[0x1b, 0, 0]);
        assert_eq!(translate(Binary, Compact, &[13, 0, 1, 8, 99, 0, 0, 0, 0, 0]).unwrap(), [0x1b, 0, 0]);
    }

    #[test]
    fn what_readers_take_differently_is_named_with_its_place() {
        let inner = [12, 0, 3, 15, 0, 1, 2, 0, 0, 0, 1, 7, 0, 0];
        untranslatable(Binary, &inner, "field 3.1: a boolean is 7, neither true nor false");
        untranslatable(Binary, &[2, 0, 1, 2, 0], "field 1: a boolean is 2, neither true nor false");
        let wide = [0x14, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        untranslatable(Compact, &wide, "field 1: a varint does not fit its type");
        let long = [&[0x16][..], &[0xff; 9], &[2, 0]].concat();
        untranslatable(Compact, &long, "field 1: a varint does not fit its type");
        untranslatable(Binary, &[17, 0, 1, 0], "type code 17 is not one of thrift's");
        untranslatable(Binary, &[0, 0], "message ends 1 bytes before its frame does");
        untranslatable(Binary, &[8, 0, 1, 0], "field 1: the message ends inside a value");
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth: usize| [[12, 0, 1].repeat(depth - 1), vec![0; depth]].concat();
        assert!(translate(Binary, Compact, &nested(64)).is_ok());
        let deep = translate(Binary, Compact, &nested(65)).unwrap_err();
        assert_eq!(deep.flaw, Flaw::Wire(WireError::Depth { bound: 64 }));
        let numbers = [&[0x19, 0xf6, 100][..], &[0; 100], &[0]].concat();
        let within = |message| {
            let bounds = Bounds { message, ..Bounds::default() };
            Translation::new(Cursor::new(Compact, &numbers, 0), Binary, bounds).all_of(numbers.len())
        };
        assert_eq!(within(1_000).unwrap().len(), 809);
        assert_eq!(within(800).unwrap_err().flaw, Flaw::Long(800));
    }
}
