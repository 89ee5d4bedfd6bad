//! Thrift over HTTP/1.1: each POST of a client is a message on a connection of its own, which is served like any other.
//!
//! HTTP remembers nothing between requests, and a proxy sends those of many clients down one connection: so nothing is shared between the
//! requests of one but the bounds on its time.

mod exchange;
mod watched;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Front;
use super::connection::Connection;
use super::end::End;
use super::held::{Allowed, Share};
use crate::accept::{Asker, Client};
use crate::post;
use crate::wire::{Transport, header};

use exchange::Exchange;
use watched::{Watch, Watched};

/// A client whose first bytes are a POST.
pub(super) struct Poster<S> {
    /// Its connection.
    pub(super) stream: S,
    /// What was read of it already.
    pub(super) read: BytesMut,
    /// Where it is.
    pub(super) client: Asker,
    /// What it is served by.
    pub(super) front: Arc<Front>,
    /// What it holds.
    pub(super) share: Share,
}

/// Why a request has no message for an answer.
struct Refusal(StatusCode, &'static str);

type Answer = Response<Full<Bytes>>;

/// Answers the requests of a client until it, the gateway or a bound on time ends that.
pub(super) async fn serve<S: Client>(poster: Poster<S>, stop: &CancellationToken) -> End {
    let Poster { stream, read, client, front, share } = poster;
    let watch = Arc::new(Watch::default());
    let stream = Watched::new((stream, read), &front.settings, Arc::clone(&watch));
    let service = service_fn(|request| {
        let (front, share, watch) = (Arc::clone(&front), share.another(), Arc::clone(&watch));
        async move {
            watch.begins();
            let answer = answer(request, client, front, share).await;
            watch.ends();
            Ok::<_, Infallible>(answer.unwrap_or_else(refused))
        }
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(HEAD_MAX);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        biased;
        ended = &mut served => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    match (watch.end(), ended) {
        (Some(end), _) => end,
        (None, Ok(())) if stop.is_cancelled() => End::Drained,
        (None, Ok(())) => End::Client,
        (None, Err(_)) => End::Broken,
    }
}

/// What a request is answered.
async fn answer(
    request: Request<Incoming>,
    client: Asker,
    front: Arc<Front>,
    mut share: Share,
) -> Result<Answer, Refusal> {
    check(&request)?;
    let info = post::info(request.headers());
    let bound = front.settings.message_time;
    let message = timeout(bound, collect(request.into_body(), &front, &mut share)).await;
    let message =
        message.map_err(|_| Refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))??;
    let protocol = post::protocol(&message);
    let protocol =
        protocol.ok_or(Refusal(StatusCode::BAD_REQUEST, "the body is no binary or compact message"))?;
    let mut frame = BytesMut::new();
    header::put_frame(&mut frame, (protocol, &info), &message);
    drop(message);
    // It has all of its message, and ends once that is answered.
    let once = CancellationToken::new();
    once.cancel();
    let exchange = Exchange::new(frame.freeze());
    let mut connection = Connection::speaking(Some(Transport::Header), exchange, client, (front, share));
    let end = connection.serve(&once).await;
    let (exchange, ..) = connection.into_parts();
    answered(&exchange.into_written(), &end)
}

/// Whether a request may be a call. A browser may send one for any page that somebody looks at, to wherever he can reach: it always tells
/// that page's origin, and sends none of these types to another host without asking first.
fn check(request: &Request<Incoming>) -> Result<(), Refusal> {
    let headers = request.headers();
    if request.method() != Method::POST {
        return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "a thrift message comes by POST"));
    }
    if headers.contains_key(ORIGIN) {
        return Err(Refusal(StatusCode::FORBIDDEN, "pages in a browser are not answered"));
    }
    let kind = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    if !KINDS.iter().any(|known| kind.starts_with(known)) {
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a message is application/x-thrift"));
    }
    Ok(())
}

/// The body of a request, counted like all that is held of clients.
async fn collect(mut body: Incoming, front: &Front, share: &mut Share) -> Result<Bytes, Refusal> {
    let broken = |_| Refusal(StatusCode::BAD_REQUEST, "the body breaks off");
    let mut all = BytesMut::new();
    while let Some(part) = body.frame().await.transpose().map_err(broken)? {
        let Ok(data) = part.into_data() else { continue };
        if all.len() + data.len() > front.settings.bounds.frame {
            front.gateway.counts.limit("frame");
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is over limits.frame"));
        }
        all.extend_from_slice(&data);
        share.hold(all.len(), None);
        if poll_fn(|cx| Poll::Ready(share.allows(cx))).await != Allowed::All {
            front.gateway.counts.limit("buffered");
            return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "too much is held of all clients"));
        }
    }
    Ok(all.freeze())
}

/// What a connection has written, as an answer. A call that has no reply has an empty one.
fn answered(written: &Bytes, end: &End) -> Result<Answer, Refusal> {
    let mut answer = Response::new(Full::default());
    if written.is_empty() {
        return match end {
            End::Drained | End::Client => Ok(answer),
            End::Wire(_) => Err(Refusal(StatusCode::BAD_REQUEST, "the body is no message")),
            End::LateReply => Err(Refusal(StatusCode::GATEWAY_TIMEOUT, "the reply came too late")),
            End::Buffered => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "too much is held of all clients")),
            End::Backend | End::Session => {
                Err(Refusal(StatusCode::BAD_GATEWAY, "the backend closed its connection"))
            }
            End::Posts
            | End::Handshake(_)
            | End::Broken
            | End::DuplicateSeqid
            | End::MessageTime
            | End::WriteTime
            | End::HalfClosed
            | End::Idle => Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, "there is no reply")),
        };
    }
    let broken = |_| Refusal(StatusCode::INTERNAL_SERVER_ERROR, "the reply is no frame");
    let (info, message) = header::read_frame(written).map_err(broken)?;
    answer.headers_mut().insert(CONTENT_TYPE, post::THRIFT);
    post::put_info(&info, answer.headers_mut());
    *answer.body_mut() = Full::new(written.slice(message..));
    Ok(answer)
}

fn refused(Refusal(status, why): Refusal) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(format!("larder: {why}\n"))));
    *answer.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    answer
}

/// Bytes of the longest head of a request.
const HEAD_MAX: usize = 64 << 10;
/// What a message may be said to be.
const KINDS: [&[u8]; 3] =
    [b"application/x-thrift", b"application/vnd.apache.thrift", b"application/octet-stream"];
