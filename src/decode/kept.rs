//! What Larder keeps under one key in Redis.

use std::time::Duration;

use bytes::Bytes;

use super::names::{self, Names};
use super::{Kept, KeptReply, Said};
use crate::cache::envelope::{Codec, Unreadable};
use crate::entry::{Ending, Entry};
use crate::idl::value;
use crate::key::Parts;
use crate::wire::walk::{Walk, Walked};
use crate::wire::{Bounds, Protocol};

/// What an envelope holds. Whether somebody has signed it is not looked at.
pub(super) fn read(envelope: &Bytes, names: &Names) -> Result<Kept, Unreadable> {
    let codec = Codec::default();
    // What prints a value ends the line behind it.
    let trimmed = || envelope.strip_suffix(b"\n").map(|trimmed| envelope.slice_ref(trimmed));
    let opened = codec.open(envelope).map(|(key, slot)| (key.to_vec(), slot));
    let (key, slot) = match (opened, trimmed()) {
        (Err(_), Some(trimmed)) => codec.open(&trimmed).map(|(key, slot)| (key.to_vec(), slot))?,
        (opened, _) => opened?,
    };
    let parts = Parts::of(&key);
    let named = names.method(Some(parts.service), parts.method);
    let call = match parts.arguments() {
        Some(arguments) => names::arguments(named, Protocol::Binary, first_struct(arguments)),
        None => Said::Unreadable("its key tells no arguments".to_owned()),
    };
    let identity = parts.identity().filter(|identity| !identity.is_empty()).map(hexadecimal);
    let [backend, service, method] =
        [parts.backend, parts.service, parts.method].map(|name| String::from_utf8_lossy(name));
    let born = std::time::UNIX_EPOCH.checked_add(Duration::from_millis(slot.born().0));
    let born = born.map_or_else(
        || "beyond all time".to_owned(),
        |born| humantime::format_rfc3339_millis(born).to_string(),
    );
    let method = format!("{service}.{method}");
    let reply = slot.entry().map(|entry| reply(&entry, |body| names::reply(named, entry.protocol, body)));
    Ok(Kept { backend: backend.into_owned(), method, born, call, identity, reply })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The struct of arguments, without what headers say that are part of the key.
fn first_struct(arguments: &[u8]) -> &[u8] {
    let mut walk = Walk::new(Protocol::Binary, 0, arguments.len(), Bounds::default().depth);
    match walk.advance(arguments, usize::MAX) {
        Ok(Walked::Done(end)) => arguments.get(..end).unwrap_or(arguments),
        Ok(Walked::Needs(_) | Walked::Unfinished) | Err(_) => arguments,
    }
}

fn reply(entry: &Entry, says: impl FnOnce(&[u8]) -> Said) -> KeptReply {
    let Entry { protocol, body, tags, version, ending, .. } = entry;
    let says = match ending {
        Ending::Result | Ending::Exception(_) => says(body),
        Ending::Empty => Said::Reply(value::Said::Nothing),
    };
    let (covers, version) = (tags.covers.len(), version.to_string());
    KeptReply { protocol: *protocol, bytes: body.len(), covers, version, says }
}
