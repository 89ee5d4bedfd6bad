//! What keeps a connection to Redis: a task that dials, logs in, watches, and dials again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prometheus_client::metrics::gauge::Gauge;
use rand::Rng;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisError, Value};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::dial::{Dial, Stream};

use super::Settings;
use super::link::Link;

/// Keeps a connection to one of its servers up, or tries to.
pub(super) struct Supervisor {
    pub(super) settings: Arc<Settings>,
    pub(super) dial: Arc<dyn Dial>,
    pub(super) link: Arc<ArcSwapOption<Link>>,
    pub(super) up: Gauge,
    /// Becomes true when the first attempt has ended.
    pub(super) tried: watch::Sender<bool>,
}

impl Supervisor {
    /// Runs until it is told to stop. `random` spreads the pauses.
    pub(super) async fn run(self, random: impl Rng, stop: CancellationToken) {
        // What is up when it is told so is not up any longer.
        if stop.run_until_cancelled(self.keep_up(random)).await.is_none() {
            self.lie_down();
        }
    }

    async fn keep_up(&self, mut random: impl Rng) {
        let address = self.settings.servers.first().map(ToString::to_string).unwrap_or_default();
        let mut attempt = 0_u32;
        loop {
            match self.connect().await {
                Ok((connection, driver)) => {
                    tracing::info!(%address, "shared tier is up");
                    let began = Instant::now();
                    self.serve(connection, driver).await;
                    tracing::warn!(%address, "shared tier is down");
                    // A connection that does not last is no reason to hurry for the next.
                    attempt = if began.elapsed() < MAX_PAUSE { attempt.saturating_add(1) } else { 0 };
                }
                Err(error) => {
                    if !self.tried.send_replace(true) {
                        tracing::warn!(%address, %error, "shared tier is down");
                    }
                    tracing::debug!(%address, %error, attempt, "shared tier stays down");
                    attempt = attempt.saturating_add(1);
                }
            }
            sleep(pause(attempt, &mut random)).await;
        }
    }

    /// Lets calls use `connection` until it is lost. `driver` does its reading and writing.
    async fn serve(&self, connection: MultiplexedConnection, driver: Driver) {
        let link = Arc::new(Link::new(connection));
        self.link.store(Some(Arc::clone(&link)));
        self.up.set(1);
        self.tried.send_replace(true);
        tokio::select! {
            () = driver => link.lose(),
            () = link.lost() => {}
        }
        self.lie_down();
    }

    fn lie_down(&self) {
        self.link.store(None);
        self.up.set(0);
    }

    async fn connect(&self) -> Result<(MultiplexedConnection, Driver), Unreachable> {
        timeout(self.settings.connect_timeout, self.connect_unbounded())
            .await
            .unwrap_or(Err(Unreachable::Timeout(self.settings.connect_timeout)))
    }

    async fn connect_unbounded(&self) -> Result<(MultiplexedConnection, Driver), Unreachable> {
        let stream = self.dial_any().await?;
        // Time is ours to bound: each call brings its own timeout.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let (mut connection, driver) =
            MultiplexedConnection::new_with_config(&login(&self.settings), stream, config).await?;
        let mut driver = driver.boxed();
        let ping = redis::cmd("PING");
        let pong = timeout(self.settings.read_timeout, ping.query_async::<Value>(&mut connection));
        tokio::select! {
            () = &mut driver => return Err(Unreachable::Dial(io::ErrorKind::ConnectionReset.into())),
            pong = pong => { pong.map_err(|_| Unreachable::Timeout(self.settings.read_timeout))??; }
        }
        Ok((connection, driver))
    }

    /// A connection to the first of the place's addresses that takes one.
    async fn dial_any(&self) -> io::Result<Box<dyn Stream>> {
        let mut refused = io::Error::from(io::ErrorKind::NotFound);
        let server = self.settings.servers.first().ok_or(io::ErrorKind::NotFound)?;
        for address in self.dial.resolve(&server.host, server.port).await? {
            match self.dial.dial(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

/// What moves a connection's bytes; ends when the connection does.
type Driver = BoxFuture<'static, ()>;

#[derive(Debug, Error)]
enum Unreachable {
    #[error("cannot connect: {0}")]
    Dial(#[from] io::Error),
    #[error("cannot log in: {0}")]
    Login(#[from] RedisError),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

fn login(settings: &Settings) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default()
        .set_db(settings.database.into())
        .set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    if let Some(username) = &settings.username {
        login = login.set_username(username);
    }
    if let Some(password) = &settings.password {
        login = login.set_password(password.reveal());
    }
    login
}

/// A random part of a pause that doubles with each attempt ("full jitter", Brooker, "Exponential Backoff And Jitter",
/// AWS 2015); never so short that it would be a busy loop.
fn pause(attempt: u32, random: &mut impl Rng) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(MAX_PAUSE);
    random.random_range(MIN_PAUSE..=longest)
}

/// Commands that wait to be written to the socket; further callers wait within their timeout.
const QUEUE: usize = 1024;
/// The shortest pause between two attempts to connect.
const MIN_PAUSE: Duration = Duration::from_millis(5);
/// The longest first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn pauses_grow_to_a_second_and_are_spread() {
        let mut random = StdRng::seed_from_u64(1);
        for attempt in [0, 1, 5, 100, u32::MAX] {
            let longest = (FIRST_PAUSE * 2_u32.pow(attempt.min(10))).min(MAX_PAUSE);
            let pauses: Vec<_> = (0..1_000).map(|_| pause(attempt, &mut random)).collect();
            assert!(pauses.iter().all(|pause| (MIN_PAUSE..=longest).contains(pause)));
            assert!(pauses.iter().any(|pause| *pause > longest / 4 * 3));
            assert!(pauses.iter().any(|pause| *pause < longest / 4));
        }
    }
}
