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
