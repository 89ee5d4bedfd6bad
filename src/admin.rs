//! The HTTP endpoint for people and machines that watch a gateway and give it commands: routes and nothing else.

pub(crate) mod command;
mod exchange;
pub(crate) mod hosts;
pub(crate) mod options;
pub(crate) mod outage;
pub(crate) mod status;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::accept::Accept;

use command::{Command, Reloaded};
use hosts::Hosts;
use outage::Outage;
use status::Status;

/// What the endpoint shows.
pub(crate) trait Subject: Send + Sync + 'static {
    /// The page that Prometheus reads.
    fn metrics(&self) -> String;
    /// The state for people and checks.
    fn status(&self) -> Status;
    /// The outages of the backends: those that last, and then the latest first.
    fn outages(&self) -> Vec<Outage>;
    /// Whether new connections are welcome. Never depends on backends or Redis: a gateway that can serve stale entries must not be
    /// taken out of rotation because they are down.
    fn is_ready(&self) -> bool;
}

/// Serves the endpoint until told to stop. Pages come from `subject`, and commands go to `commands`.
pub(crate) async fn serve<S: Subject, A: Accept>(
    socket: A,
    subject: Arc<S>,
    commands: mpsc::Sender<Command>,
    hosts: Hosts,
    stop: CancellationToken,
) {
    exchange::serve(socket, routes(subject, commands, hosts), stop).await;
}

fn routes<S: Subject>(subject: Arc<S>, commands: mpsc::Sender<Command>, hosts: Hosts) -> Router {
    let pages = Router::new()
        .route("/metrics", get(metrics::<S>))
        .route("/status", get(status::<S>))
        .route("/outages", get(outages::<S>))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::<S>))
        .with_state(subject);
    let orders = Router::new().route("/reload", post(reload)).with_state(commands);
    pages.merge(orders).layer(from_fn_with_state(Arc::new(hosts), guard))
}

/// Turns away what a web page may have led a browser to ask.
async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    if let Some(name) = hosts.stranger(request.uri(), request.headers()) {
        let why = format!(
            "this gateway is not asked as {name:?}: use its address, or list the name in admin.hosts\n"
        );
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    if !request.method().is_safe() && is_from_page(request.headers()) {
        return (StatusCode::FORBIDDEN, "a web page may give no commands\n").into_response();
    }
    next.run(request).await
}

/// Whether a browser sent it: browsers name the page in every request that is no plain look.
fn is_from_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site")
}

async fn metrics<S: Subject>(State(subject): State<Arc<S>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], subject.metrics())
}

async fn status<S: Subject>(State(subject): State<Arc<S>>) -> Json<Status> {
    Json(subject.status())
}

async fn outages<S: Subject>(State(subject): State<Arc<S>>) -> Json<Vec<Outage>> {
    Json(subject.outages())
}

async fn ready<S: Subject>(State(subject): State<Arc<S>>) -> (StatusCode, &'static str) {
    if subject.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    }
}

async fn reload(State(commands): State<mpsc::Sender<Command>>) -> Response {
    let (answer, answered) = oneshot::channel();
    // Where nobody takes commands, the order is dropped, and its answer's sender with it.
    let _ = commands.send(Command::Reload(answer)).await;
    match answered.await {
        Ok(reloaded @ Reloaded::Applied { .. }) => Json(reloaded).into_response(),
        Ok(reloaded @ Reloaded::Refused { .. }) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Json(reloaded)).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "this gateway takes no commands now\n").into_response(),
    }
}

#[cfg(test)]
mod tests;
