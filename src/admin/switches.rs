//! Switches over HTTP: which are in force, and orders to set and to undo one.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::command::Reason;
use super::{Means, Subject, refused};
use crate::accept::Asker;
use crate::switch::order::Order;
use crate::switch::table::{InForce, Refusal};

pub(super) async fn list<S: Subject>(State(means): State<Arc<Means<S>>>) -> Json<Vec<InForce>> {
    Json(means.steering.in_force())
}

pub(super) async fn set<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    Extension(from): Extension<Asker>,
    body: Bytes,
) -> Response {
    match Order::parse(&body) {
        Ok(order) => answer(&means, means.steering.set(order, from)).await,
        Err(error) => refused(StatusCode::BAD_REQUEST, error),
    }
}

pub(super) async fn undo<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    Extension(from): Extension<Asker>,
    Path(id): Path<u64>,
    body: Bytes,
) -> Response {
    match Reason::parse(&body) {
        Ok(Reason { why }) => answer(&means, means.steering.undo(id, from, &why)).await,
        Err(error) => refused(StatusCode::BAD_REQUEST, format_args!("not understood: {error}")),
    }
}

/// What came of an order. What is answered as done is kept.
async fn answer<S>(means: &Means<S>, done: Result<InForce, Refusal>) -> Response {
    match done {
        Ok(switch) => {
            means.steering.keep().await;
            Json(switch).into_response()
        }
        Err(refusal) => {
            let status = match refusal {
                Refusal::Unknown(_) => StatusCode::UNPROCESSABLE_ENTITY,
                Refusal::Full => StatusCode::CONFLICT,
                Refusal::Gone(_) => StatusCode::NOT_FOUND,
            };
            refused(status, refusal)
        }
    }
}
