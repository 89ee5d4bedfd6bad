//! Calls as they are answered, as server-sent events: one for each, and one at the end that says why.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::exchange::Ongoing;
use super::{Means, Subject, refused};
use crate::tap::Watch;
use crate::tap::wanted::{Terms, Wanted};

pub(super) async fn tap<S: Subject>(
    State(means): State<Arc<Means<S>>>,
    Extension(ongoing): Extension<Ongoing>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(error) => return refused(StatusCode::BAD_REQUEST, error.body_text()),
    };
    let Terms { filter, per_second, lasts } = match wanted.terms() {
        Ok(terms) => terms,
        Err(error) => return refused(StatusCode::UNPROCESSABLE_ENTITY, error),
    };
    let place = match ongoing.begins() {
        Ok(place) => place,
        Err(crowded) => return refused(StatusCode::TOO_MANY_REQUESTS, crowded),
    };
    match means.taps.watch(filter, per_second) {
        Ok(watch) => Sse::new(events((watch, place), ongoing, Instant::now() + lasts)).into_response(),
        Err(crowded) => refused(StatusCode::TOO_MANY_REQUESTS, crowded),
    }
}

/// What a watcher sees until `end`. It is asked for the next event only when there is room for it.
fn events(
    watch: (Watch, OwnedSemaphorePermit),
    ongoing: Ongoing,
    end: Instant,
) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(Some(watch), move |watch| {
        let ongoing = ongoing.clone();
        async move {
            let (mut watch, place) = watch?;
            ongoing.goes_on();
            let silence_ends = Instant::now() + SILENCE_MAX;
            let next = timeout_at(end.min(silence_ends), watch.next());
            let (event, watch) = match ongoing.stop.run_until_cancelled(next).await {
                Some(Ok(Some(line))) => {
                    (Event::default().json_data(line).unwrap_or_default(), Some((watch, place)))
                }
                // Whoever has gone is found out by what is written to him.
                Some(Err(_)) if silence_ends < end => (Event::default().comment(""), Some((watch, place))),
                Some(Ok(None) | Err(_)) => (last("its time is up"), None),
                None => (last("the gateway stops"), None),
            };
            Some((Ok(event), watch))
        }
    })
}

/// The last event. A browser would begin again where a response merely ended.
fn last(why: &str) -> Event {
    Event::default().event(END).data(why)
}

/// The name of the last event.
pub(crate) const END: &str = "end";
/// The longest time without a sign of life.
const SILENCE_MAX: Duration = Duration::from_secs(2);
