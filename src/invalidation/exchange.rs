//! One connection of the invalidation service: its calls one after the other, each bounded in size and time.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::service::Service;
use crate::accept::{Asker, Client};
use crate::limits;
use crate::wire::inbound::{Inbound, Look, Taken};
use crate::wire::message::{Header, Kind, put_message};
use crate::wire::{Bounds, Speech};

/// A connection.
pub(super) struct Exchange<S> {
    stream: S,
    peer: Asker,
    service: Arc<Service>,
    inbound: Inbound,
    message_time: Duration,
    write_time: Duration,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Over;

impl<S: Client> Exchange<S> {
    /// A connection on which nothing has happened. Of `limits`, those on one message hold.
    pub(super) fn new(stream: S, peer: Asker, service: Arc<Service>, limits: &limits::Settings) -> Self {
        let Bounds { frame, message, depth } = limits.bounds;
        let bounds = Bounds { frame: frame.min(ORDER_MAX), message: message.min(ORDER_MAX), depth };
        let inbound = Inbound::detecting(None, None, bounds);
        let (message_time, write_time) = (limits.message_time, limits.write_time);
        Self { stream, peer, service, inbound, message_time, write_time }
    }

    /// Answers calls until the client ends it, takes too long, or the gateway stops. A call that has come is answered.
    pub(super) async fn serve(mut self, stop: &CancellationToken) {
        while let Some(Ok(call)) = stop.run_until_cancelled(self.next()).await {
            if self.answer(&call).await.is_err() {
                return;
            }
        }
    }

    /// The next call. Who has begun one must finish it.
    async fn next(&mut self) -> Result<Taken, Over> {
        loop {
            match self.inbound.first() {
                Ok(Look::Whole) => return self.inbound.take().ok_or(Over),
                Ok(Look::Unfinished) => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Ok(Look::Needs(_)) => {}
                Err(error) => {
                    tracing::debug!(peer = %self.peer, %error, "a caller of the invalidation service cannot be read");
                    return Err(Over);
                }
            }
            let bound = if self.inbound.is_empty() { IDLE_MAX } else { self.message_time };
            match timeout(bound, self.stream.read_buf(self.inbound.room())).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0) | Err(_)) | Err(_) => return Err(Over),
            }
        }
    }

    async fn answer(&mut self, call: &Taken) -> Result<(), Over> {
        let Some(Speech { transport, protocol }) = self.inbound.speech() else { return Err(Over) };
        let asked = call.header();
        let (kind, body) = self.service.answer(call, protocol, self.peer).await;
        if asked.kind == Kind::Oneway {
            return Ok(());
        }
        let mut bytes = BytesMut::new();
        let header = Header { kind, name: asked.method(), ..asked };
        put_message(&mut bytes, transport, protocol, &header, &body);
        match timeout(self.write_time, self.stream.write_all(&bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }
}

/// Bytes of one call: an order for 256 tags has a quarter of a megabyte.
const ORDER_MAX: usize = 1 << 20;
/// How long a connection without a call stays open: a service that purges keeps one, and one that is gone takes no place for good.
const IDLE_MAX: Duration = Duration::from_secs(3_600);
