//! Replies that are spelled and not yet taken by the client's socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::provenance;
use crate::gateway::reply::{Body, Reply};
use crate::gateway::route::Route;
use crate::wire::header::Packing;
use crate::wire::message::{Form, Header, Kind, put_header, put_message, put_wrapped, put_wrapped_header};
use crate::wire::translate::Untranslatable;
use crate::wire::{Speech, Transport};

/// Bytes to be written, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Bodies too large to be copied, and what was spelled before them.
    parts: VecDeque<Bytes>,
    /// Bytes of all parts.
    parts_length: usize,
    /// Bytes of the first part that are written: its memory goes with its last byte.
    written: usize,
    /// What was spelled after them.
    tail: BytesMut,
    /// The number of the last reply that was put here.
    last: i32,
    blocked: Option<Instant>,
    /// The stream may hold back what it has taken.
    unflushed: bool,
}

/// What a reply must repeat of its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Echo<'a> {
    /// The transport and protocol.
    pub(super) speech: Speech,
    /// The method, without the prefix of a multiplexed call.
    pub(super) method: &'a [u8],
    /// How the call was packed.
    pub(super) packing: Packing,
    /// The call's number.
    pub(super) seqid: i32,
    /// How its header was written.
    pub(super) form: Form,
}

impl Outbox {
    /// Spells a call's reply behind the others, or in its place what there is to say where it has no spelling in its client's protocol.
    #[inline]
    pub(super) fn answer(&mut self, reply: &mut Reply, echo: &Echo<'_>, route: &Route) {
        if let Err(why) = self.put(reply, echo) {
            *reply = reply.untranslatable(why, echo.speech.protocol, route);
            self.say(reply, echo);
        }
    }

    /// Spells a reply behind the others that the gateway itself gives, in its client's protocol.
    pub(super) fn say(&mut self, reply: &Reply, echo: &Echo<'_>) {
        let put = self.put(reply, echo);
        debug_assert!(put.is_ok(), "it is spelled in that already");
    }

    /// Spells a reply behind the others, in its client's protocol.
    ///
    /// # Errors
    /// If it has no spelling there. Then nothing is put here.
    #[inline]
    fn put(&mut self, reply: &Reply, echo: &Echo<'_>) -> Result<(), Untranslatable> {
        let (kind, protocol, body) = match &reply.body {
            Body::Kept(entry) => (Kind::Reply, entry.protocol, &entry.body),
            Body::Struct(kind, protocol, body) => (*kind, *protocol, body),
            Body::Silence => return Ok(()),
        };
        if protocol == echo.speech.protocol {
            self.put_struct(reply, (kind, body), echo);
        } else {
            self.put_struct(reply, (kind, &reply.body.in_protocol(echo.speech.protocol)?), echo);
        }
        Ok(())
    }

    #[inline]
    fn put_struct(&mut self, reply: &Reply, (kind, body): (Kind, &Bytes), echo: &Echo<'_>) {
        let Speech { transport, protocol } = echo.speech;
        let header = Header { kind, name: echo.method, seqid: echo.seqid, form: echo.form };
        self.last = echo.seqid;
        if transport == Transport::Header {
            return self.put_wrapped((reply, body), echo, &header);
        }
        if body.len() < SHARED_LEAST {
            put_message(&mut self.tail, transport, protocol, &header, body);
            return;
        }
        put_header(&mut self.tail, transport, protocol, &header, body.len());
        self.share(body);
    }

    /// The same in a frame of the header transport, packed as the call was, unless packing it would hold up others.
    fn put_wrapped(&mut self, (reply, body): (&Reply, &Bytes), echo: &Echo<'_>, header: &Header<'_>) {
        let (info, protocol) = (provenance::info(reply), echo.speech.protocol);
        let packing = if body.len() <= PACKED_MAX { echo.packing } else { Packing::Plain };
        if packing == Packing::Zlib || body.len() < SHARED_LEAST {
            put_wrapped(&mut self.tail, (protocol, packing, &info), header, body);
            return;
        }
        put_wrapped_header(&mut self.tail, (protocol, &info), header, body.len());
        self.share(body);
    }

    /// Puts a body behind what is spelled, without copying it.
    fn share(&mut self, body: &Bytes) {
        self.parts_length += self.tail.len() + body.len();
        self.parts.push_back(self.tail.split().freeze());
        self.parts.push_back(body.clone());
    }

    /// Bytes to be written.
    pub(super) fn len(&self) -> usize {
        self.parts_length + self.tail.len()
    }

    /// Bytes of memory that what is to be written takes.
    pub(super) fn held(&self) -> usize {
        self.len() + self.written
    }

    /// Whether all is written, and on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.is_taken() && !self.unflushed
    }

    fn is_taken(&self) -> bool {
        self.tail.is_empty() && self.parts.is_empty()
    }

    /// Whether no more is to be put here before something is written.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= FULL
    }

    /// Since when the reply with this number lies here because the socket takes nothing, as far as that is known: of many, the last is.
    pub(super) fn withholds(&self, seqid: i32) -> Option<Instant> {
        self.blocked.filter(|_| self.last == seqid)
    }

    /// Since when the socket takes nothing, if it is so.
    pub(super) fn blocked(&self) -> Option<Instant> {
        self.blocked
    }

    /// Writes what the socket takes. Ready once all is written.
    ///
    /// # Errors
    /// What the system says: the client is gone.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<()>> {
        while !self.is_taken() {
            let stream = Pin::new(&mut *stream);
            // A plain write where it will do: the kernel makes more work of a vectored one, even of a single part.
            let written = if self.parts.is_empty() {
                stream.poll_write(cx, &self.tail)
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let parts = self.parts.iter().map(|part| &part[..]).chain([&self.tail[..]]);
                slices.iter_mut().zip(parts).for_each(|(slice, part)| *slice = IoSlice::new(part));
                stream.poll_write_vectored(cx, &slices)
            };
            if written.is_pending() {
                self.blocked.get_or_insert_with(Instant::now);
            }
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written(count),
            }
        }
        if self.unflushed {
            // One that enciphers has a buffer of its own; a plain socket has none, and this comes to nothing.
            let flushed = Pin::new(&mut *stream).poll_flush(cx);
            if flushed.is_pending() {
                self.blocked.get_or_insert_with(Instant::now);
            }
            ready!(flushed)?;
            (self.unflushed, self.blocked) = (false, None);
        }
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, mut count: usize) {
        (self.unflushed, self.blocked) = (true, None);
        while let Some(part) = self.parts.front_mut() {
            let taken = count.min(part.len());
            part.advance(taken);
            count -= taken;
            self.parts_length -= taken;
            self.written += taken;
            if !part.is_empty() {
                return;
            }
            self.parts.pop_front();
            self.written = 0;
        }
        if count < self.tail.len() {
            self.tail.advance(count);
            return;
        }
        self.tail.clear();
        if self.tail.capacity() > KEPT {
            self.tail = BytesMut::new();
        }
        if self.parts.capacity() > SLICES {
            self.parts = VecDeque::new();
        }
    }
}

/// From this length on, a body is shared with whoever else has it instead of being copied.
const SHARED_LEAST: usize = 16 << 10;
/// The longest body that is packed: about two milliseconds' work.
const PACKED_MAX: usize = 256 << 10;
/// Bytes from which on no further call is answered: one reply more may be here. Small, because a reply is judged when it is put here.
const FULL: usize = 64 << 10;
/// Capacity that an empty outbox keeps.
const KEPT: usize = 64 << 10;
/// Parts of one write.
const SLICES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Answer, Said};
    use crate::outcome::Outcome;
    use crate::wire::Protocol;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;

    const SPEECH: Speech = Speech { transport: Transport::Framed, protocol: Protocol::Binary };

    fn passed(body: &Bytes) -> Reply {
        let (protocol, body) = (Protocol::Binary, body.clone());
        let answer = Answer { said: Said::Result, protocol, body, info: None };
        Reply::passed(answer, Outcome::Passed)
    }

    #[tokio::test]
    async fn replies_leave_in_order_whatever_their_size_and_the_socket_takes() {
        let (mut near, mut far) = tokio::io::duplex(1_000);
        let mut outbox = Outbox::default();
        let mut expected = BytesMut::new();
        for (seqid, length) in [(1, 10), (2, 20_000), (3, 30), (4, 100_000), (5, 50_000), (6, 1)] {
            let body = Bytes::from(vec![seqid as u8; length]);
            let echo =
                Echo { speech: SPEECH, packing: Packing::Plain, method: b"get", seqid, form: Form::Strict };
            let header = Header { kind: Kind::Reply, name: b"get", seqid, form: Form::Strict };
            put_message(&mut expected, SPEECH.transport, SPEECH.protocol, &header, &body);
            outbox.put(&passed(&body), &echo).unwrap();
        }
        assert_eq!(outbox.len(), expected.len());
        let mut heard = vec![0; expected.len()];
        let write = poll_fn(|cx| outbox.poll_write(cx, &mut near));
        let (written, read) = tokio::join!(write, far.read_exact(&mut heard));
        written.unwrap();
        read.unwrap();
        assert_eq!(heard, expected);
        assert_eq!((outbox.len(), outbox.is_empty(), outbox.blocked()), (0, true, None));
    }

    #[tokio::test]
    async fn a_large_body_is_not_copied() {
        let (body, mut outbox) = (Bytes::from(vec![0; 1 << 20]), Outbox::default());
        let echo =
            Echo { speech: SPEECH, packing: Packing::Plain, method: b"get", seqid: 1, form: Form::Strict };
        outbox.put(&passed(&body), &echo).unwrap();
        assert!(outbox.parts.iter().any(|part| part.as_ptr() == body.as_ptr()));
        assert!(outbox.is_full());
    }
}
