//! Whether the servers that the settings name can be used, for who wants to know before there is a gateway.

use std::sync::Arc;

use futures_util::future::join_all;
use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Door, Unreachable, greet};
use super::place::Place;
use super::sentinel::Sentinels;
use super::settings::{Form, Settings};
use crate::dial::Dial;

/// One server, and what was found: what it says of itself, or why it cannot be used.
#[derive(Debug)]
pub(crate) struct Probed {
    /// Where it is, or what sentinels call it.
    pub server: String,
    /// For people.
    pub found: Result<String, String>,
}

/// Asks each server that the settings name who it is and whether scripts run there, each within `connect_timeout`.
pub(crate) async fn probe(settings: Settings, dial: Arc<dyn Dial>) -> Vec<Probed> {
    let door = Arc::new(Door { settings: Arc::new(settings), dial });
    match &door.settings.form {
        Form::One(place) => vec![server(&door, place, STANDALONE).await],
        Form::Cluster(seeds) => join_all(seeds.iter().map(|seed| server(&door, seed, CLUSTER))).await,
        Form::Sentinel(watched) => {
            let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
            let _stop = stop.clone().drop_guard();
            let sentinels = Sentinels::new(Arc::clone(&door), watched.clone(), tasks, stop);
            match sentinels.primary().await {
                Ok(primary) => vec![server(&door, &primary, STANDALONE).await],
                Err(why) => vec![Probed {
                    server: watched.master.clone(),
                    found: Err(format!("cannot be found: {why}")),
                }],
            }
        }
    }
}

/// Asks one server, which is to run in this mode.
async fn server(door: &Door, place: &Place, mode: &str) -> Probed {
    let (began, within) = (Instant::now(), door.settings.connect_timeout);
    let asked = timeout(within, ask(door, place)).await.unwrap_or(Err(Unreachable::Timeout(within)));
    let found =
        asked.map_err(|why| format!("cannot be used: {why}")).and_then(|about| match about.mode.as_deref() {
            Some(other) if other != mode => Err(format!("runs as {other}, and not as {mode}")),
            Some(_) | None => Ok(format!("answers as {}, in {} ms", about.name, began.elapsed().as_millis())),
        });
    Probed { server: place.to_string(), found }
}

/// What a server says of itself.
struct About {
    /// What it is and which version.
    name: String,
    /// Nothing where the login may not know.
    mode: Option<String>,
}

async fn ask(door: &Door, place: &Place) -> Result<About, Unreachable> {
    let mut why = Unreachable::Unknown(format!("{place} has no address"));
    for way in door.ways(place).await? {
        let opened = match door.open(&way, &door.settings.login, door.settings.database).await {
            Ok(opened) => opened,
            Err(error) => {
                why = error;
                continue;
            }
        };
        let mut connection = opened.connection;
        return tokio::select! {
            biased;
            asked = converse(&mut connection, &door.settings.client_name) => asked,
            () = opened.driver => Err(Unreachable::Unknown("it closed the connection".to_owned())),
        };
    }
    Err(why)
}

async fn converse(connection: &mut MultiplexedConnection, name: &str) -> Result<About, Unreachable> {
    greet(connection, name).await?;
    let mut script = redis::cmd("EVAL");
    script.arg("return 1").arg(0);
    let ran = connection.send_packed_command(&script).await.and_then(Value::extract_error);
    ran.map_err(|error| Unreachable::Unfit(format!("no script runs: {error}")))?;
    let told = connection.send_packed_command(redis::cmd("INFO").arg("server")).await;
    let told = told.ok().and_then(|told| redis::from_redis_value::<String>(told).ok()).unwrap_or_default();
    let of = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    };
    let server = of("server_name").unwrap_or_else(|| "redis".to_owned());
    let version = of(&format!("{server}_version")).map(|version| format!(" {version}")).unwrap_or_default();
    Ok(About { name: format!("{server}{version}"), mode: of("redis_mode").or_else(|| of("server_mode")) })
}

/// How a server calls its mode that is none of a cluster.
const STANDALONE: &str = "standalone";
/// How one of a cluster does.
const CLUSTER: &str = "cluster";
