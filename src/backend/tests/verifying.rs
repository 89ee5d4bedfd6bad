//! Which replies are believed, and what they say.

use super::world::*;

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
