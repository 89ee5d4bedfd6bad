//! What is advised for services whose right answers are known.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::clock::Millis;
use crate::idl::Schema;
use crate::key::Ignored;
use crate::study::End;
use crate::wire::{Protocol, Struct};

use report::Verdict;

const IDL: &str =
    "service S { string get(1: i64 id, 2: i64 trace), string rename(1: i64 id), void ping(1: i64 id) }";

/// `{1: id, 2: trace}`.
fn arguments(id: u64, trace: u64) -> Vec<u8> {
    [&[10, 0, 1][..], &id.to_be_bytes(), &[10, 0, 2], &trace.to_be_bytes(), &[0]].concat()
}

fn reply(value: u64) -> Vec<u8> {
    [&[10, 0, 0][..], &value.to_be_bytes(), &[0]].concat()
}

fn binary(bytes: &[u8]) -> Struct<'_> {
    Struct { protocol: Protocol::Binary, bytes }
}

/// What is advised for a method after these calls: each its second, its id and trace, and what it is answered.
fn advised(method: &str, ignored: Ignored, calls: impl Iterator<Item = (u64, (u64, u64), u64)>) -> Verdict {
    let study = Arc::new(Study::new(3, Arc::new(ignored), Millis(0)));
    let mut now = Millis(0);
    for (second, (id, trace), value) in calls {
        now = Millis(second * 1_000);
        let lesson = study.asked(binary(&arguments(id, trace)), now).unwrap();
        lesson.ended(End::Reply(binary(&reply(value))));
    }
    let schema = Schema::load(Path::new("s.thrift"), |_| Ok(IDL.to_owned())).unwrap();
    let declared = schema.service("S").unwrap().methods.get(method);
    verdict(&study.summary(now), &Known { name: method, declared, tolerance: 0.01 })
}

/// Fifty ids, each asked about every 5 s for 10 min.
fn asked(
    answer: impl Fn(u64, u64) -> u64,
    trace: impl Fn(u64) -> u64,
) -> impl Iterator<Item = (u64, (u64, u64), u64)> {
    (0..6_000).map(move |call| {
        let (second, id) = (call / 10, call % 50);
        (second, (id, trace(call)), answer(second, id))
    })
}

#[track_caller]
fn passes(verdict: &Verdict, reason: &str) {
    let Verdict::Pass { why } = verdict else { panic!("{verdict:?}") };
    assert!(why.contains(reason), "{why}");
}

#[test]
fn what_never_changes_is_kept_as_long_as_it_helps() {
    let verdict = advised("get", Ignored::default(), asked(|_, id| id, |_| 1));
    let Verdict::Cache { ttl, stale_while_revalidate, hits, wrong, .. } = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!((ttl, ttl + stale_while_revalidate, wrong), (60, 120, 0), "half of what was seen is sure");
    assert!(hits > 0.9, "{hits}");
}

#[test]
fn what_changes_now_and_then_is_kept_for_less() {
    // Each id changes every 10 min, at a time of its own.
    let changing = |second: u64, id: u64| (second + 12 * id) / 600 + 1_000 * id;
    let Verdict::Cache { ttl, stale_while_revalidate, wrong, compared, .. } =
        advised("get", Ignored::default(), asked(changing, |_| 1))
    else {
        panic!("it may be kept for a while")
    };
    assert!(ttl >= 10 && ttl + stale_while_revalidate <= 30, "{ttl} {stale_while_revalidate}");
    assert!(wrong as f64 <= 0.01 * compared as f64);
}

#[test]
fn what_changes_all_the_time_is_left_alone() {
    passes(&advised("get", Ignored::default(), asked(|second, _| second, |_| 1)), "its replies change");
    passes(
        &advised("get", Ignored::default(), asked(|second, id| second / 10 + id, |_| 1)),
        "its replies change",
    );
}

#[test]
fn what_looks_like_a_write_is_left_alone_whatever_it_answers() {
    passes(&advised("rename", Ignored::default(), asked(|_, _| 1, |_| 1)), "by its name");
    passes(&advised("ping", Ignored::default(), asked(|_, _| 1, |_| 1)), "returns nothing");
}

#[test]
fn a_field_that_names_the_call_is_to_be_left_out_first() {
    let named = |call| 1_000 + call;
    let verdict = advised("get", Ignored::default(), asked(|_, id| id, named));
    assert_eq!(verdict, Verdict::LeaveOut { fields: vec!["trace".to_owned()] });
    let without = Ignored::new([&[2_i16][..]]);
    assert!(matches!(advised("get", without, asked(|_, id| id, named)), Verdict::Cache { .. }));
    // A field that tells calls apart, a field whose values come again, and one of a method with one answer are no such names.
    passes(
        &advised("get", Ignored::default(), asked(|second, id| second * 100 + id, named)),
        "hardly asked again",
    );
    assert!(matches!(
        advised("get", Ignored::default(), asked(|_, id| id, |call| call % 7)),
        Verdict::Cache { .. }
    ));
    passes(&advised("get", Ignored::default(), asked(|_, _| 1, named)), "hardly asked again");
}

#[test]
fn little_is_not_enough() {
    let few = asked(|_, id| id, |_| 1).take(90);
    assert!(matches!(advised("get", Ignored::default(), few), Verdict::Wait { .. }));
    let short = asked(|_, id| id, |_| 1).take(150);
    assert!(
        matches!(advised("get", Ignored::default(), short), Verdict::Wait { .. }),
        "15 s say nothing of more than 5 s"
    );
    let once = (0..600).map(|call| (call, (call, 1), call));
    passes(&advised("get", Ignored::default(), once), "hardly asked again");
}

#[test]
fn a_rule_is_what_a_configuration_takes() {
    let cache = Verdict::Cache { ttl: 90, stale_while_revalidate: 30, hits: 0.9, compared: 900, wrong: 1 };
    let text = rule::rule("S.get", &cache, &["trace".to_owned()]).unwrap();
    assert_eq!(
        text,
        "[rules.\"S.get\"]\nttl = \"1m30s\"\nstale_while_revalidate = \"30s\"\n\
        # What may answer in an outage is yours to say.\nstale_if_error = \"1h\"\nignore = [\"trace\"]\n"
    );
    let out = Verdict::LeaveOut { fields: vec!["trace".to_owned()] };
    assert_eq!(
        rule::rule("S.get", &out, &["4.1".to_owned()]).unwrap(),
        "[rules.\"S.get\"]\nmode = \"observe\"\nignore = [\"4.1\", \"trace\"]\n"
    );
    assert_eq!(rule::rule("S.get\"]", &cache, &[]), None);
}
