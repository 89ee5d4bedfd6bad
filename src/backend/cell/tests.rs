//! When one method is out at one endpoint, and how it returns.

use super::*;

const LIMITS: Limits = Limits { failures: 3, time: Doubling { first: SECOND, most: Duration::from_secs(4) } };
const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// What the last of three failures in a row comes to.
const OUT: Turned = Turned::Out { time: SECOND, failures: 3 };

async fn pass(time: Duration) {
    tokio::time::advance(time).await;
}

/// Fails so many calls, one after the other.
async fn fail(cell: &Cell, times: u32) -> Turned {
    let mut turned = Turned::No;
    for _ in 0..times {
        let sent = Instant::now();
        pass(Duration::from_millis(1)).await;
        turned = failed(cell, sent, false);
    }
    turned
}

/// One that was sent then has failed.
fn failed(cell: &Cell, sent: Instant, is_trial: bool) -> Turned {
    cell.failed(Failed { sent, now: Instant::now(), is_trial }, LIMITS, || 1.0)
}

/// What a trial that fails comes to.
async fn fail_trial(cell: &Cell) -> Turned {
    let sent = Instant::now();
    assert!(cell.begin_trial(sent, Duration::ZERO));
    pass(Duration::from_millis(1)).await;
    let turned = failed(cell, sent, true);
    cell.end_trial();
    turned
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_turn_it_out_and_an_answer_between_them_does_not() {
    let cell = Cell::new(Instant::now());
    fail(&cell, 2).await;
    cell.answered(Instant::now(), Instant::now());
    assert_eq!(fail(&cell, 2).await, Turned::No);
    assert_eq!(fail(&cell, 1).await, OUT);
    assert!(!cell.is_in());
}

#[tokio::test(start_paused = true)]
async fn of_calls_that_were_under_way_together_one_failure_counts() {
    let cell = Cell::new(Instant::now());
    for _ in 0..2 {
        let sent = Instant::now();
        for _ in 0..20 {
            pass(Duration::from_millis(1)).await;
            assert_eq!(failed(&cell, sent, false), Turned::No);
        }
    }
    assert_eq!(fail(&cell, 1).await, OUT);
}

#[tokio::test(start_paused = true)]
async fn one_trial_at_a_time_and_each_that_failed_doubles_the_time() {
    let cell = Cell::new(Instant::now());
    fail(&cell, 3).await;
    for (seconds, next) in [(1, 2), (2, 4), (4, 4)] {
        assert!(!cell.begin_trial(Instant::now(), Duration::ZERO));
        pass(Duration::from_secs(seconds)).await;
        assert!(!cell.is_due(Instant::now(), Duration::from_millis(1)), "others are to be let before");
        assert_eq!(fail_trial(&cell).await, Turned::StillOut(Duration::from_secs(next)));
    }
    pass(Duration::from_secs(4)).await;
    assert!(cell.begin_trial(Instant::now(), Duration::ZERO));
    let out = Duration::from_secs(1 + 2 + 4 + 4) + 3 * MS;
    assert_eq!(cell.answered(Instant::now(), Instant::now()), Turned::Back(out));
    assert!(cell.is_in());
    assert_eq!(fail(&cell, 3).await, OUT, "the times count anew");
}

#[tokio::test(start_paused = true)]
async fn a_trial_tells_alone_whatever_fails_beside_it() {
    let cell = Cell::new(Instant::now());
    fail(&cell, 3).await;
    pass(SECOND).await;
    let sent = Instant::now();
    assert!(cell.begin_trial(sent, Duration::ZERO) && !cell.begin_trial(sent, Duration::ZERO));
    assert_eq!(fail(&cell, 5).await, Turned::No);
    assert_eq!(failed(&cell, sent, true), Turned::StillOut(2 * SECOND));
    assert_eq!(cell.answered(Instant::now(), Instant::now()), Turned::Back(SECOND + 5 * MS));
    fail(&cell, 3).await;
    assert_eq!(failed(&cell, sent, true), Turned::No, "it was sent before the method was out again");
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_tells_nothing_makes_room_for_the_next() {
    let cell = Cell::new(Instant::now());
    fail(&cell, 3).await;
    pass(SECOND).await;
    assert!(cell.begin_trial(Instant::now(), Duration::ZERO));
    cell.end_trial();
    assert!(cell.begin_trial(Instant::now(), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_makes_a_trial_due_and_is_none() {
    let cell = Cell::new(Instant::now());
    let sent = Instant::now();
    fail(&cell, 3).await;
    assert!(!cell.is_due(Instant::now(), Duration::ZERO));
    assert_eq!(cell.answered(sent, Instant::now()), Turned::No);
    assert!(!cell.is_in() && cell.is_due(Instant::now(), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_because_they_have_nothing_else_do_not_lengthen_its_time() {
    let cell = Cell::new(Instant::now());
    fail(&cell, 3).await;
    assert_eq!(fail(&cell, 50).await, Turned::No);
    pass(SECOND).await;
    assert!(cell.is_due(Instant::now(), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn one_of_five_failing_calls_is_not_poor_and_more_are_for_half_a_minute() {
    let cell = Cell::new(Instant::now());
    let mix = async |failures: u32, answers: u32| {
        for _ in 0..4 {
            fail(&cell, failures).await;
            (0..answers).for_each(|_| {
                cell.answered(Instant::now(), Instant::now());
            });
        }
    };
    mix(1, 4).await;
    assert!(!cell.is_poor(Instant::now()));
    mix(2, 2).await;
    assert!(cell.is_poor(Instant::now()) && cell.is_in());
    pass(Duration::from_secs(30)).await;
    assert!(!cell.is_poor(Instant::now()));
}
