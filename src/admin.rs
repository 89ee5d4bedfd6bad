//! The HTTP endpoint for people and machines that watch a gateway and give it commands: routes and nothing else.

pub(crate) mod command;
mod exchange;
pub(crate) mod hosts;
pub(crate) mod options;
mod orders;
pub(crate) mod outage;
pub(crate) mod status;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::accept::Accept;
use crate::explain::Explainer;
use crate::purge::authority::Authority;
use crate::purge::order::{Called, Order};
use crate::purge::{Orderer, Purges, Refusal};

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

/// What stands behind the endpoint.
#[derive(Debug)]
pub(crate) struct Means<S> {
    /// What its pages show.
    pub subject: Arc<S>,
    /// Where its commands go.
    pub commands: mpsc::Sender<Command>,
    /// Who explains calls.
    pub explainer: Arc<Explainer>,
    /// What its purges purge.
    pub purges: Arc<Purges>,
    /// The names by which it may be asked.
    pub hosts: Hosts,
    /// Whose orders are carried out.
    pub authority: Authority,
}

/// Serves the endpoint until told to stop.
pub(crate) async fn serve<S: Subject, A: Accept>(socket: A, means: Means<S>, stop: CancellationToken) {
    exchange::serve(socket, routes(means), stop).await;
}

fn routes<S: Subject>(means: Means<S>) -> Router {
    let Means { subject, commands, explainer, purges, hosts, authority } = means;
    let pages = Router::new()
        .route("/metrics", get(metrics::<S>))
        .route("/status", get(status::<S>))
        .route("/outages", get(outages::<S>))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::<S>))
        .with_state(subject);
    let explain = Router::new().route("/explain", post(explain)).with_state(explainer);
    let reload = Router::new().route("/reload", post(reload)).with_state(commands);
    let purge = Router::new().route("/purge", post(purge)).with_state(purges);
    let orders = reload.merge(purge).route_layer(from_fn_with_state(Arc::new(authority), allow));
    let bound = DefaultBodyLimit::max(BODY_MAX);
    pages.merge(explain).merge(orders).layer(bound).layer(from_fn_with_state(Arc::new(hosts), guard))
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

/// Turns away orders of whoever may give none.
async fn allow(State(authority): State<Arc<Authority>>, request: Request, next: Next) -> Response {
    match orders::refusal(&authority, request.headers()) {
        Some(refusal) if !request.method().is_safe() => refusal,
        Some(_) | None => next.run(request).await,
    }
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

/// A call is no part of the address: it may be long, and addresses are logged.
async fn explain(State(explainer): State<Arc<Explainer>>, body: Bytes) -> Response {
    let Called { method, arguments } = match serde_json::from_slice(&body) {
        Ok(called) => called,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("not understood: {error}\n")).into_response(),
    };
    match explainer.explain(&method, &arguments).await {
        Ok(explanation) => Json(explanation).into_response(),
        Err(unknown) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{unknown}\n")).into_response(),
    }
}

async fn purge(
    State(purges): State<Arc<Purges>>,
    Extension(from): Extension<SocketAddr>,
    body: Bytes,
) -> Response {
    let order = match Order::parse(&body) {
        Ok(order) => order,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    match purges.purge(&order, Orderer { by: "admin", from }).await {
        Ok(purged) => Json(purged).into_response(),
        Err(refusal) => {
            let status = match refusal {
                Refusal::Unknown(_) | Refusal::NotKept(_) => StatusCode::UNPROCESSABLE_ENTITY,
                Refusal::Cover(_) => StatusCode::CONFLICT,
            };
            (status, format!("{refusal}\n")).into_response()
        }
    }
}

/// Bytes of a request's body.
const BODY_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests;
