//! A backend that answers where the usual one fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::world::*;
use crate::cache::shared::{Counts, Memory, Store};
use crate::clock::{Clock, Millis};
use crate::wire::message::Kind;

const USUAL: &str = "10.0.0.1:9090";
const OTHER: &str = "10.0.0.2:9090";
/// With one failure a method is out.
const FRAIL: &str = "ejection_failures = 1";
const REPEATED: &str = "[rules.'S.*']\nidempotent = true\ntimeout = '2s'\nbackup = 'two'\n";
const KEPT: &str = "[rules.'S.get']\nttl = '1s'\nstale_if_error = '1m'\ntimeout = '2s'\nbackup = 'two'\n";

/// A gateway whose rules name `two` as a backup, and what that hears.
async fn world_with(rules: &str, store: Option<Arc<dyn Store>>) -> (World, Heard) {
    let rules = format!("[backends.two]\nendpoints = ['{OTHER}']\ntransport = 'framed'\n{rules}");
    let world = World::new(Given { rules: &rules, backend: FRAIL, store, ..Given::default() }).await;
    let other = world.serves(OTHER);
    (world, other)
}

async fn world(rules: &str) -> (World, Heard) {
    world_with(rules, None).await
}

/// A tier that other gateways share.
fn shared() -> Option<Arc<dyn Store>> {
    let clock = Clock::starting_at(Millis(1_000_000));
    Some(Arc::new(Memory::new(clock, Duration::from_millis(50), Counts::default())))
}

async fn asks(client: &mut Client, name: &str, value: i32) -> (Kind, i32) {
    client.call(&[(name, value)]).await;
    client.reply().await.map(|(_, kind, number)| (kind, number)).unwrap()
}

/// The usual backend dies, and is known to be down.
async fn is_down(world: &World) {
    world.dies();
    let mut client = world.client().await;
    client.call(&[("close", 0)]).await;
    client.reply().await;
    eventually(|| world.metric("larder_backend_down{backend=\"it\"}") == 1.0).await;
}

fn names(heard: &Heard) -> String {
    heard.lock().unwrap().join(" ")
}

fn outcomes(world: &World, outcome: &str) -> f64 {
    let all = ["get", "wait", "*"].map(|method| {
        world.metric(&format!(
            "larder_calls_total{{listener=\"it\",method=\"S.{method}\",outcome=\"{outcome}\"}}"
        ))
    });
    all.iter().sum()
}

#[tokio::test(start_paused = true)]
async fn a_backup_answers_at_once_while_the_usual_backend_is_out_and_no_longer() {
    let (world, other) = world(REPEATED).await;
    is_down(&world).await;
    let mut client = world.client().await;
    let began = Instant::now();
    assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
    assert_eq!((began.elapsed(), names(&other).as_str()), (Duration::ZERO, "close get"));
    assert_eq!(outcomes(&world, "backup"), 1.0);
    let outages = world.gateway.subject().outages();
    assert_eq!(outages.iter().find(|outage| outage.backend == "it").unwrap().calls.backup, 1);
    let usual = world.serves(USUAL);
    eventually(|| world.metric("larder_backend_down{backend=\"it\"}") == 0.0).await;
    assert_eq!(asks(&mut client, "get", 2).await.0, Kind::Reply);
    assert_eq!((names(&usual).as_str(), names(&other).as_str()), ("get", "close get"));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_never_answers_leaves_its_backup_half_of_the_time() {
    let (world, other) = world(REPEATED).await;
    let _never_read = world.network.listen(USUAL.parse().unwrap(), 64);
    let mut client = world.client().await;
    let began = Instant::now();
    assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
    assert!(began.elapsed() <= Duration::from_millis(1_001), "{:?}", began.elapsed());
    assert_eq!((outcomes(&world, "backup"), names(&other).as_str()), (1.0, "get"));
    let _neither = world.network.listen(OTHER.parse().unwrap(), 64);
    other.lock().unwrap().clear();
    let began = Instant::now();
    assert_eq!(asks(&mut client, "close", 1).await.0, Kind::Exception);
    assert!(began.elapsed() <= Duration::from_millis(2_001), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_may_not_run_twice_and_what_a_connection_knows_stays_at_its_backend() {
    let (world, other) = world("[rules.'S.get']\nidempotent = true\nbackup = 'two'\n").await;
    let mut known = world.client().await;
    assert_eq!(asks(&mut known, "login", 1).await.0, Kind::Reply);
    let mut client = world.client().await;
    is_down(&world).await;
    assert_eq!(asks(&mut client, "put", 1).await.0, Kind::Exception);
    known.call(&[("get", 1)]).await;
    let at_its_own = known.reply().await;
    assert_eq!((at_its_own.map(|(_, kind, _)| kind), names(&other).as_str()), (Some(Kind::Reply), ""));
    assert_eq!(asks(&mut client, "get", 1).await.0, Kind::Reply);
    assert_eq!(names(&other), "get");
}

#[tokio::test(start_paused = true)]
async fn an_old_entry_answers_before_the_backup_unless_the_rule_says_otherwise() {
    for (when, heard, stale, backup) in [("after_stale", "", 1.0, 0.0), ("before_stale", "get", 0.0, 1.0)] {
        let (world, other) = world(&format!("{KEPT}backup_when = '{when}'\n")).await;
        let mut client = world.client().await;
        assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
        pass(1_500).await;
        is_down(&world).await;
        let began = Instant::now();
        assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
        assert_eq!((began.elapsed(), names(&other).as_str()), (Duration::ZERO, heard), "{when}");
        assert_eq!((outcomes(&world, "stale_if_error"), outcomes(&world, "backup")), (stale, backup));
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_backup_fails_too_the_old_entry_answers() {
    let (world, other) = world(&format!("{KEPT}backup_when = 'before_stale'\n")).await;
    let mut client = world.client().await;
    assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
    pass(1_500).await;
    drop(world.network.listen(OTHER.parse().unwrap(), 1));
    is_down(&world).await;
    for _ in 0..5 {
        assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
    }
    assert_eq!((outcomes(&world, "stale_if_error"), names(&other).as_str()), (5.0, ""));
    assert_eq!(asks(&mut client, "get", 2).await.0, Kind::Exception);
}

#[tokio::test(start_paused = true)]
async fn what_a_backup_said_is_kept_as_its_own() {
    let (world, other) = world(KEPT).await;
    is_down(&world).await;
    let mut client = world.client().await;
    for _ in 0..3 {
        assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
    }
    assert_eq!((names(&other).as_str(), outcomes(&world, "hit_local")), ("get", 2.0));
    let usual = world.serves(USUAL);
    eventually(|| world.metric("larder_backend_down{backend=\"it\"}") == 0.0).await;
    assert_eq!(asks(&mut client, "get", 1).await.0, Kind::Reply);
    assert_eq!((names(&usual).as_str(), outcomes(&world, "miss")), ("get", 1.0));
}

#[tokio::test(start_paused = true)]
async fn an_old_entry_of_the_shared_tier_answers_before_the_backup_too() {
    let rules = KEPT.replace("ttl", "tiers = ['shared']\nttl");
    let (world, other) = world_with(&rules, shared()).await;
    let mut client = world.client().await;
    assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
    pass(1_500).await;
    is_down(&world).await;
    assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
    assert_eq!((names(&other).as_str(), outcomes(&world, "stale_if_error")), ("", 1.0));
    assert_eq!(asks(&mut client, "get", 2).await, (Kind::Reply, 1));
    assert_eq!((names(&other).as_str(), outcomes(&world, "backup")), ("get", 1.0));
}

/// The usual backend answers everything but one method, which it then answers again.
async fn finds_out(rule: &str) {
    let (world, other) = world(&format!("[rules.'S.wait']\n{rule}timeout = '2s'\nbackup = 'two'\n")).await;
    let mut client = world.client().await;
    assert_eq!(asks(&mut client, "wait", 1_500).await.0, Kind::Exception);
    other.lock().unwrap().clear();
    let before = world.heard().len();
    for value in 0..30 {
        let began = Instant::now();
        assert_eq!(asks(&mut client, "wait", value % 10).await.0, Kind::Reply);
        assert!(began.elapsed() < Duration::from_millis(20), "nobody waits for who finds out");
        pass(200).await;
    }
    let (there, here) = (other.lock().unwrap().len(), world.heard().len() - before);
    assert!(there >= 1 && here >= 25, "{there} calls at the backup, {here} at the usual backend");
}

#[tokio::test(start_paused = true)]
async fn a_method_that_answers_again_is_found_to_though_the_backup_has_its_calls() {
    finds_out("idempotent = true\n").await;
    finds_out("ttl = '0s'\n").await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_when_the_usual_backend_goes_out_is_answered_by_the_backup_then() {
    for rule in ["idempotent = true\n", "ttl = '0s'\nstale_if_error = '1m'\n"] {
        let rules = format!("[rules.'S.get']\n{rule}timeout = '60s'\nbackup = 'two'\n");
        let (world, other) = world(&rules).await;
        let _never_read = world.network.listen(USUAL.parse().unwrap(), 64);
        let mut client = world.client().await;
        let began = Instant::now();
        assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert_eq!((names(&other).as_str(), outcomes(&world, "backup")), ("get", 1.0));
    }
}

#[tokio::test(start_paused = true)]
async fn where_both_fail_what_the_backup_said_once_answers() {
    for when in ["after_stale", "before_stale"] {
        let (world, other) = world(&format!("{KEPT}backup_when = '{when}'\n")).await;
        is_down(&world).await;
        let mut client = world.client().await;
        assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
        pass(1_500).await;
        drop(world.network.listen(OTHER.parse().unwrap(), 1));
        world.network.links().iter().for_each(|link| {
            if link.route.to == OTHER.parse().unwrap() {
                link.cut();
            }
        });
        assert_eq!(asks(&mut client, "get", 1).await, (Kind::Reply, 1));
        assert_eq!((outcomes(&world, "stale_if_error"), names(&other).as_str()), (1.0, "get"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_usual_backend_said_last_is_followed_by_nothing_older_of_the_backups() {
    let rules = "[rules.'S.get']\nttl = '9s'\nttl_jitter = 0.5\nbackup = 'two'\n";
    let (world, _other) = world(rules).await;
    is_down(&world).await;
    let mut client = world.client().await;
    for key in 1..=20 {
        assert_eq!(asks(&mut client, "get", key).await, (Kind::Reply, key), "the backup counts its answers");
    }
    let _usual = world.serves(USUAL);
    eventually(|| world.metric("larder_backend_down{backend=\"it\"}") == 0.0).await;
    for _ in 0..20 {
        asks(&mut client, "tell", 0).await;
    }
    for key in 1..=20 {
        assert!(asks(&mut client, "get", key).await.1 > 20);
    }
    pass(6_000).await;
    is_down(&world).await;
    for key in 1..=20 {
        let (kind, number) = asks(&mut client, "get", key).await;
        assert!(kind == Kind::Reply && number > 20, "{key} is answered with what the backup said before");
    }
    assert!(outcomes(&world, "backup") > 20.0 && outcomes(&world, "hit_local") > 0.0);
}
