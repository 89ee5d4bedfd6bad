//! Exceptions that are kept as answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::world::*;
use crate::cache::shared::{Counts, Memory, Store};
use crate::clock::{Clock, Millis};
use crate::wire::message::Kind;

/// Its exceptions are fresh for a second and answer for a minute after that when the backend fails.
const KEPT: &str = "[rules.'S.lack']\nttl = '60s'\nstale_if_error = '60s'\ntimeout = '5s'\ncache_exceptions = ['1']\n\
    exception_ttl = '1s'\nexception_stale_if_error = '60s'\n";

/// A client that asks for 0, and is answered with the backend's first answer, an exception.
async fn told(world: &World) -> Client {
    let mut client = world.client().await;
    assert_eq!(asks(&mut client, 0).await, (Kind::Reply, 1));
    client
}

async fn asks(client: &mut Client, value: i32) -> (Kind, i32) {
    client.call(&[("lack", value)]).await;
    client.reply().await.map(|(_, kind, number)| (kind, number)).unwrap()
}

/// The backend dies, and is known to be down.
async fn is_down(world: &World, client: &mut Client) {
    world.dies();
    client.call(&[("close", 0)]).await;
    client.reply().await;
    eventually(|| world.metric("larder_backend_down") == 1.0).await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_exception_answers_in_an_outage_for_as_long_as_its_own_window() {
    let world = World::new(Given { rules: KEPT, ..Given::default() }).await;
    let mut client = told(&world).await;
    pass(2_000).await;
    is_down(&world, &mut client).await;
    assert_eq!(asks(&mut client, 0).await, (Kind::Reply, 1));
    assert_eq!(
        world.metric("larder_calls_total{listener=\"it\",method=\"S.lack\",outcome=\"stale_if_error\"}"),
        1.0
    );
    pass(60_000).await;
    assert_eq!(asks(&mut client, 0).await.0, Kind::Exception);
}

#[tokio::test(start_paused = true)]
async fn without_a_window_of_its_own_it_is_never_stale() {
    let rules = KEPT.replace("exception_stale_if_error = '60s'", "");
    let world = World::new(Given { rules: &rules, ..Given::default() }).await;
    let mut client = told(&world).await;
    pass(2_000).await;
    is_down(&world, &mut client).await;
    assert_eq!(asks(&mut client, 0).await.0, Kind::Exception);
}

#[tokio::test(start_paused = true)]
async fn while_the_backend_answers_it_is_fresh_for_its_own_time() {
    let world = World::new(Given { rules: KEPT, ..Given::default() }).await;
    let mut client = told(&world).await;
    pass(900).await;
    assert_eq!(asks(&mut client, 0).await, (Kind::Reply, 1));
    pass(200).await;
    assert_eq!(asks(&mut client, 0).await, (Kind::Reply, 2), "a result");
}

/// Two gateways on one tier, of which the second has learnt after the first that there is something.
#[tokio::test(start_paused = true)]
async fn in_an_outage_it_does_not_hide_what_another_gateway_has_learnt_since() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(
        Clock::starting_at(Millis(1_000_000)),
        Duration::from_millis(50),
        Counts::default(),
    ));
    let given = || Given { rules: KEPT, store: Some(Arc::clone(&store)), ..Given::default() };
    let (world, other) = (World::new(given()).await, World::new(given()).await);
    let (mut client, mut elsewhere) = (told(&world).await, other.client().await);
    pass(1_500).await;
    asks(&mut elsewhere, 1).await;
    assert_eq!(asks(&mut elsewhere, 0).await, (Kind::Reply, 2), "a result");
    is_down(&world, &mut client).await;
    assert_eq!(asks(&mut client, 0).await, (Kind::Reply, 2));
    // Where nobody knows better, nobody waits either.
    assert_eq!(asks(&mut client, 1).await, (Kind::Reply, 1));
    pass(1_500).await;
    let began = Instant::now();
    assert_eq!(asks(&mut client, 1).await, (Kind::Reply, 1));
    assert_eq!(began.elapsed(), Duration::ZERO);
}
