//! Clients that say who they are: each is answered what is for him, over connections that he shares with those who have said the same.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::world::*;
use crate::accept::Asker;
use crate::cache::shared::{Counts, Memory};
use crate::clock::{Clock, Millis};
use crate::mark::Kind as Hardness;
use crate::purge::Orderer;
use crate::purge::order::{Order, What};
use crate::wire::message::Kind;

const RULES: &str =
    "[rules.'S.ugi']\nsession = 'identity'\n[rules.'S.mine']\nttl = '60s'\nstale_if_error = '1h'";

async fn world(backend: &str) -> World {
    World::new(Given { rules: RULES, backend, ..Given::default() }).await
}

/// What one call is answered.
async fn asks(client: &mut Client, method: &str, value: i32) -> i32 {
    client.call(&[(method, value)]).await;
    let reply = client.reply().await.unwrap();
    assert_eq!(reply.1, Kind::Reply, "{method} {value}");
    reply.2
}

/// A client that has said who he is.
async fn client(world: &World, who: i32) -> Client {
    let mut client = world.client().await;
    assert_eq!(asks(&mut client, "ugi", who).await, who);
    client
}

fn heard(world: &World, method: &str) -> usize {
    world.heard().iter().filter(|heard| *heard == method).count()
}

#[tokio::test(start_paused = true)]
async fn each_is_answered_what_is_for_him() {
    let world = world("").await;
    for round in 0..3 {
        for who in [7, 8] {
            let mut client = client(&world, who).await;
            assert_eq!(asks(&mut client, "mine", 0).await, who, "{round}");
        }
        // Who says nothing is nobody.
        assert_eq!(asks(&mut world.client().await, "mine", 0).await, 0, "{round}");
    }
    assert_eq!(heard(&world, "mine"), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_kept_goes_over_his_connections_too() {
    let rules = "[rules.'S.ugi']\nsession = 'identity'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut clients = [client(&world, 7).await, client(&world, 8).await, client(&world, 7).await];
    for _ in 0..3 {
        for (client, who) in clients.iter_mut().zip([7, 8, 7]) {
            assert_eq!(asks(client, "mine", 0).await, who);
        }
    }
    assert_eq!(heard(&world, "ugi"), 3);
    assert_eq!(world.metric("larder_sessions_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_waits_until_it_is_known_who_calls() {
    let world = world("").await;
    let mut client = world.client().await;
    client.call(&[("mine", 0), ("ugi", 7), ("mine", 0), ("mine", 1), ("ugi", 8), ("mine", 0)]).await;
    for expected in [0, 7, 7, 7, 708, 708] {
        assert_eq!(client.reply().await.map(|reply| reply.2), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_was_said_is_who_he_is_in_its_order() {
    let world = world("max_connections = 1").await;
    let mut clients = Vec::new();
    for said in [[7, 8], [8, 7]] {
        let mut client = world.client().await;
        for who in said {
            asks(&mut client, "ugi", who).await;
        }
        // Over again, it is nothing new.
        asks(&mut client, "ugi", said[1]).await;
        clients.push(client);
    }
    // There is one connection, so each has it opened anew, and everything said again.
    for value in 0..3 {
        for (client, who) in clients.iter_mut().zip([708, 807]) {
            assert_eq!(asks(client, "mine", value).await, who);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn few_connections_serve_many() {
    let world = world("max_connections = 3").await;
    let mut clients = Vec::new();
    for who in 20..40 {
        clients.push((who, client(&world, who).await));
    }
    for value in 0..3 {
        for (who, client) in &mut clients {
            assert_eq!(asks(client, "mine", value).await, *who);
        }
    }
    assert!(world.gateway.subject().status().backends[0].endpoints[0].connections <= 3);
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_who_is_known_opens_a_session_and_goes_on() {
    let world = world("").await;
    let mut old = client(&world, 7).await;
    assert_eq!(asks(&mut old, "mine", 0).await, 7);
    pass(120_000).await;
    world.dies();
    assert_eq!(asks(&mut old, "mine", 0).await, 7);
    for _ in 0..3 {
        let mut new = client(&world, 7).await;
        assert_eq!(asks(&mut new, "mine", 0).await, 7);
    }
    // Whoever is not known is told so, and his connection ends: what follows would be nobody's call.
    let mut unknown = world.client().await;
    unknown.call(&[("ugi", 9), ("mine", 0)]).await;
    assert_eq!(unknown.reply().await.map(|reply| reply.1), Some(Kind::Exception));
    assert_eq!(unknown.reply().await, None);
    eventually(|| world.closed("session") == 1).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_is_told_so_and_his_connection_ends() {
    let world = world("").await;
    let mut client = world.client().await;
    client.call(&[("ugi", 13), ("mine", 0)]).await;
    assert_eq!(client.reply().await, Some((1, Kind::Reply, 13)));
    assert_eq!(client.reply().await, None);
    assert_eq!(heard(&world, "mine"), 0);
    // Nor does the backend connection serve anybody else.
    assert_eq!(asks(&mut world.client().await, "mine", 0).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_made_as_who_the_entry_is_for() {
    let rules =
        "[rules.'S.ugi']\nsession = 'identity'\n[rules.'S.mine']\nttl = '1s'\nstale_while_revalidate = '1h'";
    let world = World::new(Given { rules, ..Given::default() }).await;
    let mut clients = [client(&world, 7).await, client(&world, 8).await];
    for round in 1..5 {
        for (client, who) in clients.iter_mut().zip([7, 8]) {
            assert_eq!(asks(client, "mine", 0).await, who);
        }
        eventually(|| heard(&world, "mine") == 2 * round).await;
        pass(1_500).await;
    }
}

#[tokio::test(start_paused = true)]
async fn gateways_of_one_tier_know_each_others_identities() {
    let clock = Clock::starting_at(Millis(1_000_000));
    let store = Memory::new(clock, Duration::from_millis(50), Counts::default());
    let shared = || Given { rules: RULES, store: Some(Arc::new(store.clone())), ..Given::default() };
    let (one, other) = (World::new(shared()).await, World::new(shared()).await);
    for who in [7, 8] {
        let mut client = client(&one, who).await;
        assert_eq!(asks(&mut client, "mine", 0).await, who);
    }
    pass(1_000).await;
    other.dies();
    for who in [8, 7] {
        let mut client = client(&other, who).await;
        assert_eq!(asks(&mut client, "mine", 0).await, who);
    }
    assert_eq!(heard(&other, "mine"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_purged_call_is_purged_for_everybody() {
    let idl = Some("service S { i32 ugi(1: i32 n), i32 mine(1: i32 n) }");
    let world = World::new(Given { rules: RULES, idl, ..Given::default() }).await;
    let mut clients = [client(&world, 7).await, client(&world, 8).await];
    for round in 1..3 {
        for value in [0, 1] {
            for (client, who) in clients.iter_mut().zip([7, 8]) {
                assert_eq!(asks(client, "mine", value).await, who);
            }
        }
        // The one call is asked anew by both, the other by nobody.
        assert_eq!(heard(&world, "mine"), 2 + 2 * round);
        let what = What::Call { method: "S.mine".to_owned(), arguments: json!({"n": 0}) };
        let order = Order { what, kind: Hardness::Hard, why: String::new(), force: false };
        let from = Asker::Address("10.0.0.8:1".parse().unwrap());
        world.gateway.purges().purge(&order, Orderer { by: "test", from }).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_when_it_made_nobody_anybody_is_forgotten_once_it_does() {
    let mut world = World::new(Given { rules: "[rules.'S.mine']", ..Given::default() }).await;
    let mut before = world.client().await;
    assert_eq!(asks(&mut before, "ugi", 7).await, 7);
    assert_eq!(asks(&mut world.client().await, "mine", 0).await, 7);
    world.reload(|text| text.replace("[rules.'S.mine']", RULES));
    assert_eq!(asks(&mut world.client().await, "mine", 0).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_state_is_behind_who_he_is_and_nobody_elses() {
    let rules = format!("{RULES}\n[rules.'S.echo']\nsession = 'state'");
    let world = World::new(Given { rules: &rules, ..Given::default() }).await;
    let mut first = client(&world, 7).await;
    assert_eq!(asks(&mut first, "mine", 0).await, 7);
    assert_eq!(asks(&mut first, "echo", 5).await, 5);
    assert_eq!(asks(&mut first, "mine", 0).await, 7);
    assert_eq!(heard(&world, "mine"), 2);
    // From here on he speaks for himself.
    assert_eq!(asks(&mut first, "ugi", 8).await, 708);
    assert_eq!(asks(&mut first, "mine", 0).await, 708);
    let mut second = client(&world, 7).await;
    assert_eq!(asks(&mut second, "mine", 0).await, 7);
    assert_eq!(heard(&world, "mine"), 3);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_no_answer_says_it_for_himself_alone() {
    let world = world("").await;
    let mut silent = world.client().await;
    let mut said = call("ugi", 1, 7);
    // The type of a strict message stands in its fourth byte, behind the length of its frame.
    said[7] = 4;
    silent.send(&said).await;
    eventually(|| heard(&world, "ugi") == 1).await;
    assert_eq!(asks(&mut world.client().await, "mine", 0).await, 0);
    assert_eq!(asks(&mut silent, "mine", 0).await, 7);
    assert_eq!(asks(&mut world.client().await, "mine", 1).await, 0);
}

#[tokio::test(start_paused = true)]
async fn who_says_more_than_can_be_said_again_has_a_connection_of_his_own() {
    let world = world("").await;
    let mut client = world.client().await;
    for round in 0..20 {
        asks(&mut client, "ugi", 1 + round % 2).await;
    }
    assert_eq!(asks(&mut client, "mine", 0).await % 100, 2);
    let calls = heard(&world, "mine");
    assert_eq!(asks(&mut client, "mine", 0).await % 100, 2);
    assert_eq!(heard(&world, "mine"), calls + 1);
}
