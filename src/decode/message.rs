//! Messages out of the bytes of one side of a connection, or of several pieces of one.

use bytes::Bytes;

use super::names::{self, Names};
use super::{DecodeError, Found, Message};
use crate::wire::Bounds;
use crate::wire::Speech;
use crate::wire::inbound::{Inbound, Look, Taken};
use crate::wire::message::{Kind, split_name};

/// The messages in `bytes`, and why there are no more, if they do not end with one.
pub(super) fn read(bytes: &Bytes, names: &Names) -> (Vec<Found>, Option<DecodeError>) {
    let mut inbound = Inbound::detecting(None, None, Bounds::default());
    inbound.room().extend_from_slice(bytes);
    let mut found = Vec::new();
    loop {
        match inbound.first() {
            Ok(Look::Whole) => {}
            Ok(Look::Unfinished) => continue,
            Ok(Look::Needs(_)) => break,
            Err(why) => {
                return (found, Some(DecodeError::NoMessage { at: at(bytes, &inbound), why }));
            }
        }
        let Some((taken, speech)) = inbound.take().zip(inbound.speech()) else { break };
        found.push(Found::Message(message(&taken, speech, names)));
    }
    let unfinished = DecodeError::Unfinished { at: at(bytes, &inbound), left: inbound.len() };
    (found, (!inbound.is_empty()).then_some(unfinished))
}

fn at(bytes: &Bytes, inbound: &Inbound) -> u64 {
    (bytes.len() - inbound.len()) as u64
}

fn message(taken: &Taken, speech: Speech, names: &Names) -> Message {
    let Speech { transport, protocol } = speech;
    let (header, body) = (taken.header(), taken.body());
    let (service, method) = split_name(header.name);
    let named = names.method(service, method);
    let (kind, says) = match header.kind {
        Kind::Call => ("call", names::arguments(named, protocol, &body)),
        Kind::Oneway => ("oneway", names::arguments(named, protocol, &body)),
        Kind::Reply => ("reply", names::reply(named, protocol, &body)),
        Kind::Exception => ("exception", names::failure(protocol, &body)),
    };
    let name = String::from_utf8_lossy(header.name).into_owned();
    Message { kind, name, seqid: header.seqid, transport, protocol, bytes: body.len(), says }
}
