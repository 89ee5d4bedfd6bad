//! The calls the benchmark makes and the replies it accepts: framed Thrift, strict binary or compact, and Redis' GET.

use std::fmt::Write as _;

use crate::{Fallible, compact};

/// The method a rule caches.
pub(crate) const CACHED: &str = "getUser";
/// The method no rule names.
pub(crate) const PASSED: &str = "passUser";
/// The method whose calls mark what is kept of their id.
pub(crate) const MARKING: &str = "markUser";
/// The method the echo reads and never answers.
pub(crate) const STALLED: &str = "stallUser";

/// What is spoken to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// Calls of this method.
    Thrift(&'static str),
    /// The same in compact.
    Compact(&'static str),
    Redis,
}

/// One call for `size` bytes about `id`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) seqid: u32,
    pub(crate) id: u64,
    pub(crate) size: usize,
}

/// A complete reply at the head of a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    /// Bytes it occupies.
    pub(crate) length: usize,
    /// None where the protocol has none.
    pub(crate) seqid: Option<u32>,
    pub(crate) id: u64,
    /// Bytes of the body, the id included.
    pub(crate) size: usize,
}

impl Speech {
    /// Appends a call to `out`.
    pub(crate) fn write(self, call: Call, out: &mut Vec<u8>) {
        match self {
            Self::Thrift(method) => write_thrift(method, call, out),
            Self::Compact(method) => compact::write_call(method, call, out),
            Self::Redis => {
                let key = redis_key(call.id, call.size);
                out.extend_from_slice(format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).as_bytes());
            }
        }
    }

    /// The reply at the head of `bytes`, None while it is incomplete.
    ///
    /// # Errors
    /// When the bytes are no reply to a call of this speech.
    pub(crate) fn read(self, bytes: &[u8]) -> Fallible<Option<Reply>> {
        match self {
            Self::Thrift(method) => read_framed(bytes, method, read_thrift),
            Self::Compact(method) => read_framed(bytes, method, compact::read_reply),
            Self::Redis => read_redis(bytes),
        }
    }
}

/// The frame at the head of `bytes`, without its length, when all of it is there.
pub(crate) fn frame(mut bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_be_bytes(take(&mut bytes)?);
    bytes.get(..length as usize)
}

/// A call as the echo sees it: method, seqid and the arguments' `id` and `size`.
pub(crate) fn read_call(mut frame: &[u8]) -> Option<(&[u8], Call)> {
    let (method, seqid) = read_header(&mut frame, CALL)?;
    let [kind, field @ ..] = take::<3>(&mut frame)?;
    if (kind, u16::from_be_bytes(field)) != (I64, 1) {
        return None;
    }
    let id = u64::from_be_bytes(take(&mut frame)?);
    let size = match take::<3>(&mut frame) {
        Some([I32, 0, 2]) => u32::from_be_bytes(take(&mut frame)?) as usize,
        _ => ID,
    };
    Some((method, Call { seqid, id, size }))
}

/// Appends the echo's reply: a string of the asked size that begins with the asked id.
pub(crate) fn write_reply(method: &[u8], call: Call, out: &mut Vec<u8>) {
    let size = call.size.max(ID);
    write_reply_header(method, call.seqid, size, out);
    write_body(call.id, size, out);
    out.push(STOP);
}

/// Appends a reply of this string.
pub(crate) fn write_reply_of(method: &[u8], seqid: u32, value: &[u8], out: &mut Vec<u8>) {
    write_reply_header(method, seqid, value.len(), out);
    out.extend_from_slice(value);
    out.push(STOP);
}

fn write_reply_header(method: &[u8], seqid: u32, size: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&((HEADER + method.len() + 7 + size + 1) as u32).to_be_bytes());
    write_header(REPLY, method, seqid, out);
    out.extend_from_slice(&[STRING, 0, 0]);
    out.extend_from_slice(&(size as u32).to_be_bytes());
}

/// The Redis key of `id`'s value of `size` bytes.
pub(crate) fn redis_key(id: u64, size: usize) -> String {
    let mut key = String::with_capacity(24);
    let _ = write!(key, "user:{size}:{id}");
    key
}

/// Appends a value: `size` bytes of which the first eight are the id.
pub(crate) fn write_body(id: u64, size: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&id.to_be_bytes());
    out.resize(out.len() + size.saturating_sub(ID), FILLER);
}

fn write_thrift(method: &str, call: Call, out: &mut Vec<u8>) {
    out.extend_from_slice(&((HEADER + method.len() + 11 + 7 + 1) as u32).to_be_bytes());
    write_header(CALL, method.as_bytes(), call.seqid, out);
    out.extend_from_slice(&[I64, 0, 1]);
    out.extend_from_slice(&call.id.to_be_bytes());
    out.extend_from_slice(&[I32, 0, 2]);
    out.extend_from_slice(&(call.size as u32).to_be_bytes());
    out.push(STOP);
}

fn write_header(kind: u32, method: &[u8], seqid: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(method.len() as u32).to_be_bytes());
    out.extend_from_slice(method);
    out.extend_from_slice(&seqid.to_be_bytes());
}

fn read_header<'a>(frame: &mut &'a [u8], kind: u32) -> Option<(&'a [u8], u32)> {
    if u32::from_be_bytes(take(frame)?) != kind {
        return None;
    }
    let length = u32::from_be_bytes(take(frame)?) as usize;
    let (method, rest) = frame.split_at_checked(length)?;
    *frame = rest;
    Some((method, u32::from_be_bytes(take(frame)?)))
}

/// Seqid, id and size of a reply.
type Parts = (u32, u64, usize);

/// The reply to `method` that fills the frame at the head of `bytes`, None while that is incomplete.
fn read_framed(
    bytes: &[u8],
    method: &str,
    read: fn(&str, &[u8]) -> Option<Parts>,
) -> Fallible<Option<Reply>> {
    let Some(frame) = frame(bytes) else {
        return Ok(None);
    };
    let (seqid, id, size) = read(method, frame)
        .ok_or_else(|| format!("no reply to {method}: {:?}", String::from_utf8_lossy(frame)))?;
    Ok(Some(Reply { length: frame.len() + 4, seqid: Some(seqid), id, size }))
}

/// Seqid, id and size of a reply whose every part is as it must be.
fn read_thrift(method: &str, mut frame: &[u8]) -> Option<Parts> {
    let (answered, seqid) = read_header(&mut frame, REPLY)?;
    let field = take::<3>(&mut frame)?;
    let size = u32::from_be_bytes(take(&mut frame)?) as usize;
    let (body, rest) = frame.split_at_checked(size)?;
    let whole = answered == method.as_bytes() && field == [STRING, 0, 0] && rest == [STOP];
    whole.then_some(())?;
    Some((seqid, read_body(body)?, size))
}

/// The id at the head of a value.
pub(crate) fn read_body(mut body: &[u8]) -> Option<u64> {
    let id = u64::from_be_bytes(take(&mut body)?);
    body.last().is_none_or(|last| *last == FILLER).then_some(id)
}

fn read_redis(bytes: &[u8]) -> Fallible<Option<Reply>> {
    let Some(line) = bytes.iter().take(16).position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let digits = bytes.get(1..line.saturating_sub(1)).unwrap_or_default();
    let size: usize = std::str::from_utf8(digits)?.parse()?;
    let length = line + 1 + size + 2;
    let Some(body) = bytes.get(line + 1..length - 2).filter(|_| bytes.len() >= length) else {
        return Ok(None);
    };
    let id = read_body(body).ok_or("Redis answered another value")?;
    Ok(Some(Reply { length, seqid: None, id, size }))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

const CALL: u32 = 0x8001_0001;
const REPLY: u32 = 0x8001_0002;
/// Version and type, length of the name, seqid.
const HEADER: usize = 12;
const STOP: u8 = 0;
const I32: u8 = 8;
const I64: u8 = 10;
const STRING: u8 = 11;
/// Bytes of the id at the head of every body.
const ID: usize = 8;
const FILLER: u8 = b'x';
