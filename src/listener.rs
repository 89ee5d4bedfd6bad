//! Accepts the connections of one listener, up to a bound, until it is told to stop.

mod alarm;
mod arrivals;
mod arrived;
mod client;
mod clocks;
mod connection;
mod desk;
mod end;
mod fence;
mod handshake;
pub(crate) mod held;
mod http;
mod line;
pub(crate) mod options;
mod outbox;
mod parting;
mod patience;
pub(crate) mod places;
mod provenance;
mod stop;
mod strangers;
#[cfg(test)]
mod tests;
mod told;

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::accept::{Accept, Asker};
use crate::gateway::Gateway;
use crate::log::Lines;

use held::Held;
pub(crate) use options::{DuplicateSeqid, OnClose, Settings};
use patience::Patience;
use places::Places;
use strangers::Strangers;

/// What the connections of one listener share.
#[derive(Debug)]
struct Front {
    settings: Settings,
    gateway: Arc<Gateway>,
    patience: Arc<Patience>,
    strangers: Arc<Strangers>,
}

/// A listener, wherever it is bound. What it is told of its clients may change while it is served.
#[derive(Debug)]
pub(crate) struct Listener {
    /// For connections that begin.
    front: ArcSwap<Front>,
}

impl Listener {
    /// One that lets clients through to `gateway`.
    pub(crate) fn new(settings: Settings, gateway: Arc<Gateway>) -> Self {
        let (patience, strangers) = (Arc::default(), Arc::default());
        Self { front: ArcSwap::from_pointee(Front { settings, gateway, patience, strangers }) }
    }

    /// Serves connections that begin from here on so. Those that there are go on as they began.
    pub(crate) fn obey(&self, settings: Settings) {
        let Front { gateway, patience, strangers, .. } = &**self.front.load();
        let (gateway, patience, strangers) =
            (Arc::clone(gateway), Arc::clone(patience), Arc::clone(strangers));
        self.front.store(Arc::new(Front { settings, gateway, patience, strangers }));
    }
}

impl Front {
    /// Notes that a client gave up after it had waited for so long.
    fn gave_up(&self, waited: Duration) {
        self.patience.gave_up(waited, self.settings.client_timeout, &self.gateway.counts);
    }
}

/// What all connections of the process share.
#[derive(Clone, Debug)]
pub(crate) struct Commons {
    /// One for each connection that may be open.
    pub places: Arc<Places>,
    /// Bytes of unanswered calls and unsent replies.
    pub held: Held,
    /// Where connections run.
    pub tasks: TaskTracker,
    /// Told when no further calls are to be read.
    pub stop: CancellationToken,
}

/// Serves every client that connects, each in a task of its own, until told to stop: then those too that wait already, unless others
/// accept them.
pub(crate) async fn accept<A: Accept>(socket: A, listener: Arc<Listener>, commons: Commons) {
    let lines = Lines::new(1);
    loop {
        let accepted = tokio::select! {
            biased;
            () = commons.stop.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit::<A>(stream, peer, &listener, &commons),
            Err(error) => {
                // Most often no file descriptor is left; one that a client gives back is worth waiting for.
                if let Some(dropped) = lines.admit() {
                    let front = listener.front.load();
                    let listener = front.gateway.counts.listener();
                    warn!(%listener, %error, dropped, "cannot accept a connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // The system would reset them. There is no end to them where clients come back at once.
    for (stream, peer) in iter::from_fn(|| socket.waiting()).take(LAST_MAX) {
        admit::<A>(stream, peer, &listener, &commons);
    }
}

fn admit<A: Accept>(stream: A::Stream, peer: Asker, listener: &Listener, commons: &Commons) {
    let front = listener.front.load_full();
    let place = match commons.places.take(peer.host()) {
        Ok(place) => place,
        Err(full) => {
            front.gateway.counts.limit(full.limit());
            front.gateway.counts.closed(full.limit());
            return;
        }
    };
    let (stop, share) = (commons.stop.clone(), commons.held.share());
    commons.tasks.spawn(async move {
        let _place = place;
        A::prepare(&stream);
        front.gateway.counts.open.inc();
        let client = (peer, &front, share);
        let end = match &front.settings.tls {
            None => client::serve(stream, client, &stop).await,
            // In a box, so that connections without TLS need no memory for it.
            Some(tls) => Box::pin(handshake::serve(tls, stream, client, &stop)).await,
        };
        front.gateway.counts.open.dec();
        end.count(&front.gateway.counts);
    });
}

/// Connections that are accepted after a stop: as many as may have waited when it came.
const LAST_MAX: usize = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
