//! The memory of a gateway stays near what the configuration names, whatever its clients do, and goes back when they have gone.

use std::io::Write;
use std::thread;

use crate::harness::*;

const MIB: usize = 1 << 20;
/// Local capacity and `limits.buffered`.
const CONFIGURED: usize = 24 * MIB;
/// What the process may have: a third more, and what it takes without any client.
const MOST: usize = CONFIGURED * 13 / 10 + 39 * MIB;

struct World {
    backend: Backend,
    gateway: Gateway,
}

fn world(rule: &str) -> World {
    let backend = backend();
    let gateway = gateway()
        .section("limits", "buffered = '16MiB'\nframe = '2MiB'\nmessage = '2MiB'\nhalf_closed_time = '1s'")
        .section("cache.local", "capacity = '8MiB'")
        // Replies that are on their way from backends come on top: one for each connection.
        .backend("max_connections = 8")
        .get_user(rule)
        .endpoint(backend.address())
        .start();
    World { backend, gateway }
}

/// Clients that send these calls and never read.
fn idlers(gateway: &Gateway, count: usize, calls: &[u8]) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| gateway.client()).collect();
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                let stream = client.stream();
                // A gateway that stops reading blocks its client.
                stream.set_write_timeout(Some(ms(500))).unwrap();
                let _ = stream.write_all(calls);
            });
        }
    });
    clients
}

fn calls(count: i32, call: &Message) -> Vec<u8> {
    let numbered = (1..=count).map(|seqid| Message { seqid, ..call.clone() }.bytes(Wire::framed()));
    numbered.flatten().collect()
}

/// The memory stays in bounds and a polite client is served, and all comes back once `clients` have gone.
#[track_caller]
fn stays_in_bounds(world: &World, clients: Vec<Client>) {
    let mut polite = world.gateway.client();
    let mut most = 0;
    for _ in 0..50 {
        polite.call(list_users(&[1], &[]));
        most = most.max(world.gateway.memory());
    }
    assert!(most < MOST, "{} MiB of {} MiB", most / MIB, MOST / MIB);
    drop((clients, polite));
    // What a process has without clients, and what its allocator keeps of a burst.
    eventually(|| world.gateway.memory() < CONFIGURED + 20 * MIB);
}

#[test]
fn pipelined_hits_that_nobody_reads() {
    for count in [3, 40] {
        let world = world("ttl = '60s'");
        world.backend.does("getUser", Act::Reply(user(7, &"x".repeat(100 << 10))));
        world.gateway.client().call(get_user(7));
        let clients = idlers(&world.gateway, count, &calls(3_000, &get_user(7)));
        stays_in_bounds(&world, clients);
    }
}

#[test]
fn large_passed_replies_that_nobody_reads() {
    let world = world("idempotent = true\ntimeout = '20s'");
    world.backend.does("getUser", Act::Reply(user(7, &"x".repeat(MIB))));
    let clients = idlers(&world.gateway, 60, &calls(4, &get_user(7)));
    stays_in_bounds(&world, clients);
}

#[test]
fn large_calls_that_are_not_answered() {
    let world = world("idempotent = true\ntimeout = '20s'");
    world.backend.does("getUser", Act::Silence);
    let clients = idlers(&world.gateway, 60, &calls(1, &get_user_traced(7, &"x".repeat(MIB))));
    stays_in_bounds(&world, clients);
}

#[test]
fn idle_connections_keep_nothing_of_a_large_call() {
    let world = world("ttl = '60s'\nignore = ['trace_id']");
    let mut clients: Vec<Client> = (0..200).map(|_| world.gateway.client()).collect();
    let mut each = |length: usize| {
        for client in &mut clients {
            client.call(get_user_traced(7, &"x".repeat(length)));
        }
        world.gateway.memory()
    };
    let before = each(10);
    each(200 << 10);
    let per_connection = (world.gateway.memory().saturating_sub(before)) / 200;
    assert!(per_connection < 48 << 10, "{per_connection} bytes");
}
