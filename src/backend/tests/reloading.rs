//! What a reload changes of a backend, and what it leaves alone.

use super::world::*;
use crate::wire::Bounds;

const MS: Duration = Duration::from_millis(1);
const LATER: Duration = Duration::from_secs(1);

fn ask(backend: &Arc<Backend>, call: &Call) -> tokio::task::JoinHandle<Result<Answer, Fault>> {
    let (backend, call) = (Arc::clone(backend), call.clone());
    tokio::spawn(async move { backend.answer(&call, &once(), None).await })
}

/// As many calls, on their way.
async fn asks(backend: &Arc<Backend>, count: usize) -> Vec<tokio::task::JoinHandle<Result<Answer, Fault>>> {
    let calls = (0..count).map(|_| ask(backend, &call())).collect();
    tokio::time::sleep(MS).await;
    calls
}

#[track_caller]
fn connections(backend: &Backend, expected: &[(&str, usize)]) {
    let found: Vec<_> =
        backend.endpoints().iter().map(|one| (one.address.to_string(), one.connections)).collect();
    let found: Vec<_> = found.iter().map(|(address, count)| (address.as_str(), *count)).collect();
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn calls_end_where_they_are_and_others_go_to_the_endpoints_that_are_left() {
    let mut world = World::of(3);
    let backend = world.start();
    world.all(Act::AnswerAfter(LATER));
    world.settings.max_waiting = 100;
    backend.reload(world.settings.clone());
    let under_way = asks(&backend, 12).await;
    let heard = world.calls();
    assert_eq!(heard, 12, "four at each");
    let mut settings = world.settings.clone();
    settings.endpoints = vec![("10.0.0.2".to_owned(), 9090), ("10.0.0.4".to_owned(), 9090)];
    let joined = world.serve("10.0.0.4:9090".parse().unwrap());
    backend.reload(settings);
    for call in under_way {
        call.await.unwrap().unwrap();
    }
    connections(&backend, &[("10.0.0.2:9090", 4), ("10.0.0.4:9090", 0)]);
    world.all(Act::Answer);
    let (opened, gone) = (world.servers[1].opened(), world.servers[0].calls() + world.servers[2].calls());
    for _ in 0..40 {
        backend.answer(&call(), &once(), None).await.unwrap();
    }
    assert_eq!(
        world.servers[0].calls() + world.servers[2].calls(),
        gone,
        "nothing goes to those that are gone"
    );
    assert_eq!(world.servers[1].opened(), opened, "and the one that stays is asked over its connections");
    assert!(joined.calls() > 0);
    for gone in [&world.servers[0], &world.servers[2]] {
        assert_eq!(gone.ended(), gone.opened(), "connections to what is gone are closed");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_the_line_of_an_endpoint_that_is_gone_goes_elsewhere_at_once() {
    let mut world = World::of(1);
    world.settings.max_waiting = 100;
    let backend = world.start();
    world.all(Act::AnswerAfter(LATER));
    let calls = asks(&backend, 7).await;
    let joined = world.serve("10.0.0.2:9090".parse().unwrap());
    world.settings.endpoints = vec![("10.0.0.2".to_owned(), 9090)];
    backend.reload(world.settings.clone());
    tokio::time::sleep(MS).await;
    assert_eq!((world.calls(), joined.calls()), (4, 3));
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_did_not_change_keeps_its_standing() {
    let mut world = World::of(2);
    let backend = world.watch();
    world.refuse(world.servers[0].address);
    while backend.endpoints()[0].standing == Standing::Rotating {
        let _either = backend.answer(&call(), &idempotent(), None).await;
    }
    let mut settings = world.settings.clone();
    (settings.timeout, settings.slow_start) = (Some(LATER), Duration::ZERO);
    settings.endpoints.reverse();
    backend.reload(settings);
    let standings: Vec<Standing> = backend.endpoints().iter().map(|one| one.standing).collect();
    assert_eq!(standings, [Standing::Rotating, Standing::Ejected(Why::Refused)]);
}

#[tokio::test(start_paused = true)]
async fn fewer_connections_are_had_as_calls_end_and_more_at_once() {
    let mut world = World::of(1);
    let backend = world.start();
    let mut settings = world.settings.clone();
    settings.max_waiting = 100;
    let most = |backend: &Backend, most: usize| {
        let settings = Settings { max_connections: most, ..settings.clone() };
        backend.reload(settings);
    };
    most(&backend, 4);
    prove_patience(&backend).await;
    let before = world.calls();
    world.all(Act::AnswerAfter(LATER));
    let calls = asks(&backend, 12).await;
    connections(&backend, &[("10.0.0.1:9090", 4)]);
    most(&backend, 1);
    connections(&backend, &[("10.0.0.1:9090", 4)]);
    tokio::time::sleep(LATER).await;
    assert_eq!(world.calls(), before + 5, "the four have ended, and one is under way");
    connections(&backend, &[("10.0.0.1:9090", 1)]);
    most(&backend, 3);
    tokio::time::sleep(MS).await;
    assert_eq!(world.calls(), before + 7, "two of those in the line have gone on at once");
    for call in calls {
        call.await.unwrap().unwrap();
    }
    connections(&backend, &[("10.0.0.1:9090", 3)]);
    most(&backend, 2);
    connections(&backend, &[("10.0.0.1:9090", 2)]);
}

#[tokio::test(start_paused = true)]
async fn times_hold_for_what_begins_after() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(LATER));
    let before = asks(&backend, 1).await;
    let mut settings = world.settings.clone();
    (settings.attempt_timeout, settings.idle_timeout) = (Some(300 * MS), Duration::ZERO);
    backend.reload(settings);
    assert_eq!(ask(&backend, &call()).await.unwrap().unwrap_err().as_str(), "timeout");
    for call in before {
        call.await.unwrap().unwrap();
    }
    connections(&backend, &[("10.0.0.1:9090", 0)]);
}

#[tokio::test(start_paused = true)]
async fn no_connection_of_the_old_protocol_answers_a_call_of_the_new() {
    let mut world = World::of(1);
    let backend = world.start();
    world.all(Act::AnswerAfter(LATER));
    let before = asks(&backend, 2).await;
    world.settings.protocol = Protocol::Compact;
    world.servers = vec![world.serve("10.0.0.1:9090".parse().unwrap())];
    backend.reload(world.settings.clone());
    let answer = ask(&backend, &call()).await.unwrap().unwrap();
    assert_eq!(answer.protocol, Protocol::Compact);
    for call in before {
        assert_eq!(call.await.unwrap().unwrap().protocol, Protocol::Binary);
    }
    assert_eq!(world.servers[0].heard(), [1], "over a connection that was opened for it");
}

#[tokio::test(start_paused = true)]
async fn a_longer_reply_is_taken_on_another_connection() {
    let mut world = World::of(1);
    world.settings.bounds = Bounds { frame: 1_000, message: 1_000, ..Bounds::default() };
    let backend = world.start();
    ask(&backend, &call()).await.unwrap().unwrap();
    world.all(Act::AnswerLarge(2_000));
    backend.reload(Settings { bounds: Bounds::default(), ..world.settings.clone() });
    ask(&backend, &call()).await.unwrap().unwrap();
    assert_eq!(world.opened(), 2);
    backend.reload(world.settings.clone());
    assert_eq!(ask(&backend, &call()).await.unwrap().unwrap_err().as_str(), "oversized");
}

#[tokio::test(start_paused = true)]
async fn another_name_is_looked_up_at_once_and_the_known_one_stays_what_it_is() {
    let mut world = World::of(0);
    let (one, other) =
        (world.serve("10.0.0.1:9090".parse().unwrap()), world.serve("10.0.0.2:9090".parse().unwrap()));
    world.network.name("one", vec![one.address.ip()]);
    world.network.name("other", vec![other.address.ip()]);
    world.settings.endpoints = vec![("one".to_owned(), 9090)];
    world.settings.resolve_interval = 3600 * LATER;
    let backend = world.watch();
    ask(&backend, &call()).await.unwrap().unwrap();
    world.network.name("one", vec![]);
    world.settings.endpoints.push(("other".to_owned(), 9090));
    backend.reload(world.settings.clone());
    connections(&backend, &[("10.0.0.1:9090", 1)]);
    tokio::time::sleep(MS).await;
    connections(&backend, &[("10.0.0.1:9090", 1), ("10.0.0.2:9090", 0)]);
    world.settings.endpoints.remove(0);
    backend.reload(world.settings.clone());
    connections(&backend, &[("10.0.0.2:9090", 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_clients_own_connection_outlives_its_endpoint_and_its_oneways_go_elsewhere() {
    let mut world = World::of(1);
    let backend = world.start();
    let joined = world.serve("10.0.0.2:9090".parse().unwrap());
    let oneways = Client::of(&backend);
    backend.reload(Settings { connections: Sharing::PerClient, ..world.settings.clone() });
    let own = Client::of(&backend);
    oneways.tell("tell").await.unwrap();
    own.ask(&once(), None).await.unwrap();
    world.settings.endpoints = vec![("10.0.0.2".to_owned(), 9090)];
    backend.reload(world.settings.clone());
    oneways.tell("tell").await.unwrap();
    own.ask(&once(), None).await.unwrap();
    tokio::time::sleep(MS).await;
    assert_eq!(world.servers[0].methods(), ["tell", "getUser", "getUser"]);
    assert_eq!(joined.methods(), ["tell"]);
}
