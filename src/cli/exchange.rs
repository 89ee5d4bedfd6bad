//! One call over a connection of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::backend::options::Endpoint;
use crate::dial::{self, Address, Dial, Stream};
use crate::post::client::{Posting, Target};
use crate::tls::Client;
use crate::wire::inbound::{Inbound, Look};
use crate::wire::message::{Header, Kind, put_message};
use crate::wire::{Bounds, Speech, Transport, WireError};

/// How a call is asked.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    /// Who is asked.
    pub endpoint: &'a Endpoint,
    /// What is spoken.
    pub speech: Speech,
    /// How TLS is spoken around it; none is without.
    pub tls: Option<Client>,
    /// The path that messages are posted to, over HTTP.
    pub posts: Option<Arc<str>>,
    /// For everything together.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    /// [`Kind::Reply`] or [`Kind::Exception`].
    pub kind: Kind,
    /// Its struct, which has been walked.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, Error)]
pub(super) enum ExchangeError {
    /// There is no connection.
    #[error("no connection to {endpoint}: {why}")]
    Unreachable {
        /// Who was asked.
        endpoint: Endpoint,
        /// What the system says.
        why: io::Error,
    },
    /// It took too long.
    #[error("{endpoint} has not answered within {}", humantime::format_duration(*after))]
    Late {
        /// Who was asked.
        endpoint: Endpoint,
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended in place of an answer.
    #[error("{endpoint} closed the connection without an answer; is it really {}?", transport.as_str())]
    Closed {
        /// Who was asked.
        endpoint: Endpoint,
        /// What it was taken to speak.
        transport: Transport,
    },
    /// The connection broke.
    #[error("the connection to {endpoint} broke: {why}")]
    Broken {
        /// Who was asked.
        endpoint: Endpoint,
        /// What the system says.
        why: io::Error,
    },
    /// What came is no answer.
    #[error("what {endpoint} answers is no reply: {why}")]
    Garbage {
        /// Who was asked.
        endpoint: Endpoint,
        /// What is wrong.
        why: String,
    },
    /// No runtime.
    #[error("no call can be made: {0}")]
    Runtime(io::Error),
}

impl Exchange<'_> {
    /// Sends the call and waits for what comes back; for nothing, if it is oneway.
    ///
    /// # Errors
    /// Why nothing came back.
    pub(super) fn run(
        &self,
        dial: &dyn Dial,
        header: &Header<'_>,
        body: &[u8],
    ) -> Result<Option<Reply>, ExchangeError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(ExchangeError::Runtime)?.block_on(self.within(self.ask(dial, header, body)))
    }

    /// What a part of it comes to in time.
    ///
    /// # Errors
    /// As it says, or that it took too long.
    pub(super) async fn within<T>(
        &self,
        part: impl Future<Output = Result<T, ExchangeError>>,
    ) -> Result<T, ExchangeError> {
        let (endpoint, after) = (self.endpoint.clone(), self.timeout);
        timeout(after, part).await.unwrap_or(Err(ExchangeError::Late { endpoint, after }))
    }

    /// The same without a bound on time, within a runtime.
    pub(super) async fn ask(
        &self,
        dial: &dyn Dial,
        header: &Header<'_>,
        body: &[u8],
    ) -> Result<Option<Reply>, ExchangeError> {
        let mut stream = self.connect(dial).await?;
        let mut call = BytesMut::new();
        put_message(&mut call, self.speech.transport, self.speech.protocol, header, body);
        let written = async {
            stream.write_all(&call).await?;
            stream.flush().await
        };
        written.await.map_err(|why| self.broken(why))?;
        if header.kind == Kind::Oneway {
            // What is closed over unread bytes may never be read.
            stream.shutdown().await.map_err(|why| self.broken(why))?;
            return Ok(None);
        }
        self.reply(&mut *stream, header.seqid).await.map(Some)
    }

    /// A connection.
    pub(super) async fn connect(&self, dial: &dyn Dial) -> Result<Box<dyn Stream>, ExchangeError> {
        let Endpoint { host, port } = self.endpoint;
        let unreachable = |why| ExchangeError::Unreachable { endpoint: self.endpoint.clone(), why };
        if let Some(path) = self.endpoint.socket() {
            let stream = dial::local(path).await.map_err(unreachable)?;
            let stream = self.encrypted(Box::new(stream)).await.map_err(unreachable)?;
            return Ok(self.spoken(stream, Address::Socket(path.into())));
        }
        let mut refused = io::ErrorKind::NotFound.into();
        for address in dial.resolve(host, *port).await.map_err(unreachable)? {
            match dial.dial(address).await {
                Ok(stream) => {
                    let stream = self.encrypted(stream).await.map_err(unreachable)?;
                    return Ok(self.spoken(stream, address.into()));
                }
                Err(why) => refused = why,
            }
        }
        Err(unreachable(refused))
    }

    async fn encrypted(&self, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let Some(tls) = &self.tls else { return Ok(stream) };
        let name = tls.proves(&self.endpoint.host).map_err(io::Error::other)?;
        Ok(Box::new(tls.speak(name, stream).await?))
    }

    /// A connection as messages are written to it.
    fn spoken(&self, stream: Box<dyn Stream>, server: Address) -> Box<dyn Stream> {
        match self.posts.clone() {
            None => stream,
            Some(path) => {
                Box::new(Posting::over(stream, Target { path, server, longest: Bounds::default().frame }))
            }
        }
    }

    async fn reply(&self, stream: &mut dyn Stream, seqid: i32) -> Result<Reply, ExchangeError> {
        let mut inbound = Inbound::new(self.speech, Bounds::default());
        while inbound.first().map_err(|why| self.garbage(&why))? != Look::Whole {
            match stream.read_buf(inbound.room()).await {
                Ok(0) if inbound.is_empty() => {
                    let (endpoint, transport) = (self.endpoint.clone(), self.speech.transport);
                    return Err(ExchangeError::Closed { endpoint, transport });
                }
                Ok(0) => return Err(self.garbage(&WireError::Short)),
                Ok(_) => {}
                Err(why) => return Err(self.broken(why)),
            }
        }
        let taken = inbound.take().ok_or_else(|| self.garbage(&WireError::Short))?;
        if let Some(flaw) = &taken.flaw {
            return Err(self.garbage(flaw));
        }
        let header = taken.header();
        match header.kind {
            Kind::Reply | Kind::Exception if header.seqid == seqid => {
                Ok(Reply { kind: header.kind, body: taken.body() })
            }
            Kind::Reply | Kind::Exception => {
                Err(self.nonsense(format!("its seqid is {} in place of {seqid}", header.seqid)))
            }
            Kind::Call | Kind::Oneway => Err(self.nonsense("it is a call itself".to_owned())),
        }
    }

    fn garbage(&self, why: &WireError) -> ExchangeError {
        self.nonsense(why.to_string())
    }

    fn nonsense(&self, why: String) -> ExchangeError {
        ExchangeError::Garbage { endpoint: self.endpoint.clone(), why }
    }

    fn broken(&self, why: io::Error) -> ExchangeError {
        ExchangeError::Broken { endpoint: self.endpoint.clone(), why }
    }
}
