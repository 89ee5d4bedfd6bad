//! Accepts the connections of one listener, up to a bound, until it is told to stop.

pub mod connection;
pub mod desk;
pub mod end;
pub mod held;
pub mod line;
pub mod options;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::accept::Accept;
use crate::gateway::Gateway;
use crate::wire::{Bounds, Protocol, Transport};

use connection::Connection;
use held::Held;

/// What a listener must know of its clients.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The transport, where it is not told from a client's first bytes.
    pub transport: Option<Transport>,
    /// The protocol, where it is not told from a client's first bytes.
    pub protocol: Option<Protocol>,
    /// A reply later than this is not written: the client has given up and would take it for the answer to its next call.
    pub client_timeout: Option<Duration>,
    /// What a call means that has the sequence id of one still unanswered.
    pub duplicate_seqid: DuplicateSeqid,
    /// Bounds on messages.
    pub bounds: Bounds,
    /// Calls of one connection that are answered at a time; further ones are not read.
    pub calls_max: usize,
    /// Time to finish a started message.
    pub message_time: Duration,
}

/// What a call means that has the sequence id of one still unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateSeqid {
    /// Its client has given up on the first: the connection is closed, so that no late reply is taken for the answer.
    Close,
    /// Its client pipelines and does not number its calls.
    Allow,
}

/// What all connections of the process share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// One permit for each connection that may be open.
    pub places: Arc<Semaphore>,
    /// Bytes of unanswered calls and unsent replies.
    pub held: Held,
    /// Where connections run.
    pub tasks: TaskTracker,
    /// Told when no further calls are to be read.
    pub stop: CancellationToken,
}

/// Serves every client that connects, each in a task of its own, until told to stop.
pub async fn accept<A: Accept>(socket: A, settings: Settings, gateway: Arc<Gateway>, shared: Shared) {
    let settings = Arc::new(settings);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => admit::<A>(stream, &settings, &gateway, &shared),
            Err(error) => {
                // Most often no file descriptor is left; one that a client gives back is worth waiting for.
                warn!(listener = %gateway.counts.listener(), %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit<A: Accept>(stream: A::Stream, settings: &Arc<Settings>, gateway: &Arc<Gateway>, shared: &Shared) {
    let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
        gateway.counts.limit("connections");
        gateway.counts.closed("connections");
        return;
    };
    let (settings, gateway, stop) = (Arc::clone(settings), Arc::clone(gateway), shared.stop.clone());
    let share = shared.held.share();
    shared.tasks.spawn(async move {
        let _place = place;
        A::prepare(&stream);
        gateway.counts.open.inc();
        let end = Connection::new(stream, settings, Arc::clone(&gateway), share).serve(&stop).await;
        gateway.counts.open.dec();
        end.count(&gateway.counts);
    });
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
