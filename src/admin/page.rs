//! The page for people: the gateway's state as a browser shows it, live, and a form for orders.
//!
//! It shows what the API tells and gives orders through the API; it has nothing of its own. All of it comes from the gateway, so that it works
//! where nothing else is reached.

mod chart;
mod section;
mod view;
mod words;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::StreamExt;
use futures_util::stream::{iter, unfold};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{MissedTickBehavior, interval};

use super::exchange::Ongoing;
use super::{Means, Subject, refused};
use crate::purge::authority::Authority;
use section::Sections;
use view::{Orders, View};

/// The page as it is now.
pub(super) async fn page<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    Extension(authority): Extension<Arc<Authority>>,
) -> Response {
    match section::page(&look(&means), orders(&authority)) {
        Ok(page) => sent(HTML, page),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

/// Each part of the page when it is otherwise than before, as an event that is called like the part, and a `tick` after each look.
pub(super) async fn live<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    Extension(ongoing): Extension<Ongoing>,
) -> Response {
    match ongoing.begins() {
        Ok(place) => Sse::new(events(means, ongoing, place)).into_response(),
        Err(crowded) => refused(StatusCode::TOO_MANY_REQUESTS, crowded),
    }
}

fn events<S: Subject>(
    means: Arc<Means<S>>,
    ongoing: Ongoing,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stop = ongoing.stop.clone();
    let parts = unfold((ticks, Sections::default(), place), move |(mut ticks, shown, place)| {
        let (means, ongoing) = (Arc::clone(&means), ongoing.clone());
        async move {
            ticks.tick().await;
            ongoing.goes_on();
            // A part that cannot be written stays as it was.
            let sections = section::sections(&look(&means)).unwrap_or_else(|_| shown.clone());
            let changed = sections.changed_since(&shown).chain([TICK]);
            let changed: Vec<_> = changed.map(|(name, html)| Ok(event(name, html))).collect();
            Some((iter(changed), (ticks, sections, place)))
        }
    });
    parts.flatten().take_until(stop.cancelled_owned())
}

pub(super) async fn style() -> Response {
    sent(CSS, include_str!("page/page.css"))
}

pub(super) async fn script() -> Response {
    sent(JS, include_str!("page/page.js"))
}

pub(super) async fn icon() -> Response {
    sent(SVG, include_str!("page/page.svg"))
}

fn event(name: &str, html: &str) -> Event {
    Event::default().event(name).data(html)
}

fn look<S: Subject>(means: &Means<S>) -> View {
    View::new(means.subject.status(), means.subject.outages(), &means.subject.answers())
}

fn orders(authority: &Authority) -> Orders {
    match authority {
        Authority::Token(_) => Orders::WithToken,
        Authority::Anybody => Orders::Freely,
        Authority::Nobody => Orders::Elsewhere,
    }
}

fn sent(media: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (CONTENT_TYPE, media),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}

/// The form of the page.
pub(super) const HTML: &str = "text/html; charset=utf-8";
/// The form of what follows it.
pub(super) const EVENTS: &str = "text/event-stream";
/// The forms of what it is made of.
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const JS: &str = "text/javascript; charset=utf-8";
pub(super) const SVG: &str = "image/svg+xml";
/// Nothing from elsewhere, nothing in line, nothing sent to anybody else, and no page around this one.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
    form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
/// The event after each look. One without data would not be told.
const TICK: (&str, &str) = ("tick", "1");
/// How often it is looked whether a part is otherwise.
const EACH: Duration = Duration::from_secs(1);
