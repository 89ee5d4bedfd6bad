//! The bare fetch: a server that gets each reply from Redis, through the client that Larder uses, and does nothing else. What a hit in the
//! shared tier costs more is Larder's own.

use std::net::{Ipv4Addr, SocketAddr};

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::LocalSet;

use crate::Fallible;
use crate::call::{self, Call};

/// Serves on loopback from the Redis at `redis` until the process is killed, on one thread.
///
/// # Errors
/// When the port cannot be bound or Redis cannot be reached.
pub(crate) fn serve(port: u16, redis: SocketAddr) -> Fallible<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let client = redis::Client::open(format!("redis://{redis}"))?;
        let connection = client.get_multiplexed_async_connection().await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(converse(stream, connection.clone()));
        }
    })
}

/// Answers every complete frame of a read with one write, once Redis has answered for all of them.
async fn converse(mut stream: TcpStream, redis: MultiplexedConnection) -> Fallible<()> {
    let mut unread = Vec::with_capacity(BUFFER);
    let mut replies = Vec::with_capacity(BUFFER);
    while stream.read_buf(&mut unread).await? > 0 {
        let (mut read, mut asked) = (0, Vec::new());
        while let Some(frame) = unread.get(read..).and_then(call::frame) {
            read += frame.len() + 4;
            asked.push(call::read_call(frame).ok_or("no call of the benchmark")?);
        }
        let fetched = join_all(asked.iter().map(|(_, call)| fetch(redis.clone(), *call))).await;
        for ((method, call), value) in asked.iter().zip(fetched) {
            call::write_reply_of(method, call.seqid, &value?, &mut replies);
        }
        unread.drain(..read);
        stream.write_all(&replies).await?;
        replies.clear();
    }
    Ok(())
}

async fn fetch(mut redis: MultiplexedConnection, call: Call) -> Fallible<Vec<u8>> {
    let key = call::redis_key(call.id, call.size);
    Ok(redis::cmd("GET").arg(key).query_async(&mut redis).await?)
}

const BUFFER: usize = 16 * 1024;
