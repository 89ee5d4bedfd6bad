//! Several backends behind one listener, and backends that come and go while calls are under way.

use super::world::*;
use crate::config::Change;
use crate::wire::message::Kind;

const OTHER: &str = "10.0.0.2:9090";

/// A second backend that some methods are for.
fn two(rules: &str) -> String {
    format!("[backends.two]\nendpoints = ['{OTHER}']\ntransport = 'framed'\n{rules}")
}

async fn world(rules: &str) -> (World, Heard) {
    let world = World::new(Given { rules: &two(rules), ..Given::default() }).await;
    let other = world.serves(OTHER);
    (world, other)
}

fn names(heard: &Heard) -> Vec<String> {
    heard.lock().unwrap().clone()
}

/// How many calls of the last minute were for this backend.
fn calls(world: &World, backend: &str) -> u64 {
    let status = world.gateway.subject().status();
    let found = status.backends.iter().find(|one| one.name == backend);
    found.map_or(0, |backend| backend.window.calls)
}

#[tokio::test(start_paused = true)]
async fn each_method_goes_to_its_backend_and_is_counted_there() {
    let rules = "[rules.'S.a*']\nbackend = 'two'\n[rules.'S.kept']\nttl = '9s'\nbackend = 'two'";
    let (world, other) = world(rules).await;
    let mut client = world.client().await;
    for _ in 0..2 {
        client.call(&[("ask", 1), ("tell", 1), ("kept", 1)]).await;
        for _ in 0..3 {
            assert_eq!(client.reply().await.unwrap().1, Kind::Reply);
        }
    }
    assert_eq!(
        (names(&other).join(" "), world.heard().join(" ")),
        ("ask kept ask".into(), "tell tell".into())
    );
    assert_eq!(["two", "it"].map(|backend| calls(&world, backend)), [4, 2]);
}

#[tokio::test(start_paused = true)]
async fn one_clients_calls_that_keep_their_place_do_so_across_backends() {
    let (world, other) = world("[rules.'S.second']\nbackend = 'two'").await;
    let mut client = world.client().await;
    client.call(&[("wait", 500), ("second", 1), ("third", 1)]).await;
    pass(400).await;
    assert_eq!((names(&other).len(), world.heard().len()), (0, 1));
    assert_eq!(client.reply().await.unwrap().0, 1);
    assert_eq!([client.reply().await.unwrap().0, client.reply().await.unwrap().0], [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_at_another_backend() {
    let (world, other) = world("[rules.'S.second']\nbackend = 'two'").await;
    let mut client = world.client().await;
    client.call(&[("wait", 500), ("wait", 500), ("second", 1), ("second", 2), ("third", 1)]).await;
    pass(700).await;
    assert_eq!((names(&other).len(), world.heard().len()), (0, 2));
    for number in 1..=5 {
        assert_eq!(client.reply().await.unwrap().0, number);
    }
    assert_eq!((names(&other).len(), world.heard().len()), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_session_at_one_backend_is_none_at_another() {
    let rules = "[rules.'S.a*']\nbackend = 'two'\n[rules.'S.get']\nttl = '9s'\n\
                 [rules.'S.ask']\nttl = '9s'\nbackend = 'two'";
    let (world, other) = world(rules).await;
    let mut client = world.client().await;
    for name in ["login", "get", "get", "ask", "ask"] {
        client.call(&[(name, 1)]).await;
        assert_eq!(client.reply().await.unwrap().1, Kind::Reply);
    }
    assert_eq!((names(&other).join(" "), world.heard().join(" ")), ("ask".into(), "login get get".into()));
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_ends_at_a_backend_that_is_taken_away() {
    let (mut world, other) = world("").await;
    let (mut early, mut late) = (world.client().await, world.client().await);
    early.call(&[("wait", 2_000)]).await;
    eventually(|| world.heard().len() == 1).await;
    let changes = world.reload(|text| {
        let gone = text.find("[backends.it]").unwrap()..text.find("[backends.two]").unwrap();
        let mut text = text.replace("backend = 'it'", "backend = 'two'");
        text.replace_range(gone.start + 1..gone.end + 1, "");
        text
    });
    assert_eq!(
        (Change::paths(&changes.applied).join(" "), changes.restart.len()),
        ("backends.it listeners.it.backend".into(), 0)
    );
    late.call(&[("tell", 1)]).await;
    assert_eq!(late.reply().await.unwrap().1, Kind::Reply);
    assert_eq!((names(&other).join(" "), world.heard().join(" ")), ("tell".into(), "wait".into()));
    assert_eq!(early.reply().await.unwrap().1, Kind::Reply);
    let listed = world.gateway.subject().status().backends.into_iter().map(|one| one.name);
    assert_eq!(listed.collect::<Vec<_>>(), ["two"]);
    assert_eq!(world.metric("larder_backend_down{backend=\"it\"}"), 0.0);
    assert!(!world.gateway.subject().metrics().contains("larder_backend_down{backend=\"it\"}"));
    early.call(&[("again", 1)]).await;
    assert_eq!(early.reply().await.unwrap().1, Kind::Reply);
    assert_eq!(names(&other).join(" "), "tell again");
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_backend_is_left_when_its_last_call_has_ended() {
    let (mut world, _other) = world("").await;
    let mut client = world.client().await;
    client.call(&[("wait", 2_000)]).await;
    eventually(|| world.heard().len() == 1).await;
    let tasks = world.gateway.tasks();
    let two = world.reload(|text| {
        let text = text.replace("backend = 'it'", "backend = 'two'");
        text.replace("[backends.it]", "[backends.gone]")
    });
    assert_eq!(two.applied.len(), 3);
    let added = world.gateway.tasks();
    assert!(added > tasks, "what the new backend does by itself, beside what the old one does");
    assert_eq!(client.reply().await.unwrap().1, Kind::Reply);
    eventually(|| world.gateway.tasks() == tasks).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_a_session_is_sent_away_when_his_calls_are_for_another_backend() {
    let (mut world, other) = world("").await;
    let (mut known, mut nobody) = (world.client().await, world.client().await);
    known.call(&[("login", 1)]).await;
    nobody.call(&[("get", 1)]).await;
    assert!(known.reply().await.is_some() && nobody.reply().await.is_some());
    world.reload(|text| text.replace("backend = 'it'", "backend = 'two'"));
    known.call(&[("get", 1)]).await;
    assert_eq!((known.reply().await, names(&other).len()), (None, 0));
    nobody.call(&[("get", 1)]).await;
    assert_eq!(nobody.reply().await.unwrap().1, Kind::Reply);
    // He is waited for, so that nothing is lost that he has not read yet.
    drop(known);
    eventually(|| world.closed("session") == 1).await;
}
