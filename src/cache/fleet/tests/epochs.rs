//! Logs that lose marks, and what is left of those.

use super::*;

/// It hears the log before those who know what it has lost.
#[tokio::test(start_paused = true)]
async fn who_starts_after_a_failover_vouches_for_nothing_from_before() {
    let (world, [one, other]) = World::of_two().await;
    other.learns();
    let reach = one.cache.reaches(one.makes(Kind::Hard), Reach::Fleet).await;
    assert_eq!(reach, Reach::Fleet);
    [&one, &other].into_iter().for_each(Gateway::falls_silent);
    world.store.lose_marks(1);
    let late = world.gateway(3);
    sleep(HALF).await;
    assert_eq!(late.far().await, Some((Standing::Clear, false)));
}

/// Its old reply answers in an outage alone, and would not have had it heard the mark.
#[tokio::test(start_paused = true)]
async fn a_lost_mark_is_told_again_to_who_never_heard_it() {
    let (world, [one, mut other]) = World::of_two().await;
    other.learns();
    other.falls_silent();
    one.makes(Kind::Hard);
    sleep(HALF).await;
    one.learns();
    let before = one.marks().applied().sequence();
    world.store.lose_marks(1);
    other.life = World::life(&other.cache);
    sleep(HALF).await;
    assert_eq!((one.near(), other.near()), (Some((Standing::Clear, false)), Some((Standing::Hard, false))));
    // One opened an epoch, and one told it again, however many knew.
    world.store.lose_marks(0);
    sleep(HALF).await;
    assert_eq!(other.marks().applied().sequence(), before + 3);
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_of_a_log_that_was_lost_is_not_held_against_another() {
    let (world, [one, other]) = World::of_two().await;
    [&one, &other].into_iter().for_each(Gateway::falls_silent);
    world.store.empty();
    // It knows of no epoch and begins with an earlier one.
    let new = world.gateway(1_000);
    sleep(HALF).await;
    assert!(new.marks().applied() < one.marks().applied());
    one.learns();
    sleep(HALF).await;
    assert_eq!(new.far().await, Some((Standing::Clear, false)));
}

/// Whoever had not heard it knows nothing of it, however far he has come since.
#[tokio::test(start_paused = true)]
async fn fleet_is_not_said_of_a_mark_that_a_broken_log_may_have_lost() {
    let world = World::new();
    let caches = [1, 2].map(|number| world.cache(number));
    let [one, other] = caches.each_ref();
    let (ones, others) = (one.fleet.as_ref().unwrap(), other.fleet.as_ref().unwrap());
    for (fleet, cache) in [(ones, one), (others, other), (ones, one), (others, other)] {
        fleet.exchange(cache.marks()).await.unwrap();
    }
    let mark = Mark { covers: user().into(), kind: Kind::Hard, settle: Duration::ZERO };
    let ticket = one.mark(mark, world.clock.now()).unwrap();
    ones.exchange(one.marks()).await.unwrap();
    let place = ones.place(ticket).unwrap();
    world.store.lose_marks(1);
    others.exchange(other.marks()).await.unwrap();
    others.exchange(other.marks()).await.unwrap();
    // Nobody is waited for any more who held a lease before.
    advance(Duration::from_secs(2)).await;
    others.exchange(other.marks()).await.unwrap();
    for _ in 0..3 {
        ones.exchange(one.marks()).await.unwrap();
    }
    assert!(ones.state().fleet > place, "both have come further");
    assert_eq!(ones.reach(ticket), Reach::Shared);
}
