//! How long a caller waits who has an old entry at hand.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::world::*;
use crate::cache::shared::{Counts, Memory};
use crate::clock::{Clock, Millis};
use crate::wire::message::Kind;

/// One failure ejects the only endpoint, and an unruled call fails within a second.
const FRAIL: &str = "ejection_failures = 1\ntimeout = '1s'";

fn outcomes(world: &World, method: &str, outcome: &str) -> f64 {
    world.metric(&format!("larder_calls_total{{listener=\"it\",method=\"{method}\",outcome=\"{outcome}\"}}"))
}

#[tokio::test(start_paused = true)]
async fn who_has_an_old_entry_is_released_when_the_backend_goes_down_and_the_flight_goes_on() {
    let rules = "[rules.'S.once']\nttl = '1s'\nstale_if_error = '60s'\ntimeout = '20s'";
    let world = World::new(Given { rules, backend: FRAIL, ..Given::default() }).await;
    let [mut first, mut second, mut other] =
        [world.client().await, world.client().await, world.client().await];
    first.call(&[("once", 0)]).await;
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 1)));
    pass(2_000).await;
    let began = Instant::now();
    first.call(&[("once", 0)]).await;
    second.call(&[("once", 0)]).await;
    pass(10).await;
    other.call(&[("hang", 0)]).await;
    assert_eq!(other.reply().await.map(|reply| reply.1), Some(Kind::Exception));
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(second.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(began.elapsed(), Duration::from_millis(1_010));
    assert_eq!(outcomes(&world, "S.once", "stale_if_error"), 2.0);
    assert_eq!((world.under_way().flights, world.heard().len()), (1, 3), "it goes on, and is not repeated");
}

#[tokio::test(start_paused = true)]
async fn what_the_flight_found_in_the_shared_tier_releases_those_who_wait() {
    let rules = "[rules.'S.once']\nttl = '1s'\nstale_if_error = '60s'\ntimeout = '20s'\ntiers = ['shared']";
    let clock = Clock::starting_at(Millis(1_000_000));
    let store = Memory::new(clock, Duration::from_millis(50), Counts::default());
    let given = Given { rules, backend: FRAIL, store: Some(Arc::new(store)), ..Given::default() };
    let world = World::new(given).await;
    let [mut first, mut second, mut other] =
        [world.client().await, world.client().await, world.client().await];
    first.call(&[("once", 0)]).await;
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 1)));
    pass(2_000).await;
    let began = Instant::now();
    first.call(&[("once", 0)]).await;
    second.call(&[("once", 0)]).await;
    pass(10).await;
    other.call(&[("hang", 0)]).await;
    other.reply().await;
    assert_eq!(first.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(second.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(began.elapsed(), Duration::from_millis(1_010));
    // It is down by now: what a flight finds there answers at once, whatever the flight does further.
    pass(1_000).await;
    let began = Instant::now();
    second.call(&[("once", 0)]).await;
    assert_eq!(second.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_has_nothing_servable_is_not_released() {
    let rules = "[rules.'S.once']\nttl = '1s'\nstale_if_error = '2s'\ntimeout = '5s'";
    let world = World::new(Given { rules, backend: FRAIL, ..Given::default() }).await;
    let [mut client, mut other] = [world.client().await, world.client().await];
    client.call(&[("once", 0)]).await;
    client.reply().await;
    // It is servable when it is asked for, and no more when the backend goes down.
    pass(2_500).await;
    let began = Instant::now();
    client.call(&[("once", 0)]).await;
    other.call(&[("hang", 0)]).await;
    assert_eq!(other.reply().await.map(|reply| reply.1), Some(Kind::Exception));
    assert_eq!(client.reply().await.map(|reply| reply.1), Some(Kind::Exception));
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}
