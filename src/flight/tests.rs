//! What is shared, for how long, and by how many.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

impl Landing for Result<u32, ()> {
    type Spare = u32;

    fn failed(&self) -> bool {
        self.is_err()
    }
}

type Work = Flights<Result<u32, ()>>;

fn key(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

fn flights() -> Arc<Work> {
    at_most(100)
}

fn at_most(flights_max: usize) -> Arc<Work> {
    let (refresh_pause, unkept_time) = (Duration::from_secs(1), Duration::ZERO);
    let bounds = Bounds { waiters_max: 2, flights_max, refresh_pause, unkept_time };
    Flights::new(bounds, Seed::new(1))
}

const LONG: Duration = Duration::from_secs(60);

/// Asks for what nothing else answers, of any flight that is under way.
const ANY: Ask =
    Ask { oldest: LONG, deserted: Deserted::Lands, tick: Tick(0), since: Tick(0), need: Need::Bare };
/// The same, of none that is under way.
const OWN: Ask = Ask { oldest: Duration::ZERO, ..ANY };
/// What it holds is as much as all that may go on without callers.
const LARGE: Ask = Ask { deserted: Deserted::Ends(ORPHANED_MAX), ..ANY };

fn never(_: Option<&u32>) -> bool {
    false
}

async fn slow(value: Result<u32, ()>) -> Result<u32, ()> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    value
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_meanwhile_share_one_run() {
    let flights = flights();
    let runs = AtomicUsize::new(0);
    let join = || {
        flights.join(&key("k"), ANY, never, |_| {
            runs.fetch_add(1, Ordering::Relaxed);
            slow(Ok(7))
        })
    };
    let (Joined::Led(first, _), Joined::Followed(second)) = (join(), join()) else { unreachable!() };
    assert_eq!((first.land().await, second.land().await), (Some(Ok(7)), Some(Ok(7))));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flight_outlives_who_started_it() {
    let flights = flights();
    drop(flights.join(&key("k"), ANY, never, |_| slow(Ok(7))));
    let Joined::Followed(second) = flights.join(&key("k"), ANY, never, |_| slow(Ok(8))) else {
        unreachable!()
    };
    assert_eq!(second.land().await, Some(Ok(7)));
}

#[tokio::test(start_paused = true)]
async fn who_leads_a_flight_moves_it_on_and_a_task_does_from_where_it_is_left() {
    let (flights, began) = (flights(), Instant::now());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let joined = flights.join(&key("k"), ANY, never, |_| slow(Ok(7)));
    let Joined::Led(first, mut course) = joined else { unreachable!() };
    let left = tokio::time::timeout(Duration::from_millis(60), course.fly()).await;
    assert!(left.is_err() && (tasks(), flights.tasks(), flights.aloft()) == (0, 1, 1));
    drop(course);
    assert_eq!((tasks(), flights.tasks(), flights.aloft()), (1, 1, 1));
    assert_eq!((first.land().await, began.elapsed()), (Some(Ok(7)), Duration::from_millis(100)));
    let joined = flights.join(&key("k"), ANY, never, |_| slow(Ok(8)));
    let Joined::Led(second, mut course) = joined else { unreachable!() };
    course.fly().await;
    assert_eq!((second.land().await, flights.tasks(), flights.aloft()), (Some(Ok(8)), 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_older_flight_is_not_joined() {
    let flights = flights();
    drop(flights.join(&key("k"), ANY, never, |_| slow(Ok(7))));
    let Joined::Led(younger, _) = flights.join(&key("k"), OWN, never, |_| slow(Ok(8))) else {
        unreachable!()
    };
    assert_eq!(younger.land().await, Some(Ok(8)));
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_not_remembered() {
    let flights = flights();
    let Joined::Led(first, _) = flights.join(&key("k"), ANY, never, |_| slow(Err(()))) else {
        unreachable!()
    };
    assert_eq!(first.land().await, Some(Err(())));
    tokio::task::yield_now().await;
    assert!(matches!(flights.join(&key("k"), ANY, never, |_| slow(Ok(1))), Joined::Led(..)));
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_pauses_before_the_next() {
    let flights = flights();
    let runs = Arc::new(AtomicUsize::new(0));
    let refresh = || {
        let runs = Arc::clone(&runs);
        flights.refresh(b"k", Tick(0), |_, _| async move {
            runs.fetch_add(1, Ordering::Relaxed);
            Err(())
        });
    };
    refresh();
    tokio::time::sleep(Duration::from_millis(500)).await;
    refresh();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    refresh();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_flies_again_while_a_failed_refresh_pauses() {
    let flights = flights();
    flights.refresh(b"k", Tick(0), |_, _| async { Err(()) });
    tokio::task::yield_now().await;
    assert_eq!((flights.tasks(), flights.aloft()), (1, 0));
    let Joined::Led(again, _) = flights.join(&key("k"), ANY, never, |_| slow(Ok(7))) else { unreachable!() };
    assert_eq!(again.land().await, Some(Ok(7)));
}

#[tokio::test(start_paused = true)]
async fn only_a_refresh_that_failed_pauses() {
    for landing in [Ok(7), Err(())] {
        let flights = flights();
        let Joined::Led(call, _) = flights.join(&key("k"), ANY, never, |_| slow(landing)) else {
            unreachable!()
        };
        assert_eq!(call.land().await, Some(landing));
        flights.refresh(b"k", Tick(0), |_, _| std::future::pending());
        assert_eq!(flights.aloft(), 1, "a refresh after {landing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_the_seat_to_the_younger_flight_that_took_it() {
    let flights = flights();
    flights.refresh(b"k", Tick(0), |_, _| slow(Err(())));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let Joined::Led(younger, _) = flights.join(&key("k"), OWN, never, |_| slow(Ok(7))) else {
        unreachable!()
    };
    tokio::time::sleep(Duration::from_millis(75)).await;
    assert_eq!(flights.tasks(), 1, "the refresh has failed, and does not pause");
    let follower = flights.join(&key("k"), ANY, never, |_| slow(Ok(8)));
    let Joined::Followed(follower) = follower else { unreachable!() };
    assert_eq!((younger.land().await, follower.land().await), (Some(Ok(7)), Some(Ok(7))));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_flights_land_pauses_are_over_and_what_hangs_is_cut_off() {
    let flights = flights();
    let Joined::Led(lands, _) = flights.join(&key("lands"), ANY, never, |_| slow(Ok(7))) else {
        unreachable!()
    };
    let Joined::Led(hangs, _) = flights.join(&key("hangs"), ANY, never, |_| std::future::pending()) else {
        unreachable!()
    };
    flights.refresh(b"pauses", Tick(0), |_, _| async { Err(()) });
    tokio::task::yield_now().await;
    let began = Instant::now();
    assert_eq!((flights.tasks(), flights.ground(Duration::from_millis(500)).await), (3, 1));
    assert_eq!(began.elapsed(), Duration::from_millis(500));
    assert_eq!((lands.land().await, hangs.land().await, flights.tasks()), (Some(Ok(7)), None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_flight_shares_its_key_with_who_asks() {
    let (flights, key) = (flights(), key("k"));
    let Joined::Led(flight, _) = flights.join(&key, ANY, never, |_| slow(Ok(7))) else { unreachable!() };
    assert_eq!(Arc::strong_count(&key), 4);
    flight.land().await;
    drop(flight);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&key), 1);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_bounded() {
    let flights = flights();
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(flights.join(&key("k"), ANY, never, |_| slow(Ok(1))));
    }
    assert!(matches!(
        flights.join(&key("k"), ANY, never, |_| slow(Ok(1))),
        Joined::Crowded(Crowd::Waiters(2))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_holds_much_ends_with_the_last_who_waits() {
    let (flights, key) = (flights(), key("k"));
    let join = || flights.join(&key, LARGE, never, |_| slow(Ok(7)));
    let (Joined::Led(first, _), Joined::Followed(second)) = (join(), join()) else { unreachable!() };
    drop(first);
    tokio::task::yield_now().await;
    assert_eq!(flights.tasks(), 1);
    drop(second);
    let Joined::Led(third, _) = join() else { unreachable!() };
    tokio::task::yield_now().await;
    assert_eq!(flights.tasks(), 1);
    assert_eq!(third.land().await, Some(Ok(7)));
}

#[tokio::test(start_paused = true)]
async fn what_a_flight_finds_on_its_way_is_told_to_all_who_wait_before_it_lands() {
    let flights = flights();
    let work = |flight: Flight<_>| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        flight.finds(3, Need::Spared);
        flight.finds(4, Need::Spared);
        slow(Ok(7)).await
    };
    let Joined::Led(first, _) = flights.join(&key("k"), ANY, never, work) else { unreachable!() };
    let second = flights.join(&key("k"), ANY, never, |_| slow(Ok(8)));
    let Joined::Followed(second) = second else { unreachable!() };
    assert_eq!(first.spare(), None);
    let began = Instant::now();
    assert_eq!((first.found().await, second.found().await), (3, 3));
    assert_eq!((began.elapsed(), first.spare()), (Duration::from_millis(10), Some(3)));
    assert_eq!((first.land().await, second.land().await), (Some(Ok(7)), Some(Ok(7))));
    assert_eq!(began.elapsed(), Duration::from_millis(110));
}

#[tokio::test(start_paused = true)]
async fn an_older_flight_is_waited_for_by_who_says_so() {
    let flights = flights();
    drop(flights.join(&key("k"), ANY, never, |flight| {
        flight.finds(3, Need::Spared);
        slow(Ok(7))
    }));
    let said = |found: Option<&u32>| found == Some(&3);
    let Joined::Behind(older) = flights.join(&key("k"), OWN, said, |_| slow(Ok(8))) else { unreachable!() };
    assert_eq!((older.land().await, flights.aloft()), (Some(Ok(7)), 0));
    assert!(matches!(flights.join(&key("k"), OWN, said, |_| slow(Ok(8))), Joined::Led(..)));
}

#[tokio::test(start_paused = true)]
async fn of_many_flights_those_give_way_that_are_needed_least() {
    let flights = at_most(4);
    let ask = |name: &str, need| {
        let joined = flights.join(&key(name), Ask { need, ..ANY }, never, |_| std::future::pending());
        matches!(joined, Joined::Led(..))
    };
    let refresh = |name: &str| {
        let before = flights.aloft();
        flights.refresh(name.as_bytes(), Tick(0), |_, _| std::future::pending());
        flights.aloft() > before
    };
    assert!(ask("a", Need::Spared) && refresh("b"));
    assert!(!refresh("c"), "half of them fly");
    assert!(ask("d", Need::Spared) && !ask("e", Need::Spared), "three quarters fly");
    assert!(ask("f", Need::Bare) && !ask("g", Need::Bare), "all fly");
    let refused = flights.join(&key("h"), ANY, never, |_| std::future::pending());
    assert!(matches!(refused, Joined::Crowded(Crowd::Flights(4))));
    assert!(matches!(flights.join(&key("a"), ANY, never, |_| std::future::pending()), Joined::Followed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_pauses_does_not_fly() {
    let flights = flights();
    flights.refresh(b"k", Tick(0), |_, _| async { Err(()) });
    tokio::task::yield_now().await;
    assert_eq!((flights.tasks(), flights.aloft()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_holds_much_goes_on_when_its_callers_are_answered_as_far_as_there_is_room() {
    let flights = flights();
    let leave = |name: &str| {
        let Joined::Led(waiter, _) = flights.join(&key(name), LARGE, never, |_| slow(Ok(7))) else {
            unreachable!()
        };
        waiter.leave();
    };
    leave("a");
    tokio::task::yield_now().await;
    assert_eq!(flights.tasks(), 1, "it goes on");
    // Whoever comes and goes meanwhile does not end it.
    drop(flights.join(&key("a"), LARGE, never, |_| slow(Ok(8))));
    leave("b");
    tokio::task::yield_now().await;
    assert_eq!(flights.tasks(), 1, "for this one there is no room");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(flights.tasks(), 0);
    leave("b");
    tokio::task::yield_now().await;
    assert_eq!(flights.tasks(), 1, "the first has given its room back");
}
