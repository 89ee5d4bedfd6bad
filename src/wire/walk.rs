//! Walks a struct to its end, in pieces as they arrive, with bounds on depth, sizes and length.
//!
//! A walk never goes back: each step reads whole tokens or none, and a string or a run of fixed-width elements is stepped over by
//! its length before its bytes are there. So the work is linear in the bytes however small the pieces are.

use super::cursor::{Cursor, I64_VARINT, U32_VARINT};
use super::{Protocol, Type, WireError};

/// A walk through one struct.
#[derive(Debug)]
pub struct Walk {
    protocol: Protocol,
    levels: Vec<Level>,
    pos: usize,
    end_max: usize,
    depth_max: usize,
}

/// How far a walk got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walked {
    /// The struct ends at this offset.
    Done(usize),
    /// Nothing more can be told before there are this many bytes.
    Needs(usize),
    /// There is more to walk in the bytes that are here.
    Unfinished,
}

#[derive(Clone, Copy, Debug)]
enum Level {
    /// Inside a struct whose last field had this id.
    Struct { last: i16 },
    /// Inside a list or set with elements left.
    List { element: Type, left: usize },
    /// Inside a map with values left, keys and values counted alike.
    Map { key: Type, value: Type, left: usize },
}

impl Walk {
    /// A walk through the struct at offset `start`, which may end at `end_max` at the latest.
    pub fn new(protocol: Protocol, start: usize, end_max: usize, depth_max: usize) -> Self {
        let mut walk = Self { protocol, levels: Vec::new(), pos: 0, end_max: 0, depth_max };
        walk.restart(protocol, start, end_max);
        walk
    }

    /// Begins another walk, keeping the memory of this one.
    pub fn restart(&mut self, protocol: Protocol, start: usize, end_max: usize) {
        self.protocol = protocol;
        self.levels.clear();
        self.levels.push(Level::Struct { last: 0 });
        self.pos = start;
        self.end_max = end_max;
    }

    /// Goes on through `bytes`, which begin where they always began and may have grown, over at most `tokens_max` tokens: however many
    /// values a message has, others get their turn.
    #[inline]
    pub fn advance(&mut self, bytes: &[u8], tokens_max: usize) -> Result<Walked, WireError> {
        let mut tokens_left = tokens_max;
        while let Some(&level) = self.levels.last() {
            if tokens_left == 0 {
                return Ok(Walked::Unfinished);
            }
            tokens_left -= 1;
            match self.step(level, bytes) {
                Ok(()) => {}
                Err(WireError::Short) => return self.needs(self.pos.max(bytes.len()) + 1),
                Err(error) => return Err(error),
            }
        }
        if self.pos > bytes.len() {
            return self.needs(self.pos);
        }
        Ok(Walked::Done(self.pos))
    }

    /// Walks another struct, which begins at `start` and must fill `bytes` to their end.
    ///
    /// # Errors
    /// What is wrong with it; [`WireError::Short`] where it would go on.
    pub(crate) fn whole(&mut self, protocol: Protocol, bytes: &[u8], start: usize) -> Result<(), WireError> {
        self.restart(protocol, start, bytes.len());
        match self.advance(bytes, usize::MAX) {
            Ok(Walked::Done(end)) if end == bytes.len() => Ok(()),
            Ok(Walked::Done(end)) => Err(WireError::Trailing { left: bytes.len() - end }),
            Ok(Walked::Needs(_) | Walked::Unfinished) | Err(WireError::TooLong { .. }) => {
                Err(WireError::Short)
            }
            Err(error) => Err(error),
        }
    }

    fn needs(&self, total: usize) -> Result<Walked, WireError> {
        if total > self.end_max {
            return Err(WireError::TooLong { length: total, bound: self.end_max });
        }
        Ok(Walked::Needs(total))
    }

    /// Takes one token of the innermost level, or nothing where the bytes are short.
    #[inline]
    fn step(&mut self, level: Level, bytes: &[u8]) -> Result<(), WireError> {
        let mut at = Cursor::new(self.protocol, bytes, self.pos);
        let (advanced, inner) = match level {
            Level::Struct { last } => match at.field(last)? {
                None => return self.leave(at.pos()),
                Some(field) if field.inline.is_some() => (Level::Struct { last: field.id }, None),
                Some(field) => (Level::Struct { last: field.id }, self.value(&mut at, field.kind)?),
            },
            Level::List { left: 0, .. } | Level::Map { left: 0, .. } => return self.leave(at.pos()),
            Level::List { element, left } => {
                (Level::List { element, left: left - 1 }, self.value(&mut at, element)?)
            }
            Level::Map { key, value, left } => {
                let kind = if left % 2 == 0 { key } else { value };
                (Level::Map { key, value, left: left - 1 }, self.value(&mut at, kind)?)
            }
        };
        self.pos = at.pos();
        if let Some(top) = self.levels.last_mut() {
            *top = advanced;
        }
        if let Some(inner) = inner {
            self.levels.push(inner);
        }
        Ok(())
    }

    fn leave(&mut self, pos: usize) -> Result<(), WireError> {
        self.levels.pop();
        self.pos = pos;
        Ok(())
    }

    /// Moves over a value, or over the head of one that has values inside.
    #[inline]
    fn value(&self, at: &mut Cursor<'_>, kind: Type) -> Result<Option<Level>, WireError> {
        if let Some(width) = kind.width(self.protocol) {
            return self.over(at, width, 1);
        }
        let nests = matches!(kind, Type::Struct | Type::List | Type::Set | Type::Map);
        if nests && self.levels.len() >= self.depth_max {
            return Err(WireError::Depth { bound: self.depth_max });
        }
        match kind {
            Type::I16 | Type::I32 => at.varint(U32_VARINT).map(|_| None),
            Type::I64 => at.varint(I64_VARINT).map(|_| None),
            Type::String => {
                let length = at.size()?;
                self.over(at, 1, length)
            }
            Type::Struct => Ok(Some(Level::Struct { last: 0 })),
            Type::List | Type::Set => {
                let (element, left) = at.list()?;
                match element.width(self.protocol) {
                    Some(width) => self.over(at, width, left),
                    None => {
                        self.room(at, element.least_width(self.protocol), left)?;
                        Ok(Some(Level::List { element, left }))
                    }
                }
            }
            Type::Map => match at.map()? {
                (None, _) => Ok(None),
                (Some((key, value)), count) => {
                    let least = key.least_width(self.protocol) + value.least_width(self.protocol);
                    self.room(at, least, count)?;
                    Ok(Some(Level::Map { key, value, left: count.saturating_mul(2) }))
                }
            },
            Type::Bool | Type::Byte | Type::Double | Type::Uuid => Ok(None),
        }
    }

    /// Steps over `count` values of `width` bytes, which need not have arrived.
    fn over(&self, at: &mut Cursor<'_>, width: usize, count: usize) -> Result<Option<Level>, WireError> {
        let end = self.room(at, width, count)?;
        *at = at.at(end);
        Ok(None)
    }

    /// The end of `count` values of at least `width` bytes, if the message may be that long.
    fn room(&self, at: &Cursor<'_>, width: usize, count: usize) -> Result<usize, WireError> {
        let length = at.pos().saturating_add(width.saturating_mul(count));
        if length > self.end_max {
            return Err(WireError::TooLong { length, bound: self.end_max });
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(protocol: Protocol, bytes: &[u8]) -> Result<Walked, WireError> {
        Walk::new(protocol, 0, 1 << 20, 64).advance(bytes, usize::MAX)
    }

    #[test]
    fn a_struct_of_every_kind_ends_where_it_ends() {
        let nested = [12, 0, 1, 11, 0, 2, 0, 0, 0, 2, b'h', b'i', 0, 0, 0xff];
        assert_eq!(walked(Protocol::Binary, &nested), Ok(Walked::Done(14)));
        let map = [13, 0, 1, 11, 8, 0, 0, 0, 1, 0, 0, 0, 1, b'k', 0, 0, 0, 9, 0];
        assert_eq!(walked(Protocol::Binary, &map), Ok(Walked::Done(map.len())));
        let compact = [0x18, 2, b'h', b'i', 0x11, 0x19, 0x35, 2, 4, 6, 0];
        assert_eq!(walked(Protocol::Compact, &compact), Ok(Walked::Done(compact.len())));
    }

    #[test]
    fn a_string_is_stepped_over_before_its_bytes_are_there() {
        let head = [11, 0, 1, 0, 0, 3, 232];
        assert_eq!(walked(Protocol::Binary, &head), Ok(Walked::Needs(1008)));
    }

    #[test]
    fn pieces_of_any_size_end_alike() {
        let whole =
            [15, 0, 1, 11, 0, 0, 0, 2, 0, 0, 0, 1, b'a', 0, 0, 0, 0, 10, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0];
        let mut walk = Walk::new(Protocol::Binary, 0, 1 << 20, 64);
        for end in 0..whole.len() {
            assert!(matches!(walk.advance(&whole[..end], usize::MAX), Ok(Walked::Needs(_))), "at {end}");
        }
        assert_eq!(walk.advance(&whole, usize::MAX), Ok(Walked::Done(whole.len())));
    }

    #[test]
    fn declared_sizes_are_held_against_the_bound() {
        let list = [15, 0, 1, 12, 0x7f, 0xff, 0xff, 0xff];
        assert!(matches!(walked(Protocol::Binary, &list), Err(WireError::TooLong { .. })));
        let negative = [11, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(walked(Protocol::Binary, &negative), Err(WireError::Negative { length: -1 }));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| {
            [12, 0, 1].repeat(depth - 1).into_iter().chain(vec![0; depth]).collect::<Vec<u8>>()
        };
        assert!(matches!(walked(Protocol::Binary, &nested(64)), Ok(Walked::Done(_))));
        assert_eq!(walked(Protocol::Binary, &nested(65)), Err(WireError::Depth { bound: 64 }));
    }
}
