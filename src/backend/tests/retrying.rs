//! When a call goes to another endpoint, and when it must not.

use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_call_of_which_nothing_was_sent_goes_to_another_endpoint() {
    let mut world = World::of(3);
    let backend = world.start();
    world.refuse(world.servers[0].address);
    world.refuse(world.servers[1].address);
    for _ in 0..20 {
        assert!(backend.answer(&call(), &once(), None).await.is_ok());
    }
    assert_eq!(world.servers[2].calls(), 20);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_tried_at_each_endpoint_once_and_at_three_at_most() {
    for (endpoints, tries) in [(1, 1), (2, 2), (3, 3), (6, 3)] {
        for terms in [once(), idempotent()] {
            let mut world = World::of(endpoints);
            let backend = world.start();
            world.servers.iter().for_each(|server| world.refuse(server.address));
            let fault = backend.answer(&call(), &terms, None).await.unwrap_err();
            assert_eq!(fault.as_str(), "unreachable");
            let line = r#"larder_backend_attempts_total{backend="users",result="unreachable"}"#;
            assert_eq!(world.counted(line), tries);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_run_is_sent_once() {
    for act in [Act::HangUp, Act::Hang, Act::WrongSeqid, Act::AnswerHalf] {
        let mut world = World::of(3);
        let backend = world.start();
        world.all(act);
        assert!(backend.answer(&call(), &once(), SECOND).await.is_err());
        assert_eq!(world.calls(), 1, "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_that_died_is_tried_again_on_other_endpoints() {
    // Two closes have one cause, and what has taken all the time leaves none for another try.
    let cases = [(Act::WrongSeqid, 3), (Act::AnswerHalf, 3), (Act::HangUp, 2), (Act::Hang, 1)];
    for (act, tries) in cases {
        let mut world = World::of(4);
        let backend = world.start();
        world.all(act);
        assert!(backend.answer(&call(), &idempotent(), SECOND).await.is_err());
        assert_eq!(world.calls(), tries, "{act:?}");
        assert!(world.servers.iter().all(|server| server.calls() < 2), "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_tried_elsewhere_where_one_try_has_less_time_than_its_call() {
    let mut world = World::of(2);
    world.settings.attempt_timeout = Some(Duration::from_millis(400));
    let backend = world.start();
    world.servers[0].now(Act::Hang);
    for _ in 0..10 {
        assert!(backend.answer(&call(), &idempotent(), SECOND).await.is_ok());
    }
    assert!(world.servers[0].calls() > 0);
}

#[tokio::test(start_paused = true)]
async fn beside_a_dead_endpoint_the_other_has_all_of_the_time_and_is_not_blamed() {
    let mut world = World::of(2);
    let backend = world.start();
    world.refuse(world.servers[0].address);
    world.servers[1].now(Act::AnswerAfter(Duration::from_millis(900)));
    for _ in 0..15 {
        assert!(backend.answer(&call(), &idempotent(), SECOND).await.is_ok());
    }
    assert_eq!(backend.endpoints()[1].standing, Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_answer_and_not_tried_again() {
    let mut world = World::of(2);
    let backend = world.start();
    world.all(Act::Refuse);
    let fault = backend.answer(&call(), &idempotent(), None).await.unwrap_err();
    assert_eq!(fault.as_str(), "exception");
    assert_eq!(world.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_only_endpoint_is_asked_again_if_a_reused_connection_died_without_a_byte() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::HangUp);
    assert!(backend.answer(&call(), &idempotent(), None).await.is_err());
    assert_eq!(world.calls(), 1, "its first connection was opened for it");

    world.all(Act::Answer);
    backend.answer(&call(), &idempotent(), None).await.unwrap();
    world.all(Act::HangUp);
    assert!(backend.answer(&call(), &idempotent(), None).await.is_err());
    assert_eq!(world.calls(), 4, "once on the reused, once on an opened one");
    world.all(Act::Answer);
    backend.answer(&call(), &once(), None).await.unwrap();
    world.all(Act::HangUp);
    assert!(backend.answer(&call(), &once(), None).await.is_err());
    assert_eq!(world.calls(), 6, "never twice if it may not be repeated");
}

#[tokio::test(start_paused = true)]
async fn the_whole_time_bounds_all_tries() {
    let mut world = World::of(2);
    let backend = world.start();
    world.all(Act::Hang);
    let began = Instant::now();
    let fault = backend.answer(&call(), &idempotent(), SECOND).await.unwrap_err();
    assert_eq!(fault.as_str(), "timeout");
    assert!(began.elapsed() <= Duration::from_millis(1001));
}

#[tokio::test(start_paused = true)]
async fn the_less_busy_of_two_is_asked() {
    let mut world = World::of(2);
    let backend = world.start();
    world.servers[0].now(Act::Hang);
    let mut pending = Vec::new();
    while world.servers[0].calls() == 0 {
        let backend = Arc::clone(&backend);
        pending.push(tokio::spawn(async move { backend.answer(&call(), &once(), None).await }));
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = world.servers[1].calls();
    for _ in 0..10 {
        backend.answer(&call(), &once(), None).await.unwrap();
    }
    assert_eq!(world.servers[1].calls(), before + 10);
}

#[tokio::test(start_paused = true)]
async fn names_are_looked_up_again_and_a_failed_lookup_keeps_the_last_addresses() {
    let mut world = World::of(1);
    world.settings.endpoints = vec![("db".to_owned(), 9090)];
    let one = world.serve("10.0.0.1:9090".parse().unwrap());
    let other = world.serve("10.0.0.2:9090".parse().unwrap());
    world.network.name("db", vec![one.address.ip()]);
    let backend = world.backend();
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&backend).run(stop.clone()));

    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(one.calls(), 1);
    world.network.name("db", vec![]);
    tokio::time::sleep(Duration::from_secs(11)).await;
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(one.calls(), 2);
    world.network.name("db", vec![other.address.ip()]);
    tokio::time::sleep(Duration::from_secs(10)).await;
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(other.calls(), 1);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_answers_for_keeps_no_other_waiting() {
    let mut world = World::of(1);
    world.settings.endpoints = vec![("lost".to_owned(), 9090), ("db".to_owned(), 9090)];
    let server = world.serve("10.0.0.1:9090".parse().unwrap());
    world.network.name("db", vec![server.address.ip()]);
    world.network.leave_unanswered("lost");
    let backend = world.backend();
    let _running = tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    let began = Instant::now();
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!((server.calls(), began.elapsed()), (1, Duration::ZERO));
    // Nor is an address that has gone kept for it.
    let other = world.serve("10.0.0.2:9090".parse().unwrap());
    world.network.name("db", vec![other.address.ip()]);
    tokio::time::sleep(Duration::from_secs(21)).await;
    backend.answer(&call(), &once(), None).await.unwrap();
    assert_eq!(other.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_address_is_down_until_it_has_one() {
    let mut world = World::of(1);
    world.settings.endpoints = vec![("db".to_owned(), 9090)];
    let backend = world.backend();
    assert!(!backend.is_down());
    let _running = tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
    let fault = backend.answer(&call(), &once(), None).await.unwrap_err();
    assert_eq!(fault.as_str(), "unreachable");
    assert!(backend.is_down());
    let server = world.serve("10.0.0.1:9090".parse().unwrap());
    world.network.name("db", vec![server.address.ip()]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!backend.is_down());
    backend.answer(&call(), &once(), None).await.unwrap();
}

/// Answers to calls take this long at a server that is silent for all that; it answers no check either.
fn falls_silent(server: &Server) {
    server.at("getUser", Act::AnswerAfter(Duration::from_secs(20)));
    server.at("larder_check", Act::Hang);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_where_nothing_comes_any_more_is_tried_elsewhere_if_it_may_be() {
    for (terms, slow) in [(idempotent(), 0), (once(), 1)] {
        let mut world = World::of(2);
        world.settings.max_connections = 64;
        let backend = world.watch();
        falls_silent(&world.servers[0]);
        let mut slowest = Duration::ZERO;
        while world.servers[0].calls() == 0 {
            let began = Instant::now();
            backend.answer(&call(), &terms, None).await.unwrap();
            slowest = slowest.max(began.elapsed());
        }
        assert_eq!(usize::from(slowest >= Duration::from_secs(20)), slow, "{slowest:?}");
        assert!(slowest >= Duration::from_secs(1), "before that it is not known to be silent");
        assert_eq!(backend.endpoints()[0].standing, Standing::Ejected(Why::Silent));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_tried_elsewhere_goes_on_waiting_where_it_is() {
    for (endpoints, burst) in [(1, 10), (2, 0)] {
        let mut world = World::of(endpoints);
        (world.settings.retry_burst, world.settings.retry_percent) = (burst, 0);
        let backend = world.watch();
        falls_silent(&world.servers[0]);
        while world.servers[0].calls() == 0 {
            backend.answer(&call(), &idempotent(), None).await.unwrap();
        }
        assert_eq!(world.servers[0].calls(), 1);
        let line = r#"larder_backend_ejections_total{backend="users",reason="silent"}"#;
        assert_eq!(world.counted(line), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_in_vain_goes_to_the_endpoint_that_is_back() {
    let mut world = World::of(2);
    let backend = world.watch();
    let back = world.servers[1].address;
    world.refuse(back);
    while backend.endpoints()[1].standing == Standing::Rotating {
        backend.answer(&call(), &idempotent(), None).await.unwrap();
    }
    world.servers[0].now(Act::Hang);
    let waiting = Arc::clone(&backend);
    let waiting = tokio::spawn(async move { waiting.answer(&call(), &idempotent(), None).await });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(backend.is_down() && !waiting.is_finished());
    world.serve(back);
    tokio::time::timeout(Duration::from_secs(2), waiting).await.unwrap().unwrap().unwrap();
}

/// Whoever wants the same waits behind it, as a flight is shared.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_finds_out_whether_a_silent_endpoint_is_back_is_answered_by_another() {
    let mut world = World::of(2);
    world.settings.max_connections = 64;
    let backend = world.watch();
    world.servers[0].now(Act::Hang);
    while backend.endpoints()[0].standing == Standing::Rotating {
        backend.answer(&call(), &idempotent(), None).await.unwrap();
    }
    let before = world.servers[0].calls();
    for _ in 0..10 {
        let began = Instant::now();
        backend.refresh(&call()).await.unwrap();
        assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(world.servers[0].calls(), before + 10, "each went there first");
}
