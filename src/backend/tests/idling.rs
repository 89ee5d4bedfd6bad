//! What is learnt of what servers do to idle connections, and what is done about it.

use super::world::*;

const LETS_REST: Duration = Duration::from_millis(1200);

/// Calls so far apart that each connection is looked at in the last moment of the time that it may rest.
async fn ask(backend: &Arc<Backend>, times: usize, pause: Duration) {
    for _ in 0..times {
        backend.answer(&call(), &idempotent(), None).await.unwrap();
        tokio::time::sleep(pause).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_idle_connections_early_is_no_longer_found_out_by_calls() {
    let mut world = World::of(1);
    let backend = world.watch();
    let server = world.servers[0].clone();
    server.lets_rest(LETS_REST);
    ask(&backend, 8, Duration::from_secs(3)).await;
    let [endpoint] = &backend.endpoints()[..] else { panic!("one endpoint") };
    let rest = endpoint.habits.rest.expect("it was seen to close three");
    assert!(rest < LETS_REST, "{rest:?}");
    assert_eq!(endpoint.standing, Standing::Rotating);
    let (ended, checks) = (server.ended(), server.checks());
    ask(&backend, 5, Duration::from_secs(3)).await;
    assert_eq!(server.ended(), ended + 5, "each was closed by the gateway, and before the server would");
    assert_eq!(server.checks(), checks, "nothing is suspicious any more");
    let opened = server.opened();
    ask(&backend, 10, Duration::from_millis(900)).await;
    assert_eq!(server.opened(), opened + 1, "what rests for less is used again");
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_closes_all_connections_teaches_nothing() {
    let mut world = World::of(1);
    let backend = world.watch();
    for _ in 0..2 {
        let server = world.serve("10.0.0.1:9090".parse().unwrap());
        ask(&backend, 3, Duration::from_millis(700)).await;
        server.now(Act::Die);
        let _ended = backend.answer(&call(), &idempotent(), None).await;
        let _again = world.serve("10.0.0.1:9090".parse().unwrap());
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(backend.endpoints()[0].habits.rest, None);
}

/// Nobody calls, and yet it is known soon that nobody could.
#[tokio::test(start_paused = true)]
async fn the_end_of_an_idle_connection_is_looked_into() {
    let mut world = World::of(1);
    let backend = world.watch();
    ask(&backend, 1, Duration::from_millis(500)).await;
    world.refuse("10.0.0.1:9090".parse().unwrap());
    world.servers[0].lets_rest(Duration::ZERO);
    // It ends them when next it would wait.
    backend.answer(&call(), &idempotent(), None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(backend.endpoints()[0].standing, Standing::Ejected(Why::Refused));
    assert!(backend.is_down());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_given_up_after_an_exception_where_all_such_were_closed() {
    let mut world = World::of(1);
    let backend = world.watch();
    let server = world.servers[0].clone();
    server.ends_after_exceptions(true);
    for _ in 0..4 {
        world.all(Act::Refuse);
        backend.answer(&call(), &idempotent(), None).await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.all(Act::Answer);
        backend.answer(&call(), &idempotent(), None).await.unwrap();
    }
    assert!(backend.endpoints()[0].habits.closes_after_exceptions);
    world.all(Act::Refuse);
    backend.answer(&call(), &idempotent(), None).await.unwrap_err();
    assert_eq!(backend.endpoints()[0].connections, 0, "nobody finds it closed");
    server.ends_after_exceptions(false);
    world.all(Act::Answer);
    backend.answer(&call(), &idempotent(), None).await.unwrap();
    assert_eq!(backend.endpoints()[0].connections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_oneways_is_known_for_it() {
    let mut world = World::of(1);
    let backend = world.watch();
    ask(&backend, 1, Duration::ZERO).await;
    assert!(!backend.endpoints()[0].habits.answers_oneways);
    let client = Client::of(&backend);
    client.tell("note").await.unwrap();
    client.ask(&once(), None).await.unwrap();
    assert!(backend.endpoints()[0].habits.answers_oneways);
}
