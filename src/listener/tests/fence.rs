//! A client that uses the number of an unanswered call again has given up on it: nothing must be taken for the answer to its next call.

use super::world::*;
use crate::wire::message::Form;
use crate::wire::{Protocol, Speech, Transport};

const WAYS: [(Transport, Form); 4] = [
    (Transport::Framed, Form::Strict),
    (Transport::Framed, Form::Lenient),
    (Transport::Unframed, Form::Strict),
    (Transport::Unframed, Form::Lenient),
];

/// Sends these bytes and expects the connection to be closed unanswered for a number used twice.
async fn is_closed(world: &World, client: &mut Client, bytes: &[u8]) {
    let before = world.closed("duplicate_seqid");
    client.send(bytes).await;
    assert_eq!(client.reply().await, None);
    assert_eq!(world.closed("duplicate_seqid"), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_number_used_again_is_seen_in_the_first_bytes_of_a_call() {
    let world = World::new(Given::default()).await;
    for (transport, form) in WAYS {
        let speech = Speech { transport, protocol: Protocol::Binary };
        let mut client = world.client_speaking(speech).await;
        client.send(&call_of(speech, form, "hang", 7, &text(9))).await;
        let second = call_of(speech, form, "count", 7, &text(200_000));
        is_closed(&world, &mut client, &second[..200]).await;
        assert_eq!(client.speech(), speech);
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_of_a_compact_call_is_seen_too() {
    let world = World::new(Given { protocol: Some(Protocol::Compact), ..Given::default() }).await;
    for (transport, heard) in [(Transport::Framed, 1), (Transport::Unframed, 2)] {
        let speech = Speech { transport, protocol: Protocol::Compact };
        let mut client = world.client_speaking(speech).await;
        client.send(&call_of(speech, Form::Strict, "hang", 7, &[0])).await;
        eventually(|| world.heard().len() == heard).await;
        // A text of 200,000 bytes, of which few come.
        let begun = [&[0x18, 0xc0, 0x9a, 0x0c][..], &[b'x'; 200_000], &[0]].concat();
        let second = call_of(speech, Form::Strict, "count", 7, &begun);
        is_closed(&world, &mut client, &second[..100]).await;
    }
    assert_eq!(world.heard(), ["hang", "hang"]);
}

#[tokio::test(start_paused = true)]
async fn a_number_used_again_is_seen_behind_a_call_that_waits_unread() {
    let world = World::new(Given::default()).await;
    let speech = Speech { transport: Transport::Framed, protocol: Protocol::Binary };
    let whole = |seqid, length| call_of(speech, Form::Strict, "count", seqid, &text(length));
    let hang = call("hang", 1, 0);
    for (between, again) in [(200_000, 1), (10, 1), (200_000, 2), (10, 2)] {
        let mut client = world.client().await;
        let begun = &whole(again, 200_000)[..100];
        is_closed(&world, &mut client, &[&hang[..], &whole(2, between), begun].concat()).await;
    }
    assert!(!world.heard().contains(&"count".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_the_client_does_not_take_is_still_unanswered() {
    let world = World::new(Given::default()).await;
    let begun = call_of(SPEECH, Form::Strict, "count", 1, &text(200_000)).split_to(100);
    for then in [call("hang", 1, 0), begun] {
        world.narrow(4_096);
        let mut client = world.client().await;
        client.call(&[("blob", 20_000)]).await;
        eventually(|| world.metric("larder_calls_total{") >= 1.0).await;
        // Nothing of it is read: the client has given up on it and asks for something else.
        let before = world.closed("duplicate_seqid");
        client.send(&then).await;
        eventually(|| world.closed("duplicate_seqid") == before + 1).await;
        assert_eq!(client.reply().await, None);
        // A client that numbers its calls is only slow.
        let mut client = world.client().await;
        client.call(&[("blob", 20_000), ("count", 0)]).await;
        pass(1_000).await;
        client.send(&call("count", 3, 0)).await;
        for expected in 1..=3 {
            assert_eq!(client.reply().await.map(|reply| reply.0), Some(expected));
        }
    }
    assert!(!world.heard().contains(&"hang".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn numbers_of_their_own_may_wait_and_are_answered() {
    let world = World::new(Given::default()).await;
    let mut client = world.client().await;
    client.call(&[("wait", 100), ("count", 0), ("count", 0)]).await;
    for expected in 1..=3 {
        assert_eq!(client.reply().await.map(|reply| reply.0), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn when_clients_give_up_is_counted() {
    let world = World::new(Given::default()).await;
    let mut client = world.client().await;
    client.call(&[("hang", 0)]).await;
    pass(3_000).await;
    is_closed(&world, &mut client, &call("count", 1, 0)).await;
    let mut client = world.client().await;
    client.call(&[("hang", 0)]).await;
    pass(5_000).await;
    drop(client);
    eventually(|| world.metric("larder_gave_up_seconds_count") as u64 == 2).await;
    let sum = world.metric("larder_gave_up_seconds_sum");
    assert!((8.0..8.1).contains(&sum), "{sum}");
}
