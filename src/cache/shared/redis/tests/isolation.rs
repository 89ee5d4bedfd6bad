//! What one server, one large value or many calls do to others: nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;

use super::fake::{Fake, slow_way};
use super::server::Server;
use super::*;

const EMPTY: &str = "$0\r\n\r\n";

fn is(command: &[String], verb: &str) -> bool {
    command[0] == verb
}

#[tokio::test]
async fn reads_of_one_batch_travel_together() {
    let mut waiting = 0;
    let fake = Fake::start(move |command| {
        if !is(command, "GETRANGE") {
            return String::new();
        }
        // None is answered before all have come: who sent one and waited would wait for ever.
        waiting += 1;
        if waiting == 16 { EMPTY.repeat(16) } else { String::new() }
    })
    .await;
    let store = gateway_at(fake.place.clone(), |_| {}).await;
    let keys: Vec<_> = (0..16_u8).map(|key| [key]).collect();
    let found = join_all(keys.iter().map(|key| store.get(key))).await;
    assert!(found.iter().all(Option::is_none));
    assert_eq!((store.counts.reads(Read::Miss), store.counts.reads(Read::Timeout)), (16, 0));
}

#[tokio::test]
async fn a_server_that_answers_with_too_many_errors_is_left_and_proves_itself() {
    let (pings, failing) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (counted, fails) = (Arc::clone(&pings), Arc::clone(&failing));
    let mut turn = 0;
    let fake = Fake::start(move |command| {
        if is(command, "PING") {
            counted.fetch_add(1, Ordering::Relaxed);
            return String::new();
        }
        turn += 1;
        let fails = fails.load(Ordering::Relaxed) && turn % 2 == 0;
        if fails { "-BUSY Redis is busy running a script.\r\n".to_owned() } else { EMPTY.to_owned() }
    })
    .await;
    let store = gateway_at(fake.place.clone(), |_| {}).await;
    let mut reads = 0;
    while store.is_up() {
        store.get(KEY).await;
        reads += 1;
        assert!(reads <= 20, "never left");
    }
    assert_eq!(reads, 20, "a few errors are no reason");
    let before = pings.load(Ordering::Relaxed);
    failing.store(false, Ordering::Relaxed);
    until("it is half open", || store.servers()[0].1 == State::HalfOpen).await;
    until("it is up", || store.is_up()).await;
    // One for each connection, and two in a row that it is well.
    assert!(pings.load(Ordering::Relaxed) >= before + 5);
    assert_eq!(store.counts.reads(Read::Error), 10);
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_left_and_looked_for_again() {
    let loading = Arc::new(AtomicBool::new(true));
    let loads = Arc::clone(&loading);
    let fake = Fake::start(move |command| {
        if loads.load(Ordering::Relaxed) {
            "-LOADING Redis is loading the dataset in memory\r\n".to_owned()
        } else if is(command, "PING") {
            String::new()
        } else {
            EMPTY.to_owned()
        }
    })
    .await;
    let store = gateway_at(fake.place.clone(), |_| {}).await;
    assert!(!store.is_up());
    loading.store(false, Ordering::Relaxed);
    until("it is up", || store.is_up()).await;
    loading.store(true, Ordering::Relaxed);
    store.get(KEY).await;
    assert!(!store.is_up(), "it loads again");
}

#[tokio::test]
async fn a_server_that_forgot_the_login_is_left_at_its_first_refusal() {
    let fake = Fake::start(|command| {
        let refused = is(command, "GETRANGE");
        if refused { "-NOAUTH Authentication required.\r\n".to_owned() } else { String::new() }
    })
    .await;
    let store = gateway_at(fake.place.clone(), |_| {}).await;
    assert_eq!(store.get(KEY).await, None);
    assert_eq!(store.get(KEY).now_or_never(), Some(None));
}

#[tokio::test]
async fn more_reads_than_a_server_may_have_wait_for_nothing() {
    let fake = Fake::start(|_| String::new()).await;
    let store = gateway_at(fake.place.clone(), |_| {}).await;
    let keys: Vec<_> = (0..1_100_u32).map(u32::to_be_bytes).collect();
    join_all(keys.iter().map(|key| store.get(key))).await;
    assert_eq!(store.counts.reads(Read::Dropped), 1_100 - 1_024);
    assert!(!store.is_up(), "none was answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_make_no_short_read_late() {
    let server = Server::start();
    // 3 MiB take far longer than a read may.
    let way = slow_way(server.port, 64 << 10, Duration::from_millis(20)).await;
    let store =
        gateway_at(way.place.clone(), |settings| settings.read_timeout = Duration::from_millis(300)).await;
    let large = holding(Bytes::from(vec![7; 3 << 20]));
    assert_eq!(store.put(b"large", &large, KEEP).await, Write::Written);
    store.keeps(born(NOW)).await;
    let ends = AtomicBool::new(false);
    let readers = async {
        // They share one connection, on which each may take ten times as long as a short read.
        let all = join_all((0..2).map(|_| store.get(b"large"))).await;
        ends.store(true, Ordering::Relaxed);
        all
    };
    let short = async {
        let mut reads = 0;
        while !ends.load(Ordering::Relaxed) {
            assert!(store.get(KEY).await.is_some(), "read {reads}");
            reads += 1;
            tokio::task::yield_now().await;
        }
        reads
    };
    let (all, reads) = tokio::join!(readers, short);
    assert!(all.iter().all(|one| one.as_ref() == Some(&large)), "a large value comes while it comes");
    assert!(reads > 20 && store.is_up(), "{reads}");
}

#[tokio::test]
async fn connections_have_our_name() {
    let server = Server::start();
    let _store = gateway_with(&server, |settings| {
        settings.client_name = "larder-of-the-test".to_owned();
        settings.connections = 3;
    })
    .await;
    let mut list = redis::cmd("CLIENT");
    list.arg("LIST");
    let clients: String = server.ask(&list);
    assert_eq!(clients.matches("name=larder-of-the-test").count(), 5, "{clients}");
}

#[tokio::test]
async fn what_does_not_serve_is_left_and_looked_for_again() {
    let (server, other) = (Server::start(), Server::start());
    let store = gateway(&server).await;
    let replicaof = |host: &str, port: &str| {
        let mut command = redis::cmd("REPLICAOF");
        command.arg(host).arg(port);
        command
    };
    let _: () = server.ask(&replicaof("127.0.0.1", &other.port.to_string()));
    assert_ne!(store.keeps(born(NOW)).await, Write::Written);
    until("a replica is left", || !store.is_up()).await;
    assert_eq!(store.keeps(born(NOW)).await, Write::Skipped);
    let _: () = server.ask(&replicaof("NO", "ONE"));
    until("a primary is used", || store.is_up()).await;
    assert_eq!(store.keeps(born(NOW)).await, Write::Written);
}

#[tokio::test]
async fn a_server_that_wants_a_login_is_left_alone_until_it_does_not() {
    let mut server = Server::start();
    let store = gateway(&server).await;
    server.kill();
    server.restart_with(&["--requirepass", "sesame"]);
    until("the server is left", || !store.is_up()).await;
    let state = || store.servers()[0].1;
    assert_eq!((store.get(KEY).now_or_never(), state()), (Some(None), State::Down));
    server.kill();
    server.restart_with(&[]);
    until("the server is used", || store.is_up()).await;
    assert_eq!(state(), State::Up);
    assert!(store.counts.servers.is_in(&store.servers()[0].0, "up"));
}
