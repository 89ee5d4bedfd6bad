//! One HTTP request to a gateway, over the network or through a socket in the file system.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::time::timeout;

pub(crate) use hyper::Method;

use crate::dial::{self, Dial, Stream, Tcp};
use crate::tls::{Client, Papers};

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// A host and its port.
    Network(String),
    /// A host and its port, inside TLS, and what is believed and shown there.
    Encrypted(String, Arc<Papers>),
    /// A socket in the file system.
    Local(PathBuf),
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// How it is asked.
    pub(crate) method: Method,
    /// For what.
    pub(crate) path: &'a str,
    /// What whoever gives orders shows.
    pub(crate) token: Option<&'a str>,
    /// JSON, or nothing.
    pub(crate) body: &'a [u8],
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Nobody answers.
    #[error("{0}")]
    Unreached(String),
    /// Something else than an answer came.
    #[error("{0}")]
    Strange(String),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(authority) | Self::Encrypted(authority, _) => f.write_str(authority),
            Self::Local(path) => path.display().fmt(f),
        }
    }
}

/// What came of following an answer.
#[derive(Debug)]
pub(crate) enum Followed<T> {
    /// It was not to be followed to its end.
    Broke(T),
    /// It has ended.
    Ended,
    /// There is none: the status and the body say why.
    Refused(StatusCode, Vec<u8>),
}

/// The status and the body, of at most `limit` bytes, that come back within `longest`. No proxy stands in between.
///
/// # Errors
/// If nobody answers in time, or with something else.
pub(crate) async fn ask(
    server: &Server,
    request: &Request<'_>,
    limit: usize,
    longest: Duration,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    timeout(longest, exchange(server, request, (limit, longest))).await.map_err(|_| silent(longest))?
}

async fn exchange(
    server: &Server,
    request: &Request<'_>,
    (limit, longest): (usize, Duration),
) -> Result<(StatusCode, Vec<u8>), Failure> {
    answered(server, request, longest, async |head: Parts, body: Incoming| {
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| Failure::Strange(error.to_string()))?;
        Ok((head.status, body.to_bytes().to_vec()))
    })
    .await
}

/// Lets `take` have each part of the body that comes back, as long as it breaks with nothing, and returns what it broke with. None may be
/// awaited for longer than `patience`. Without success, the status and at most `limit` bytes of the body come back.
///
/// # Errors
/// If nobody answers in time, or with something else.
pub(crate) async fn follow<T>(
    server: &Server,
    request: &Request<'_>,
    (limit, patience): (usize, Duration),
    mut take: impl FnMut(&[u8]) -> ControlFlow<T>,
) -> Result<Followed<T>, Failure> {
    answered(server, request, patience, async |head: Parts, mut body: Incoming| {
        if !head.status.is_success() {
            let body =
                timeout(patience, Limited::new(body, limit).collect()).await.map_err(|_| silent(patience))?;
            let body = body.map_err(|error| Failure::Strange(error.to_string()))?;
            return Ok(Followed::Refused(head.status, body.to_bytes().to_vec()));
        }
        loop {
            let frame = timeout(patience, body.frame()).await.map_err(|_| silent(patience))?;
            let Some(frame) = frame.transpose().map_err(|error| strange(&error))? else {
                return Ok(Followed::Ended);
            };
            if let Some(ControlFlow::Break(broke)) = frame.data_ref().map(|data| take(data)) {
                return Ok(Followed::Broke(broke));
            }
        }
    })
    .await
}

/// Has what comes back read. Its beginning may not be awaited for longer than `patience`.
async fn answered<T>(
    server: &Server,
    request: &Request<'_>,
    patience: Duration,
    read: impl AsyncFnOnce(Parts, Incoming) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let stream = timeout(patience, connect(server)).await.map_err(|_| silent(patience))?;
    let stream = stream.map_err(|error| Failure::Unreached(error.to_string()))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| strange(&error))?;
    let answered = async {
        let sent = timeout(patience, sender.send_request(spelled(request))).await;
        let (head, body) = sent.map_err(|_| silent(patience))?.map_err(|error| strange(&error))?.into_parts();
        read(head, body).await
    };
    let mut connection = std::pin::pin!(connection);
    let mut answered = std::pin::pin!(answered);
    tokio::select! {
        biased;
        answered = &mut answered => answered,
        // What has come before its end may be all of the answer.
        _ = &mut connection => answered.await,
    }
}

fn silent(longest: Duration) -> Failure {
    Failure::Unreached(format!("nothing comes within {}", humantime::format_duration(longest)))
}

fn strange(error: &hyper::Error) -> Failure {
    Failure::Strange(error.to_string())
}

fn spelled(request: &Request<'_>) -> hyper::Request<Full<Bytes>> {
    let mut spelled = hyper::Request::new(Full::new(Bytes::copy_from_slice(request.body)));
    *spelled.method_mut() = request.method.clone();
    // Paths are the program's own.
    *spelled.uri_mut() = request.path.parse().unwrap_or_default();
    let headers = spelled.headers_mut();
    let mut say = |name, value: &str| value.parse().map(|value| headers.insert(name, value));
    // The endpoint answers to few names, because a web page can lead a browser to it by any. A command is no browser: it has
    // found the gateway already, by whatever name.
    let mut said = vec![say(HOST, "localhost"), say(CONNECTION, "close")];
    if !request.body.is_empty() {
        said.push(say(CONTENT_TYPE, "application/json"));
    }
    said.extend(request.token.map(|token| say(AUTHORIZATION, &format!("Bearer {token}"))));
    spelled
}

/// A connection to the first of the endpoint's addresses that takes one.
async fn connect(server: &Server) -> io::Result<Box<dyn Stream>> {
    match server {
        Server::Local(path) => Ok(Box::new(dial::local(path).await?)),
        Server::Network(authority) => {
            let (host, port) = parted(authority);
            reach(host, port).await
        }
        Server::Encrypted(authority, papers) => {
            let (host, port) = parted(authority);
            let tls = Client::new(Papers::clone(papers), None).map_err(io::Error::other)?;
            let name = tls.proves(host).map_err(io::Error::other)?;
            Ok(Box::new(tls.speak(name, reach(host, port).await?).await?))
        }
    }
}

fn parted(authority: &str) -> (&str, &str) {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

async fn reach(host: &str, port: &str) -> io::Result<Box<dyn Stream>> {
    let addresses = Tcp.resolve(host, port.parse().unwrap_or_default()).await?;
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match Tcp.dial(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
