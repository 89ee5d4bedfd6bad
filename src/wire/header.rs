//! Frames of Thrift's header transport (THeader): what stands between a frame's length and its message.
//!
//! ```text
//! length 4 | 0x0fff 2 | flags 2 | sequence id 4 | words 2 | header: 4 bytes a word, zeros at its end | message
//! header: protocol id | number of transforms, each one's id | blocks of info headers: 1 of this message, 2 of all from here on
//! ```
//!
//! The numbers of the header are varints. Its length takes two bytes, so it has 262,140 bytes at most.

pub mod info;
pub mod zlib;

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::cursor::{Cursor, U32_VARINT};
use super::{Protocol, WireError};

use info::Info;

/// What a frame says of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// How the message is spelled.
    pub protocol: Protocol,
    /// How it is packed.
    pub packing: Packing,
    /// The info headers that hold for it, if any do.
    pub info: Option<Arc<Info>>,
}

/// How a message lies in its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    #[default]
    Plain,
    /// As a zlib stream of its own.
    Zlib,
}

/// A preamble as it stands in one frame.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) protocol: Protocol,
    pub(super) packing: Packing,
    /// Info headers that hold for its message.
    pub(super) info: Info,
    /// Info headers that hold for all messages of the connection from here on.
    pub(super) persistent: Info,
    /// Where the message begins in the frame.
    pub(super) message: usize,
}

impl Read {
    /// Reads the preamble of `frame`, which begins with its length.
    ///
    /// # Errors
    /// [`WireError::Short`] where the frame does not reach to the end of it yet, any other where more bytes would not help.
    pub(super) fn parse(frame: &[u8]) -> Result<Self, WireError> {
        let mut at = Cursor::new(Protocol::Compact, frame, LENGTH);
        if at.array()? != MAGIC {
            return Err(WireError::Preamble);
        }
        let _flags_and_seqid = at.take(6)?;
        let words = u16::from_be_bytes(at.array()?);
        let message = at.pos() + usize::from(words) * WORD;
        let header = frame.get(..message).ok_or(WireError::Short)?;
        read_header(Cursor::new(Protocol::Compact, header, at.pos()), message).map_err(|error| {
            let ends =
                matches!(error, WireError::Short | WireError::Negative { .. } | WireError::Varint { .. });
            if ends { WireError::Preamble } else { error }
        })
    }
}

fn read_header(mut at: Cursor<'_>, message: usize) -> Result<Read, WireError> {
    let protocol = protocol(at.varint(U32_VARINT)?)?;
    let packing = match at.size()? {
        0 => Packing::Plain,
        1 => packing(at.varint(U32_VARINT)?)?,
        _ => return Err(WireError::Preamble),
    };
    let (mut info, mut persistent) = (Info::default(), Info::default());
    while at.pos() < message {
        match at.varint(U32_VARINT)? {
            OF_MESSAGE => info.read(&mut at)?,
            OF_CONNECTION => persistent.read(&mut at)?,
            // Zeros to the end of the word, or a block that nobody can step over.
            _ => break,
        }
    }
    Ok(Read { protocol, packing, info, persistent, message })
}

/// The protocol of a header's message, as far as `bytes`, which begin with the frame's length, tell.
pub(super) fn protocol_ahead(bytes: &[u8]) -> Result<Option<Protocol>, WireError> {
    match bytes.get(LENGTH..LENGTH + 2) {
        Some(magic) if magic != MAGIC => Err(WireError::Preamble),
        Some(_) => bytes.get(FIXED).map(|&id| protocol(u64::from(id))).transpose(),
        None => Ok(None),
    }
}

fn protocol(id: u64) -> Result<Protocol, WireError> {
    match id {
        0 => Ok(Protocol::Binary),
        2 => Ok(Protocol::Compact),
        id => Err(WireError::HeaderProtocol { id: id as u32 }),
    }
}

/// The number of a protocol in a header.
pub(super) fn protocol_id(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Binary => 0,
        Protocol::Compact => 2,
    }
}

fn packing(transform: u64) -> Result<Packing, WireError> {
    match transform {
        ZLIB => Ok(Packing::Zlib),
        id => Err(WireError::Transform { id: id as u32 }),
    }
}

/// The name of a transform, where it has one: of those that Facebook's libraries know.
pub(super) fn transform(id: u32) -> &'static str {
    match id {
        1 => "zlib",
        2 => "hmac",
        3 => "snappy",
        4 => "quicklz",
        5 => "zstd",
        _ => "unknown",
    }
}

/// Appends what goes before a message of `message_length` bytes, which its packing may have made of it.
pub(super) fn put_preamble(
    out: &mut BytesMut,
    (protocol, packing, info): (Protocol, Packing, &Info),
    seqid: i32,
    message_length: usize,
) {
    let transforms: &[u8] = match packing {
        Packing::Plain => &[0],
        Packing::Zlib => &[1, ZLIB as u8],
    };
    let own = 1 + transforms.len() + info.spelled_length();
    let words = own.div_ceil(WORD);
    out.reserve(FIXED + words * WORD + message_length);
    out.put_u32((FIXED - LENGTH + words * WORD + message_length) as u32);
    out.put_slice(&MAGIC);
    // Flags: replies keep the order of their calls.
    out.put_u16(0);
    out.put_i32(seqid);
    out.put_u16(words as u16);
    out.put_u8(protocol_id(protocol));
    out.put_slice(transforms);
    info.put(out);
    out.put_bytes(0, words * WORD - own);
}

/// Appends a frame with a message that is spelled already, in this protocol, and `info`. Its number stands in the message alone.
pub(crate) fn put_frame(out: &mut BytesMut, (protocol, info): (Protocol, &Info), message: &[u8]) {
    put_preamble(out, (protocol, Packing::Plain, info), 0, message.len());
    out.put_slice(message);
}

/// The info headers of a frame with a plain message, and where that begins.
///
/// # Errors
/// It is none, or not whole.
pub(crate) fn read_frame(frame: &[u8]) -> Result<(Info, usize), WireError> {
    match Read::parse(frame)? {
        Read { packing: Packing::Plain, info, message, .. } => Ok((info, message)),
        Read { packing: Packing::Zlib, .. } => Err(WireError::Preamble),
    }
}

/// Bytes of a frame's length.
const LENGTH: usize = 4;
/// Bytes before the header, those of the length included.
const FIXED: usize = 14;
/// Bytes of a word, in which the header's length is told.
const WORD: usize = 4;
/// What tells a frame of this transport from others, behind its length.
const MAGIC: [u8; 2] = [0x0f, 0xff];
/// The transform that is known here.
const ZLIB: u64 = 1;
/// The block of info headers that hold for their message.
const OF_MESSAGE: u64 = 1;
/// The block of those that hold for all messages from here on.
const OF_CONNECTION: u64 = 2;
