//! One request and its response on one connection, bounded in size and time. A response may go on, as long as somebody takes it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::{Accept, Asker};
use crate::log::Lines;
use crate::tls::{Failed, Server};

/// Where connections to the endpoint come in.
pub(crate) trait Door: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and whose it is. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// What the system says; most often that no file descriptor is left.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Asker)>> + Send;
}

impl<A: Accept> Door for A {
    type Stream = A::Stream;

    async fn next(&self) -> io::Result<(Self::Stream, Asker)> {
        let (stream, asker) = self.accept().await?;
        A::prepare(&stream);
        Ok((stream, asker))
    }
}

/// What a response that goes on knows of its exchange.
#[derive(Clone, Debug)]
pub(super) struct Ongoing {
    /// Told when it is to end.
    pub(super) stop: CancellationToken,
    taken: Arc<AtomicU64>,
    places: Arc<Semaphore>,
}

/// No other response may go on.
#[derive(Debug, Error)]
#[error(
    "{ONGOING_MOST} responses go on already, and no more may: the next one may when one of them has ended"
)]
pub(super) struct Crowded;

impl Ongoing {
    fn new(stop: CancellationToken, places: Arc<Semaphore>) -> Self {
        Self { stop, taken: Arc::default(), places }
    }

    /// Has the response go on for as long as what is returned is held.
    ///
    /// # Errors
    /// If as many go on as may.
    pub(super) fn begins(&self) -> Result<OwnedSemaphorePermit, Crowded> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Crowded)
    }

    /// The next part of it is taken: an exchange is hung up on in which that does not happen for [`EXCHANGE_MAX`].
    pub(super) fn goes_on(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Answers one request for each connection, inside `tls` where there is some, until told to stop, and ends when the last has ended.
///
/// Whoever comes while there are [`AT_ONCE`] waits for a place; each is given back within [`EXCHANGE_MAX`].
pub(super) async fn serve(door: impl Door, tls: Option<Server>, routes: Router, stop: CancellationToken) {
    let (places, tasks) = (Arc::new(Semaphore::new(AT_ONCE)), TaskTracker::new());
    let (lines, ongoing) = (Lines::new(1), Arc::new(Semaphore::new(ONGOING_MOST)));
    let accepted = async {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match door.next().await {
                Ok((stream, asker)) => {
                    // Orders are logged with who gave them.
                    let routes = routes.clone().layer(Extension(asker));
                    let ongoing = Ongoing::new(stop.clone(), Arc::clone(&ongoing));
                    let tls = tls.clone();
                    tasks.spawn(async move {
                        match tls {
                            None => exchange(stream, routes, ongoing).await,
                            Some(tls) => encrypted(&tls, stream, asker, routes, ongoing).await,
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    // Most often no file descriptor is left; one that somebody gives back is worth waiting for.
                    if let Some(dropped) = lines.admit() {
                        tracing::warn!(%error, dropped, "the admin endpoint cannot accept a connection");
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

/// The same inside TLS, whose handshake has as much time.
async fn encrypted(
    tls: &Server,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    asker: Asker,
    routes: Router,
    ongoing: Ongoing,
) {
    let greeted = ongoing.stop.run_until_cancelled(timeout(EXCHANGE_MAX, tls.accept(stream))).await;
    let failed = match greeted {
        None => return,
        Some(Ok(Ok(stream))) => return exchange(stream, routes, ongoing).await,
        Some(Ok(Err(error))) => Failed::of(&error),
        Some(Err(_)) => Failed::Late,
    };
    tracing::debug!(%asker, error = %failed, "a tls handshake at the admin endpoint failed");
}

/// Reads a request and writes its response. Whoever sends or reads too slowly is hung up on; a request that has come is answered even
/// when told to stop.
async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin, routes: Router, ongoing: Ongoing) {
    let routes = routes.layer(Extension(ongoing.clone()));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let bounded = async {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = ongoing.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "admin connection");
        }
    };
    let mut bounded = pin!(bounded);
    loop {
        let before = ongoing.taken();
        let ended = timeout(EXCHANGE_MAX, bounded.as_mut()).await;
        // What is not done by then is dropped, and the connection with it.
        if ended.is_ok() || ongoing.taken() == before {
            return;
        }
    }
}

/// Connections at one time.
pub(super) const AT_ONCE: usize = 32;
/// Responses that go on at one time: the other connections are for probes, figures and orders.
pub(super) const ONGOING_MOST: usize = 16;
/// From a connection's beginning to its end, or between two parts of a response that goes on.
pub(super) const EXCHANGE_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's line and headers.
pub(super) const HEAD_MAX: usize = 16 << 10;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
