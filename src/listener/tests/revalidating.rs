//! What answers while it is refreshed, where the shared tier alone has it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::world::*;
use crate::cache::shared::{Counts, Memory, State};
use crate::clock::{Clock, Millis};
use crate::wire::message::Kind;

/// A gateway without a local tier for the rule's method, and the tier that it shares with others.
async fn shared_alone(method: &str, ttl: &str, timeout: &str) -> (World, Memory) {
    let rules = format!(
        "[rules.'S.{method}']\nttl = '{ttl}'\nstale_while_revalidate = '60s'\ntimeout = '{timeout}'\ntiers = ['shared']"
    );
    let clock = Clock::starting_at(Millis(1_000_000));
    let store = Memory::new(clock, Duration::from_millis(50), Counts::default());
    let given = Given {
        rules: &rules,
        backend: "retries = 0",
        store: Some(Arc::new(store.clone())),
        ..Given::default()
    };
    (World::new(given).await, store)
}

async fn asks(client: &mut Client, method: &str, value: i32) -> i32 {
    client.call(&[(method, value)]).await;
    client.reply().await.filter(|reply| reply.1 == Kind::Reply).unwrap().2
}

#[tokio::test(start_paused = true)]
async fn it_answers_at_once_and_one_call_refreshes_it_however_long_that_takes() {
    for ttl in ["1s", "50ms", "0s"] {
        let (world, _) = shared_alone("wait", ttl, "30s").await;
        let [mut first, mut second] = [world.client().await, world.client().await];
        assert_eq!(asks(&mut first, "wait", 500).await, 1);
        pass(2_000).await;
        let began = Instant::now();
        for _ in 0..4 {
            assert_eq!([asks(&mut first, "wait", 500).await, asks(&mut second, "wait", 500).await], [1, 1]);
            pass(100).await;
        }
        assert_eq!(began.elapsed(), Duration::from_millis(400));
        assert_eq!((world.heard().len(), world.under_way().flights), (2, 1), "{ttl}");
        pass(101).await;
        assert_eq!(asks(&mut first, "wait", 500).await, 2);
        let stale = world.metric("larder_calls_total{listener=\"it\",method=\"S.wait\",outcome=\"stale\"}");
        assert_eq!(stale, if ttl == "1s" { 8.0 } else { 9.0 });
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_refreshed_also_where_calls_come_faster_than_the_tier_answers() {
    let (world, store) = shared_alone("get", "1s", "30s").await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(world.client().await);
    }
    asks(&mut clients[0], "get", 0).await;
    pass(2_000).await;
    store.set(State::Up(Duration::from_millis(20)));
    for turn in 0..20 {
        let client = &mut clients[turn % 10];
        client.call(&[("get", 0)]).await;
        pass(5).await;
    }
    assert_eq!(world.heard().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_is_left_alone_for_a_while_after_a_refresh_that_failed() {
    let (world, _) = shared_alone("once", "1s", "200ms").await;
    let mut client = world.client().await;
    assert_eq!(asks(&mut client, "once", 0).await, 1);
    pass(2_000).await;
    let began = Instant::now();
    for _ in 0..24 {
        assert_eq!(asks(&mut client, "once", 0).await, 1);
        pass(100).await;
    }
    assert_eq!(began.elapsed(), Duration::from_millis(2_400));
    // Each takes 200 ms to fail, and a second passes before the next.
    assert_eq!(world.heard().len(), 1 + 2);
}
