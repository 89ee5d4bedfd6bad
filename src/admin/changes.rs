//! What the endpoint is told to do. Each order that is carried out leaves a line in the log: who gave it, what and why.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tokio::sync::oneshot;
use tracing::info;

use super::command::{Command, Reason, Reloaded};
use super::configuration::Rollback;
use super::{Means, Subject, refused};
use crate::accept::Asker;
use crate::log::AUDIT;
use crate::purge::order::Order;
use crate::purge::{Orderer, Refusal};

pub(super) async fn reload<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    Extension(from): Extension<Asker>,
    body: Bytes,
) -> Response {
    let why = match Reason::parse(&body) {
        Ok(Reason { why }) => why,
        Err(error) => return refused(StatusCode::BAD_REQUEST, format_args!("not understood: {error}")),
    };
    info!(target: AUDIT, by = DOOR, %from, what = "reload", why, "ordered");
    commanded(&means, Command::Reload).await
}

pub(super) async fn roll_back<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    Extension(from): Extension<Asker>,
    body: Bytes,
) -> Response {
    let Rollback { generation, why } = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(error) => return refused(StatusCode::BAD_REQUEST, format_args!("not understood: {error}")),
    };
    info!(target: AUDIT, by = DOOR, %from, what = "rollback", generation, why, "ordered");
    commanded(&means, |answer| Command::RollBack(generation, answer)).await
}

/// What comes of a command that is to put another configuration in force.
async fn commanded<S>(
    means: &Means<S>,
    command: impl FnOnce(oneshot::Sender<Reloaded>) -> Command,
) -> Response {
    let (answer, answered) = oneshot::channel();
    // Where nobody takes commands, the order is dropped, and its answer's sender with it.
    let _ = means.commands.send(command(answer)).await;
    match answered.await {
        Ok(reloaded @ Reloaded::Applied { .. }) => Json(reloaded).into_response(),
        Ok(reloaded @ Reloaded::Refused { .. }) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Json(reloaded)).into_response()
        }
        Err(_) => refused(StatusCode::SERVICE_UNAVAILABLE, "this gateway takes no commands now"),
    }
}

pub(super) async fn purge<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    Extension(from): Extension<Asker>,
    body: Bytes,
) -> Response {
    let order = match Order::parse(&body) {
        Ok(order) => order,
        Err(error) => return refused(StatusCode::BAD_REQUEST, error),
    };
    match means.purges.purge(&order, Orderer { by: DOOR, from }).await {
        Ok(purged) => Json(purged).into_response(),
        Err(refusal) => {
            let status = match refusal {
                Refusal::Unknown(_) | Refusal::NotKept(_) => StatusCode::UNPROCESSABLE_ENTITY,
                Refusal::Cover(_) => StatusCode::CONFLICT,
            };
            refused(status, refusal)
        }
    }
}

/// By what orders come that come through here, as the log says it.
const DOOR: &str = "admin";
