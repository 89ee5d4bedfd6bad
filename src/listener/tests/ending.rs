//! When a client's connection ends: it is closed, reset, half-closed, idle.

use super::world::*;
use crate::wire::message::Kind;
use tokio::io::AsyncWriteExt;

#[tokio::test(start_paused = true)]
async fn a_half_closed_client_gets_the_answer_that_comes_in_time() {
    let world = World::new(Given { limits: "half_closed_time = '2s'", ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("wait", 1_500), ("wait", 1_500), ("hang", 0)]).await;
    client.socket.shutdown().await.unwrap();
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)));
    assert_eq!(client.reply().await, Some((2, Kind::Reply, 2)), "the time counts from the answer before");
    assert_eq!(world.under_way().calls, 1);
    assert_eq!(client.reply().await, None);
    assert_eq!((world.closed("half_closed_time"), world.under_way().calls), (1, 0));
}

/// Whoever closes its connection looks as if it waited for its answer. It must not hold a connection to the backend for ever.
#[tokio::test(start_paused = true)]
async fn clients_that_are_gone_leave_the_backend_to_others() {
    let given =
        Given { limits: "half_closed_time = '2s'", backend: "max_connections = 4", ..Given::default() };
    let world = World::new(given).await;
    for _ in 0..4 {
        let mut client = world.client().await;
        client.call(&[("hang", 0)]).await;
        eventually(|| world.heard().len() == world.under_way().calls).await;
    }
    eventually(|| world.heard().len() == 4).await;
    let mut client = world.client().await;
    client.call(&[("count", 0)]).await;
    let reply = tokio::time::timeout(std::time::Duration::from_secs(3), client.reply()).await;
    assert_eq!(reply, Ok(Some((1, Kind::Reply, 1))));
    eventually(|| world.under_way().connections == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_frees_the_connection_to_the_backend_at_once() {
    let world = World::new(Given::default()).await;
    let mut client = world.client().await;
    client.call(&[("hang", 0)]).await;
    eventually(|| world.under_way().calls == 1).await;
    client.socket.abort();
    pass(1).await;
    assert_eq!((world.under_way().calls, world.closed("broken")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_seen_although_nothing_is_read() {
    let world = World::new(Given { limits: "half_closed_time = '1h'", ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("hang", 0)]).await;
    client.socket.shutdown().await.unwrap();
    eventually(|| world.under_way().calls == 1).await;
    client.socket.abort();
    pass(2_000).await;
    assert_eq!((world.under_way().calls, world.closed("broken")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_end_where_the_configuration_says_so() {
    let world = World::new(Given { limits: "idle_time = '2s'", ..Given::default() }).await;
    let (mut idler, mut other) = (world.client().await, world.client().await);
    other.call(&[("wait", 5_000)]).await;
    pass(1_900).await;
    assert_eq!(world.under_way().connections, 2);
    idler.call(&[("count", 0)]).await;
    assert!(idler.reply().await.is_some());
    pass(1_900).await;
    assert_eq!(world.under_way().connections, 2, "a call begins the time anew");
    pass(200).await;
    assert_eq!((world.under_way().connections, world.closed("idle_time")), (1, 1));
    assert!(other.reply().await.is_some(), "a connection with a call is not idle");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_the_rest_of_a_call() {
    let world = World::new(Given::default()).await;
    let (mut half, mut whole) = (world.client().await, world.client().await);
    half.send(&call("count", 1, 0)[..10]).await;
    whole.call(&[("wait", 3_000)]).await;
    eventually(|| world.heard().len() == 1).await;
    let World { gateway, .. } = world;
    let began = tokio::time::Instant::now();
    let stop = tokio::spawn(gateway.stop(std::time::Duration::from_secs(30)));
    assert_eq!(half.reply().await, None);
    assert!(began.elapsed() <= std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(whole.reply().await.is_some(), "what was read is answered");
    stop.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_close_of_the_backend_is_an_exception_or_handed_on_as_the_listener_says() {
    for (listener, handed_on) in [("", 0), ("on_close = 'close'", 1)] {
        let world = World::new(Given { listener, ..Given::default() }).await;
        let mut client = world.client().await;
        client.call(&[("count", 0), ("close", 0), ("count", 0)]).await;
        assert_eq!(client.reply().await, Some((1, Kind::Reply, 1)), "what was answered before leaves");
        let kinds = [client.reply().await, client.reply().await].map(|reply| reply.map(|(_, kind, _)| kind));
        // The last one had been sent behind the other, and may have run.
        assert_eq!(kinds, if handed_on == 1 { [None; 2] } else { [Some(Kind::Exception); 2] });
        assert_eq!(world.closed("backend"), handed_on);
        assert_eq!(
            world.metric("larder_faults_total{listener=\"it\",method=\"_OTHER\",fault=\"closed\"}"),
            2.0
        );
        if handed_on == 0 {
            client.call(&[("count", 0)]).await;
            assert_eq!(client.reply().await.map(|(_, kind, _)| kind), Some(Kind::Reply));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_is_not_handed_on_where_a_rule_caches() {
    let rules = "[rules.'S.close']\nttl = '1s'\nidempotent = true";
    let given = Given { listener: "on_close = 'close'", rules, ..Given::default() };
    let world = World::new(given).await;
    let mut client = world.client().await;
    client.call(&[("close", 0), ("count", 0)]).await;
    assert_eq!(client.reply().await.map(|(_, kind, _)| kind), Some(Kind::Exception));
    assert_eq!(client.reply().await.map(|(_, kind, _)| kind), Some(Kind::Reply));
    assert_eq!(world.closed("backend"), 0);
}
