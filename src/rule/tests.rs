//! What an entry may be used for, and for how long.

use bytes::Bytes;

use super::*;
use crate::wire::Protocol;

fn caching() -> Caching {
    Caching {
        ttl: Duration::from_secs(10),
        ttl_jitter: 0.0,
        stale_while_revalidate: Duration::from_secs(5),
        stale_if_error: Duration::from_secs(60),
        hold: Duration::ZERO,
        ramp: Ramp::default(),
        verify: None,
        soft_timeout: None,
        ignored: Ignored::default(),
        headers: Headers::default(),
        revision: 0,
        tiers: Tiers::Both,
        exceptions: Arc::new([1]),
        exception_ttl: Duration::from_secs(2),
        exception_stale_if_error: Duration::ZERO,
        reply_max: 100,
        tagging: Tagging::default(),
        unvouched: Standing::Clear,
    }
}

fn entry(ending: Ending) -> Entry {
    Entry::new(Millis(1_000), ending, Protocol::Binary, Bytes::from_static(&[0]))
}

#[track_caller]
fn check(caching: &Caching, ending: Ending, age: u64, expected: Freshness) {
    let judged = caching.judge(&entry(ending), b"key", Millis(1_000 + age), Standing::Clear);
    assert_eq!(judged, expected, "at {age} ms");
}

#[test]
fn an_operators_hold_is_for_results_as_far_as_marks_leave_them_and_lengthens_no_keeping() {
    let held = Caching { hold: Duration::from_secs(600), ..caching() };
    check(&held, Ending::Result, 9_999, Freshness::Fresh);
    check(&held, Ending::Result, 609_999, Freshness::StaleIfError);
    check(&held, Ending::Result, 610_000, Freshness::Expired);
    check(&held, Ending::Exception(1), 2_000, Freshness::Expired);
    let marked = |standing| held.judge(&entry(Ending::Result), b"key", Millis(500_000), standing);
    assert_eq!([Standing::Soft, Standing::Hard].map(marked), [Freshness::StaleIfError, Freshness::Expired]);
    assert_eq!(held.longest(), caching().longest());
    assert_eq!(held.left(&entry(Ending::Result), Millis(1_000)).as_secs(), 610);
    let shorter = Caching { hold: Duration::from_secs(1), ..caching() };
    check(&shorter, Ending::Result, 69_999, Freshness::StaleIfError);
}

#[test]
fn a_ruled_method_has_a_bound_and_an_unruled_one_its_backends() {
    let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
    assert_eq!([Timeout::Own(one).at(Some(two)), Timeout::Own(one).at(None)], [Some(one), Some(one)]);
    assert_eq!([Timeout::Ruled.at(Some(two)), Timeout::Ruled.at(None)], [Some(two), Some(RULED_TIMEOUT)]);
    assert_eq!([Timeout::Backend.at(Some(two)), Timeout::Backend.at(None)], [Some(two), None]);
}

#[test]
fn an_entry_passes_through_its_states() {
    let caching = caching();
    check(&caching, Ending::Result, 0, Freshness::Fresh);
    check(&caching, Ending::Result, 9_999, Freshness::Fresh);
    check(&caching, Ending::Result, 10_000, Freshness::StaleWhileRevalidate);
    check(&caching, Ending::Result, 15_000, Freshness::StaleIfError);
    check(&caching, Ending::Result, 69_999, Freshness::StaleIfError);
    check(&caching, Ending::Result, 70_000, Freshness::Expired);
}

#[test]
fn a_kept_exception_has_its_own_times() {
    check(&caching(), Ending::Exception(1), 1_999, Freshness::Fresh);
    check(&caching(), Ending::Exception(1), 2_000, Freshness::Expired);
    let stale = Caching { exception_stale_if_error: Duration::from_secs(30), ..caching() };
    check(&stale, Ending::Exception(1), 1_999, Freshness::Fresh);
    check(&stale, Ending::Exception(1), 2_000, Freshness::StaleIfError);
    check(&stale, Ending::Exception(1), 31_999, Freshness::StaleIfError);
    check(&stale, Ending::Exception(1), 32_000, Freshness::Expired);
    check(&stale, Ending::Exception(2), 0, Freshness::Expired);
    assert!(stale.yields(&entry(Ending::Exception(1))) && !stale.yields(&entry(Ending::Result)));
}

#[test]
fn what_is_marked_softly_answers_in_an_outage_alone_and_what_is_marked_hard_never() {
    let judged = |caching: &Caching, ending, age: u64, standing| {
        caching.judge(&entry(ending), b"key", Millis(1_000 + age), standing)
    };
    let soft = |age| judged(&caching(), Ending::Result, age, Standing::Soft);
    assert_eq!(
        [0, 12_000, 69_999, 70_000].map(soft),
        [Freshness::StaleIfError, Freshness::StaleIfError, Freshness::StaleIfError, Freshness::Expired]
    );
    let short = Caching { stale_if_error: Duration::from_secs(1), ..caching() };
    assert_eq!(judged(&short, Ending::Result, 12_000, Standing::Clear), Freshness::StaleWhileRevalidate);
    assert_eq!(judged(&short, Ending::Result, 12_000, Standing::Soft), Freshness::Expired);
    let never_stale = Caching { exception_ttl: Duration::ZERO, ..caching() };
    assert_eq!(judged(&never_stale, Ending::Exception(1), 0, Standing::Soft), Freshness::Expired);
    assert_eq!(judged(&caching(), Ending::Result, 0, Standing::Hard), Freshness::Expired);
}

#[test]
fn an_outage_only_entry_is_never_fresh() {
    let caching = Caching { ttl: Duration::ZERO, stale_while_revalidate: Duration::ZERO, ..caching() };
    check(&caching, Ending::Result, 0, Freshness::StaleIfError);
}

#[test]
fn an_entry_is_of_use_until_the_last_of_its_windows_ends() {
    let longest = |swr, sie, exception| {
        let [stale_while_revalidate, stale_if_error, exception_stale_if_error] =
            [swr, sie, exception].map(Duration::from_secs);
        let caching =
            Caching { stale_while_revalidate, stale_if_error, exception_stale_if_error, ..caching() };
        caching.longest().as_secs()
    };
    assert_eq!([longest(5, 60, 0), longest(60, 5, 0), longest(5, 60, 90)], [70, 70, 92]);
}

#[test]
fn what_is_left_of_an_entry_is_until_the_last_moment_at_which_it_may_answer() {
    let left =
        |caching: &Caching, ending, age: u64| caching.left(&entry(ending), Millis(1_000 + age)).as_millis();
    assert_eq!(
        [0, 69_999, 70_000, 99_000].map(|age| left(&caching(), Ending::Result, age)),
        [70_000, 1, 0, 0]
    );
    assert_eq!([0, 1_999, 2_000].map(|age| left(&caching(), Ending::Exception(1), age)), [2_000, 1, 0]);
    let stale = Caching { exception_stale_if_error: Duration::from_secs(30), ..caching() };
    assert_eq!([0, 2_000, 32_000].map(|age| left(&stale, Ending::Exception(1), age)), [32_000, 30_000, 0]);
    let jittered = Caching { ttl_jitter: 0.5, ..caching() };
    assert_eq!(left(&jittered, Ending::Result, 0), 65_000);
    let revalidated = Caching { stale_if_error: Duration::ZERO, ..caching() };
    assert_eq!(left(&revalidated, Ending::Empty, 0), 15_000);
}

#[test]
fn jitter_only_shortens_and_is_the_same_everywhere() {
    let jittered = Caching { ttl_jitter: 0.5, ..caching() };
    let ttl = jittered.ttl_of(&entry(Ending::Result), b"key");
    assert!(ttl <= jittered.ttl && ttl >= jittered.ttl / 2);
    assert_eq!(ttl, jittered.ttl_of(&entry(Ending::Result), b"key"));
    assert_ne!(ttl, jittered.ttl_of(&entry(Ending::Result), b"another"));
}

#[test]
fn an_exception_that_is_not_kept_removes_and_a_long_reply_leaves() {
    assert_eq!(caching().keeping(&entry(Ending::Exception(2))), Keeping::Remove);
    assert_eq!(caching().keeping(&entry(Ending::Exception(1))), Keeping::Keep);
    let long = |ending| Entry { body: Bytes::from(vec![0; 101]), ..entry(ending) };
    assert_eq!(caching().keeping(&long(Ending::Result)), Keeping::Leave);
    assert_eq!(caching().keeping(&long(Ending::Exception(1))), Keeping::Remove);
}

#[test]
fn a_tier_is_used_where_the_rule_names_it() {
    let used = [Tiers::Local, Tiers::Shared, Tiers::Both].map(|tiers| (tiers.local(), tiers.shared()));
    assert_eq!(used, [(true, false), (false, true), (true, true)]);
}
