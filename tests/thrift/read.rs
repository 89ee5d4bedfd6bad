//! Reading messages: strict, as a test wants it.

use std::io::{self, Read};

use super::{Fields, Kind, Message, Protocol, Transport, Value, Wire};

impl Message {
    /// Reads the next message, or nothing at the end of the stream.
    pub(crate) fn read(from: &mut impl Read, wire: Wire) -> io::Result<Option<Self>> {
        let mut first = [0];
        if from.read(&mut first)? == 0 {
            return Ok(None);
        }
        let mut rest = first.chain(from);
        match wire.transport {
            Transport::Unframed => Reader { from: &mut rest }.message(wire.protocol).map(Some),
            Transport::Framed | Transport::Header => {
                let length = u32::from_be_bytes(Reader { from: &mut rest }.array()?) as usize;
                let mut body = vec![0; length];
                rest.read_exact(&mut body)?;
                let mut left = if wire.transport == Transport::Header { unwrapped(&body)?.1 } else { &body };
                let message = Reader { from: &mut left }.message(wire.protocol)?;
                if left.is_empty() {
                    Ok(Some(message))
                } else {
                    Err(unreadable("bytes after the message in its frame"))
                }
            }
        }
    }
}

/// Names and values of info headers.
type Info = Vec<(String, String)>;

/// The info headers of a frame of the header transport, and its message.
pub(crate) fn unwrapped(frame: &[u8]) -> io::Result<(Info, &[u8])> {
    let words = frame.get(8..10).ok_or_else(|| unreadable("a frame without a header"))?;
    let message = 10 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    let mut header = frame.get(10..message).ok_or_else(|| unreadable("a header beyond its frame"))?;
    let mut reader = Reader { from: &mut header };
    let (_protocol, transforms) = (reader.varint()?, reader.varint()?);
    if frame[..2] != [0x0f, 0xff] || transforms != 0 {
        return Err(unreadable("a frame of another transport, or a packed one"));
    }
    let mut info = Vec::new();
    if !reader.from.is_empty() && reader.varint()? == 1 {
        for _ in 0..reader.varint()? {
            info.push((reader.text(Protocol::Compact)?, reader.text(Protocol::Compact)?));
        }
    }
    Ok((info, &frame[message..]))
}

struct Reader<'a, R> {
    from: &'a mut R,
}

impl<R: Read> Reader<'_, R> {
    fn message(&mut self, protocol: Protocol) -> io::Result<Message> {
        let (kind, name, seqid) = match protocol {
            Protocol::Binary => {
                let [high, _, _, kind] = self.array()?;
                if high != 0x80 {
                    return Err(unreadable("a version other than strict binary's"));
                }
                (kind & 7, self.text(protocol)?, i32::from_be_bytes(self.array()?))
            }
            Protocol::Lenient => {
                let name = self.text(protocol)?;
                (self.byte()?, name, i32::from_be_bytes(self.array()?))
            }
            Protocol::Compact => {
                if self.byte()? != 0x82 {
                    return Err(unreadable("a version other than compact's"));
                }
                let kind = self.byte()? >> 5;
                let seqid = (self.varint()? as u32).cast_signed();
                (kind, self.text(protocol)?, seqid)
            }
        };
        Ok(Message { kind: kind_of(kind)?, name, seqid, fields: self.fields(protocol)? })
    }

    fn fields(&mut self, protocol: Protocol) -> io::Result<Fields> {
        let mut fields = Fields::new();
        let mut last = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(fields);
            }
            if protocol != Protocol::Compact {
                let id = i16::from_be_bytes(self.array()?);
                fields.push((id, self.binary(head, protocol)?));
                continue;
            }
            let step = i16::from(head >> 4);
            last = if step == 0 { self.zigzag()? as i16 } else { last + step };
            let value = match head & 15 {
                code @ 1..=2 => Value::Bool(code == 1),
                code => self.compact(code)?,
            };
            fields.push((last, value));
        }
    }

    fn binary(&mut self, code: u8, protocol: Protocol) -> io::Result<Value> {
        Ok(match code {
            2 => match self.byte()? {
                byte @ (0 | 1) => Value::Bool(byte == 1),
                byte => Value::OddBool(byte),
            },
            8 => Value::I32(i32::from_be_bytes(self.array()?)),
            10 => Value::I64(i64::from_be_bytes(self.array()?)),
            11 => Value::String(self.text(protocol)?),
            12 => Value::Struct(self.fields(protocol)?),
            13 => {
                let [key, value] = self.array()?;
                let count = u32::from_be_bytes(self.array()?);
                let pair = |_| Ok((self.binary(key, protocol)?, self.binary(value, protocol)?));
                Value::Map((0..count).map(pair).collect::<io::Result<_>>()?)
            }
            14 | 15 => {
                let element = self.byte()?;
                let count = u32::from_be_bytes(self.array()?);
                let values = (0..count).map(|_| self.binary(element, protocol)).collect::<io::Result<_>>()?;
                if code == 14 { Value::Set(values) } else { Value::List(values) }
            }
            17 => Value::Future(self.byte()?),
            _ => return Err(unreadable("a type that no test speaks of")),
        })
    }

    fn compact(&mut self, code: u8) -> io::Result<Value> {
        Ok(match code {
            1 | 2 => Value::Bool(self.byte()? == 1),
            5 => Value::I32(self.zigzag()? as i32),
            6 => Value::I64(self.zigzag()?),
            8 => Value::String(self.text(Protocol::Compact)?),
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                let values = (0..count).map(|_| self.compact(head & 15)).collect::<io::Result<_>>()?;
                if code == 10 { Value::Set(values) } else { Value::List(values) }
            }
            11 => {
                let count = self.varint()?;
                let types = if count == 0 { 0 } else { self.byte()? };
                let pair = |_| Ok((self.compact(types >> 4)?, self.compact(types & 15)?));
                Value::Map((0..count).map(pair).collect::<io::Result<_>>()?)
            }
            12 => Value::Struct(self.fields(Protocol::Compact)?),
            14 => Value::Future(self.byte()?),
            _ => return Err(unreadable("a type that no test speaks of")),
        })
    }

    fn text(&mut self, protocol: Protocol) -> io::Result<String> {
        let length = match protocol {
            Protocol::Compact => self.varint()? as usize,
            Protocol::Binary | Protocol::Lenient => u32::from_be_bytes(self.array()?) as usize,
        };
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| unreadable("a text that is not UTF-8"))
    }

    fn zigzag(&mut self) -> io::Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(unreadable("a varint without an end"))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn kind_of(code: u8) -> io::Result<Kind> {
    match code {
        1 => Ok(Kind::Call),
        2 => Ok(Kind::Reply),
        3 => Ok(Kind::Exception),
        4 => Ok(Kind::Oneway),
        _ => Err(unreadable("a message type that does not exist")),
    }
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
