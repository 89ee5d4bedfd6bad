//! What is held for clients is bounded where it is held.

use super::world::*;
use crate::wire::message::Form;
use crate::wire::{Protocol, Speech, Transport};
use tokio::io::AsyncWriteExt;

#[tokio::test(start_paused = true)]
async fn hits_are_not_answered_far_ahead_of_a_client_that_does_not_read() {
    let world = World::new(Given { rules: "[rules.'S.blob']\nttl = '60s'", ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("blob", 100_000)]).await;
    client.reply().await;
    client.call(&vec![("blob", 100_000); 1_000]).await;
    eventually(|| world.under_way().held > 100_000).await;
    pass(1_000).await;
    let held = world.under_way().held;
    assert!(held < 64_000 + 100_100 + 64_000 + 4_000 * 100, "{held} bytes");
    for seqid in 1..=1_000 {
        assert_eq!(client.reply().await.map(|reply| reply.0), Some(seqid));
    }
    assert_eq!(world.under_way().held, 0);
}

#[tokio::test(start_paused = true)]
async fn replies_that_wait_for_their_turn_are_counted() {
    let rules = "[rules.'S.blob']\nidempotent = true\n[rules.'S.wait']\nidempotent = true\ntimeout = '20s'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("wait", 5_000), ("blob", 300_000)]).await;
    pass(1_000).await;
    assert!((300_000..310_000).contains(&world.under_way().held), "{}", world.under_way().held);
    client.reply().await;
    client.reply().await;
    assert_eq!(world.under_way().held, 0);
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_are_counted_and_not_read_over_the_bound() {
    let limits = "buffered = '1MiB'\nframe = '1MiB'\nmessage = '1MiB'\nwrite_time = '5s'";
    let world = World::new(Given { limits, ..Given::default() }).await;
    let large = call_of(
        Speech { transport: Transport::Framed, protocol: Protocol::Binary },
        Form::Strict,
        "hang",
        1,
        &text(400_000),
    );
    let mut clients = Vec::new();
    for _ in 0..6 {
        let (mut client, large) = (world.client().await, large.clone());
        clients.push(tokio::spawn(async move {
            let _ = client.socket.write_all(&large).await;
            client.reply().await
        }));
    }
    pass(1_000).await;
    let held = world.under_way().held;
    assert!((800_000..1_400_000).contains(&held), "{held} bytes");
    // A small client goes on, whatever the large ones hold.
    let mut polite = world.client().await;
    polite.call(&[("count", 0)]).await;
    assert!(polite.reply().await.is_some());
    pass(6_000).await;
    assert!(world.closed("buffered") > 0, "waiting did not help, so who holds most has ended");
    polite.call(&[("count", 0)]).await;
    assert!(polite.reply().await.is_some());
    for client in clients {
        client.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_leaves_its_room_to_who_waits_for_it() {
    let limits =
        "buffered = '2MiB'\nframe = '1MiB'\nmessage = '1MiB'\nwrite_time = '1h'\nmessage_time = '1h'";
    let world = World::new(Given { limits, ..Given::default() }).await;
    let speech = Speech { transport: Transport::Framed, protocol: Protocol::Binary };
    let large = call_of(speech, Form::Strict, "count", 1, &text(1_000_000));
    let (mut third, mut gone, mut waits) = (world.client().await, world.client().await, world.client().await);
    third.send(&call_of(speech, Form::Strict, "hang", 1, &text(150_000))).await;
    // Together they are over the bound before either call is whole.
    gone.send(&large[..600_000]).await;
    let mut begun = large.clone();
    let rest = begun.split_off(200_000);
    waits.send(&begun).await;
    let answered = tokio::spawn(async move {
        waits.send(&rest).await;
        waits.reply().await
    });
    pass(100).await;
    assert!(world.metric("larder_limits_exceeded_total{listener=\"it\",limit=\"buffered\"}") > 0.0);
    // Only what still comes shows it that there is no more room.
    gone.send(&large[600_000..601_000]).await;
    pass(100).await;
    gone.socket.abort();
    pass(3_000).await;
    assert!(answered.is_finished());
    assert!(answered.await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_a_key_is_counted_with_it() {
    let rules = "[rules.'S.hang']\nttl = '60s'\ntimeout = '20s'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let speech = Speech { transport: Transport::Framed, protocol: Protocol::Binary };
    let mut client = world.client().await;
    client.send(&call_of(speech, Form::Strict, "hang", 1, &text(150_000))).await;
    eventually(|| world.under_way().calls == 1).await;
    assert!((300_000..310_000).contains(&world.under_way().held), "{}", world.under_way().held);
}

#[tokio::test(start_paused = true)]
async fn what_large_calls_hold_goes_with_their_clients() {
    let rules = "[rules.'S.hang']\nttl = '60s'\ntimeout = '20s'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let speech = Speech { transport: Transport::Framed, protocol: Protocol::Binary };
    let (mut large, mut small) = (world.client().await, world.client().await);
    large.send(&call_of(speech, Form::Strict, "hang", 1, &text(150_000))).await;
    small.send(&call_of(speech, Form::Strict, "hang", 1, &text(150))).await;
    eventually(|| world.under_way().calls == 2).await;
    large.socket.abort();
    small.socket.abort();
    eventually(|| world.under_way().connections == 0).await;
    pass(1).await;
    assert_eq!(
        (world.under_way().calls, world.under_way().flights),
        (1, 1),
        "a small one may still be of use"
    );
}
