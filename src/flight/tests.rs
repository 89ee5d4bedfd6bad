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
    let bounds = Bounds { waiters_max: 2, refresh_pause: Duration::from_secs(1) };
    Flights::new(bounds, Seed::new(1))
}

const LONG: Duration = Duration::from_secs(60);

async fn slow(value: Result<u32, ()>) -> Result<u32, ()> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    value
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_meanwhile_share_one_run() {
    let flights = flights();
    let runs = AtomicUsize::new(0);
    let join = || {
        flights.join(&key("k"), LONG, Deserted::Lands, |_| {
            runs.fetch_add(1, Ordering::Relaxed);
            slow(Ok(7))
        })
    };
    let (Joined::Led(first), Joined::Followed(second)) = (join(), join()) else { unreachable!() };
    assert_eq!((first.land().await, second.land().await), (Some(Ok(7)), Some(Ok(7))));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flight_outlives_who_started_it() {
    let flights = flights();
    drop(flights.join(&key("k"), LONG, Deserted::Lands, |_| slow(Ok(7))));
    let Joined::Followed(second) = flights.join(&key("k"), LONG, Deserted::Lands, |_| slow(Ok(8))) else {
        unreachable!()
    };
    assert_eq!(second.land().await, Some(Ok(7)));
}

#[tokio::test(start_paused = true)]
async fn an_older_flight_is_not_joined() {
    let flights = flights();
    drop(flights.join(&key("k"), LONG, Deserted::Lands, |_| slow(Ok(7))));
    let younger = flights.join(&key("k"), Duration::ZERO, Deserted::Lands, |_| slow(Ok(8)));
    let Joined::Led(younger) = younger else { unreachable!() };
    assert_eq!(younger.land().await, Some(Ok(8)));
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_not_remembered() {
    let flights = flights();
    let Joined::Led(first) = flights.join(&key("k"), LONG, Deserted::Lands, |_| slow(Err(()))) else {
        unreachable!()
    };
    assert_eq!(first.land().await, Some(Err(())));
    tokio::task::yield_now().await;
    assert!(matches!(flights.join(&key("k"), LONG, Deserted::Lands, |_| slow(Ok(1))), Joined::Led(_)));
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_pauses_before_the_next() {
    let flights = flights();
    let runs = Arc::new(AtomicUsize::new(0));
    let refresh = || {
        let runs = Arc::clone(&runs);
        flights.refresh(b"k", |_, _| async move {
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
async fn at_the_end_flights_land_pauses_are_over_and_what_hangs_is_cut_off() {
    let flights = flights();
    let Joined::Led(lands) = flights.join(&key("lands"), LONG, Deserted::Lands, |_| slow(Ok(7))) else {
        unreachable!()
    };
    let Joined::Led(hangs) = flights.join(&key("hangs"), LONG, Deserted::Lands, |_| std::future::pending())
    else {
        unreachable!()
    };
    flights.refresh(b"pauses", |_, _| async { Err(()) });
    tokio::task::yield_now().await;
    let began = Instant::now();
    assert_eq!((flights.tasks(), flights.ground(Duration::from_millis(500)).await), (3, 1));
    assert_eq!(began.elapsed(), Duration::from_millis(500));
    assert_eq!((lands.land().await, hangs.land().await, flights.tasks()), (Some(Ok(7)), None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_flight_shares_its_key_with_who_asks() {
    let (flights, key) = (flights(), key("k"));
    let Joined::Led(flight) = flights.join(&key, LONG, Deserted::Lands, |_| slow(Ok(7))) else {
        unreachable!()
    };
    assert_eq!(Arc::strong_count(&key), 4);
    flight.land().await;
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&key), 1);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_bounded() {
    let flights = flights();
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(flights.join(&key("k"), LONG, Deserted::Lands, |_| slow(Ok(1))));
    }
    assert!(matches!(flights.join(&key("k"), LONG, Deserted::Lands, |_| slow(Ok(1))), Joined::Crowded));
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_holds_much_ends_with_the_last_who_waits() {
    let (flights, key) = (flights(), key("k"));
    let join = || flights.join(&key, LONG, Deserted::Ends, |_| slow(Ok(7)));
    let (Joined::Led(first), Joined::Followed(second)) = (join(), join()) else { unreachable!() };
    drop(first);
    tokio::task::yield_now().await;
    assert_eq!(flights.tasks(), 1);
    drop(second);
    let Joined::Led(third) = join() else { unreachable!() };
    tokio::task::yield_now().await;
    assert_eq!(flights.tasks(), 1);
    assert_eq!(third.land().await, Some(Ok(7)));
}

#[tokio::test(start_paused = true)]
async fn what_a_flight_finds_on_its_way_is_told_to_all_who_wait_before_it_lands() {
    let flights = flights();
    let work = |flight: Flight<_>| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        flight.finds(3);
        flight.finds(4);
        slow(Ok(7)).await
    };
    let Joined::Led(first) = flights.join(&key("k"), LONG, Deserted::Lands, work) else { unreachable!() };
    let second = flights.join(&key("k"), LONG, Deserted::Lands, |_| slow(Ok(8)));
    let Joined::Followed(second) = second else { unreachable!() };
    assert_eq!(first.spare(), None);
    let began = Instant::now();
    assert_eq!((first.found().await, second.found().await), (3, 3));
    assert_eq!((began.elapsed(), first.spare()), (Duration::from_millis(10), Some(3)));
    assert_eq!((first.land().await, second.land().await), (Some(Ok(7)), Some(Ok(7))));
    assert_eq!(began.elapsed(), Duration::from_millis(110));
}
