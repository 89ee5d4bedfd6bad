//! A connection to a server that speaks HTTP: each frame that is written to it leaves as a POST, and each answer is read from it as a frame.
//!
//! Whoever holds it moves it on by reading and writing, so it needs no task of its own. It takes one frame at a time: what a server that
//! ends the connection with its answer has not been sent was not written either.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, Request, Response, Uri, Version, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dial::{Address, Stream};
use crate::wire::header;

/// What a server is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where its service is.
    pub(crate) path: Arc<str>,
    /// The server.
    pub(crate) server: Address,
    /// Bytes of the longest answer.
    pub(crate) longest: usize,
}

/// The connection.
pub(crate) struct Posting {
    /// Moves HTTP on; nothing once it has ended.
    http: Option<BoxFuture<'static, hyper::Result<()>>>,
    sender: SendRequest<Full<Bytes>>,
    target: Target,
    /// The beginning of a frame, or all of one that cannot leave yet.
    unsent: BytesMut,
    /// The answer that is waited for.
    awaited: Option<BoxFuture<'static, io::Result<Answer>>>,
    /// The part of an answer's frame that is not read.
    unread: Bytes,
}

/// What a server has answered.
struct Answer {
    /// Nothing, to a call that has no reply.
    frame: Bytes,
    /// Whether it answers no more on this connection.
    is_last: bool,
}

impl Posting {
    /// HTTP on a connection that was just opened.
    pub(crate) fn over(stream: Box<dyn Stream>, target: Target) -> Self {
        let begun = http1::handshake(TokioIo::new(stream)).now_or_never();
        let (sender, http) =
            begun.and_then(Result::ok).expect("HTTP/1 begins when something is sent, and waits for nothing");
        let http = Some(http.boxed());
        Self { http, sender, target, unsent: BytesMut::new(), awaited: None, unread: Bytes::new() }
    }

    /// Moves on what can be moved on.
    fn advance(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if self.http.as_mut().is_some_and(|http| http.poll_unpin(cx).is_ready()) {
                self.http = None;
            }
            if let Some(awaited) = &mut self.awaited {
                let Poll::Ready(answer) = awaited.poll_unpin(cx) else { return Ok(()) };
                self.awaited = None;
                let Answer { frame, is_last } = answer?;
                self.unread = frame;
                if is_last {
                    self.http = None;
                }
            }
            if !self.unread.is_empty() || self.missing() > 0 {
                return Ok(());
            }
            match self.sender.poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Poll::Pending => return Ok(()),
            }
            let frame = self.unsent.split().freeze();
            let sent = self.sender.send_request(self.target.request(&frame)?);
            let longest = self.target.longest;
            self.awaited =
                Some(async move { answered(sent.await.map_err(io::Error::other)?, longest).await }.boxed());
        }
    }

    /// Bytes without which the frame that is written is not whole, as far as that can be told.
    fn missing(&self) -> usize {
        let whole = match self.unsent.first_chunk() {
            Some(length) => size_of::<u32>() + u32::from_be_bytes(*length) as usize,
            None => size_of::<u32>(),
        };
        whole.saturating_sub(self.unsent.len())
    }
}

impl Target {
    fn request(&self, frame: &Bytes) -> io::Result<Request<Full<Bytes>>> {
        let (info, message) = header::read_frame(frame).map_err(io::Error::other)?;
        let mut request = Request::new(Full::new(frame.slice(message..)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.parse::<Uri>().map_err(io::Error::other)?;
        let headers = request.headers_mut();
        let server = match &self.server {
            Address::Network(address) => {
                HeaderValue::from_str(&address.to_string()).map_err(io::Error::other)?
            }
            Address::Socket(_) => HeaderValue::from_static("localhost"),
        };
        headers.extend([(HOST, server), (CONTENT_TYPE, super::THRIFT), (ACCEPT, super::THRIFT)]);
        super::put_info(&info, headers);
        Ok(request)
    }
}

async fn answered(response: Response<Incoming>, longest: usize) -> io::Result<Answer> {
    let (head, body) = response.into_parts();
    if !head.status.is_success() {
        return Err(io::Error::other(format!("the status is {}", head.status)));
    }
    let message = Limited::new(body, longest).collect().await.map_err(io::Error::other)?.to_bytes();
    let (is_last, mut frame) = (is_last(&head), BytesMut::new());
    if !message.is_empty() {
        let protocol = super::protocol(&message).ok_or_else(|| io::Error::other("the body is no message"))?;
        header::put_frame(&mut frame, (protocol, &super::info(&head.headers)), &message);
    }
    Ok(Answer { frame: frame.freeze(), is_last })
}

fn is_last(head: &Parts) -> bool {
    let says = |word: &str| {
        let said = head.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        said.flat_map(|value| value.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
    };
    says("close") || head.version == Version::HTTP_10 && !says("keep-alive")
}

impl AsyncRead for Posting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let advanced = self.advance(cx);
        if self.unread.is_empty() {
            advanced?;
        }
        let count = self.unread.len().min(into.remaining());
        into.put_slice(self.unread.get(..count).unwrap_or_default());
        self.unread.advance(count);
        let is_over = self.http.is_none() && self.awaited.is_none();
        if count > 0 || is_over { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Posting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.advance(cx)?;
        let missing = self.missing();
        if self.awaited.is_some() || missing == 0 {
            return Poll::Pending;
        }
        if self.http.is_none() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = bytes.get(..missing).unwrap_or(bytes);
        self.unsent.extend_from_slice(taken);
        self.advance(cx)?;
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.advance(cx))
    }

    /// Its server is told once all that was written is answered.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.advance(cx)?;
        if self.http.is_some() && (self.awaited.is_some() || self.missing() == 0) {
            return Poll::Pending;
        }
        self.http = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Protocol;
    use crate::wire::header::info::Info;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    fn posting() -> (Posting, DuplexStream) {
        let (near, far) = tokio::io::duplex(64 << 10);
        let target =
            Target { path: "/users".into(), server: "10.0.0.1:80".parse().unwrap(), longest: 1 << 20 };
        (Posting::over(Box::new(near), target), far)
    }

    fn frame(message: &[u8]) -> BytesMut {
        let (mut frame, mut info) = (BytesMut::new(), Info::default());
        info.push(b"x-tenant", b"7");
        header::put_frame(&mut frame, (Protocol::Binary, &info), message);
        frame
    }

    /// What the server is asked, once it has answered so.
    async fn serves(far: &mut DuplexStream, answer: &[u8]) -> String {
        let mut asked = vec![0; 4096];
        let count = far.read(&mut asked).await.unwrap();
        far.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&asked[..count]).into_owned()
    }

    #[tokio::test]
    async fn a_frame_is_posted_and_its_answer_is_a_frame() {
        let (mut posting, mut far) = posting();
        for _ in 0..2 {
            posting.write_all(&frame(b"\x80call")).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nx-region: eu\r\ncontent-length: 6\r\n\r\n\x80reply";
            let mut length = [0; 4];
            let (asked, read) = tokio::join!(serves(&mut far, answer), posting.read_exact(&mut length));
            read.unwrap();
            assert!(asked.starts_with("POST /users HTTP/1.1\r\nhost: 10.0.0.1:80\r\n"), "{asked}");
            assert!(asked.contains("x-tenant: 7\r\n") && asked.ends_with("call"), "{asked}");
            let mut rest = vec![0; u32::from_be_bytes(length) as usize];
            posting.read_exact(&mut rest).await.unwrap();
            let whole = [&length[..], &rest].concat();
            let (info, message) = header::read_frame(&whole).unwrap();
            assert_eq!((info.get(b"x-region"), &whole[message..]), (Some(&b"eu"[..]), &b"\x80reply"[..]));
        }
    }

    #[tokio::test]
    async fn behind_the_last_answer_nothing_is_taken() {
        let (mut posting, mut far) = posting();
        let frame = frame(b"\x80call");
        posting.write_all(&frame).await.unwrap();
        let two = async {
            let second = posting.write(&frame).await;
            (second, posting.read(&mut [0; 4096]).await)
        };
        let answers = async move {
            serves(&mut far, b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        };
        let ((second, read), ()) = tokio::join!(two, answers);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(read.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_status_that_is_no_success_is_an_error() {
        let (mut posting, mut far) = posting();
        posting.write_all(&frame(b"\x80call")).await.unwrap();
        let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        let mut byte = [0];
        let (_, read) = tokio::join!(serves(&mut far, answer), posting.read(&mut byte));
        assert!(read.unwrap_err().to_string().contains("404"));
    }
}
