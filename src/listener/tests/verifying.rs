//! Hits that the backend is asked again.

use super::world::*;
use crate::wire::message::Kind;

/// Answers hang on the argument, which keys do not have.
const CARELESS: &str =
    "[rules.'S.echo']\nttl = '1h'\nstale_if_error = '1h'\nignore = ['1']\nverify = '100%'\n";

async fn asks(client: &mut Client, name: &str, value: i32) -> i32 {
    client.call(&[(name, value)]).await;
    let (_, kind, number) = client.reply().await.unwrap();
    assert_eq!(kind, Kind::Reply);
    number
}

fn verified(world: &World, verdict: &str) -> f64 {
    let page = world.gateway.subject().metrics();
    let of_verdict = format!("verdict=\"{verdict}\"");
    let lines =
        page.lines().filter(|line| line.starts_with("larder_verified_total") && line.contains(&of_verdict));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// The switches in force, as sentences with who has set them.
fn switches(world: &World) -> Vec<String> {
    let status = world.gateway.subject().status();
    status.switches.into_iter().map(|one| format!("{} by {}", one.held.says, one.held.who)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_ignores_what_its_replies_hang_on_falls_to_observe() {
    let world = World::new(Given { rules: CARELESS, ..Given::default() }).await;
    let mut client = world.client().await;
    for round in 0..20 {
        assert_eq!(switches(&world), [""; 0], "{round}");
        assert_eq!(
            asks(&mut client, "echo", 7 + i32::from(round > 0)).await,
            7,
            "what is served stays as it is"
        );
        pass(1_000).await;
    }
    let status = world.gateway.subject().status().verification;
    assert_eq!((status[0].mismatches, verified(&world, "mismatch")), (19, 19.0));
    assert_eq!(asks(&mut client, "echo", 8).await, 7);
    eventually(|| switches(&world) == ["rule S.echo observe by verification"]).await;
    assert_eq!(asks(&mut client, "echo", 9).await, 9);
    assert_eq!(verified(&world, "mismatch"), 20.0);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_changes_for_all_alike_is_no_mismatch() {
    let rules = "[rules.'S.second']\nttl = '90s'\nstale_if_error = '1h'\nignore = ['1']\nverify = '100%'\n";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    for round in 0..600 {
        asks(&mut client, "second", round).await;
        pass(400).await;
    }
    assert_eq!((verified(&world, "mismatch"), verified(&world, "unverified")), (0.0, 0.0));
    assert!(verified(&world, "match") > 0.0 && verified(&world, "changed") > 100.0);
    assert_eq!(switches(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_asked_again_now_and_then_however_many_hits_there_are() {
    let rules = "[rules.'S.*']\nidempotent = true\n[rules.'S.blob']\nttl = '1h'\nverify = '100%'\n\
                 [rules.'S.get']\nttl = '1h'\n";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    for _ in 0..100 {
        asks(&mut client, "blob", 3).await;
        asks(&mut client, "get", 3).await;
    }
    pass(1_000).await;
    assert_eq!(world.heard(), ["blob", "get", "blob"]);
    assert_eq!(verified(&world, "match"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_backend_in_trouble_is_left_alone_and_for_a_minute_after() {
    let backend = "check_interval = '1s'\nejection_failures = 1";
    let world = World::new(Given { rules: CARELESS, backend, ..Given::default() }).await;
    let mut client = world.client().await;
    asks(&mut client, "echo", 7).await;
    world.dies();
    let mut other = world.client().await;
    other.call(&[("close", 0)]).await;
    other.reply().await;
    eventually(|| world.metric("larder_backend_down{backend=\"it\"}") == 1.0).await;
    for _ in 0..10 {
        assert_eq!(asks(&mut client, "echo", 8).await, 7);
        pass(1_000).await;
    }
    let verdicts = ["match", "changed", "mismatch", "unverified"].map(|verdict| verified(&world, verdict));
    assert_eq!(verdicts, [0.0; 4]);
    assert_eq!(world.heard(), ["echo", "close"]);
}
