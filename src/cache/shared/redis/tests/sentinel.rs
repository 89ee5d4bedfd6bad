//! A primary with two replicas and three sentinels: who is asked, and when it is another.

use super::server::Server;
use super::watch::{MASTER, Watch};
use super::*;

async fn gateway(watch: &Watch) -> Redis {
    let place = |sentinel: &Server| Place::Host("127.0.0.1".to_owned(), sentinel.port);
    let sentinels = watch.sentinels.iter().map(place).collect();
    let watched = Watched { sentinels, master: MASTER.to_owned(), login: Login::default() };
    gateway_at(place(&watch.servers[0]), |settings| settings.form = Form::Sentinel(watched)).await
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
    let mut watch = Watch::start_with(&[]);
    let store = gateway(&watch).await;
    assert!(store.is_up());
    load(&store, |kept| kept == 20).await;
    watch.servers[0].kill();
    until("the primary is left", || !store.is_up()).await;
    // Nothing is kept before another is found, and all after.
    load(&store, |kept| kept == 20).await;
    // Sentinels may still be putting the others in order.
    until_async("another is the primary, with all that was kept since", || async {
        let [primary] = watch.primaries()[..] else {
            return false;
        };
        assert_ne!(primary, 0, "it is dead");
        let keys: u64 = watch.servers[primary].ask(&redis::cmd("DBSIZE"));
        keys >= 20
    })
    .await;
    until("it is up", || store.is_up()).await;
    assert_eq!(store.servers(), [(MASTER.to_owned(), State::Up)]);
}

#[tokio::test]
async fn a_demoted_primary_is_left_for_the_one_that_took_its_place() {
    let watch = Watch::start_with(&[]);
    let store = gateway(&watch).await;
    watch.fail_over().unwrap();
    let mut taken = Vec::new();
    while taken.len() != 1 || taken[0] == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        taken = watch.primaries();
    }
    let before: u64 = watch.servers[taken[0]].ask(&redis::cmd("DBSIZE"));
    load(&store, |kept| kept == 20).await;
    until_async("what is written is in the new primary", || async {
        let keys: u64 = watch.servers[taken[0]].ask(&redis::cmd("DBSIZE"));
        keys > before
    })
    .await;
    assert!(store.is_up());
}

#[tokio::test]
async fn sentinels_that_are_gone_are_no_reason_to_leave_a_primary() {
    let mut watch = Watch::start_with(&[]);
    let store = gateway(&watch).await;
    for sentinel in &mut watch.sentinels {
        sentinel.kill();
    }
    // The gateway has asked them in vain.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(store.is_up());
    assert_eq!(store.keeps(born(NOW)).await, Write::Written);
}
