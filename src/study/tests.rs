//! What is learnt of services whose right answers are known.

use std::time::Duration;

use super::*;
use crate::wire::Protocol;

/// A struct with one field that holds this number.
fn structure(id: i16, value: u64) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    [&[10, high, low][..], &value.to_be_bytes(), &[0]].concat()
}

fn binary(bytes: &[u8]) -> Struct<'_> {
    Struct { protocol: Protocol::Binary, bytes }
}

fn new() -> Arc<Study> {
    Arc::new(Study::new(5, Arc::default(), Millis(0)))
}

/// A study of calls, each with its millisecond, its argument and the reply.
fn study(calls: impl Iterator<Item = (u64, u64, u64)>) -> (Arc<Study>, Millis) {
    let study = new();
    let mut last = Millis(0);
    for (at, argument, reply) in calls {
        last = Millis(at);
        let lesson = study.asked(binary(&structure(1, argument)), last).unwrap();
        lesson.ended(End::Reply(binary(&structure(0, reply))));
    }
    (study, last)
}

fn at(summary: &Summary, seconds: u64) -> LifetimeSummary {
    *summary.lifetimes.iter().find(|lifetime| lifetime.ttl == Duration::from_secs(seconds)).unwrap()
}

#[test]
fn what_a_cache_would_have_done_is_what_it_does() {
    // 100 keys, each asked once a second for 100 s; each changes every 50 s.
    let calls = (0..10_000).map(|call| (10 * call, call % 100, call / 5_000));
    let (study, now) = study(calls);
    let summary = study.summary(now);
    assert_eq!((summary.calls, summary.distinct, summary.faults), (10_000, 100.0, 0));
    assert_eq!(at(&summary, 1).hits, 0.0);
    assert_eq!(at(&summary, 2).hits, 0.5);
    assert_eq!(at(&summary, 10).hits, 0.9);
    assert_eq!((at(&summary, 10).wrong, at(&summary, 10).entries), (0, 100.0));
    assert_eq!(at(&summary, 60).wrong, 1_000, "asked at 0, kept until 60: wrong for 10 s");
}

#[test]
fn many_keys_are_told_from_a_sample() {
    // 20,000 keys, each asked twice, 3 s apart.
    let mut calls: Vec<_> = (0..40_000).map(|call| (call / 2 + 3_000 * (call % 2), call / 2, 1)).collect();
    calls.sort_unstable();
    let (study, now) = study(calls.into_iter());
    let summary = study.summary(now);
    assert!((0.85..1.15).contains(&(summary.distinct / 20_000.0)), "{}", summary.distinct);
    assert!((0.4..0.6).contains(&at(&summary, 5).hits), "{}", at(&summary, 5).hits);
    assert_eq!(at(&summary, 2).hits, 0.0);
}

#[test]
fn one_key_that_all_ask_for_is_seen_though_it_is_not_in_the_sample() {
    // Half of all calls are for one key, the others for one each.
    let calls = |hot: u64| {
        (0..40_000).map(move |call| (10 * call, if call % 2 == 0 { hot } else { call + 1_000 }, 1))
    };
    for hot in 0..8 {
        let (study, now) = study(calls(hot));
        let summary = study.summary(now);
        // Asked 50 times a second.
        assert!((0.47..0.51).contains(&at(&summary, 60).hits), "{hot}: {}", at(&summary, 60).hits);
        assert!((0.47..0.51).contains(&at(&summary, 1).hits), "{hot}: {}", at(&summary, 1).hits);
    }
}

#[test]
fn what_is_not_answered_and_what_is_no_result_are_counted_apart() {
    let study = new();
    let ask = |end: End<'_>| {
        study.asked(binary(&structure(1, 1)), Millis(0)).unwrap().ended(end);
    };
    ask(End::Fault);
    ask(End::Exception(binary(&structure(1, 2))));
    ask(End::Reply(binary(&[0])));
    assert!(study.asked(binary(b"?"), Millis(0)).is_none());
    let summary = study.summary(Millis(0));
    assert_eq!(
        (summary.calls, summary.faults, summary.exceptions, summary.empty, summary.unkeyable),
        (4, 1, 1, 1, 1)
    );
}

#[test]
fn the_same_reply_in_another_order_or_protocol_is_the_same() {
    let study = new();
    // {0: set<i64> [1, 2]} and [2, 1].
    let set = |a: u8, b: u8| [&[14, 0, 0, 3, 0, 0, 0, 2][..], &[a, b, 0]].concat();
    let reply = |body: &[u8]| study.hash(binary(body));
    assert_eq!(reply(&set(1, 2)), reply(&set(2, 1)));
    assert_ne!(reply(&set(1, 2)), reply(&set(1, 3)));
    let compact = Struct { protocol: Protocol::Compact, bytes: &[10, 0, 0x23, 1, 2, 0] };
    assert_eq!(study.hash(compact), reply(&set(1, 2)));
}
