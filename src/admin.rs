//! The HTTP endpoint for people and machines that watch: routes and nothing else.

pub mod options;
pub mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio_util::sync::CancellationToken;

use crate::accept::Accept;
use status::Status;

/// What the endpoint shows.
pub trait Subject: Send + Sync + 'static {
    /// The page that Prometheus reads.
    fn metrics(&self) -> String;
    /// The state for people and checks.
    fn status(&self) -> Status;
    /// Whether new connections are welcome. Never depends on backends or Redis: a gateway that can serve stale entries must not be
    /// taken out of rotation because they are down.
    fn is_ready(&self) -> bool;
}

/// Serves the endpoint until told to stop.
pub async fn serve<S: Subject, A: Accept>(
    socket: A,
    subject: Arc<S>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/metrics", get(metrics::<S>))
        .route("/status", get(status::<S>))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::<S>))
        .with_state(subject);
    axum::serve(Door(socket), routes).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// A bound address as axum wants it.
struct Door<A>(A);

impl<A: Accept> axum::serve::Listener for Door<A> {
    type Io = A::Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (A::Stream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, peer)) => {
                    A::prepare(&stream);
                    return (stream, peer);
                }
                // Most often no file descriptor is left; one that a client gives back is worth waiting for.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.address()
    }
}

async fn metrics<S: Subject>(State(subject): State<Arc<S>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
        subject.metrics(),
    )
}

async fn status<S: Subject>(State(subject): State<Arc<S>>) -> Json<Status> {
    Json(subject.status())
}

async fn ready<S: Subject>(State(subject): State<Arc<S>>) -> (StatusCode, &'static str) {
    if subject.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
