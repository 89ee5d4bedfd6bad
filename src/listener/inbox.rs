//! What a client has sent and nobody has read: tells its transport and protocol, and its messages apart.

use std::ops::Range;

use bytes::{Buf, BytesMut};

use super::Settings;
use crate::wire::boundary::{Boundary, Found};
use crate::wire::detect::detect;
use crate::wire::{Speech, WireError};

/// Bytes received, and how they are to be understood.
#[derive(Debug)]
pub struct Inbox {
    bytes: BytesMut,
    speech: Option<Speech>,
    boundary: Option<Boundary>,
    first: First,
}

/// The first message in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum First {
    Unknown,
    Needs(usize),
    Whole(Range<usize>),
}

impl Inbox {
    /// An empty inbox. What the listener fixes is not told from bytes.
    pub fn new(settings: &Settings) -> Self {
        let fixed = settings.transport.zip(settings.protocol);
        let speech = fixed.map(|(transport, protocol)| Speech { transport, protocol });
        let boundary = speech.map(|speech| Boundary::new(speech.transport, speech.protocol, settings.bounds));
        Self { bytes: BytesMut::new(), speech, boundary, first: First::Unknown }
    }

    /// The transport and protocol, once they are known.
    pub fn speech(&self) -> Option<Speech> {
        self.speech
    }

    /// Where further bytes go, with room for some of them.
    ///
    /// The room grows with what has arrived, never with what was announced.
    pub fn room(&mut self) -> &mut BytesMut {
        let wanted = match self.first {
            First::Needs(total) => total.saturating_sub(self.bytes.len()).clamp(ROOM_LEAST, ROOM_MOST),
            First::Unknown | First::Whole(_) => ROOM_LEAST,
        };
        if self.bytes.is_empty() && self.bytes.capacity() > ROOM_MOST {
            self.bytes = BytesMut::new();
        }
        self.bytes.reserve(wanted);
        &mut self.bytes
    }

    /// Bytes received and not taken.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether all bytes received were taken.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where the first message lies, if it is whole. It stays until [`Self::take`].
    #[inline]
    pub fn first(&mut self, settings: &Settings) -> Result<Option<Range<usize>>, WireError> {
        if let First::Needs(total) = self.first
            && self.bytes.len() < total
        {
            return Ok(None);
        }
        if !matches!(self.first, First::Whole(_)) {
            self.look(settings)?;
        }
        match &self.first {
            First::Whole(message) => Ok(Some(message.clone())),
            First::Unknown | First::Needs(_) => Ok(None),
        }
    }

    /// Bytes of the buffer.
    #[inline]
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Takes the first message away.
    pub fn take(&mut self) {
        if let First::Whole(message) = std::mem::replace(&mut self.first, First::Unknown) {
            self.bytes.advance(message.end);
        }
    }

    fn look(&mut self, settings: &Settings) -> Result<(), WireError> {
        if self.bytes.is_empty() {
            self.first = First::Unknown;
            return Ok(());
        }
        let Some(boundary) = self.boundary(settings)? else {
            self.first = First::Unknown;
            return Ok(());
        };
        self.first = match boundary {
            Found::Message(extent) => First::Whole(extent.message),
            Found::Needs(total) => First::Needs(total),
        };
        Ok(())
    }

    fn boundary(&mut self, settings: &Settings) -> Result<Option<Found>, WireError> {
        if self.boundary.is_none() {
            let Some((transport, protocol)) = detect(&self.bytes)? else {
                return Ok(None);
            };
            let transport = settings.transport.unwrap_or(transport);
            let protocol = settings.protocol.unwrap_or(protocol);
            self.speech = Some(Speech { transport, protocol });
            self.boundary = Some(Boundary::new(transport, protocol, settings.bounds));
        }
        self.boundary.as_mut().map(|boundary| boundary.find(&self.bytes)).transpose()
    }
}

const ROOM_LEAST: usize = 4 << 10;
const ROOM_MOST: usize = 64 << 10;
