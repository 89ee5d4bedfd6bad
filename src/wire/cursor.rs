//! Reads one token after another from bytes in either protocol, without allocating.

use super::{Protocol, Type, WireError};

/// A place in some bytes. A read that fails leaves the place unspecified: keep a copy to go back.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    pos: usize,
    protocol: Protocol,
}

/// The head of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's id.
    pub id: i16,
    /// The type of its value.
    pub kind: Type,
    /// The value itself where the head carries it: a boolean in the compact protocol.
    pub inline: Option<bool>,
}

impl<'a> Cursor<'a> {
    /// A cursor at `pos` bytes from the start.
    pub fn new(protocol: Protocol, bytes: &'a [u8], pos: usize) -> Self {
        Self { bytes, pos, protocol }
    }

    /// The protocol it reads.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Bytes from the start to here.
    pub fn pos(&self) -> usize {
        self.pos
    }

    /// The byte just read.
    pub fn previous(&self) -> Option<u8> {
        self.bytes.get(self.pos.checked_sub(1)?).copied()
    }

    /// The same cursor at another offset, which may lie beyond the bytes.
    pub fn at(self, pos: usize) -> Self {
        Self { pos, ..self }
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let end = self.pos.checked_add(count).ok_or(WireError::Short)?;
        let taken = self.bytes.get(self.pos..end).ok_or(WireError::Short)?;
        self.pos = end;
        Ok(taken)
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.take(N)?.try_into().map_err(|_| WireError::Short)
    }

    /// The next byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, WireError> {
        let byte = *self.bytes.get(self.pos).ok_or(WireError::Short)?;
        self.pos += 1;
        Ok(byte)
    }

    /// An unsigned varint of at most `bytes_max` bytes.
    #[inline]
    pub fn varint(&mut self, bytes_max: usize) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for index in 0..bytes_max {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Varint { bound: bytes_max })
    }

    /// A boolean that is an element, where the byte is one; the byte itself is [`previous`](Self::previous).
    #[inline]
    pub fn boolean(&mut self) -> Result<Option<bool>, WireError> {
        Ok(match (self.byte()?, self.protocol) {
            (1, _) => Some(true),
            (0, _) | (2, Protocol::Compact) => Some(false),
            _ => None,
        })
    }

    /// A signed number as the compact protocol writes it, in at most `bytes_max` bytes; nothing where it does not fit its type.
    #[inline]
    pub fn signed<T: TryFrom<i64>>(&mut self, bytes_max: usize) -> Result<Option<T>, WireError> {
        let start = self.pos;
        let raw = self.varint(bytes_max)?;
        // The tenth byte of a varint holds one bit; more would be cut off by some readers and refused by others.
        let spilled = self.pos - start == I64_VARINT && self.previous() != Some(1);
        Ok(if spilled { None } else { T::try_from(zigzag(raw)).ok() })
    }

    /// A length or count.
    #[inline]
    pub fn size(&mut self) -> Result<usize, WireError> {
        let size = match self.protocol {
            Protocol::Binary => i32::from_be_bytes(self.array()?),
            Protocol::Compact => self.varint(U32_VARINT)? as u32 as i32,
        };
        usize::try_from(size).map_err(|_| WireError::Negative { length: size })
    }

    /// The head of the next field of a struct, or `None` at its end. `last` is the id of the field before, 0 at first.
    #[inline]
    pub fn field(&mut self, last: i16) -> Result<Option<Field>, WireError> {
        let head = self.byte()?;
        match self.protocol {
            Protocol::Binary if head == 0 => Ok(None),
            Protocol::Binary => {
                let kind = Type::from_binary(head)?;
                Ok(Some(Field { id: i16::from_be_bytes(self.array()?), kind, inline: None }))
            }
            Protocol::Compact if head & 0x0f == 0 => Ok(None),
            Protocol::Compact => {
                let code = head & 0x0f;
                let kind = Type::from_compact(code)?;
                let id = match i16::from(head >> 4) {
                    0 => self.zigzag_i16()?,
                    delta => last.checked_add(delta).ok_or(WireError::FieldId)?,
                };
                Ok(Some(Field { id, kind, inline: (kind == Type::Bool).then_some(code == 1) }))
            }
        }
    }

    /// The element type and count of a list or set.
    #[inline]
    pub fn list(&mut self) -> Result<(Type, usize), WireError> {
        let head = self.byte()?;
        match self.protocol {
            Protocol::Binary => Ok((Type::from_binary(head)?, self.size()?)),
            Protocol::Compact => {
                let count = match head >> 4 {
                    15 => self.size()?,
                    short => usize::from(short),
                };
                Ok((Type::from_compact(head & 0x0f)?, count))
            }
        }
    }

    /// The key type, value type and count of a map. An empty map of the compact protocol has no types.
    #[inline]
    pub fn map(&mut self) -> Result<(Option<(Type, Type)>, usize), WireError> {
        match self.protocol {
            Protocol::Binary => {
                let [key, value] = self.array()?;
                let count = self.size()?;
                if count == 0 {
                    return Ok((None, 0));
                }
                Ok((Some((Type::from_binary(key)?, Type::from_binary(value)?)), count))
            }
            Protocol::Compact => {
                let count = self.size()?;
                if count == 0 {
                    return Ok((None, 0));
                }
                let types = self.byte()?;
                Ok((Some((Type::from_compact(types >> 4)?, Type::from_compact(types & 0x0f)?)), count))
            }
        }
    }

    fn zigzag_i16(&mut self) -> Result<i16, WireError> {
        self.signed(U32_VARINT)?.ok_or(WireError::FieldId)
    }
}

/// The signed number that an unsigned one stands for in the compact protocol.
#[inline]
pub fn zigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

/// Bytes of the longest varint of 16 or 32 bits: readers take a short number in five bytes too.
pub const U32_VARINT: usize = 5;
/// Bytes of the longest varint of 64 bits.
pub const I64_VARINT: usize = 10;
