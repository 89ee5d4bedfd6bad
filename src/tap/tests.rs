//! Who sees which calls, and what happens to those who do not look.

use std::sync::Arc;
use std::time::Duration;

use super::wanted::{Wanted, WantedError};
use super::*;
use crate::accept::Asker;
use crate::clock::Millis;
use crate::outcome::Outcome;
use crate::setting::Period;

fn call() -> Seen<'static> {
    Seen {
        at: Millis(1_500),
        listener: "users",
        client: Asker::Address("10.0.0.7:4000".parse().unwrap()),
        service: b"UserService",
        method: b"getUser",
        backend: "users",
        endpoint: Some(Box::leak(Box::new("10.0.0.1:9191".parse().unwrap()))),
        outcome: Outcome::Miss,
        why: None,
        age: None,
        took: Duration::from_millis(20),
    }
}

/// What a query means.
fn terms(query: &str) -> wanted::Terms {
    serde_urlencoded::from_str::<Wanted>(query).unwrap().terms().unwrap()
}

fn next(watch: &mut Watch) -> Option<Line> {
    watch.lines.try_recv().ok()
}

/// Whether who asks so sees the call.
fn sees(query: &str) -> bool {
    let taps = Arc::new(Taps::default());
    let mut watch = taps.watch(terms(query).filter, 10).unwrap();
    taps.show(&call(), || Some(7));
    next(&mut watch).is_some()
}

#[tokio::test]
async fn a_watcher_sees_what_all_of_its_filter_holds_for() {
    for query in [
        "",
        "method=UserService.get*",
        "method=*",
        "outcome=failed,miss",
        "listener=users&backend=users",
        "endpoint=10.0.0.1:9191",
        "slower_than=20ms",
    ] {
        assert!(sees(query), "{query}");
    }
    for query in [
        "method=UserService.set*",
        "method=TeamService.*",
        "outcome=failed",
        "listener=teams",
        "backend=teams&method=*",
        "endpoint=10.0.0.2:9191",
        "slower_than=21ms",
    ] {
        assert!(!sees(query), "{query}");
    }
}

#[test]
fn what_cannot_be_meant_is_told() {
    let refused = |query: &str| {
        let wanted = serde_urlencoded::from_str::<Wanted>(query).unwrap();
        wanted.terms().map_or_else(|error: WantedError| error.to_string(), |_| String::new())
    };
    assert!(refused("method=getUser").starts_with("method: \"getUser\" names no service"));
    assert_eq!(refused("outcome=fialed"), "outcome: unknown outcome fialed, did you mean failed?");
    assert!(refused("endpoint=users").contains("is no address"));
    assert_eq!(refused("per_second=0"), "per_second: 0 is not in 1 to 1000");
    assert_eq!(refused("for=2h"), "for: 2h is not in 1s to 1h");
    assert!(serde_urlencoded::from_str::<Wanted>("methd=S.m").is_err());
}

#[test]
fn a_query_is_written_as_it_is_read() {
    let wanted = Wanted {
        method: Some("S.get*".to_owned()),
        slower_than: Some(Period::from_millis(50)),
        lasts: Some(Period::from_secs(60)),
        ..Wanted::default()
    };
    let query = serde_urlencoded::to_string(&wanted).unwrap();
    assert_eq!(serde_urlencoded::from_str::<Wanted>(&query).unwrap(), wanted, "{query}");
}

#[tokio::test]
async fn a_line_tells_the_call_and_names_from_the_network_are_bounded() {
    let taps = Arc::new(Taps::default());
    let mut watch = taps.watch(Filter::default(), 10).unwrap();
    let long = [b'x'; 1_000];
    taps.show(&Seen { age: Some(Duration::from_secs(3)), why: Some("timeout"), ..call() }, || Some(7));
    taps.show(&Seen { method: b"a\n\x1b", service: &long, ..call() }, || Some(7));
    let line = next(&mut watch).unwrap();
    assert_eq!((line.method.as_str(), line.at_unix_seconds), ("UserService.getUser", 1.5));
    assert_eq!((line.outcome.as_str(), line.why.as_deref()), ("miss", Some("timeout")));
    assert_eq!(line.key.unwrap(), "00000000000000000000000000000007");
    assert_eq!((line.age_seconds, line.took_seconds), (Some(3.0), 0.02));
    assert_eq!(next(&mut watch).unwrap().method, format!("{}.a\\n\\x1b", "x".repeat(64)));
}

#[tokio::test]
async fn who_does_not_look_misses_calls_and_is_told_how_many() {
    let taps = Arc::new(Taps::default());
    let mut watch = taps.watch(Filter::default(), 1_000).unwrap();
    (0..LINES_HELD + 10).for_each(|_| taps.show(&call(), || Some(7)));
    (0..LINES_HELD).for_each(|_| assert_eq!(next(&mut watch).unwrap().missed, 0));
    assert_eq!(next(&mut watch), None);
    taps.show(&call(), || Some(7));
    assert_eq!(next(&mut watch).unwrap().missed, 10);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_shown_in_a_second_than_was_asked_for() {
    let taps = Arc::new(Taps::default());
    let mut watch = taps.watch(Filter::default(), 2).unwrap();
    (0..5).for_each(|_| taps.show(&call(), || Some(7)));
    assert!(next(&mut watch).is_some() && next(&mut watch).is_some() && next(&mut watch).is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    taps.show(&call(), || Some(7));
    assert_eq!(next(&mut watch).unwrap().missed, 3);
}

#[tokio::test]
async fn few_may_watch_and_whoever_ends_makes_room() {
    let taps = Arc::new(Taps::default());
    assert!(!taps.is_watched());
    let mut all: Vec<Watch> = (0..WATCHERS_MAX).map(|_| taps.watch(Filter::default(), 1).unwrap()).collect();
    assert_eq!(taps.watch(Filter::default(), 1).err(), Some(Crowded));
    all.pop();
    assert!(taps.watch(Filter::default(), 1).is_ok());
    drop(all);
    assert!(!taps.is_watched() && taps.watchers.load().is_empty());
}
