//! When endpoints leave the rotation and how they return.

use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_leaves_the_rotation_and_returns_through_one_probe() {
    let mut world = World::of(2);
    let backend = world.start();
    world.servers[0].now(Act::WrongSeqid);
    while backend.endpoints()[0].standing == Standing::Rotating {
        let _fault_or_answer = backend.answer(&call(), &once(), None).await;
    }
    assert_eq!(world.servers[0].calls(), 3);
    for _ in 0..20 {
        backend.answer(&call(), &once(), None).await.unwrap();
    }
    assert_eq!(world.servers[0].calls(), 3);
    assert_eq!(world.counted(r#"larder_backend_ejections_total{backend="users"}"#), 1);

    world.servers[0].now(Act::Answer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    backend.answer(&call(), &idempotent(), None).await.unwrap();
    assert_eq!(world.servers[0].calls(), 4);
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn with_all_ejected_calls_fail_at_once_and_one_probe_finds_out() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::Hang);
    for _ in 0..3 {
        assert!(backend.answer(&call(), &once(), SECOND).await.is_err());
    }
    assert!(backend.is_down());
    let began = Instant::now();
    let fault = backend.answer(&call(), &once(), SECOND).await.unwrap_err();
    assert_eq!((fault.as_str(), began.elapsed()), ("down", Duration::ZERO));

    tokio::time::sleep(Duration::from_secs(1)).await;
    let probe = tokio::spawn({
        let backend = Arc::clone(&backend);
        async move { backend.answer(&call(), &once(), SECOND).await }
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(backend.answer(&call(), &once(), SECOND).await.unwrap_err().as_str(), "down");
    assert_eq!(world.calls(), 4);
    probe.abort();
    assert!(probe.await.is_err());

    world.all(Act::Answer);
    assert!(backend.is_down(), "until a probe says otherwise");
    let answer = backend.answer(&call(), &once(), SECOND).await;
    assert!(answer.is_ok(), "an abandoned probe makes room for another");
    assert!(!backend.is_down());
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn a_connection_closed_without_a_reply_never_ejects() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::HangUp);
    for _ in 0..20 {
        assert_eq!(backend.answer(&call(), &once(), None).await.unwrap_err().as_str(), "closed");
    }
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn a_call_not_known_to_be_idempotent_is_no_probe_while_another_endpoint_takes_it() {
    let mut world = World::of(2);
    let backend = world.start();
    world.servers[0].now(Act::WrongSeqid);
    while backend.endpoints()[0].standing == Standing::Rotating {
        let _fault_or_answer = backend.answer(&call(), &once(), None).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(backend.endpoints()[0].standing, Standing::Ejected);
    world.servers[0].now(Act::Answer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating, "it is not left out for ever");
}
