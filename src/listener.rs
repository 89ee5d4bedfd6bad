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

use connection::Connection;
use held::Held;
pub use options::{DuplicateSeqid, Settings};

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
