//! A client that does not read costs nobody else anything.

use super::world::*;
use tokio::time::{Duration, Instant};

#[tokio::test(start_paused = true)]
async fn calls_go_on_while_their_client_does_not_read() {
    let rules = "[rules.'S.blob']\nttl = '60s'\n[rules.'S.hang']\ntimeout = '1s'\nidempotent = true";
    let world = World::new(Given { rules, ..Given::default() }).await;
    world.narrow(1_000);
    let mut client = world.client().await;
    client.call(&[("blob", 40_000), ("hang", 0)]).await;
    eventually(|| world.heard().contains(&"hang".to_owned())).await;
    pass(1_100).await;
    assert_eq!(world.under_way().calls, 0, "its timeout has freed the connection to the backend");
    assert_eq!(world.under_way().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_closed_in_time() {
    let given =
        Given { limits: "write_time = '2s'", rules: "[rules.'S.blob']\nttl = '60s'", ..Given::default() };
    let world = World::new(given).await;
    world.narrow(1_000);
    let mut client = world.client().await;
    client.call(&[("blob", 40_000)]).await;
    eventually(|| world.under_way().held >= 38_000).await;
    pass(1_900).await;
    assert_eq!(world.under_way().connections, 1);
    pass(200).await;
    assert_eq!((world.closed("write_time"), world.under_way().held), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_everything() {
    let given = Given { limits: "write_time = '2s'", ..Given::default() };
    let world = World::new(given).await;
    world.narrow(1_000);
    let mut client = world.client().await;
    client.call(&[("blob", 40_000), ("blob", 40_000), ("blob", 7)]).await;
    let mut bytes = vec![0; 80_000];
    for piece in bytes.chunks_mut(1_000) {
        pass(1_000).await;
        tokio::io::AsyncReadExt::read_exact(&mut client.socket, piece).await.unwrap();
    }
    assert_eq!(world.under_way().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_waits_a_second_for_who_does_not_read() {
    let world = World::new(Given { rules: "[rules.'S.blob']\nttl = '60s'", ..Given::default() }).await;
    world.narrow(1_000);
    let (mut idler, mut other) = (world.client().await, world.client().await);
    idler.call(&[("blob", 40_000)]).await;
    other.call(&[("wait", 500)]).await;
    eventually(|| world.heard().len() == 2 && world.under_way().held > 38_000).await;
    let began = Instant::now();
    let reply = tokio::spawn(async move { other.reply().await.is_some() });
    world.gateway.stop(Duration::from_secs(30)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(reply.await.unwrap(), "what was asked is answered");
}
