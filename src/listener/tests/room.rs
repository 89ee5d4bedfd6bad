//! What leaves the local tier when there is little room.

use super::world::*;

/// Replies of one method are of use for an hour, those of another for a second. Little more than 2,000 entries have room.
const RULES: &str = "[rules.'S.lasting']\nttl = '1s'\nstale_if_error = '1h'\n[rules.'S.passing']\nttl = '1s'\n\
    [cache.local]\ncapacity = '1MiB'\n";

async fn asks(client: &mut Client, method: &str, values: std::ops::Range<i32>) {
    for value in values {
        client.call(&[(method, value)]).await;
        client.reply().await.unwrap();
    }
}

/// Asks for what lasts first, and then for what passes until the tier is nearly full.
async fn full() -> (World, Client) {
    let world = World::new(Given { rules: RULES, ..Given::default() }).await;
    let mut client = world.client().await;
    asks(&mut client, "lasting", 0..500).await;
    let mut value = 0;
    while world.metric("larder_local_bytes") < 1_000_000.0 {
        asks(&mut client, "passing", value..value + 50).await;
        value += 50;
    }
    assert_eq!(world.metric("larder_local_entries") as i32, 500 + value, "nothing has left");
    (world, client)
}

#[tokio::test(start_paused = true)]
async fn what_can_no_longer_answer_leaves_before_what_may_in_an_outage() {
    let (world, mut client) = full().await;
    pass(20_000).await;
    assert!(world.metric("larder_local_expired_total") > 1_000.0);
    asks(&mut client, "passing", 10_000..11_000).await;
    world.dies();
    client.call(&[("close", 0)]).await;
    client.reply().await;
    eventually(|| world.metric("larder_backend_down") == 1.0).await;
    let mut client = world.client().await;
    asks(&mut client, "lasting", 0..500).await;
    let outcome = "larder_calls_total{listener=\"it\",method=\"S.lasting\",outcome=\"stale_if_error\"}";
    assert_eq!(world.metric(outcome), 500.0);
}

#[tokio::test(start_paused = true)]
async fn while_there_is_room_what_is_expired_stays_for_a_rule_that_may_be_lengthened() {
    let mut world = World::new(Given { rules: RULES, ..Given::default() }).await;
    let mut client = world.client().await;
    asks(&mut client, "passing", 0..100).await;
    pass(60_000).await;
    assert_eq!(world.metric("larder_local_entries"), 100.0);
    world.reload(|text| {
        text.replace("[rules.'S.passing']", "[rules.'S.passing']\nstale_while_revalidate = '1h'")
    });
    asks(&mut client, "passing", 0..100).await;
    assert_eq!(
        world.metric("larder_calls_total{listener=\"it\",method=\"S.passing\",outcome=\"stale\"}"),
        100.0
    );
}
