//! The bare echo: the least a server of this framing can do, and so the limit the others are measured by.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::LocalSet;

use crate::Fallible;
use crate::call;

/// Serves on loopback until the process is killed, on one thread.
///
/// # Errors
/// When the port cannot be bound.
pub(crate) fn serve(port: u16) -> Fallible<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(converse(stream));
        }
    })
}

/// Answers every complete frame of a read with one write. A frame that is no call of the benchmark ends the connection.
async fn converse(mut stream: TcpStream) -> Fallible<()> {
    let mut unread = Vec::with_capacity(BUFFER);
    let mut replies = Vec::with_capacity(BUFFER);
    while stream.read_buf(&mut unread).await? > 0 {
        let mut read = 0;
        while let Some(frame) = unread.get(read..).and_then(call::frame) {
            read += frame.len() + 4;
            let (method, asked) = call::read_call(frame).ok_or("no call of the benchmark")?;
            if method != call::STALLED.as_bytes() {
                call::write_reply(method, asked, &mut replies);
            }
        }
        unread.drain(..read);
        stream.write_all(&replies).await?;
        replies.clear();
    }
    Ok(())
}

const BUFFER: usize = 16 * 1024;
