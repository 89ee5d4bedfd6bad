//! A backend of few workers that gets slower with each call that waits for one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::dial::Simulated;
use larder::dial::simulated::Socket;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::service::{Asked, Content};
use crate::thrift::{Message, Wire};
use crate::wire::Incoming;

/// A backend of few workers.
pub(super) struct Workers {
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    began: Instant,
    workers: Semaphore,
    /// Calls that wait or are worked on.
    inside: AtomicUsize,
    serials: AtomicUsize,
    useful: Mutex<Vec<usize>>,
}

impl Workers {
    pub(super) fn serve(network: &Simulated, address: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            workers: Semaphore::new(WORKERS),
            inside: AtomicUsize::default(),
            serials: AtomicUsize::new(1),
            useful: Mutex::default(),
        });
        let (mut serving, mut arrivals) = (JoinSet::new(), network.listen(address, 128));
        let serves = Arc::clone(&shared);
        serving.spawn(async move {
            let mut talks = JoinSet::new();
            while let Some(socket) = arrivals.recv().await {
                talks.spawn(converse(Arc::clone(&serves), socket));
            }
        });
        Self { shared, _serving: serving }
    }

    /// Calls answered, second by second, to who still waited for them.
    pub(super) fn useful(&self, seconds: usize) -> Vec<usize> {
        let mut useful = self.shared.useful.lock().unwrap().clone();
        useful.resize(seconds, 0);
        useful
    }
}

async fn converse(shared: Arc<Shared>, mut socket: Socket) {
    let mut incoming = Incoming::new(Wire::framed());
    while let Ok(Some((message, _))) = incoming.next(&mut socket).await {
        let reply = match Asked::of(&message, 0) {
            None => Message::exception(&message.name, message.seqid, 1, "no such method"),
            Some(asked) => shared.work(&message, &asked).await,
        };
        if socket.write_all(&reply.bytes(Wire::framed())).await.is_err() {
            return;
        }
        if Asked::of(&message, 0).is_some() {
            shared.note();
        }
    }
}

impl Shared {
    async fn work(&self, message: &Message, asked: &Asked) -> Message {
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        let worker = self.workers.acquire().await.unwrap();
        let waiting = before.max(self.inside.load(Ordering::Relaxed)).saturating_sub(WORKERS);
        let waiting = u32::try_from(waiting).unwrap().min(CALLS_THAT_DOUBLE * 2);
        sleep(TIME + TIME * waiting / CALLS_THAT_DOUBLE).await;
        drop(worker);
        self.inside.fetch_sub(1, Ordering::Relaxed);
        let serial = self.serials.fetch_add(1, Ordering::Relaxed);
        let content = Content::Result { serial: serial as i64 };
        let (name, seqid) = (message.name.clone(), message.seqid);
        Message { kind: content.kind(), name, seqid, fields: content.fields(asked, 20) }
    }

    fn note(&self) {
        let second = self.began.elapsed().as_secs() as usize;
        let mut useful = self.useful.lock().unwrap();
        if useful.len() <= second {
            useful.resize(second + 1, 0);
        }
        useful[second] += 1;
    }
}

const WORKERS: usize = 4;
/// What a call takes of a worker where none waits.
const TIME: Duration = Duration::from_millis(160);
/// Calls that wait and make it twice as long. It gets three times as long at most.
const CALLS_THAT_DOUBLE: u32 = 40;
/// Calls a second, where none waits.
pub(super) const CAPACITY: usize = 25;
