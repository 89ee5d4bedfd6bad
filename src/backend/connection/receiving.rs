//! What comes on a connection: which message is the reply that is due, and which is nobody's.

use std::io;

use tokio::io::AsyncReadExt;

use super::{After, Broken, Connection, Last, Verified, ended, garbage};
use crate::dial::End;
use crate::wire::WireError;
use crate::wire::inbound::{Look, Taken};
use crate::wire::message::{Header, Kind, split_name};

impl Connection {
    /// Reads until the reply to the call with this number is here.
    pub(super) async fn receive(&mut self, seqid: i32, name: &[u8]) -> Result<Verified, Broken> {
        loop {
            if let Some(reply) = self.reply_here(seqid, name).await? {
                return Ok(reply);
            }
            self.read().await?;
        }
    }

    /// The reply to the call with this number, if it is whole. What comes before it must be the answers to calls without a reply.
    pub(super) async fn reply_here(&mut self, seqid: i32, name: &[u8]) -> Result<Option<Verified>, Broken> {
        loop {
            let message = match self.message_here().await {
                Err(Broken::Oversized(error)) => return Err(self.oversized(error, seqid, name).await),
                found => found?,
            };
            let Some(message) = message else { return Ok(None) };
            let header = message.header();
            if header.seqid != seqid {
                self.drop_stray(&message)?;
                continue;
            }
            verify(&header, name)?;
            if let Some(error) = message.flaw.clone().filter(|flaw| !flaw.is_future_type()) {
                return Err(Broken::Oversized(error));
            }
            self.unfinished.clear();
            let after = if self.inbound.is_empty() { After::Clean } else { After::Unsolicited };
            let (kind, protocol) = (header.kind, self.protocol);
            self.last = if kind == Kind::Exception { Last::Exception } else { Last::Reply };
            let body = message.body();
            let info = message.preamble.and_then(|preamble| preamble.info);
            return Ok(Some(Verified { kind, protocol, body, info, after }));
        }
    }

    /// Reads and drops the answers to calls that have none, until the connection ends or something else comes.
    pub(in crate::backend) async fn drop_strays(&mut self) -> Broken {
        loop {
            let dropped = match self.unfinished.is_empty() {
                true => self.read_nothing().await,
                false => self.message().await.and_then(|message| self.drop_stray(&message)),
            };
            if let Err(broken) = dropped {
                return broken;
            }
        }
    }

    /// The next message, once it is whole.
    async fn message(&mut self) -> Result<Taken, Broken> {
        loop {
            if let Some(message) = self.message_here().await? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    /// The next message, if it is whole.
    async fn message_here(&mut self) -> Result<Option<Taken>, Broken> {
        loop {
            match self.inbound.first() {
                Ok(Look::Whole) => return self.taken().map(Some),
                Ok(Look::Needs(_)) => return Ok(None),
                Ok(Look::Unfinished) => tokio::task::yield_now().await,
                Err(error) if error.limit().is_some() => return Err(Broken::Oversized(error)),
                Err(error) => return Err(garbage(error.to_string())),
            }
        }
    }

    /// What a message is that exceeds a bound: a reply to the call, if its header says so. Any four bytes are a length.
    async fn oversized(&mut self, error: WireError, seqid: i32, name: &[u8]) -> Broken {
        loop {
            match self.inbound.header_ahead() {
                Ok(Some(header)) if header.seqid == seqid && verify(&header, name).is_ok() => {
                    return Broken::Oversized(error);
                }
                Ok(Some(_)) | Err(_) => return garbage(error.to_string()),
                Ok(None) => {
                    if let Err(broken) = self.read().await {
                        return broken;
                    }
                }
            }
        }
    }

    fn taken(&mut self) -> Result<Taken, Broken> {
        let taken = self.inbound.take().ok_or_else(|| garbage("nothing".to_owned()))?;
        match &taken.flaw {
            Some(error) if error.limit().is_none() && !error.is_future_type() => {
                Err(garbage(error.to_string()))
            }
            Some(_) | None => Ok(taken),
        }
    }

    pub(super) fn drop_whole_strays(&mut self) -> Result<(), Broken> {
        while self.inbound.first().map_err(|error| garbage(error.to_string()))? == Look::Whole {
            let message = self.taken()?;
            self.drop_stray(&message)?;
        }
        Ok(())
    }

    /// Takes a message for the answer to a call without a reply, if it can be: that call and those before it are handled.
    fn drop_stray(&mut self, message: &Taken) -> Result<(), Broken> {
        let header = message.header();
        is_reply(&header)?;
        self.pulse.answered_oneway();
        match self.unfinished.iter().position(|&seqid| seqid == header.seqid) {
            Some(at) => drop(self.unfinished.drain(..=at)),
            None => return Err(garbage(format!("sequence id {}, which no call has", header.seqid))),
        }
        Ok(())
    }

    /// Waits for the end of a connection on which nothing may come.
    async fn read_nothing(&mut self) -> Result<(), Broken> {
        if self.inbound.is_empty() {
            self.read().await?;
        }
        Err(garbage("bytes that nobody asked for".to_owned()))
    }

    pub(super) async fn read(&mut self) -> Result<(), Broken> {
        let held = self.inbound.len();
        let read = self.stream.read_buf(self.inbound.room()).await;
        self.heard(read, held)
    }

    /// What a read says that found so many bytes unread.
    pub(super) fn heard(&self, read: io::Result<usize>, held: usize) -> Result<(), Broken> {
        match read {
            Ok(count) if count > 0 => {
                self.pulse.heard();
                self.proof.show();
                Ok(())
            }
            Err(error) if held == 0 || End::of(&error) == End::Lost => Err(ended(&error)),
            Ok(_) | Err(_) if held > 0 => Err(garbage("the connection ended inside it".to_owned())),
            Ok(_) | Err(_) => Err(Broken::Closed(End::Closed)),
        }
    }
}

fn verify(header: &Header<'_>, name: &[u8]) -> Result<(), Broken> {
    is_reply(header)?;
    if header.name != name && header.name != split_name(name).1 {
        return Err(garbage("a reply to another method".to_owned()));
    }
    Ok(())
}

fn is_reply(header: &Header<'_>) -> Result<(), Broken> {
    match header.kind {
        Kind::Reply | Kind::Exception => Ok(()),
        kind @ (Kind::Call | Kind::Oneway) => Err(garbage(format!("a message of type {kind:?}"))),
    }
}
