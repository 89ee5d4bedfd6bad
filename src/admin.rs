//! The HTTP endpoint for people and machines that watch a gateway and steer it: who is answered, and by what.

pub(crate) mod answers;
mod changes;
pub(crate) mod command;
pub(crate) mod configuration;
mod exchange;
pub(crate) mod hosts;
mod openapi;
mod operation;
pub(crate) mod options;
mod orders;
pub(crate) mod outage;
mod page;
mod pages;
pub(crate) mod status;
pub(crate) mod steering;
mod switches;
mod table;
pub(crate) mod tapping;
pub(crate) mod traffic;

use std::fmt::Display;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::advice::Adviser;
use crate::explain::Explainer;
use crate::inventory::Inventory;
use crate::purge::Purges;
use crate::purge::authority::Authority;
use crate::tap::Taps;
use crate::tls::Server;

use answers::Answers;
use command::Command;
use configuration::Configuration;
use exchange::Door;
use hosts::Hosts;
use operation::Effect;
use outage::Outage;
use status::Status;
use steering::Steering;
use traffic::Traffic;

/// What the endpoint shows.
pub(crate) trait Subject: Send + Sync + 'static {
    /// The page that Prometheus reads.
    fn metrics(&self) -> String;
    /// The state for people and checks.
    fn status(&self) -> Status;
    /// What was counted of each method.
    fn traffic(&self) -> Traffic;
    /// The outages of the backends: those that last, and then the latest first.
    fn outages(&self) -> Vec<Outage>;
    /// The configuration in force and those before it that are remembered, the latest first.
    fn configurations(&self) -> Vec<Configuration>;
    /// What answered the calls of the last hour.
    fn answers(&self) -> Answers;
    /// Whether new connections are welcome. Never depends on backends or Redis: a gateway that can serve stale entries must not be
    /// taken out of rotation because they are down.
    fn is_ready(&self) -> bool;
}

/// An answer that says why there is no other.
fn refused(status: StatusCode, why: impl Display) -> Response {
    (status, format!("{why}\n")).into_response()
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
    /// Who advises on rules.
    pub adviser: Arc<Adviser>,
    /// What its purges purge.
    pub purges: Arc<Purges>,
    /// Who knows what it holds.
    pub inventory: Arc<Inventory>,
    /// Who watches its calls.
    pub taps: Arc<Taps>,
    /// Who obeys its switches.
    pub steering: Arc<dyn Steering>,
    /// The names by which it may be asked.
    pub hosts: Hosts,
}

/// Serves the endpoint at one of its doors until told to stop, inside TLS where it has some. Whoever comes through it gives orders as
/// `authority` allows.
pub(crate) async fn serve<S: Subject>(
    (door, tls): (impl Door, Option<Server>),
    means: Arc<Means<S>>,
    authority: Authority,
    stop: CancellationToken,
) {
    exchange::serve(door, tls, routes(means, authority), stop).await;
}

fn routes<S: Subject>(means: Arc<Means<S>>, authority: Authority) -> Router {
    let authority = Arc::new(authority);
    let mut router = Router::new();
    for operation in table::all::<S>() {
        let handler = match operation.effect {
            Effect::Reads => operation.handler,
            Effect::Changes => {
                operation.handler.route_layer(from_fn_with_state(Arc::clone(&authority), allow))
            }
        };
        router = router.route(operation.path, handler);
    }
    let (bound, known) = (DefaultBodyLimit::max(BODY_MAX), Extension(authority));
    let guard = from_fn_with_state(Arc::new(means.hosts.clone()), guard);
    router.with_state(means).layer(bound).layer(known).layer(guard)
}

/// Turns away what a web page may have led a browser to ask.
async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    if let Some(name) = hosts.stranger(request.uri(), request.headers()) {
        let why = format!(
            "this gateway is not asked as {name:?}: use its address, or list the name in admin.hosts\n"
        );
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    if !request.method().is_safe() && is_from_elsewhere(request.headers()) {
        return (StatusCode::FORBIDDEN, "a web page of somebody else may give no commands\n").into_response();
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

/// Whether a browser sent it for another page than this gateway's: browsers name the page in every request that is no plain look.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let own = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_own = |origin: &HeaderValue| {
        // Whoever ends TLS before this endpoint has browsers name another scheme.
        let named = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        named.is_some_and(|(_, host)| Some(host) == own)
    };
    let origins = headers.get_all(ORIGIN).iter().all(is_own);
    let sites = headers.get_all("sec-fetch-site").iter().all(|site| site == "same-origin");
    !(origins && sites)
}

/// Bytes of a request's body.
const BODY_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests;
