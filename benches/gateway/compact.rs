//! The benchmark's calls and replies in the compact protocol, as a client spells them whose backend speaks binary.

use crate::call::{Call, read_body};

/// Appends a framed call of `method`.
pub(crate) fn write_call(method: &str, call: Call, out: &mut Vec<u8>) {
    let frame = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&CALL);
    put_varint(u64::from(call.seqid), out);
    put_varint(method.len() as u64, out);
    out.extend_from_slice(method.as_bytes());
    out.push(1 << 4 | I64);
    // The benchmark's numbers are not negative.
    put_varint(call.id << 1, out);
    out.push(1 << 4 | I32);
    put_varint((call.size as u64) << 1, out);
    out.push(STOP);
    let length = (out.len() - frame - 4) as u32;
    if let Some(place) = out.get_mut(frame..frame + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Seqid, id and size of a reply whose every part is as it must be.
pub(crate) fn read_reply(method: &str, frame: &[u8]) -> Option<(u32, u64, usize)> {
    let mut left = frame.strip_prefix(&REPLY)?;
    let seqid = varint(&mut left)?;
    let length = usize::try_from(varint(&mut left)?).ok()?;
    let (answered, rest) = left.split_at_checked(length)?;
    // Field 0 is no step from the field before, which none was: its id follows.
    left = rest.strip_prefix(&[STRING, 0])?;
    let size = usize::try_from(varint(&mut left)?).ok()?;
    let (body, rest) = left.split_at_checked(size)?;
    (answered == method.as_bytes() && rest == [STOP]).then_some(())?;
    Some((u32::try_from(seqid).ok()?, read_body(body)?, size))
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint(left: &mut &[u8]) -> Option<u64> {
    let end = left.iter().position(|byte| byte & 0x80 == 0)?;
    let (bytes, rest) = left.split_at_checked(end + 1)?;
    *left = rest;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)))
}

/// Protocol, and version with the type.
const CALL: [u8; 2] = [0x82, 1 << 5 | 1];
const REPLY: [u8; 2] = [0x82, 2 << 5 | 1];
const STOP: u8 = 0;
const I32: u8 = 5;
const I64: u8 = 6;
const STRING: u8 = 8;
