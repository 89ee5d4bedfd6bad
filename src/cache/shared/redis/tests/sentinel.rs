//! A primary with two replicas and three sentinels: who is asked, and when it is another.

use super::server::Server;
use super::*;

const MASTER: &str = "larder";

/// A primary, its replicas, and who watches them.
struct Watch {
    servers: Vec<Server>,
    sentinels: Vec<Server>,
    _folder: tempfile::TempDir,
}

impl Watch {
    async fn start() -> Self {
        let primary = Server::start();
        let of = ["--replicaof", "127.0.0.1", &primary.port.to_string()];
        let replicas = [Server::start_with(&of), Server::start_with(&of)];
        let folder = tempfile::tempdir().unwrap();
        let sentinels = (0..3).map(|number| sentinel(folder.path(), number, primary.port)).collect();
        let watch =
            Self { servers: [primary].into_iter().chain(replicas).collect(), sentinels, _folder: folder };
        let known = |info: String| info.contains("slaves=2,sentinels=3");
        for sentinel in &watch.sentinels {
            while !known(sentinel.ask(redis::cmd("INFO").arg("sentinel")).await) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        for replica in &watch.servers[1..] {
            while !info(replica).await.contains("master_link_status:up") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        watch
    }

    async fn gateway(&self) -> Redis {
        let place = |sentinel: &Server| Place::Host("127.0.0.1".to_owned(), sentinel.port);
        let sentinels = self.sentinels.iter().map(place).collect();
        let watched = Watched { sentinels, master: MASTER.to_owned(), login: Login::default() };
        gateway_at(place(&self.servers[0]), |settings| settings.form = Form::Sentinel(watched)).await
    }

    /// Which of the servers are primaries.
    async fn primaries(&self) -> Vec<usize> {
        let mut primaries = Vec::new();
        for (at, server) in self.servers.iter().enumerate() {
            if !server.is_gone() && info(server).await.contains("role:master") {
                primaries.push(at);
            }
        }
        primaries
    }
}

fn sentinel(folder: &std::path::Path, number: usize, primary: u16) -> Server {
    let file = folder.join(format!("{number}.conf"));
    let text = format!(
        "sentinel monitor {MASTER} 127.0.0.1 {primary} 2\nsentinel down-after-milliseconds {MASTER} 500\n\
         sentinel failover-timeout {MASTER} 3000\n"
    );
    std::fs::write(&file, text).unwrap();
    Server::sentinel(&file)
}

async fn info(server: &Server) -> String {
    server.ask(redis::cmd("INFO").arg("replication")).await
}

/// Reads and writes until told, and counts the writes that were kept.
async fn load(store: &Redis, until_it: impl Fn(u64) -> bool) -> u64 {
    let mut kept = 0;
    let patience = tokio::time::Instant::now() + Duration::from_secs(40);
    for number in 0_u64.. {
        assert!(tokio::time::Instant::now() < patience, "never happened, {kept} of {number} writes kept");
        let key = number.to_be_bytes();
        let written = store.put(&key, &born(NOW), KEEP).await;
        if written == Write::Written {
            kept += 1;
        }
        store.get(&key).await;
        if until_it(kept) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    kept
}

#[tokio::test]
async fn the_primary_is_found_and_followed_when_it_dies_under_load() {
    let mut watch = Watch::start().await;
    let store = watch.gateway().await;
    assert!(store.is_up());
    load(&store, |kept| kept == 20).await;
    watch.servers[0].kill();
    until("the primary is left", || !store.is_up()).await;
    // Nothing is kept before another is found, and all after.
    load(&store, |kept| kept == 20).await;
    // Sentinels may still be putting the others in order.
    until_async("another is the primary, with all that was kept since", || async {
        let [primary] = watch.primaries().await[..] else {
            return false;
        };
        assert_ne!(primary, 0, "it is dead");
        let keys: u64 = watch.servers[primary].ask(&redis::cmd("DBSIZE")).await;
        keys >= 20
    })
    .await;
    until("it is up", || store.is_up()).await;
    assert_eq!(store.servers(), [(MASTER.to_owned(), State::Up)]);
}

#[tokio::test]
async fn a_demoted_primary_is_left_for_the_one_that_took_its_place() {
    let watch = Watch::start().await;
    let store = watch.gateway().await;
    let mut failover = redis::cmd("SENTINEL");
    failover.arg("FAILOVER").arg(MASTER);
    let _: () = watch.sentinels[0].ask(&failover).await;
    let mut taken = Vec::new();
    while taken.len() != 1 || taken[0] == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        taken = watch.primaries().await;
    }
    let before: u64 = watch.servers[taken[0]].ask(&redis::cmd("DBSIZE")).await;
    load(&store, |kept| kept == 20).await;
    until_async("what is written is in the new primary", || async {
        let keys: u64 = watch.servers[taken[0]].ask(&redis::cmd("DBSIZE")).await;
        keys > before
    })
    .await;
    assert!(store.is_up());
}

#[tokio::test]
async fn sentinels_that_are_gone_are_no_reason_to_leave_a_primary() {
    let mut watch = Watch::start().await;
    let store = watch.gateway().await;
    for sentinel in &mut watch.sentinels {
        sentinel.kill();
    }
    // The gateway has asked them in vain.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(store.is_up());
    assert_eq!(store.keeps(born(NOW)).await, Write::Written);
}
