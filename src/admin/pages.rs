//! What the endpoint shows. Nothing is otherwise afterwards.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answers::Answers;
use super::configuration::Configuration;
use super::outage::Outage;
use super::status::Status;
use super::traffic::Traffic;
use super::{Means, Subject, refused};
use crate::advice::report::Question;
use crate::explain::told::told;
use crate::inventory::stock::Asked;
use crate::purge::order::Called;
use crate::rule::pattern::Pattern;

pub(super) async fn metrics<S: Subject>(State(means): State<Arc<Means<S>>>) -> impl IntoResponse {
    means.inventory.stock().await;
    ([(CONTENT_TYPE, OPENMETRICS)], means.subject.metrics())
}

pub(super) async fn lives() -> &'static str {
    "ok\n"
}

pub(super) async fn ready<S: Subject>(State(means): State<Arc<Means<S>>>) -> (StatusCode, &'static str) {
    if means.subject.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    }
}

pub(super) async fn status<S: Subject>(State(means): State<Arc<Means<S>>>) -> Json<Status> {
    Json(means.subject.status())
}

pub(super) async fn traffic<S: Subject>(State(means): State<Arc<Means<S>>>) -> Json<Traffic> {
    Json(means.subject.traffic())
}

pub(super) async fn outages<S: Subject>(State(means): State<Arc<Means<S>>>) -> Json<Vec<Outage>> {
    Json(means.subject.outages())
}

pub(super) async fn configuration<S: Subject>(State(means): State<Arc<Means<S>>>) -> Response {
    match means.subject.configurations().into_iter().next() {
        Some(configuration) => Json(configuration).into_response(),
        None => refused(StatusCode::SERVICE_UNAVAILABLE, "no configuration is in force yet"),
    }
}

pub(super) async fn configurations<S: Subject>(
    State(means): State<Arc<Means<S>>>,
) -> Json<Vec<Configuration>> {
    Json(means.subject.configurations())
}

pub(super) async fn answers<S: Subject>(State(means): State<Arc<Means<S>>>) -> Json<Answers> {
    Json(means.subject.answers())
}

pub(super) async fn entries<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let pattern = match asked {
        Ok(Query(Asked { method })) => method.map(|method| method.parse::<Pattern>()).transpose(),
        Err(error) => return refused(StatusCode::BAD_REQUEST, error.body_text()),
    };
    match pattern {
        Ok(pattern) => Json(means.inventory.stock().await.of(pattern.as_ref())).into_response(),
        Err(error) => refused(StatusCode::UNPROCESSABLE_ENTITY, format_args!("method: {error}")),
    }
}

/// A call is no part of the address: it may be long, and addresses are logged. Whoever accepts text alone gets what people read.
pub(super) async fn explain<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Called { method, arguments } = match serde_json::from_slice(&body) {
        Ok(called) => called,
        Err(error) => return refused(StatusCode::BAD_REQUEST, format_args!("not understood: {error}")),
    };
    match means.explainer.explain(&method, &arguments).await {
        Ok(explanation) if headers.get(ACCEPT).is_some_and(|accepted| accepted == "text/plain") => {
            told(&explanation).into_response()
        }
        Ok(explanation) => Json(explanation).into_response(),
        Err(unknown) => refused(StatusCode::UNPROCESSABLE_ENTITY, unknown),
    }
}

pub(super) async fn advise<S: Subject>(State(means): State<Arc<Means<S>>>, body: Bytes) -> Response {
    let asked = if body.is_empty() { Ok(Question::default()) } else { serde_json::from_slice(&body) };
    match asked {
        Ok(question) if question.tolerance > 0.0 && question.tolerance <= 1.0 => {
            Json(means.adviser.advise(question)).into_response()
        }
        Ok(Question { tolerance }) => {
            let why = format_args!("tolerance: expected above 0 and at most 1, found {tolerance}");
            refused(StatusCode::UNPROCESSABLE_ENTITY, why)
        }
        Err(error) => refused(StatusCode::BAD_REQUEST, format_args!("not understood: {error}")),
    }
}

/// The form of the page of figures.
pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
