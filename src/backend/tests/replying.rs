//! What a scripted server writes as its reply to a call.

#![allow(clippy::wildcard_enum_match_arm, reason = "a script names the acts that differ")]

use bytes::BytesMut;

use super::world::*;
use crate::wire::exception;
use crate::wire::message::{Form, Header, Kind, put_message};

/// The bytes of one reply, by what its server does.
pub(super) fn reply(settings: &Settings, call: &Header<'_>, act: Act) -> BytesMut {
    let body: Vec<u8> = match act {
        Act::AnswerEmpty => vec![0],
        Act::AnswerField(id) => field(settings.protocol, id),
        Act::AnswerLarge(length) => text(length),
        Act::AnswerDeep(depth) => [[12, 0, 0].repeat(depth - 1), vec![0; depth]].concat(),
        Act::AnswerNumber(number) => [&[8, 0, 0][..], &number.to_be_bytes(), &[0]].concat(),
        Act::Babble(bytes) => return bytes.into(),
        Act::Refuse => {
            exception::encode(settings.protocol, thrift::ApplicationErrorKind::UnknownMethod, "what?")
        }
        _ => field(settings.protocol, 0),
    };
    let header = Header {
        kind: match act {
            Act::Refuse => Kind::Exception,
            Act::WrongKind => Kind::Call,
            _ => Kind::Reply,
        },
        name: if act == Act::WrongName { b"other" } else { call.method() },
        seqid: call.seqid + i32::from(act == Act::WrongSeqid),
        form: Form::Strict,
    };
    let mut out = BytesMut::new();
    put_message(&mut out, settings.transport, settings.protocol, &header, &body);
    match act {
        Act::AnswerTwice => {
            let twice = out.clone();
            out.extend_from_slice(&twice);
        }
        Act::AnswerHalf => out.truncate(out.len() / 2),
        _ => {}
    }
    out
}
