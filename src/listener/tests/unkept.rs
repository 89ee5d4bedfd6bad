//! Keys whose replies are not kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::world::*;
use crate::cache::shared::{Counts, Memory, Read};
use crate::clock::{Clock, Millis};
use crate::wire::message::Kind;

/// A tier that several gateways share, and what is counted of it.
fn shared() -> (Memory, Counts) {
    let counts = Counts::default();
    let clock = Clock::starting_at(Millis(1_000_000));
    (Memory::new(clock, Duration::from_millis(50), counts.clone()), counts)
}

async fn asks(client: &mut Client, method: &str, value: i32) -> (Kind, i32) {
    client.call(&[(method, value)]).await;
    client.reply().await.map(|(_, kind, number)| (kind, number)).unwrap()
}

/// Nothing that was not kept before is short enough from here on.
fn keeps_no_more(world: &mut World) {
    world.reload(|text| text.replace("max_reply = '1KiB'", "max_reply = 1"));
}

#[tokio::test(start_paused = true)]
async fn for_a_while_the_shared_tier_is_not_asked_for_what_is_not_kept() {
    let (store, counts) = shared();
    let rules = "[rules.'S.get']\nttl = '60s'\nmax_reply = 1";
    let world = World::new(Given { rules, store: Some(Arc::new(store)), ..Given::default() }).await;
    let mut client = world.client().await;
    for (wait, reads) in [(0, 1), (5_000, 1), (4_900, 1), (200, 2), (1_000, 2)] {
        pass(wait).await;
        assert_eq!(asks(&mut client, "get", 0).await.0, Kind::Reply);
        assert_eq!(counts.reads(Read::Miss), reads, "after {wait} ms");
    }
    assert_eq!(world.heard().len(), 5);
    let labels = "listener=\"it\",method=\"S.get\",reason=\"too_large\"";
    assert_eq!(world.metric(&format!("larder_unkept_replies_total{{{labels}}}")), 5.0);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_after_all_is_found_as_ever() {
    let (store, _) = shared();
    let rules = "[rules.'S.lack']\nttl = '60s'";
    let world = World::new(Given { rules, store: Some(Arc::new(store)), ..Given::default() }).await;
    let mut client = world.client().await;
    assert_eq!(asks(&mut client, "lack", 0).await, (Kind::Reply, 1), "an exception");
    // Gateways do not agree on the time to the millisecond.
    pass(10).await;
    assert_eq!(
        [asks(&mut client, "lack", 0).await, asks(&mut client, "lack", 0).await],
        [(Kind::Reply, 2); 2]
    );
    assert_eq!(world.metric("larder_unkept_replies_total"), 1.0);
}

/// The first of two gateways on one tier has just been told that there is nothing, the second that there is something.
#[tokio::test(start_paused = true)]
async fn what_another_gateway_has_kept_meanwhile_answers_in_an_outage() {
    let (store, _) = shared();
    let rules = "[rules.'S.lack']\nttl = '1s'\nstale_if_error = '60s'";
    let given = || Given { rules, store: Some(Arc::new(store.clone())), ..Given::default() };
    let (world, other) = (World::new(given()).await, World::new(given()).await);
    let (mut client, mut elsewhere) = (world.client().await, other.client().await);
    asks(&mut client, "lack", 0).await;
    pass(100).await;
    asks(&mut elsewhere, "lack", 1).await;
    assert_eq!(asks(&mut elsewhere, "lack", 0).await, (Kind::Reply, 2));
    pass(2_000).await;
    world.dies();
    client.call(&[("close", 0)]).await;
    client.reply().await;
    assert_eq!(asks(&mut client, "lack", 0).await, (Kind::Reply, 2));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_brings_what_is_not_kept_pauses_as_one_that_failed() {
    for tiers in ["['local']", "['shared']"] {
        let rules = format!(
            "[rules.'S.get']\nttl = '1s'\nstale_while_revalidate = '60s'\nmax_reply = '1KiB'\ntiers = {tiers}"
        );
        let store = Some(Arc::new(shared().0) as Arc<_>);
        let mut world = World::new(Given { rules: &rules, store, ..Given::default() }).await;
        let mut client = world.client().await;
        asks(&mut client, "get", 0).await;
        keeps_no_more(&mut world);
        pass(2_000).await;
        for _ in 0..20 {
            assert_eq!(asks(&mut client, "get", 0).await, (Kind::Reply, 1), "what is older is left");
            pass(100).await;
        }
        assert_eq!(world.heard().len(), 1 + 2, "{tiers}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_behind_a_call_whose_reply_will_not_be_kept() {
    let rules =
        "[rules.'S.wait']\nttl = '0s'\nstale_if_error = '60s'\nsoft_timeout = '200ms'\nmax_reply = '1KiB'";
    let mut world = World::new(Given { rules, ..Given::default() }).await;
    let [mut first, mut second] = [world.client().await, world.client().await];
    asks(&mut first, "wait", 150).await;
    keeps_no_more(&mut world);
    assert_eq!(asks(&mut first, "wait", 150).await, (Kind::Reply, 2));
    let began = Instant::now();
    first.call(&[("wait", 150)]).await;
    pass(60).await;
    assert_eq!(asks(&mut second, "wait", 150).await, (Kind::Reply, 4));
    assert_eq!(began.elapsed(), Duration::from_millis(210));
}
