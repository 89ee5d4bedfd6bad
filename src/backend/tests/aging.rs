//! Servers that close connections at an age, also under calls.

use super::world::*;

const MS: Duration = Duration::from_millis(1);
/// thriftpy2's asyncio server, left at its defaults.
const LIFE: Duration = Duration::from_secs(3);

/// So many clients that each make calls for a minute, one after the other. The faults that they met.
async fn call_for_a_minute(backend: &Arc<Backend>, clients: u32, terms: &Terms) -> Vec<&'static str> {
    let end = Instant::now() + Duration::from_secs(60);
    let clients = (0..clients).map(|client| {
        let (backend, terms) = (Arc::clone(backend), terms.clone());
        tokio::spawn(async move {
            let mut faults = Vec::new();
            while Instant::now() < end {
                let asked = backend.answer(&call(), &terms, None).await;
                faults.extend(asked.err().map(|fault| fault.as_str()));
                tokio::time::sleep(20 * MS * (1 + client)).await;
            }
            faults
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut faults = Vec::new();
    for client in clients {
        faults.extend(client.await.unwrap());
    }
    faults
}

/// A server that lets no connection live for longer than that.
fn short_lived(world: &mut World) -> Arc<Backend> {
    let backend = world.watch();
    world.servers[0].lets_live(LIFE);
    world.all(Act::AnswerAfter(100 * MS));
    backend
}

#[tokio::test(start_paused = true)]
async fn calls_that_may_not_be_repeated_are_never_under_way_when_an_asyncio_server_closes() {
    let mut world = World::of(1);
    let backend = short_lived(&mut world);
    assert_eq!(call_for_a_minute(&backend, 4, &once()).await, [""; 0]);
    assert!(world.opened() >= 20, "they have no older ones");
}

#[tokio::test(start_paused = true)]
async fn the_age_is_learnt_from_calls_that_may_be_repeated_and_none_of_them_is_lost() {
    let mut world = World::of(1);
    let backend = short_lived(&mut world);
    assert_eq!(call_for_a_minute(&backend, 4, &idempotent()).await, [""; 0]);
    let age = backend.endpoints()[0].habits.age.expect("it was seen to close three");
    assert!(age <= LIFE * 8 / 10 && age > LIFE * 7 / 10, "{age:?}");
    let retried = r#"larder_backend_retries_total{backend="users",reason="closed",result="answer"}"#;
    let before = world.counted(retried);
    assert_eq!(call_for_a_minute(&backend, 4, &idempotent()).await, [""; 0]);
    assert_eq!(world.counted(retried), before, "none is closed under a call any more");
    assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_long_has_a_connection_that_lasts_as_long() {
    let mut world = World::of(1);
    let backend = short_lived(&mut world);
    world.all(Act::AnswerAfter(1500 * MS));
    assert_eq!(call_for_a_minute(&backend, 4, &once()).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn where_one_was_open_for_longer_all_calls_keep_their_connections() {
    let mut world = World::of(1);
    let backend = world.watch();
    world.all(Act::AnswerAfter(5 * MS));
    assert_eq!(call_for_a_minute(&backend, 2, &idempotent()).await, [""; 0]);
    let opened = world.opened();
    assert_eq!(call_for_a_minute(&backend, 2, &once()).await, [""; 0]);
    assert_eq!(world.opened(), opened);
    assert_eq!(backend.endpoints()[0].habits.age, None);
}

/// Not the call's fault, nor the endpoint's: the check that it causes may have a connection that is just as old.
#[tokio::test(start_paused = true)]
async fn a_call_that_takes_longer_than_connections_live_ejects_nobody() {
    let mut world = World::of(1);
    let backend = short_lived(&mut world);
    world.servers[0].at("long", Act::AnswerAfter(10 * LIFE));
    for _ in 0..10 {
        let calls = (0..3).map(|_| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move { backend.answer(&call_of("long"), &once(), None).await })
        });
        let long: Vec<_> = calls.collect();
        while !long.iter().all(|call| call.is_finished()) {
            backend.answer(&call(), &once(), None).await.unwrap();
        }
        assert_eq!(backend.endpoints()[0].standing, Standing::Rotating);
    }
    assert_eq!(world.counted(r#"larder_backend_ejections_total{backend="users",reason="closed"}"#), 0);
}

/// What an idle connection's end says of a server, another one shows.
#[tokio::test(start_paused = true)]
async fn a_check_on_a_connection_that_ends_is_made_again_on_another() {
    let mut world = World::of(1);
    let backend = world.watch();
    world.servers[0].lets_live(LIFE);
    world.servers[0].at("larder_check", Act::AnswerAfter(200 * MS));
    backend.answer(&call(), &once(), None).await.unwrap();
    tokio::time::sleep(LIFE - 900 * MS).await;
    backend.answer(&call(), &idempotent(), None).await.unwrap();
    tokio::time::sleep(800 * MS).await;
    let (checks, opened) = (world.servers[0].checks(), world.opened());
    assert!(backend.gives_sign_of_life().await);
    assert_eq!((world.servers[0].checks() - checks, world.opened() - opened), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn oneways_that_follow_one_another_all_arrive() {
    let mut world = World::of(1);
    let backend = short_lived(&mut world);
    world.all(Act::Handle(MS));
    let client = Client::of(&backend);
    for _ in 0..2000 {
        client.tell("log").await.unwrap();
        tokio::time::sleep(15 * MS).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.calls(), 2000);
}

#[tokio::test(start_paused = true)]
async fn no_connection_becomes_older_than_the_configuration_allows() {
    let mut world = World::of(1);
    world.settings.max_age = Some(Duration::from_secs(10));
    let backend = world.watch();
    assert_eq!(call_for_a_minute(&backend, 1, &idempotent()).await, [""; 0]);
    assert!((6..=8).contains(&world.opened()), "{}", world.opened());
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.settings.max_age = None;
    backend.reload(world.settings.clone());
    let opened = world.opened();
    assert_eq!(call_for_a_minute(&backend, 1, &idempotent()).await, [""; 0]);
    assert!(world.opened() <= opened + 1);
}
