//! How many calls may be out, by what came of those before.

use super::*;

const MILLI: Duration = Duration::from_millis(1);

/// An answer at `at` to a call just before.
fn quick(at: Instant) -> Heard {
    Heard { sent: at, at, slow: Some(false) }
}

fn with_out(count: usize) -> (Limit, Vec<Era>) {
    let mut limit = Limit::default();
    let out = (0..count).map(|_| limit.begin()).collect();
    (limit, out)
}

#[test]
fn faults_of_calls_under_way_together_cut_once_and_answers_make_up_for_it() {
    let start = Instant::now();
    let (mut limit, out) = with_out(64);
    assert!(limit.allows_more() && !limit.is_cut());
    out.into_iter().for_each(|era| limit.end(era));
    limit.cut(start, start + MILLI);
    limit.cut(start, start + MILLI * 2);
    assert_eq!(limit.most(), Some(48), "of three quarters of the most that were out");
    (0..48).for_each(|_| limit.answered(quick(start), 64));
    assert_eq!(limit.most(), Some(49));
    (0..49).for_each(|_| _ = limit.begin());
    assert!(!limit.allows_more());
    limit.cut(start + MILLI * 3, start + MILLI * 4);
    assert_eq!(limit.most(), Some(36));
    (0..5_000).for_each(|_| limit.answered(quick(start), 64));
    assert!(!limit.is_cut(), "it does not outlive its cause");
}

#[test]
fn no_cut_goes_below_four() {
    let start = Instant::now();
    let (mut limit, _) = with_out(1);
    for n in 1..10 {
        limit.cut(start + MILLI * n, start + MILLI * n);
    }
    assert_eq!(limit.most(), Some(LEAST));
}

/// So many answers at `at` to calls sent then.
fn answers(limit: &mut Limit, count: usize, at: Instant, slow: bool) {
    (0..count).for_each(|_| limit.answered(Heard { sent: at, at, slow: Some(slow) }, 64));
}

/// As many go out as may, and come back.
fn is_used_up(limit: &mut Limit) {
    let most = limit.most().unwrap();
    let out: Vec<Era> = (0..most).map(|_| limit.begin()).collect();
    out.into_iter().for_each(|era| limit.end(era));
}

#[test]
fn who_is_back_gets_a_tenth_and_twice_as_much_after_each_step_that_brought_answers() {
    let start = Instant::now();
    let mut limit = Limit::default();
    limit.ramp(100, start);
    assert_eq!(limit.most(), Some(10));
    limit.answered(quick(start + STEP - MILLI), 64);
    assert_eq!(limit.most(), Some(10));
    limit.answered(quick(start + STEP), 64);
    limit.answered(quick(start + STEP), 64);
    assert_eq!(limit.most(), Some(20));
    is_used_up(&mut limit);
    answers(&mut limit, 18, start + STEP * 9, false);
    assert_eq!(limit.most(), Some(20), "of as many as it allows, one waits still");
    limit.answered(quick(start + STEP * 10), 64);
    assert_eq!(limit.most(), Some(40), "nothing came meanwhile: one step");
    limit.answered(quick(start + STEP * 11), 64);
    assert!(!limit.is_cut());
    limit.ramp(0, start);
    assert_eq!(limit.most(), Some(LEAST));
}

#[test]
fn a_ramp_goes_back_where_most_are_slow_and_then_as_if_they_were_faults() {
    let start = Instant::now();
    let mut limit = Limit::default();
    limit.begin_with(16, start);
    assert_eq!(limit.capacity(), None);
    is_used_up(&mut limit);
    answers(&mut limit, 7, start, true);
    answers(&mut limit, 9, start + STEP, false);
    assert_eq!(limit.most(), Some(32), "some may be slow by themselves");
    is_used_up(&mut limit);
    answers(&mut limit, 100, start + STEP, true);
    assert_eq!(limit.most(), Some(32), "the step is not over");
    answers(&mut limit, 1, start + STEP * 2, true);
    assert_eq!((limit.most(), limit.capacity()), (Some(16), Some(16)));
    limit.answered(Heard { sent: start, at: start + STEP * 2, slow: Some(true) }, 64);
    answers(&mut limit, 16, start + STEP * 3, false);
    assert_eq!(limit.most(), Some(17), "what was sent before tells nothing");
    answers(&mut limit, 17, start + STEP * 4, true);
    assert_eq!(limit.most(), Some(12));
    for n in 5..20 {
        answers(&mut limit, 12, start + STEP * n, true);
    }
    assert_eq!(limit.most(), Some(LEAST));
    answers(&mut limit, 3_000, start + STEP * 20, false);
    assert!(!limit.is_cut());
}

#[test]
fn what_begins_anew_allows_no_more_than_before_and_stays_for_as_long_as_it_is_told() {
    let start = Instant::now();
    let mut limit = Limit::default();
    limit.begin_with(6, start);
    limit.begin_with(20, start);
    assert_eq!(limit.most(), Some(6));
    limit.stay(true);
    answers(&mut limit, 100, start + STEP, false);
    assert_eq!(limit.most(), Some(6), "it was not used up");
    is_used_up(&mut limit);
    answers(&mut limit, 6, start + STEP * 2, false);
    assert_eq!(limit.most(), Some(12));
    for n in 3..10 {
        is_used_up(&mut limit);
        answers(&mut limit, 64, start + STEP * n, false);
    }
    assert_eq!(limit.most(), Some(64));
    limit.stay(false);
    answers(&mut limit, 64, start + STEP * 10, false);
    assert!(!limit.is_cut());
}

#[test]
fn what_is_known_to_be_all_stands_for_a_minute_and_is_no_strain() {
    let (start, minute) = (Instant::now(), Duration::from_secs(60));
    let mut limit = Limit::default();
    limit.stand(4, start);
    assert!(limit.is_cut() && !limit.is_strained());
    (0..100).for_each(|_| limit.answered(quick(start + minute - MILLI), 64));
    assert_eq!(limit.most(), Some(4));
    (0..4).for_each(|_| limit.answered(quick(start + minute), 64));
    assert_eq!(limit.most(), Some(5));
    limit.stand(4, start + minute);
    (0..100).for_each(|_| limit.answered(quick(start + minute), 64));
    assert_eq!(limit.most(), Some(4));
}

#[test]
fn a_fault_ends_the_ramp() {
    let start = Instant::now();
    let mut limit = Limit::default();
    limit.ramp(400, start);
    (0..40).for_each(|_| _ = limit.begin());
    limit.cut(start + MILLI, start + MILLI);
    assert_eq!(limit.most(), Some(30));
    limit.answered(quick(start + STEP * 2), 64);
    assert_eq!(limit.most(), Some(30));
}

#[test]
fn what_an_outage_left_hanging_does_not_count_after_it() {
    let start = Instant::now();
    let (mut limit, hanging) = with_out(20);
    limit.ramp(0, start);
    let since: Vec<Era> = (0..LEAST).map(|_| limit.begin()).collect();
    assert!(!limit.allows_more());
    hanging.into_iter().for_each(|era| limit.end(era));
    assert_eq!(limit.out(), LEAST);
    since.into_iter().for_each(|era| limit.end(era));
    assert_eq!(limit.out(), 0);
}

#[test]
fn a_ramp_of_which_nothing_is_heard_grows_by_time_where_it_is_used_up() {
    let start = Instant::now();
    let mut limit = Limit::default();
    limit.begin_with(0, start);
    let mut out = Vec::new();
    assert!(!limit.grow_unheard(start + STEP), "nobody needs more");
    out.extend((0..4).map(|_| limit.begin()));
    assert!(!limit.grow_unheard(start + STEP - MILLI));
    assert!(limit.grow_unheard(start + STEP) && !limit.grow_unheard(start + STEP));
    assert_eq!(limit.most(), Some(8));
    out.extend((0..4).map(|_| limit.begin()));
    answers(&mut limit, 1, start + STEP * 2, false);
    assert!(!limit.grow_unheard(start + STEP * 2), "answers tell now");
}
