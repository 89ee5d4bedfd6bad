//! The Thrift service `larder.Invalidation`, on an address of its own: a service that has changed something says so in its own protocol.

mod exchange;
pub(crate) mod options;
mod service;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::Accept;
use crate::limits;
use crate::log::Lines;

use exchange::Exchange;
pub(crate) use service::Service;

/// Answers calls until told to stop, and ends when the last has been answered.
///
/// Whoever connects while [`AT_ONCE`] are connected waits for a place.
pub(crate) async fn serve<A: Accept>(
    socket: A,
    service: Service,
    limits: limits::Settings,
    stop: CancellationToken,
) {
    let (places, tasks) = (Arc::new(Semaphore::new(AT_ONCE)), TaskTracker::new());
    let (service, lines) = (Arc::new(service), Lines::new(1));
    let accepted = async {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match socket.accept().await {
                Ok((stream, peer)) => {
                    A::prepare(&stream);
                    let exchange = Exchange::new(stream, peer, Arc::clone(&service), &limits);
                    let stop = stop.clone();
                    tasks.spawn(async move {
                        exchange.serve(&stop).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Most often no file descriptor is left; one that somebody gives back is worth waiting for.
                    if let Some(dropped) = lines.admit() {
                        tracing::warn!(%error, dropped, "the invalidation service cannot accept a connection");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepted).await;
    tasks.close();
    tasks.wait().await;
}

/// Connections at one time.
const AT_ONCE: usize = 256;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
