//! The invalidation service beside the listeners: who takes too long, and who is there when the gateway stops.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::world::*;

async fn world() -> World {
    let rules = "[invalidation]\nbind = '127.0.0.1:98'\n";
    World::new(Given { limits: "message_time = '2s'", rules, ..Given::default() }).await
}

#[tokio::test(start_paused = true)]
async fn who_does_not_finish_a_call_is_hung_up_on_and_who_makes_none_is_not() {
    let world = world().await;
    let connect = || world.network.dial_socket("127.0.0.1:98".parse().unwrap());
    let mut idle = connect().await.unwrap();
    let mut slow = connect().await.unwrap();
    let began = Instant::now();
    slow.write_all(&[0, 0, 0, 40, 0x80, 1, 0, 1]).await.unwrap();
    assert_eq!(slow.read(&mut [0]).await.unwrap(), 0);
    assert!(began.elapsed() >= Duration::from_secs(2));
    // A call without an order is answered, with what is wrong with it.
    idle.write_all(&call("purge", 1, 0)).await.unwrap();
    assert!(idle.read(&mut [0; 64]).await.unwrap() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_does_not_wait_for_it() {
    let world = world().await;
    let mut idle = world.network.dial_socket("127.0.0.1:98".parse().unwrap()).await.unwrap();
    let began = Instant::now();
    world.gateway.stop(Duration::from_secs(60)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
}
