//! What the log tells of an outage and of calls, and what each documented directive shows.

use std::sync::Arc;

use super::world::*;
use crate::cache::shared::{Counts, Memory};
use crate::clock::{Clock, Millis};
use crate::log::captured::Captured;

const BACKEND: &str = "10.0.0.1:9090";
const RULES: &str = "[rules.'S.get']\nttl = '1s'\nstale_if_error = '1h'";

async fn world() -> World {
    let store = Memory::new(
        Clock::starting_at(Millis(1_000_000)),
        std::time::Duration::from_millis(50),
        Counts::default(),
    );
    World::new(Given { rules: RULES, store: Some(Arc::new(store)), ..Given::default() }).await
}

async fn asks(client: &mut Client, method: &str) {
    client.call(&[(method, 0)]).await;
    client.reply().await.unwrap();
}

#[track_caller]
fn only(captured: &Captured, text: &str) -> String {
    let [line] = &captured.with(text)[..] else { panic!("{text}: {:#?}", captured.lines()) };
    line.clone()
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_when_it_begins_each_minute_and_when_it_ends() {
    let captured = Captured::by("info");
    let world = world().await;
    let mut client = world.client().await;
    asks(&mut client, "get").await;
    world.dies();
    // By then the backend's connection has been closed, because it was idle.
    pass(65_000).await;
    asks(&mut client, "get").await;
    eventually(|| !captured.with("outage begins").is_empty()).await;
    for _ in 0..20 {
        asks(&mut client, "get").await;
    }
    pass(125_000).await;
    world.serves(BACKEND);
    eventually(|| !captured.with("outage is over").is_empty()).await;

    let ejected = only(&captured, "endpoint ejected");
    assert!(ejected.contains("why=refused after=\"2 tries in a row without a connection\" next_check_ms="));
    assert!(only(&captured, "endpoint is back").contains("why=refused out_ms=12"));
    let minutes = captured.with("outage lasts");
    let told =
        |line: &str| line.contains("since=00:17Z") && line.contains(&format!("why=\"{BACKEND} refused\""));
    assert!(minutes.len() == 2 && minutes.iter().all(|line| told(line)), "{minutes:#?}");
    assert!(minutes[0].contains("fresh=0 stale=20 backup=0 fallback=0 failed=0"), "{}", minutes[0]);
    assert!(minutes[1].contains("fresh=0 stale=0"), "{}", minutes[1]);
    assert!(only(&captured, "outage is over").contains("stale=20"));
    // What was answered while the outage was known has no line of its own.
    assert_eq!(captured.with(": call ").len(), 1, "{:#?}", captured.with(": call "));
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_names_its_client_and_the_method_as_that_spells_it() {
    let captured = Captured::by("info");
    let world = world().await;
    let mut client = world.client().await;
    world.dies();
    asks(&mut client, "a\nb\u{1b}[2J").await;
    let line = only(&captured, ": call ");
    assert!(line.starts_with("WARN larder::listener::told: call listener=it client=127.0.0.1:"), "{line}");
    assert!(line.contains(" name=a\\nb\\x1b[2J outcome=failed fault="), "{line}");
}

#[tokio::test(start_paused = true)]
async fn each_directive_that_the_documentation_names_shows_something() {
    let documented = include_str!("../../../config/OPERATING.md").split('`');
    let documented = documented.filter(|text| text.starts_with("larder::") && text.ends_with("=debug"));
    let mut directives: Vec<&str> = documented.collect();
    directives.sort_unstable();
    directives.dedup();
    assert!(directives.len() >= 4, "{directives:?}");
    for directive in directives {
        let captured = Captured::by(directive);
        let world = world().await;
        let mut client = world.client().await;
        asks(&mut client, "get").await;
        asks(&mut client, "get").await;
        world.dies();
        pass(65_000).await;
        asks(&mut client, "get").await;
        let target = directive.trim_end_matches("=debug");
        let lines = captured.with("DEBUG");
        assert!(
            !lines.is_empty() && lines.iter().all(|line| line.contains(target)),
            "{directive}: {lines:#?}"
        );
    }
}
