//! Gateways over sentinels and on a cluster: what one invalidates none answers, whichever server takes the place of another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value as Json, json};

use crate::harness::*;

const KEPT: &str = "ttl = '60s'\nstale_if_error = '60s'\ntags = ['user:{id}']";

/// A gateway on a shared tier, once it has heard all marks.
fn on(backend: &Backend, section: &str) -> Gateway {
    let builder = gateway().endpoint(backend.address()).get_user(KEPT);
    let gateway = builder.section("cache.shared", section).start();
    has_heard_all(&gateway);
    gateway
}

fn has_heard_all(gateway: &Gateway) {
    eventually(|| gateway.metric("larder_coherence_lease", &[]) == 1);
}

fn over(watch: &Watch) -> String {
    let sentinels: Vec<_> = watch.sentinels.iter().map(address).collect();
    format!("sentinels = {sentinels:?}\nmaster = '{MASTER}'")
}

fn in_a(servers: &Servers) -> String {
    format!("cluster = {:?}", servers.all.iter().map(address).collect::<Vec<_>>())
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port)
}

/// Purges a user hard, and says how far that has got.
fn purged(gateway: &Gateway, user: i64) -> String {
    let (status, said) = gateway.purge(json!({"tag": format!("user:{user}"), "kind": "hard"}));
    assert_eq!(status, 200, "{said}");
    let said: Json = serde_json::from_str(&said).unwrap();
    said["reached"].as_str().unwrap().to_owned()
}

/// Whether a gateway knows of a hard mark that covers the reply of this user.
fn knows_of(gateway: &Gateway, user: i64) -> bool {
    let call = json!({"method": "UserService.getUser", "arguments": {"id": user}}).to_string();
    let (_, said) = gateway.post("/v1/explain", &call);
    let said: Json = serde_json::from_str(&said).unwrap();
    let marks = said["listeners"][0]["calls"][0]["marks"].as_array().cloned().unwrap_or_default();
    marks.iter().any(|mark| mark["kind"] == "hard")
}

/// Purges before, while and after `kills` takes the server of the marks away; `section` says how gateways reach the others.
fn purges_outlive(section: &str, kills: impl FnOnce()) {
    let backend = backend();
    let [one, other] = [(); 2].map(|()| on(&backend, section));
    eventually(|| [&one, &other].iter().all(|gateway| gateway.metric("larder_gateways", &[]) == 2));
    let before = [1, 2, 3].map(|user| other.client().get_user(user).email());
    assert_eq!(purged(&one, 1), "fleet");
    assert_ne!(other.client().get_user(1).email(), before[0]);
    kills();
    eventually(|| one.metric("larder_coherence_lease", &[]) == 0);
    // However far it gets: another server may be there before it is answered.
    let _ = purged(&one, 2);
    // What could not be told is told when there is a server again, and what it may have lost too.
    eventually(|| one.metric("larder_marks_untold", &[]) == 0);
    [&one, &other].into_iter().for_each(has_heard_all);
    eventually(|| knows_of(&other, 2));
    let late = on(&backend, section);
    eventually(|| [1, 2].iter().all(|user| knows_of(&late, *user)));
    eventually(|| purged(&one, 3) == "fleet");
    assert!(knows_of(&other, 3) && knows_of(&late, 3));
    let after = [1, 2, 3].map(|user| other.client().get_user(user).email());
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
}

#[test]
fn a_purge_reaches_all_whichever_server_sentinels_put_in_the_primarys_place() {
    let mut watch = Watch::start_with(&[]);
    purges_outlive(&over(&watch), || watch.servers[0].kill());
}

#[test]
fn a_purge_reaches_all_whichever_server_of_a_cluster_dies() {
    let mut servers = Servers::start();
    let owner = servers.owner(LOG).unwrap();
    purges_outlive(&in_a(&servers), || servers.all[owner].kill());
}

#[test]
fn slots_that_move_under_load_cost_no_call_its_answer() {
    let (backend, servers) = (backend(), Servers::start());
    let section = in_a(&servers);
    let gateways = [(); 2].map(|()| on(&backend, &section));
    let users = 1..=100;
    let ask_all = |gateway: &Gateway| {
        let mut client = gateway.client();
        users.clone().for_each(|user| assert_eq!(client.get_user(user).user_id(), user));
    };
    ask_all(&gateways[0]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for each in 0..4 {
            let (gateway, is_over) = (&gateways[each % 2], &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    ask_all(gateway);
                    // Also what others have marked is asked of Redis.
                    purged(gateway, 1 + each as i64);
                }
            });
        }
        for _ in 0..3 {
            move_all(&servers);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    eventually(|| gateways.iter().all(|gateway| purged(gateway, 1) == "fleet"));
    assert_eq!(gateways.iter().map(|gateway| gateway.outcomes("failed")).sum::<u64>(), 0);
}

/// Moves the marks' slot, and those of some entries, to the next server.
fn move_all(servers: &Servers) {
    let entries = |server: &Server| server.ask::<Vec<String>>(redis::cmd("KEYS").arg("larder:UserService*"));
    let keys = servers.all[..3].iter().flat_map(|server| entries(server).into_iter().take(10));
    for key in keys.chain([LOG.to_owned()]).collect::<Vec<_>>() {
        let Some(from) = servers.owner(&key) else { panic!("nobody has {key}") };
        servers.move_slot(servers.slot(&key), [from, (from + 1) % 3]).unwrap();
    }
}

const LOG: &str = "larder:{marks}:log";
