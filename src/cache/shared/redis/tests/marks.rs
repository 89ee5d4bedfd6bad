//! The scripts of the marks, in a real server whose clock is set and in a cluster that moves their slot.

use super::super::slots::slot;
use super::server::Server;
use super::servers::Servers;
use super::*;
use crate::cache::shared::feed::{Announcement, Exact, Feed, Heard, Hello, Origin, Unheard};
use crate::mark::{Cover, Kind, Mark, Version};

const LOG: &str = "larder:{marks}:log";
const GATEWAYS: &str = "larder:{marks}:gateways";

/// A gateway that hears and tells.
struct Listener {
    gateway: u64,
    applied: Version,
    there: Origin,
    told: u64,
}

impl Listener {
    fn new(gateway: u64) -> Self {
        Self { gateway, applied: Version::default(), there: Origin::default(), told: 0 }
    }

    async fn listens(&mut self, store: &Redis) -> Result<Heard, Unheard> {
        let Self { gateway, applied, there, .. } = *self;
        let opens = Origin { gateway, number: 0 };
        let hello = Hello { gateway, applied, there, opens, lease: Duration::from_secs(1), asks: false };
        let heard = store.listen(&hello).await?;
        if let Some((version, said)) = heard.marks.last() {
            (self.applied, self.there) = (*version, said.origin);
        }
        Ok(heard)
    }

    /// Listens until there is nothing more to be heard.
    async fn hears_all(&mut self, store: &Redis) {
        while !self.listens(store).await.is_ok_and(|heard| heard.goes_on && heard.marks.is_empty()) {}
    }

    async fn tells(&mut self, store: &Redis, cover: Cover) -> Result<(), Unheard> {
        self.told += 1;
        let origin = Origin { gateway: self.gateway, number: self.told };
        let mark = Mark { covers: [cover].into(), kind: Kind::Hard, settle: Duration::ZERO };
        store.announce(&[Announcement { origin, mark, again: None }], KEEP).await
    }
}

async fn exact(store: &Redis, cover: Cover) -> Result<Exact, Unheard> {
    Ok(store.exact(&[cover]).await?[0])
}

/// What is so after the server's clock was set forward: all that it noted is by so much longer ago.
fn set_forward(server: &Server, by: u64) {
    let noted: Vec<(String, String)> = server.ask(redis::cmd("HGETALL").arg(GATEWAYS));
    for (field, noted) in noted {
        let moved = |word: &str| match word.parse::<u64>() {
            Ok(millis) => (millis - by).to_string(),
            Err(_) => word.to_owned(),
        };
        let moved = noted.split(' ').map(moved).collect::<Vec<_>>().join(" ");
        let _: () = server.ask(redis::cmd("HSET").arg(GATEWAYS).arg(field).arg(moved));
    }
}

#[tokio::test]
async fn who_is_cut_off_while_redis_clock_is_set_is_waited_for() {
    let server = Server::start();
    let store = gateway(&server).await;
    let (mut one, mut other) = (Listener::new(1), Listener::new(2));
    one.hears_all(&store).await;
    other.hears_all(&store).await;
    let behind = other.applied;
    // Who may hold a lease and is not listed is waited for at first.
    until_async("all have come there", || async {
        let mut listener = Listener { applied: one.applied, there: one.there, ..Listener::new(1) };
        let mut cut_off = Listener { applied: other.applied, there: other.there, ..Listener::new(2) };
        cut_off.listens(&store).await.unwrap();
        listener.listens(&store).await.unwrap().fleet == behind
    })
    .await;
    set_forward(&server, 5_000);
    one.tells(&store, Cover(1)).await.unwrap();
    one.hears_all(&store).await;
    assert!(one.applied > behind);
    let heard = one.listens(&store).await.unwrap();
    assert_eq!((heard.fleet, heard.gateways), (behind, 2), "the other may hold his lease");
    // His lease ends all the same.
    until_async("nobody waits for him", || async {
        let mut listener = Listener { applied: one.applied, there: one.there, ..Listener::new(1) };
        listener.listens(&store).await.unwrap().fleet == one.applied
    })
    .await;
}

/// In whatever order they move: nothing that lies on the other side is taken for missing, and nothing is made twice.
#[tokio::test]
async fn while_their_slot_moves_marks_are_there_or_cannot_be_asked_for() {
    let servers = Servers::start();
    let store = cluster::gateway(&servers).await;
    let mut listener = Listener::new(1);
    listener.hears_all(&store).await;
    let (marks, mut places) = (slot(LOG), Vec::new());
    for turn in 0..4_u8 {
        listener.tells(&store, Cover(turn.into())).await.unwrap();
        listener.hears_all(&store).await;
        places.push(listener.applied);
        let from = servers.owner(LOG).unwrap();
        let way = [from, (from + 1) % 3];
        servers.begin_move(marks, way).unwrap();
        let mut keys = servers.keys(marks, from).unwrap();
        keys.sort_by_key(|key| (key == LOG, key == GATEWAYS));
        keys.rotate_right(turn.into());
        for key in keys {
            servers.move_key(&key, way).unwrap();
            for (cover, place) in (0..).map(Cover).zip(&places) {
                let said = exact(&store, cover).await;
                assert!(
                    said.is_err() || said == Ok(Exact { any: *place, hard: *place }),
                    "{said:?} at {key}"
                );
            }
            // Whether it is heard, and told, or not.
            let _ = listener.listens(&store).await;
            let _ = listener.tells(&store, Cover(100)).await;
        }
        servers.end_move(marks, way).unwrap();
        until_async("it goes on at the other server", || async {
            Listener::new(2).listens(&store).await.is_ok()
        })
        .await;
        listener = Listener::new(1);
        listener.hears_all(&store).await;
    }
}
