//! One HTTP request to a gateway, over the network or through a socket in the file system.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::StatusCode;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use thiserror::Error;

pub(crate) use hyper::Method;

use crate::dial::{self, Dial, Stream, Tcp};

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// A host and its port.
    Network(String),
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
            Self::Network(authority) => f.write_str(authority),
            Self::Local(path) => path.display().fmt(f),
        }
    }
}

/// The status and the body, of at most `limit` bytes, that come back within `timeout`. No proxy stands in between.
///
/// # Errors
/// If nobody answers in time, or with something else.
pub(crate) async fn ask(
    server: &Server,
    request: &Request<'_>,
    limit: usize,
    timeout: Duration,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let late =
        |_| Failure::Unreached(format!("nothing comes within {}", humantime::format_duration(timeout)));
    tokio::time::timeout(timeout, exchange(server, request, limit)).await.map_err(late)?
}

async fn exchange(
    server: &Server,
    request: &Request<'_>,
    limit: usize,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let stream = connect(server).await.map_err(|error| Failure::Unreached(error.to_string()))?;
    let strange = |error: hyper::Error| Failure::Strange(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(strange)?;
    let answered = async {
        let (head, body) = sender.send_request(spelled(request)).await.map_err(strange)?.into_parts();
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| Failure::Strange(error.to_string()))?;
        Ok((head.status, body.to_bytes().to_vec()))
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
    let authority = match server {
        Server::Local(path) => return Ok(Box::new(dial::local(path).await?)),
        Server::Network(authority) => authority,
    };
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
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
