//! Picks the values at a path of field ids out of a struct, through all elements of the lists and sets on the way.

use super::cursor::{Cursor, Field, I64_VARINT, U32_VARINT, zigzag};
use super::{Protocol, Type, WireError};

/// A value that has a short spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar<'a> {
    /// A boolean.
    Bool(bool),
    /// A number of any width; an enum's.
    Number(i64),
    /// A text, or bytes.
    Text(&'a [u8]),
    /// A UUID.
    Uuid([u8; 16]),
}

/// Gives each scalar that lies at `path` in the struct that `body` begins with to `found`, until that says that it has enough.
///
/// Returns whether all could be told: what is no scalar, or a double, has no spelling.
///
/// # Errors
/// If `body` is no struct, or deeper than [`DEPTH_MAX`].
pub fn pick<'a>(
    protocol: Protocol,
    body: &'a [u8],
    path: &[i16],
    found: &mut dyn FnMut(Scalar<'a>) -> bool,
) -> Result<bool, WireError> {
    let mut picking = Picking { at: Cursor::new(protocol, body, 0), found, told: true };
    picking.structure(Some(path), 1)?;
    Ok(picking.told)
}

/// Gives the id of each field of the struct that `body` begins with, and the bytes of its value, to `found`. A boolean of the compact protocol has
/// none: its field's head tells it.
///
/// # Errors
/// If `body` is no struct, or deeper than [`DEPTH_MAX`].
pub fn fields<'a>(
    protocol: Protocol,
    body: &'a [u8],
    found: &mut dyn FnMut(i16, &'a [u8]),
) -> Result<(), WireError> {
    let mut picking = Picking { at: Cursor::new(protocol, body, 0), found: &mut |_| true, told: true };
    let mut last = 0;
    while let Some(field) = picking.at.field(last)? {
        last = field.id;
        let start = picking.at.pos();
        picking.field(&field, None, 1)?;
        found(field.id, body.get(start..picking.at.pos()).unwrap_or_default());
    }
    Ok(())
}

struct Picking<'a, 'f> {
    at: Cursor<'a>,
    found: &'f mut dyn FnMut(Scalar<'a>) -> bool,
    told: bool,
}

impl<'a> Picking<'a, '_> {
    /// Reads a struct to its end; `path` leads on from it, if it is on the way.
    fn structure(&mut self, path: Option<&[i16]>, depth: usize) -> Result<(), WireError> {
        deep(depth)?;
        let mut last = 0;
        while let Some(field) = self.at.field(last)? {
            last = field.id;
            let path = path.and_then(|path| path.split_first());
            let rest = path.filter(|(id, _)| **id == field.id).map(|(_, rest)| rest);
            self.field(&field, rest, depth)?;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, path: Option<&[i16]>, depth: usize) -> Result<(), WireError> {
        match (field.inline, path) {
            (Some(value), Some([])) => self.tell(Some(Scalar::Bool(value))),
            (Some(_), _) => {}
            (None, path) => self.value(field.kind, path, depth)?,
        }
        Ok(())
    }

    fn value(&mut self, kind: Type, path: Option<&[i16]>, depth: usize) -> Result<(), WireError> {
        let scalar = match kind {
            Type::Struct => {
                if path == Some(&[]) {
                    self.tell(None);
                }
                return self.structure(path, depth + 1);
            }
            Type::List | Type::Set => {
                deep(depth)?;
                let (element, count) = self.at.list()?;
                return (0..count).try_for_each(|_| self.value(element, path, depth + 1));
            }
            Type::Map => {
                deep(depth)?;
                if path.is_some() {
                    self.tell(None);
                }
                return self.map(depth + 1);
            }
            Type::Bool => Some(Scalar::Bool(self.at.byte()? == 1)),
            Type::Byte => Some(Scalar::Number(i64::from(self.at.byte()? as i8))),
            Type::I16 | Type::I32 | Type::I64 => Some(Scalar::Number(self.number(kind)?)),
            Type::Double => {
                self.at.take(8)?;
                None
            }
            Type::String => {
                let length = self.at.size()?;
                Some(Scalar::Text(self.at.take(length)?))
            }
            Type::Uuid => Some(Scalar::Uuid(self.at.array()?)),
        };
        if path == Some(&[]) {
            self.tell(scalar);
        }
        Ok(())
    }

    fn map(&mut self, depth: usize) -> Result<(), WireError> {
        let (Some((key, value)), count) = self.at.map()? else { return Ok(()) };
        (0..count).try_for_each(|_| {
            self.value(key, None, depth)?;
            self.value(value, None, depth)
        })
    }

    fn number(&mut self, kind: Type) -> Result<i64, WireError> {
        Ok(match (self.at.protocol(), kind) {
            (Protocol::Binary, Type::I16) => i64::from(i16::from_be_bytes(self.at.array()?)),
            (Protocol::Binary, Type::I32) => i64::from(i32::from_be_bytes(self.at.array()?)),
            (Protocol::Binary, _) => i64::from_be_bytes(self.at.array()?),
            (Protocol::Compact, Type::I64) => zigzag(self.at.varint(I64_VARINT)?),
            (Protocol::Compact, _) => zigzag(self.at.varint(U32_VARINT)?),
        })
    }

    fn tell(&mut self, scalar: Option<Scalar<'a>>) {
        let Some(scalar) = scalar else {
            self.told = false;
            return;
        };
        self.told &= (self.found)(scalar);
    }
}

fn deep(depth: usize) -> Result<(), WireError> {
    if depth > DEPTH_MAX { Err(WireError::Depth { bound: DEPTH_MAX }) } else { Ok(()) }
}

/// Structs and containers inside each other.
pub const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_given_with_its_bytes() {
        let ids = |protocol, body| {
            let mut ids = Vec::new();
            fields(protocol, body, &mut |id, bytes| ids.push((id, bytes.len()))).unwrap();
            ids
        };
        assert_eq!(ids(Protocol::Binary, BINARY), [(1, 8), (2, 14), (3, 21), (4, 15), (5, 13)]);
        assert_eq!(
            ids(Protocol::Compact, COMPACT).iter().map(|(id, _)| *id).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5]
        );
        let mut nothing = |_, _: &[u8]| {};
        assert_eq!(
            fields(Protocol::Binary, &BINARY[..BINARY.len() - 1], &mut nothing),
            Err(WireError::Short)
        );
    }

    /// `{1: 7, 2: {1: "hi", 3: true}, 3: [{1: 5}, {1: 6}], 4: {"k": 1}, 5: [1.0]}`, in both protocols.
    const BINARY: &[u8] = &[
        10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, //
        12, 0, 2, 11, 0, 1, 0, 0, 0, 2, b'h', b'i', 2, 0, 3, 1, 0, //
        15, 0, 3, 12, 0, 0, 0, 2, 8, 0, 1, 0, 0, 0, 5, 0, 8, 0, 1, 0, 0, 0, 6, 0, //
        13, 0, 4, 11, 8, 0, 0, 0, 1, 0, 0, 0, 1, b'k', 0, 0, 0, 1, //
        15, 0, 5, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    const COMPACT: &[u8] = &[
        0x16, 14, //
        0x1c, 0x18, 2, b'h', b'i', 0x21, 0, //
        0x19, 0x2c, 0x15, 10, 0, 0x15, 12, 0, //
        0x1b, 1, 0x85, 1, b'k', 2, //
        0x19, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    fn picked<'a>(protocol: Protocol, body: &'a [u8], path: &[i16]) -> (bool, Vec<Scalar<'a>>) {
        let mut values = Vec::new();
        let told = pick(protocol, body, path, &mut |value| {
            values.push(value);
            true
        });
        (told.unwrap(), values)
    }

    #[track_caller]
    fn check(path: &[i16], told: bool, expected: &[Scalar<'_>]) {
        for (protocol, body) in [(Protocol::Binary, BINARY), (Protocol::Compact, COMPACT)] {
            assert_eq!(picked(protocol, body, path), (told, expected.to_vec()), "{protocol:?}");
        }
    }

    #[test]
    fn a_path_leads_through_structs_and_lists() {
        check(&[1], true, &[Scalar::Number(7)]);
        check(&[2, 1], true, &[Scalar::Text(b"hi")]);
        check(&[2, 3], true, &[Scalar::Bool(true)]);
        check(&[3, 1], true, &[Scalar::Number(5), Scalar::Number(6)]);
    }

    #[test]
    fn what_is_absent_is_nothing_and_what_has_no_spelling_is_not_told() {
        check(&[9], true, &[]);
        check(&[1, 1], true, &[]);
        check(&[], true, &[]);
        for path in [&[2][..], &[3], &[4], &[5]] {
            check(path, false, &[]);
        }
    }

    #[test]
    fn who_has_enough_says_so() {
        let told = pick(Protocol::Binary, BINARY, &[1], &mut |_| false);
        assert_eq!(told, Ok(false));
    }

    #[test]
    fn what_is_cut_off_or_too_deep_is_an_error() {
        assert!(pick(Protocol::Binary, &BINARY[..20], &[1], &mut |_| true).is_err());
        let deep = [&[12, 0, 1].repeat(100)[..], &[0; 101]].concat();
        let bound = DEPTH_MAX;
        assert_eq!(pick(Protocol::Binary, &deep, &[1], &mut |_| true), Err(WireError::Depth { bound }));
    }
}
