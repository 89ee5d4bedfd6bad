//! What is told of an outage before it comes, against what one then brings.

use super::world::*;
use crate::wire::message::Kind;

/// `long` answers a minute into an outage, `short` only at its beginning, and `pass` never.
const RULES: &str = "[rules.'S.long']\nttl = '5s'\nstale_if_error = '90s'\n\
                     [rules.'S.short']\nttl = '5s'\nstale_if_error = '20s'";
/// Calls for keys that are known.
const KNOWN: [(&str, i32); 8] = [
    ("long", 1),
    ("long", 2),
    ("long", 3),
    ("long", 4),
    ("long", 5),
    ("short", 1),
    ("short", 2),
    ("short", 3),
];

/// Ten calls: those, one for a key that nobody has asked for, and one that is passed. Returns how many were answered.
async fn round(client: &mut Client, new: i32) -> u32 {
    let calls = [&KNOWN[..], &[("long", new), ("pass", 1)]].concat();
    client.call(&calls).await;
    let mut answered = 0;
    for _ in calls {
        let (_, kind, _) = client.reply().await.unwrap();
        answered += u32::from(kind == Kind::Reply);
    }
    answered
}

fn told(world: &World, after: &str) -> f64 {
    world.metric(&format!("larder_backend_coverage_ratio{{backend=\"it\",after=\"{after}\",by=\"kept\"}}"))
}

fn of(world: &World, method: &str, by: &str) -> f64 {
    world.metric(&format!(
        "larder_coverage_ratio{{listener=\"it\",backend=\"it\",method=\"S.{method}\",after=\"0s\",by=\"{by}\"}}"
    ))
}

#[tokio::test(start_paused = true)]
async fn what_is_told_of_each_time_of_an_outage_is_what_it_brings_then() {
    let world = World::new(Given { rules: RULES, ..Given::default() }).await;
    let mut client = world.client().await;
    for new in 100..140 {
        round(&mut client, new).await;
        pass(10_000).await;
    }
    let told = ["0s", "1m", "10m"].map(|after| (told(&world, after) * 10.0).round() as u32);
    assert_eq!(told, [8, 5, 0]);
    world.dies();
    let mut brought = Vec::new();
    for wait in [1_000, 59_000, 540_000] {
        pass(wait).await;
        brought.push(round(&mut client, 200 + wait as i32).await);
    }
    assert_eq!(brought, told);
}

#[tokio::test(start_paused = true)]
async fn a_call_counts_by_what_was_there_before_it() {
    let rules =
        "[rules.'S.get']\nttl = '5s'\nstale_if_error = '90s'\n[rules.'S.seen']\nttl = '5s'\nmode = 'observe'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    let mut calls = [0, 0];
    // A new key; a fresh hit; an old entry beside a backend that answers; nothing that was kept is left.
    for (wait, kept) in [(0, 0), (1_000, 1), (30_000, 1), (96_000, 0)] {
        pass(wait).await;
        client.call(&[("get", 1), ("seen", 1)]).await;
        client.reply().await.unwrap();
        client.reply().await.unwrap();
        calls = [calls[0] + 1, calls[1] + kept];
        let share = f64::from(calls[1]) / f64::from(calls[0]);
        assert!((of(&world, "get", "kept") - share).abs() < 1e-9, "{wait}");
        assert!((of(&world, "get", "learnt") - (1.0 - share)).abs() < 1e-9, "{wait}");
        assert_eq!([of(&world, "seen", "kept"), of(&world, "seen", "learnt")], [0.0; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_two_who_wait_for_one_reply_found_nothing_kept() {
    let rules = "[rules.'S.wait']\nttl = '5s'\nstale_if_error = '90s'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut client = world.client().await;
    client.call(&[("wait", 100), ("wait", 100), ("wait", 100)]).await;
    for _ in 0..3 {
        client.reply().await.unwrap();
    }
    assert_eq!([of(&world, "wait", "kept"), of(&world, "wait", "learnt")], [0.0, 1.0]);
}
