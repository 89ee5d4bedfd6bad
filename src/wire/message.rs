//! A message's header: what it is, whose method it names, and which call it belongs to.

use bytes::{BufMut, BytesMut};

use super::cursor::{Cursor, U32_VARINT};
use super::header::info::Info;
use super::header::{Packing, put_preamble, zlib};
use super::varint::{put_varint, varint_length};
use super::walk::Walk;
use super::{Protocol, Transport, WireError};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A call that expects a reply.
    Call = 1,
    /// A reply with a result or a declared exception.
    Reply = 2,
    /// A `TApplicationException`.
    Exception = 3,
    /// A call that expects no reply.
    Oneway = 4,
}

/// How a binary header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Version first. The compact protocol has this form only.
    Strict,
    /// Name first, as before Thrift 0.2 and by `strict_write = false`.
    Lenient,
}

/// A message's header, its name in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// What the message is.
    pub kind: Kind,
    /// The method as named on the wire, with the prefix `Service:` of a multiplexed call.
    pub name: &'a [u8],
    /// The caller's number for this call.
    pub seqid: i32,
    /// How the header was written.
    pub form: Form,
}

/// A header without the bytes it was read from: what it says, and where its name and its struct lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    kind: Kind,
    form: Form,
    seqid: i32,
    name: u32,
    name_length: u32,
    body: u32,
}

/// A whole message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header<'a>,
    /// Its struct of arguments or results.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message that must fill `bytes` exactly.
    pub fn parse(protocol: Protocol, bytes: &'a [u8], walk: &mut Walk) -> Result<Self, WireError> {
        let (header, start) = Header::parse(protocol, bytes)?;
        walk.whole(protocol, bytes, start)?;
        Ok(Self { header, body: bytes.get(start..).unwrap_or_default() })
    }
}

impl Head {
    /// Reads the header that begins at `start`, which is near the beginning of `bytes`.
    #[inline]
    pub(super) fn parse(protocol: Protocol, bytes: &[u8], start: usize) -> Result<Self, WireError> {
        let (Header { kind, name, seqid, form }, length) =
            Header::parse(protocol, bytes.get(start..).unwrap_or_default())?;
        let before = match (protocol, form) {
            (Protocol::Binary, Form::Strict) => 8,
            (Protocol::Binary, Form::Lenient) => 4,
            (Protocol::Compact, _) => length - name.len(),
        };
        let (name_length, body) = (name.len() as u32, (start + length) as u32);
        Ok(Self { kind, form, seqid, name: (start + before) as u32, name_length, body })
    }

    /// Where the struct begins.
    #[inline]
    pub(super) fn body(&self) -> usize {
        self.body as usize
    }

    /// The header, in the bytes that it was read from.
    #[inline]
    pub(super) fn header<'a>(&self, bytes: &'a [u8]) -> Header<'a> {
        let name = self.name as usize..self.name as usize + self.name_length as usize;
        let name = bytes.get(name).unwrap_or_default();
        Header { kind: self.kind, name, seqid: self.seqid, form: self.form }
    }

    /// The message, in the bytes that it was read from.
    #[inline]
    pub(super) fn message<'a>(&self, bytes: &'a [u8]) -> Message<'a> {
        Message { header: self.header(bytes), body: bytes.get(self.body()..).unwrap_or_default() }
    }
}

impl<'a> Header<'a> {
    /// Reads the header at the start of `bytes`, and says where it ends.
    ///
    /// # Errors
    /// [`WireError::Short`] where more bytes are needed, any other where they would not help.
    #[inline]
    pub fn parse(protocol: Protocol, bytes: &'a [u8]) -> Result<(Self, usize), WireError> {
        let mut at = Cursor::new(protocol, bytes, 0);
        let header = match protocol {
            Protocol::Binary if bytes.first().is_some_and(|first| first & 0x80 != 0) => strict(&mut at)?,
            Protocol::Binary => lenient(&mut at)?,
            Protocol::Compact => compact(&mut at)?,
        };
        Ok((header, at.pos()))
    }

    /// The name without the prefix of a multiplexed call.
    pub fn method(&self) -> &'a [u8] {
        split_name(self.name).1
    }

    fn length(&self, protocol: Protocol) -> usize {
        self.name.len()
            + match (protocol, self.form) {
                (Protocol::Binary, Form::Strict) => 12,
                (Protocol::Binary, Form::Lenient) => 9,
                (Protocol::Compact, _) => {
                    2 + varint_length(self.seqid as u32) + varint_length(self.name.len() as u32)
                }
            }
    }

    fn put(&self, protocol: Protocol, out: &mut BytesMut) {
        match (protocol, self.form) {
            (Protocol::Binary, Form::Strict) => {
                out.put_u32(0x8001_0000 | u32::from(self.kind as u8));
                out.put_u32(self.name.len() as u32);
                out.put_slice(self.name);
                out.put_i32(self.seqid);
            }
            (Protocol::Binary, Form::Lenient) => {
                out.put_u32(self.name.len() as u32);
                out.put_slice(self.name);
                out.put_u8(self.kind as u8);
                out.put_i32(self.seqid);
            }
            (Protocol::Compact, _) => {
                out.put_u8(0x82);
                out.put_u8(1 | (self.kind as u8) << 5);
                put_varint(self.seqid as u32, out);
                put_varint(self.name.len() as u32, out);
                out.put_slice(self.name);
            }
        }
    }
}

/// Appends a message: its frame's length where the transport has one, `header` and `body`.
pub fn put_message(
    out: &mut BytesMut,
    transport: Transport,
    protocol: Protocol,
    header: &Header<'_>,
    body: &[u8],
) {
    out.reserve(4 + header.length(protocol) + body.len());
    put_header(out, transport, protocol, header, body.len());
    out.put_slice(body);
}

/// Appends what goes before a struct of `body_length` bytes: what its frame begins with where the transport has one, and `header`. In a
/// frame of the header transport it has no info headers.
pub fn put_header(
    out: &mut BytesMut,
    transport: Transport,
    protocol: Protocol,
    header: &Header<'_>,
    body_length: usize,
) {
    match transport {
        Transport::Framed => out.put_u32((header.length(protocol) + body_length) as u32),
        Transport::Unframed => {}
        Transport::Header => {
            return put_wrapped_header(out, (protocol, &Info::default()), header, body_length);
        }
    }
    header.put(protocol, out);
}

/// Appends a message in a frame of the header transport, with `info` before it.
pub fn put_wrapped(
    out: &mut BytesMut,
    (protocol, packing, info): (Protocol, Packing, &Info),
    header: &Header<'_>,
    body: &[u8],
) {
    match packing {
        Packing::Plain => {
            put_wrapped_header(out, (protocol, info), header, body.len());
            out.put_slice(body);
        }
        Packing::Zlib => {
            let mut message = BytesMut::new();
            put_message(&mut message, Transport::Unframed, protocol, header, body);
            let packed = zlib::deflate(&message);
            put_preamble(out, (protocol, packing, info), header.seqid, packed.len());
            out.put_slice(&packed);
        }
    }
}

/// Appends what goes before a struct of `body_length` bytes in a frame of the header transport: a preamble with `info`, and `header`.
pub fn put_wrapped_header(
    out: &mut BytesMut,
    (protocol, info): (Protocol, &Info),
    header: &Header<'_>,
    body_length: usize,
) {
    let length = header.length(protocol) + body_length;
    put_preamble(out, (protocol, Packing::Plain, info), header.seqid, length);
    header.put(protocol, out);
}

/// Splits a multiplexed name `Service:method`; a plain one has no service.
pub fn split_name(name: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match name.iter().position(|&byte| byte == b':') {
        Some(colon) => (name.get(..colon), name.get(colon + 1..).unwrap_or_default()),
        None => (None, name),
    }
}

/// The longest method name that is read, in bytes. Thrift has no limit; names are identifiers that people type.
pub const NAME_MAX: usize = 1024;

fn strict<'a>(at: &mut Cursor<'a>) -> Result<Header<'a>, WireError> {
    let version = u32::from_be_bytes(at.array()?);
    // The third byte is unused by the specification and ignored by every library.
    if version & 0xffff_0000 != 0x8001_0000 {
        return Err(WireError::Header { header: version });
    }
    let kind = kind(version as u8, version)?;
    let length = at.size()?;
    let name = name(at, length)?;
    let seqid = i32::from_be_bytes(at.array()?);
    Ok(Header { kind, name, seqid, form: Form::Strict })
}

fn lenient<'a>(at: &mut Cursor<'a>) -> Result<Header<'a>, WireError> {
    let length = at.size()?;
    let name = name(at, length)?;
    let code = at.byte()?;
    let kind = kind(code, u32::from(code))?;
    let seqid = i32::from_be_bytes(at.array()?);
    Ok(Header { kind, name, seqid, form: Form::Lenient })
}

fn compact<'a>(at: &mut Cursor<'a>) -> Result<Header<'a>, WireError> {
    let [id, version] = at.array()?;
    let header = u32::from_be_bytes([0, 0, id, version]);
    if id != 0x82 || version & 0x1f != 1 {
        return Err(WireError::Header { header });
    }
    let kind = kind(version >> 5, header)?;
    let seqid = at.varint(U32_VARINT)? as u32 as i32;
    let length = at.size()?;
    let name = name(at, length)?;
    Ok(Header { kind, name, seqid, form: Form::Strict })
}

fn name<'a>(at: &mut Cursor<'a>, length: usize) -> Result<&'a [u8], WireError> {
    if length > NAME_MAX {
        return Err(WireError::Name { length });
    }
    at.take(length)
}

fn kind(code: u8, header: u32) -> Result<Kind, WireError> {
    match code {
        1 => Ok(Kind::Call),
        2 => Ok(Kind::Reply),
        3 => Ok(Kind::Exception),
        4 => Ok(Kind::Oneway),
        _ => Err(WireError::Header { header }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn returns(protocol: Protocol, form: Form, seqid: i32) {
        let header = Header { kind: Kind::Call, name: b"Users:getUser", seqid, form };
        let mut out = BytesMut::new();
        put_message(&mut out, Transport::Framed, protocol, &header, &[0]);
        assert_eq!(out.len() - 4, u32::from_be_bytes(out[..4].try_into().unwrap()) as usize);
        let mut walk = Walk::new(protocol, 0, 0, 64);
        let message = Message::parse(protocol, &out[4..], &mut walk).unwrap();
        assert_eq!((message.header, message.body), (header, &[0_u8][..]));
        for end in 4..out.len() {
            assert!(Message::parse(protocol, &out[4..end], &mut walk).is_err());
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for seqid in [0, 1, 127, 128, i32::MAX, i32::MIN, -1] {
            returns(Protocol::Binary, Form::Strict, seqid);
            returns(Protocol::Binary, Form::Lenient, seqid);
            returns(Protocol::Compact, Form::Strict, seqid);
        }
    }
}
