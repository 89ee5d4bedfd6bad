//! Which replies are believed, and what they say.

use super::world::*;
use crate::wire::Bounds;

#[tokio::test(start_paused = true)]
async fn what_is_no_reply_to_the_call_kills_its_connection() {
    for act in [Act::WrongSeqid, Act::WrongName, Act::WrongKind, Act::AnswerHalf] {
        let mut world = World::of(1);
        let backend = world.start();
        world.all(act);
        let fault = backend.answer(&call(), &once(), None).await.unwrap_err();
        assert_eq!(fault.as_str(), "garbage", "{act:?}");
        assert_eq!(backend.endpoints()[0].connections, 0, "{act:?}");
        world.all(Act::Answer);
        backend.answer(&call(), &once(), None).await.unwrap();
        assert_eq!(world.opened(), 2, "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_after_a_reply_cost_the_connection_and_not_the_call() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerTwice);
    for _ in 0..2 {
        assert!(backend.answer(&call(), &once(), None).await.is_ok());
    }
    assert_eq!(world.opened(), 2);
    assert_eq!(world.counted(r#"larder_backend_unsolicited_total{backend="users"}"#), 2);
}

#[tokio::test(start_paused = true)]
async fn sequence_ids_are_told_by_the_seed_alone() {
    let seqids = async || {
        let mut world = World::of(1);
        let backend = world.start();
        for _ in 0..3 {
            backend.answer(&call(), &once(), None).await.unwrap();
        }
        assert_eq!(world.servers[0].heard(), [1, 1, 1]);
        world.servers[0].seqids()
    };
    let drawn = seqids().await;
    assert!(drawn.iter().all(|&id| id > 0), "{drawn:?}");
    assert!(drawn.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1), "{drawn:?}");
    assert_eq!(drawn, seqids().await, "the same seed draws the same");
}

/// Whatever a server sends of its own accord, it cannot know the number of the call to come.
#[tokio::test(start_paused = true)]
async fn a_reply_sent_ahead_under_the_next_number_is_no_answer() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAhead);
    for _ in 0..20 {
        match backend.answer(&call(), &once(), None).await {
            Ok(answer) => assert_eq!(answer.body, field(Protocol::Binary, 0)),
            Err(fault) => assert_eq!(fault.as_str(), "garbage"),
        }
    }
    assert!(world.opened() > 1, "a stray reply costs its connection");
}

#[tokio::test(start_paused = true)]
async fn an_empty_reply_is_a_missing_result_where_a_value_is_due() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerEmpty);
    let value = Terms { returns: Returns::Value, ..once() };
    let fault = backend.answer(&call(), &value, None).await.unwrap_err();
    assert_eq!(fault.as_str(), "missing_result");
    let answer = backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(answer.said, Said::Nothing);
    assert_eq!(world.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_declared_exception_is_an_answer_unless_the_rule_says_failure() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerField(2));
    let answer = backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(answer.said, Said::Declared(2));
    let failing = Terms { failures: [2].into(), ..once() };
    let fault = backend.answer(&call(), &failing, None).await.unwrap_err();
    assert!(matches!(fault, Fault::Failure { id: 2, .. }), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn an_exception_keeps_its_kind() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::Refuse);
    let fault = backend.answer(&call(), &once(), None).await.unwrap_err();
    let Fault::Exception { kind, .. } = fault else {
        panic!("{fault:?}");
    };
    assert_eq!(kind, thrift::ApplicationErrorKind::UnknownMethod);
}

#[tokio::test(start_paused = true)]
async fn every_protocol_over_every_transport() {
    for protocol in [Protocol::Binary, Protocol::Compact] {
        for transport in [Transport::Framed, Transport::Unframed] {
            let mut world = World::of(1);
            world.settings.protocol = protocol;
            world.settings.transport = transport;
            let backend = world.start();
            for _ in 0..2 {
                let answer = backend.answer(&Call { protocol, ..call() }, &once(), None).await;
                let answer = answer.unwrap();
                assert_eq!(answer.said, Said::Result);
                assert!(answer.body.len() > 2);
            }
            assert_eq!(world.opened(), 1);
        }
    }
}

/// What comes of so many calls that a server answers so.
async fn asked(world: &World, backend: &Backend, act: Act, times: usize) -> Fault {
    world.all(act);
    for _ in 1..times {
        backend.answer(&call(), &idempotent(), None).await.unwrap_err();
    }
    backend.answer(&call(), &idempotent(), None).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_large_fails_its_call_and_blames_nobody() {
    for transport in [Transport::Framed, Transport::Unframed] {
        for act in [Act::AnswerLarge(1 << 20), Act::AnswerDeep(65)] {
            let mut world = World::of(1);
            world.settings.transport = transport;
            world.settings.bounds = Bounds { frame: 1 << 20, message: 1 << 20, ..Bounds::default() };
            let backend = world.start();
            let fault = asked(&world, &backend, act, 5).await;
            assert_eq!(fault.as_str(), "oversized", "{transport:?} {act:?}");
            let bound = if act == Act::AnswerDeep(65) { "deeper than 64" } else { "1048576" };
            assert!(fault.to_string().contains(bound), "{fault}");
            assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
            assert_eq!(
                (world.calls(), backend.endpoints()[0].connections),
                (5, 0),
                "none is asked for twice"
            );
            world.all(Act::AnswerLarge((1 << 20) - 100));
            backend.answer(&call(), &once(), None).await.unwrap();
        }
    }
}

/// What does not speak Thrift can claim any length.
#[tokio::test(start_paused = true)]
async fn a_length_alone_is_no_large_reply() {
    let claims: [&[u8]; 3] = [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        &[
            0x7f, 0xff, 0xff, 0xff, 0x80, 1, 0, 2, 0, 0, 0, 7, b'g', b'e', b't', b'U', b's', b'e', b'r', 0,
            0, 0, 0,
        ],
        &[0xff; 64],
    ];
    for claim in claims {
        let mut world = World::of(1);
        let backend = world.start();
        assert_eq!(asked(&world, &backend, Act::Babble(claim), 3).await.as_str(), "garbage");
        assert!(backend.is_out(method(&backend, &call()).of(b"getUser")));
    }
}
