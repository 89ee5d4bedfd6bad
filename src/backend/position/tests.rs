//! What takes an endpoint out of rotation, and what brings it back.

use super::super::doubling::Doubling;
use super::super::steer::Ordered;
use super::*;
use crate::backend::finding::Kind;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn pace(kind: Kind) -> Pace {
    Pace { kind, interval: 500 * MS, always: None, rest: Doubling { first: SECOND, most: 4 * SECOND } }
}

fn position(kind: Kind) -> (Position, Instant) {
    let now = Instant::now();
    (Position::new(pace(kind), now), now)
}

/// The moment of the next check, which is begun.
fn begin(position: &Position, now: Instant) -> Instant {
    let at = position.check_at().expect("one is wanted").max(now);
    assert!(position.begin_check(at));
    assert!(!position.begin_check(at), "one at a time");
    at
}

fn check(position: &Position, now: Instant, finding: Finding) -> (Instant, Effect) {
    let at = begin(position, now);
    (at, position.checked(finding, at, 0.5))
}

/// When checks that all find the same have it take calls again.
fn back(position: &Position, out: Instant, finding: Finding) -> Instant {
    let mut now = out;
    while !position.is_rotating() {
        (now, _) = check(position, now, finding);
    }
    now
}

#[tokio::test(start_paused = true)]
async fn two_refusals_take_it_out_and_one_answered_check_brings_it_back() {
    for kind in [Kind::Call, Kind::Fb303, Kind::Tcp] {
        let (position, now) = position(kind);
        assert_eq!(position.unreached(Why::Refused, now), Effect::Unchanged);
        let (now, effect) = check(&position, now, Finding::Refused);
        assert_eq!(effect, Effect::Ejected(Why::Refused));
        assert!(!position.lets_pass() && !position.is_probe_due(now));
        let (later, _) = check(&position, now, Finding::Refused);
        assert_eq!(later - now, 500 * MS);
        let (_, effect) = check(&position, later, Finding::Alive);
        assert_eq!(
            (effect, position.standing()),
            (Effect::Returned(Why::Refused, 500 * MS + (later - now)), Standing::Rotating)
        );
        assert_eq!(position.check_at(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_between_two_refusals_makes_them_one() {
    let (position, now) = position(Kind::Call);
    position.unreached(Why::Refused, now);
    position.answered(now, now + MS);
    assert_eq!(position.unreached(Why::Refused, now + 2 * MS), Effect::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn silence_needs_a_proper_answer_where_only_connections_are_checked_it_needs_time() {
    for (kind, waits) in [(Kind::Call, Duration::ZERO), (Kind::Tcp, SECOND), (Kind::Off, SECOND)] {
        let (position, now) = position(kind);
        assert_eq!(position.silent(now), Effect::Ejected(Why::Silent));
        assert!(position.lets_pass());
        let took = back(&position, now, Finding::Alive) - now;
        assert!(took >= waits && took <= waits + 500 * MS, "{kind:?} {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_calls_took_out_comes_back_by_a_call_at_once_and_by_checks_when_its_time_is_over() {
    let (position, began) = position(Kind::Call);
    let mut now = began;
    let fails_for = |now: &mut Instant, seconds: u32| {
        let out = *now;
        position.failing(out, 1.0);
        *now = back(&position, out, Finding::Alive);
        let took = *now - out;
        assert!(took >= seconds * SECOND && took < seconds * SECOND + 500 * MS, "{took:?}");
    };
    [1, 2, 4, 4].into_iter().for_each(|seconds| fails_for(&mut now, seconds));
    position.failing(now, 1.0);
    assert_eq!(position.answered(now - MS, now), Effect::Unchanged, "that was sent before");
    assert!(position.begin_probe(now) && !position.begin_probe(now + 499 * MS));
    assert_eq!(position.answered(now, now + MS), Effect::Returned(Why::Failing, now + MS - began));
    fails_for(&mut now, 1);
}

#[tokio::test(start_paused = true)]
async fn what_closes_on_every_check_is_tried_again_more_and_more_rarely_and_known_once_it_answers() {
    let (position, mut now) = position(Kind::Call);
    for seconds in [1, 2, 4, 4] {
        position.closed(now);
        let (out, effect) = check(&position, now, Finding::Closed);
        let left: fn(Why) -> Effect = if seconds == 1 { Effect::Ejected } else { Effect::Failed };
        assert_eq!((effect, position.standing()), (left(Why::Closed), Standing::Ejected(Why::Closed)));
        now = back(&position, out, Finding::Closed);
        let took = now - out;
        assert!(took >= seconds * SECOND && took < seconds * SECOND + 500 * MS, "{took:?}");
    }
    position.answered(now, now);
    for _ in 0..10 {
        position.closed(now);
        (now, _) = check(&position, now, Finding::Closed);
    }
    assert_eq!(position.standing(), Standing::Rotating);
}

/// Otherwise one outage would be many: with each that is tried in it, all would be well for as long as that takes.
#[tokio::test(start_paused = true)]
async fn what_is_tried_is_told_to_be_out_until_a_call_is_answered() {
    let (position, began) = position(Kind::Call);
    position.failing(began, 1.0);
    let mut now = back(&position, began, Finding::Alive);
    assert_eq!((position.standing(), position.is_back()), (Standing::Ejected(Why::Failing), false));
    assert_eq!(position.failing(now, 1.0), Effect::Failed(Why::Failing));
    assert_eq!(position.out_since(), Some(began));
    now = back(&position, now, Finding::Alive);
    assert_eq!(position.answered(now, now), Effect::Proven(Why::Failing, now - began));
    assert_eq!((position.standing(), position.is_back()), (Standing::Rotating, true));
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_and_gets_no_call_is_back_by_checks() {
    let (position, began) = position(Kind::Call);
    position.failing(began, 1.0);
    let tried = back(&position, began, Finding::Alive);
    let mut now = tried;
    while !position.is_back() {
        (now, _) = check(&position, now, Finding::Alive);
    }
    assert!(now >= tried + UNPROBED && now < tried + UNPROBED + SECOND, "{:?}", now - tried);
}

#[tokio::test(start_paused = true)]
async fn while_calls_find_out_checks_are_not_believed() {
    let (position, mut now) = position(Kind::Call);
    position.failing(now, 0.0);
    for _ in 0..20 {
        position.begin_probe(now);
        (now, _) = check(&position, now, Finding::Alive);
        assert_eq!(position.standing(), Standing::Ejected(Why::Failing));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_suspected_while_it_is_out_stays_out() {
    let (position, now) = position(Kind::Call);
    position.silent(now);
    position.suspect(now);
    assert!(!position.is_rotating());
}

#[tokio::test(start_paused = true)]
async fn checks_are_no_closer_than_their_interval_whatever_is_suspected() {
    let (position, now) = position(Kind::Call);
    position.suspect(now);
    let (at, _) = check(&position, now, Finding::Nothing);
    assert_eq!((at, position.check_at()), (now, None));
    position.suspect(now + MS);
    position.closed(now + 2 * MS);
    assert_eq!(position.check_at(), Some(now + 500 * MS));
}

#[tokio::test(start_paused = true)]
async fn what_refuses_while_it_is_out_for_silence_lets_nothing_pass_any_more() {
    let (position, now) = position(Kind::Call);
    position.silent(now);
    check(&position, now, Finding::Refused);
    assert_eq!((position.standing(), position.lets_pass()), (Standing::Ejected(Why::Refused), false));
}

#[tokio::test(start_paused = true)]
async fn periodic_checks_go_on_by_themselves() {
    let now = Instant::now();
    let position = Position::new(Pace { always: Some(10 * SECOND), ..pace(Kind::Call) }, now);
    let (at, _) = check(&position, now, Finding::Alive);
    assert_eq!(at - now, 10 * SECOND);
    assert_eq!(position.check_at(), Some(at + 10 * SECOND));
    let (at, _) = check(&position, at, Finding::Unwell);
    let (_, effect) = check(&position, at, Finding::Unwell);
    assert_eq!(effect, Effect::Ejected(Why::Unwell));
}

#[tokio::test(start_paused = true)]
async fn another_pace_brings_the_next_check_forward_and_never_puts_it_off() {
    let now = Instant::now();
    let every = |always| Pace { always, ..pace(Kind::Call) };
    let position = Position::new(every(None), now);
    assert_eq!(position.check_at(), None);
    for (always, expected) in [(Some(60), 60), (Some(10), 10), (Some(30), 10), (None, 10)] {
        position.obey(every(always.map(Duration::from_secs)), now);
        assert_eq!(position.check_at(), Some(now + Duration::from_secs(expected)), "{always:?}");
    }
    assert!(position.begin_check(now + Duration::from_secs(10)));
    position.obey(every(Some(SECOND)), now);
    assert_eq!(position.check_at(), None, "one is under way");
}

#[tokio::test(start_paused = true)]
async fn by_an_operators_word_it_stands_so_whatever_is_seen_of_it() {
    let (position, now) = position(Kind::Call);
    assert_eq!(position.order(Some(Ordered::Out), now), Effect::Ejected(Why::Ordered));
    assert_eq!(position.standing(), Standing::Ejected(Why::Ordered));
    assert!(!position.is_rotating() && !position.lets_pass() && !position.is_probe_due(now));
    assert_eq!(position.answered(now, now + MS), Effect::Unchanged);
    assert!(!position.is_rotating());
    assert_eq!(position.order(Some(Ordered::Drained), now + SECOND), Effect::Unchanged);
    assert!(position.lets_pass());
    assert_eq!(
        position.order(Some(Ordered::In), now + 3 * SECOND),
        Effect::Returned(Why::Drained, 2 * SECOND)
    );
    assert!(position.is_rotating() && position.is_kept_in());
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_of_it_counts_again_when_the_word_is_taken_back() {
    let (position, now) = position(Kind::Call);
    position.order(Some(Ordered::In), now);
    position.unreached(Why::Refused, now);
    let (_, effect) = check(&position, now, Finding::Refused);
    assert_eq!((effect, position.is_rotating()), (Effect::Unchanged, true));
    assert_eq!(position.order(None, now), Effect::Ejected(Why::Refused));
    position.order(Some(Ordered::Out), now);
    let (_, effect) = check(&position, now, Finding::Alive);
    assert_eq!(effect, Effect::Unchanged);
    assert_eq!(position.order(None, now + SECOND), Effect::Returned(Why::Ordered, SECOND));
}
