//! A server that answers as a test says, and a way to a real one that is slow.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Place, Tcp};
use crate::dial::Dial;

/// What it says to a command: nothing yet, one answer, or several that were due.
type Answer = dyn FnMut(&[String]) -> String + Send;

/// A server of the test's own.
pub(super) struct Fake {
    pub(super) place: Place,
    _tasks: JoinSet<()>,
}

impl Fake {
    /// Starts one that greets as Redis does and leaves all else to `answer`. `PING` is asked of it too; where it has
    /// nothing to say of that, the answer is `PONG`.
    pub(super) async fn start(answer: impl FnMut(&[String]) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = place(listener.local_addr().unwrap());
        let answer: Arc<Mutex<Box<Answer>>> = Arc::new(Mutex::new(Box::new(answer)));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&answer)));
            }
        });
        Self { place, _tasks: tasks }
    }
}

async fn serve(stream: TcpStream, answer: Arc<Mutex<Box<Answer>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(command) = command(&mut stream).await {
        let said = match command[0].as_str() {
            "CLIENT" => "+OK\r\n".to_owned(),
            "HELLO" => "-ERR unknown command\r\n".to_owned(),
            _ => (answer.lock().unwrap())(&command),
        };
        let said = if said.is_empty() && command[0] == "PING" { "+PONG\r\n".to_owned() } else { said };
        if stream.get_mut().write_all(said.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    Some(words)
}

/// The number in a line that begins with `*` or `$`.
async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().get(1..)?.parse().ok()
}

/// A way to the server on `port` on which each connection brings back a part of `bytes` every `pause`.
pub(super) async fn slow_way(port: u16, bytes: usize, pause: Duration) -> Fake {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let place = place(listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut ways = JoinSet::new();
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = Tcp.dial((Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
            let ((mut from_near, mut to_near), (mut from_far, mut to_far)) =
                (near.into_split(), tokio::io::split(far));
            ways.spawn(async move { drop(tokio::io::copy(&mut from_near, &mut to_far).await) });
            ways.spawn(async move {
                let mut part = vec![0; bytes];
                while let Ok(count @ 1..) = from_far.read(&mut part).await {
                    if to_near.write_all(&part[..count]).await.is_err() {
                        return;
                    }
                    if count == bytes {
                        tokio::time::sleep(pause).await;
                    }
                }
            });
        }
    });
    Fake { place, _tasks: tasks }
}

fn place(address: SocketAddr) -> Place {
    Place::Host(address.ip().to_string(), address.port())
}
