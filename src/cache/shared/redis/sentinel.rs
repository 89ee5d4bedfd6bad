//! Where a primary is, as sentinels tell it.
//!
//! All of them are asked, and the one that has seen the latest failover is believed: who is cut off from the others goes on
//! telling of the primary before it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::door::{Door, Unreachable};
use super::place::Place;
use super::settings::Watched;

/// The sentinels that watch one primary.
pub(super) struct Sentinels {
    door: Arc<Door>,
    watched: Watched,
    all: Vec<Sentinel>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Sentinel {
    place: Place,
    /// The connection to it, while there is one.
    talk: Mutex<Option<Talk>>,
}

#[derive(Clone)]
struct Talk {
    connection: MultiplexedConnection,
    _open: Arc<DropGuard>,
}

/// What one sentinel tells of the primary.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    /// Which failover it has seen last; a later one has a greater number.
    epoch: u64,
    place: Place,
}

impl Sentinels {
    pub(super) fn new(
        door: Arc<Door>,
        watched: Watched,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let sentinel = |place: &Place| Sentinel { place: place.clone(), talk: Mutex::default() };
        let all = watched.sentinels.iter().map(sentinel).collect();
        Self { door, watched, all, tasks, stop }
    }

    /// Where the primary is, within half of the time to connect.
    pub(super) async fn primary(&self) -> Result<Place, Unreachable> {
        let answers = join_all(self.all.iter().map(|sentinel| self.ask(sentinel))).await;
        let mut why = Unreachable::Unknown("no sentinel is named".to_owned());
        let mut told: Option<Told> = None;
        for answer in answers {
            match answer {
                Ok(one) if told.as_ref().is_none_or(|told| one.epoch > told.epoch) => told = Some(one),
                Ok(_) => {}
                Err(error) => why = error,
            }
        }
        told.map(|told| told.place).ok_or(why)
    }

    /// What one of them tells. One that does not answer is connected to anew the next time.
    async fn ask(&self, sentinel: &Sentinel) -> Result<Told, Unreachable> {
        let mut held = sentinel.talk.lock().await;
        // Another may have the answer: the rest of the time to connect is for the primary.
        let within = self.door.settings.connect_timeout / 2;
        let asking = async {
            let mut talk = match held.take() {
                Some(talk) => talk,
                None => self.open(&sentinel.place).await?,
            };
            let told = self.told(sentinel, &mut talk.connection).await;
            *held = Some(talk);
            told
        };
        let asked = timeout(within, asking).await;
        asked.unwrap_or(Err(Unreachable::Timeout(within))).map_err(|error| {
            let place = &sentinel.place;
            tracing::debug!(sentinel = %place, %error, "shared tier: sentinel");
            Unreachable::Unknown(format!("sentinel {place}: {error}"))
        })
    }

    async fn open(&self, place: &Place) -> Result<Talk, Unreachable> {
        let ways = self.door.ways(place).await?;
        let way = ways.first().ok_or(std::io::ErrorKind::NotFound).map_err(std::io::Error::from)?;
        let opened = self.door.open(way, &self.watched.login, 0).await?;
        let (open, driver) = (self.stop.child_token(), opened.driver);
        let guard = Arc::new(open.clone().drop_guard());
        self.tasks.spawn(async move { open.run_until_cancelled(driver).await });
        Ok(Talk { connection: opened.connection, _open: guard })
    }

    async fn told(
        &self,
        sentinel: &Sentinel,
        connection: &mut MultiplexedConnection,
    ) -> Result<Told, Unreachable> {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("MASTER").arg(&self.watched.master);
        let answer: HashMap<String, Value> = ask.query_async(connection).await.map_err(refused)?;
        told(&sentinel.place, answer)
            .ok_or_else(|| Unreachable::Unknown("it tells no address of the primary".to_owned()))
    }
}

fn refused(error: RedisError) -> Unreachable {
    match error.is_io_error() {
        true => Unreachable::Dial(std::io::Error::other(error)),
        false => Unreachable::Unknown(error.to_string()),
    }
}

fn told(sentinel: &Place, mut answer: HashMap<String, Value>) -> Option<Told> {
    let mut text = |name: &str| redis::from_redis_value::<String>(answer.remove(name)?).ok();
    let (host, port) = (text("ip")?, text("port")?.parse().ok()?);
    let epoch = text("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or_default();
    Some(Told { epoch, place: sentinel.beside(&host, port) })
}

impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentinels").field("watched", &self.watched).finish_non_exhaustive()
    }
}
