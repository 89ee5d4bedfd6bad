//! What is asked and what is answered, in the words that all others use.

pub(crate) mod identity;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::wire::cursor::Cursor;
use crate::wire::header::info::Info;
use crate::wire::message::{Header, Kind};
use crate::wire::{Protocol, Struct, WireError};
use identity::Identity;

/// The client connection that a call came on, among those of one backend: they take turns where there is a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientId(pub u64);

/// One call, taken out of its client's buffer: what goes to a backend.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Whose it is.
    pub client: ClientId,
    /// The protocol its arguments stand in.
    pub protocol: Protocol,
    /// The method as the client named it, with the prefix of a multiplexed call.
    pub name: Bytes,
    /// [`Kind::Call`] or [`Kind::Oneway`], as the client sent it.
    pub kind: Kind,
    /// The struct of arguments.
    pub body: Bytes,
    /// As whom it is made, where its client has said who it is.
    pub identity: Option<Arc<Identity>>,
    /// The info headers that go with it.
    pub info: Option<Arc<Info>>,
}

/// One call where it lies in its client's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallRef<'a> {
    /// Whose it is.
    pub client: ClientId,
    /// The protocol it stands in.
    pub protocol: Protocol,
    /// Its header.
    pub header: Header<'a>,
    /// Its struct of arguments, walked to its end.
    pub body: &'a [u8],
    /// The bytes that both lie in, where they can be shared: a large call is not copied to be kept.
    pub shared: Option<&'a Bytes>,
    /// The info headers that came with it.
    pub info: Option<&'a Arc<Info>>,
}

/// What is known of a method, as far as a backend's answer must be understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// Whether a call may be sent twice.
    pub repeat: Repeat,
    /// Whether the backend answers at all.
    pub answer: Answering,
    /// What an empty result means.
    pub returns: Returns,
    /// Declared exceptions, by field id, that say the service failed rather than answered.
    pub failures: Arc<[i16]>,
}

/// Whether a call that may have run may be sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Its method is not known to be idempotent.
    #[default]
    Once,
    /// Its method is idempotent.
    Idempotent,
}

/// Whether a reply is to be expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answering {
    /// One reply.
    #[default]
    Reply,
    /// None, by the IDL or a rule.
    Oneway,
    /// None for the client, by the message's type alone; the backend may answer or not.
    Unsure,
}

/// What an empty reply means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Returns {
    /// Nobody said: it may be void or a missing result.
    #[default]
    Unknown,
    /// The method returns nothing.
    Void,
    /// The method returns a value; an empty reply lacks it.
    Value,
}

/// What a reply's struct says, by its first field: libraries write one field or none, and read the result before any exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Field 0.
    Result,
    /// No field.
    Nothing,
    /// Another field: a declared exception.
    Declared(i16),
}

impl Said {
    /// Reads the fields of a reply's struct, which must have been walked.
    pub(crate) fn of(protocol: Protocol, body: &[u8]) -> Result<Self, WireError> {
        Ok(match Cursor::new(protocol, body, 0).field(0)?.map(|field| field.id) {
            None => Self::Nothing,
            Some(0) => Self::Result,
            Some(id) => Self::Declared(id),
        })
    }
}

/// A backend's answer to one call.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// What it says.
    pub said: Said,
    /// How `body` is spelled.
    pub protocol: Protocol,
    /// The struct of the reply, as the backend sent it.
    pub body: Bytes,
    /// The info headers that came with it.
    pub info: Option<Arc<Info>>,
}

impl Call {
    /// Its arguments.
    pub(crate) fn arguments(&self) -> Struct<'_> {
        Struct { protocol: self.protocol, bytes: &self.body }
    }
}

impl Answer {
    /// The struct of the reply.
    pub(crate) fn reply(&self) -> Struct<'_> {
        Struct { protocol: self.protocol, bytes: &self.body }
    }
}

impl CallRef<'_> {
    /// How long its caller waits for a reply, where it says so in a header: in milliseconds, under the name that Facebook's libraries use.
    /// A tenth of it is left for the way back.
    #[inline]
    pub(crate) fn patience(&self) -> Option<Duration> {
        let info = self.info?;
        let told = info.get(b"client_timeout").or_else(|| info.get(b"client-timeout"))?;
        let told: u64 = std::str::from_utf8(told).ok()?.parse().ok()?;
        (1..=PATIENCE_MAX).contains(&told).then(|| Duration::from_millis(told) * 9 / 10)
    }

    /// The call as something to keep, made as whom its client has said it is.
    pub(crate) fn to_call(self, identity: Option<&Arc<Identity>>) -> Call {
        let Self { client, protocol, header: Header { kind, .. }, .. } = self;
        let (identity, info) = (identity.cloned(), self.info.cloned());
        if let Some(shared) = self.shared {
            let (name, body) = (shared.slice_ref(self.header.name), shared.slice_ref(self.body));
            return Call { client, protocol, name, kind, body, identity, info };
        }
        let whole = [self.header.name, self.body].concat();
        let mut name = Bytes::from(whole);
        let body = name.split_off(self.header.name.len());
        Call { client, protocol, name, kind, body, identity, info }
    }
}

/// The longest time that a caller may say it waits, in milliseconds: an hour, as of other times. Beyond, it is taken to say nothing.
const PATIENCE_MAX: u64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::Form;

    #[test]
    fn a_caller_says_how_long_it_waits() {
        let patience = |name: &[u8], value: &[u8]| {
            let mut info = Info::default();
            info.push(name, value);
            let header = Header { kind: Kind::Call, name: b"get", seqid: 0, form: Form::Strict };
            let (client, protocol, body) = (ClientId::default(), Protocol::Binary, &[0][..]);
            let info = Arc::new(info);
            CallRef { client, protocol, header, body, shared: None, info: Some(&info) }.patience()
        };
        assert_eq!(patience(b"client_timeout", b"200"), Some(Duration::from_millis(180)));
        assert_eq!(patience(b"Client-Timeout", b"1"), Some(Duration::from_micros(900)));
        for nothing in [&b"0"[..], b"-5", b"soon", b"3600001", b"99999999999999999999"] {
            assert_eq!(patience(b"client_timeout", nothing), None);
        }
    }
}
