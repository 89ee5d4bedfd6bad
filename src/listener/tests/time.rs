//! What a call's time and a reply's age count from.

use std::sync::Arc;
use std::time::Duration;

use super::world::*;
use crate::cache::shared::{Counts, Memory, State};
use crate::clock::{Clock, Millis};
use crate::wire::message::Kind;

#[tokio::test(start_paused = true)]
async fn a_hit_is_as_old_as_it_may_be_when_its_turn_comes() {
    let rules = "[rules.'S.count']\nttl = '1s'\n[rules.'S.wait']\nidempotent = true\ntimeout = '20s'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("count", 0)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    client.call(&[("wait", 5_000), ("count", 0)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 2)));
    assert_eq!(client.reply().await, Some((2, Kind::Reply, 3)), "the entry was too old by then");
    assert_eq!(world.metric("larder_calls_total{listener=\"it\",method=\"S.count\",outcome=\"miss\"}"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_hit_that_is_still_good_when_its_turn_comes_has_the_age_it_has_then() {
    let rules = "[rules.'S.count']\nttl = '60s'\n[rules.'S.wait']\nidempotent = true\ntimeout = '20s'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("count", 0)]).await;
    client.reply().await;
    client.call(&[("wait", 5_000), ("count", 0)]).await;
    client.reply().await;
    assert_eq!(client.reply().await, Some((2, Kind::Reply, 1)));
    let age = world.metric("larder_served_age_seconds_sum{outcome=\"hit_local\"}");
    assert!((5.0..5.1).contains(&age), "{age}");
}

#[tokio::test(start_paused = true)]
async fn an_old_entry_that_answers_for_a_fault_is_judged_again_too() {
    let rules = "[rules.'S.once']\nttl = '0s'\nstale_if_error = '3s'\ntimeout = '500ms'\n\
                 [rules.'S.wait']\nidempotent = true\ntimeout = '20s'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("once", 0)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    client.call(&[("wait", 1_000), ("once", 0)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 2)));
    assert_eq!(client.reply().await, Some((2, Kind::Reply, 1)), "it is old enough to answer for a fault");
    client.call(&[("wait", 5_000), ("once", 0)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 3)));
    assert_eq!(client.reply().await.map(|reply| reply.1), Some(Kind::Exception), "and now it is not");
}

#[tokio::test(start_paused = true)]
async fn the_clients_time_counts_from_the_first_byte_of_its_call() {
    let world = World::new(Given { listener: "client_timeout = '2s'", ..Given::default() }).await;
    let mut client = world.client().await;
    // Neither takes 2 s, but the second waits unread for the first.
    client.call(&[("wait", 1_500), ("wait", 1_000)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(client.reply().await, None);
    assert_eq!(world.closed("late_reply"), 1);
    let mut client = world.client().await;
    let call = call("wait", 1, 1_000);
    client.send(&call[..10]).await;
    pass(1_500).await;
    client.send(&call[10..]).await;
    assert_eq!(client.reply().await, None, "it arrived in pieces");
    assert_eq!(world.closed("late_reply"), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_are_timed_from_their_first_byte() {
    let world = World::new(Given { rules: "[rules.'S.count']\nttl = '60s'", ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("wait", 1_500), ("wait", 1_000)]).await;
    client.reply().await;
    client.reply().await;
    let passed = world.metric("larder_call_seconds_sum{listener=\"it\",outcome=\"passed\"}");
    assert!((4.0..4.1).contains(&passed), "{passed}");
    client.call(&[("count", 0)]).await;
    client.reply().await;
    let call = call("count", 1, 0);
    client.send(&call[..10]).await;
    pass(700).await;
    client.send(&call[10..]).await;
    client.reply().await;
    let hit = world.metric("larder_call_seconds_sum{listener=\"it\",outcome=\"hit_local\"}");
    assert!((0.7..0.8).contains(&hit), "{hit}");
}

#[tokio::test(start_paused = true)]
async fn the_time_to_finish_a_message_is_that_of_one_message() {
    // What is answered at once leaves nothing under way between two reads.
    let rules = "[rules.'S.count']\nttl = '60s'";
    let world = World::new(Given { limits: "message_time = '2s'", rules, ..Given::default() }).await;
    let mut client = world.client().await;
    let call = call("count", 1, 0);
    client.send(&call[..10]).await;
    for _ in 0..10 {
        pass(1_000).await;
        // Each read ends inside the next message.
        client.send(&[&call[10..], &call[..10]].concat()).await;
        assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    }
    pass(2_100).await;
    assert_eq!(world.closed("message_time"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_shared_tiers_time_is_not_the_backends() {
    let clock = Clock::starting_at(Millis(1_000_000));
    let slow = Memory::new(clock, Duration::from_millis(80), Counts::default());
    slow.set(State::Up(Duration::from_millis(70)));
    let rules = "[rules.'S.wait']\nttl = '60s'\ntimeout = '100ms'";
    let world = World::new(Given { rules, store: Some(Arc::new(slow)), ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("wait", 90)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
}
