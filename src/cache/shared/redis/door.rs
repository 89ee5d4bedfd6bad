//! How a connection to a server is opened: name, connection, TLS, login, and a first answer.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, RedisError, Value};
use thiserror::Error;
use tokio_util::io::InspectReader;

use crate::dial::{self, Dial, Stream};

use super::login::Login;
use super::place::Place;
use super::settings::Settings;

/// Opens connections as the settings say.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) settings: Arc<Settings>,
    pub(super) dial: Arc<dyn Dial>,
}

/// One of the ways to a place: a name may have several addresses.
#[derive(Debug, Clone)]
pub(super) enum Way {
    Address { host: String, address: SocketAddr },
    Socket(std::path::PathBuf),
}

/// A connection that is logged in.
pub(super) struct Opened {
    pub(super) connection: MultiplexedConnection,
    /// What moves its bytes; ends when the connection does.
    pub(super) driver: BoxFuture<'static, ()>,
    /// Bytes that came on it so far.
    pub(super) came: Arc<AtomicU64>,
}

/// Why a server cannot be used.
#[derive(Debug, Error)]
pub(super) enum Unreachable {
    #[error("cannot connect: {0}")]
    Dial(#[from] io::Error),
    #[error("cannot log in: {0}")]
    Login(RedisError),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("it does not serve: {0}")]
    Unfit(String),
    #[error("it is a replica")]
    Replica,
    #[error("{0}")]
    Unknown(String),
}

impl Door {
    /// The ways to `place`, at least one.
    pub(super) async fn ways(&self, place: &Place) -> io::Result<Vec<Way>> {
        let (host, port) = match place {
            Place::Socket(path) => return Ok(vec![Way::Socket(path.clone())]),
            Place::Host(host, port) => (host, *port),
        };
        let addresses = self.dial.resolve(host, port).await?;
        Ok(addresses.into_iter().map(|address| Way::Address { host: host.clone(), address }).collect())
    }

    /// Opens a connection and logs in.
    pub(super) async fn open(&self, way: &Way, login: &Login, database: u32) -> Result<Opened, Unreachable> {
        let came = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&came);
        let stream = InspectReader::new(self.stream(way).await?, move |bytes: &[u8]| {
            counted.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
        // Time is ours to bound: each call brings its own.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&info(login, database), stream, config)
                .await
                .map_err(Unreachable::Login)?;
        Ok(Opened { connection, driver: driver.boxed(), came })
    }

    async fn stream(&self, way: &Way) -> io::Result<Box<dyn Stream>> {
        match way {
            Way::Socket(path) => Ok(Box::new(dial::local(path).await?)),
            Way::Address { host, address } => {
                let stream = self.dial.dial(*address).await?;
                match &self.settings.tls {
                    Some(tls) => {
                        let name = tls.proves(host).map_err(io::Error::other)?;
                        Ok(Box::new(tls.speak(name, stream).await?))
                    }
                    None => Ok(stream),
                }
            }
        }
    }
}

/// Says who asks, and finds out whether the server serves: a replica would refuse each write and tell of the past, one that
/// loads its data refuses all.
pub(super) async fn greet(connection: &mut MultiplexedConnection, name: &str) -> Result<(), Unreachable> {
    let mut greeting = Pipeline::new();
    greeting.cmd("CLIENT").arg("SETNAME").arg(name);
    // Old servers, and users that may do little, are refused both; neither is needed.
    greeting.cmd("HELLO").arg(2);
    greeting.cmd("PING");
    let answers = connection.send_packed_commands(&greeting, 0, 3).await;
    let mut answers = answers.map_err(Unreachable::Login)?.into_iter();
    let (_named, hello, pong) = (answers.next(), answers.next(), answers.next());
    if let Some(Value::ServerError(error)) = pong {
        return Err(Unreachable::Unfit(error.to_string()));
    }
    let role = hello.and_then(|hello| redis::from_redis_value::<HashMap<String, Value>>(hello).ok());
    match role.and_then(|mut hello| hello.remove("role")) {
        Some(Value::BulkString(role)) if role != b"master" => Err(Unreachable::Replica),
        Some(_) | None => Ok(()),
    }
}

fn info(login: &Login, database: u32) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_db(database.into())
        .set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    if let Some(username) = &login.username {
        info = info.set_username(username);
    }
    if let Some(password) = &login.password {
        info = info.set_password(password.reveal());
    }
    info
}

/// Commands that wait to be written to the socket; further callers wait within their time.
const QUEUE: usize = 1024;
