//! Clients at full load: of their calls the backend could bear an eighth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::dial::Simulated;
use larder::dial::simulated::Socket;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{GATEWAY, Loop};
use crate::service::{Asked, Content, Method};
use crate::thrift::{Kind, Wire};
use crate::wire::Incoming;
use crate::world::stream;

/// What became of the calls that were asked in one second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Second {
    pub(super) asked: usize,
    /// Of them, with a result and in time.
    pub(super) answered: usize,
    /// Calls that no rule caches.
    pub(super) passed: usize,
    pub(super) passed_answered: usize,
}

/// The clients.
pub(super) struct Load {
    network: Simulated,
    began: Instant,
    seconds: Mutex<Vec<Second>>,
    /// Connections on which nothing is asked.
    idle: Mutex<Vec<Socket>>,
    calls: AtomicU64,
    asking: Mutex<JoinSet<()>>,
}

impl Load {
    pub(super) fn new(network: &Simulated) -> Arc<Self> {
        Arc::new(Self {
            network: network.clone(),
            began: Instant::now(),
            seconds: Mutex::default(),
            idle: Mutex::default(),
            calls: AtomicU64::default(),
            asking: Mutex::default(),
        })
    }

    /// Asks for everything once, two at a time.
    pub(super) async fn warm(&self) {
        let keys = |first| async move {
            for key in (first..KEYS).step_by(2) {
                assert_eq!(self.answered(Method::Get, key).await, Some(true));
            }
        };
        tokio::join!(keys(0), keys(1));
    }

    pub(super) fn begin(self: &Arc<Self>, way: Loop) {
        let clients = match way {
            Loop::Open => 1,
            Loop::Closed => CLIENTS,
        };
        for number in 0..clients {
            let random = stream(1, "refill", number);
            let own = Arc::clone(self);
            self.asking.lock().unwrap().spawn(async move {
                match way {
                    Loop::Open => own.ask_whatever_comes(random).await,
                    Loop::Closed => own.ask_and_wait(random).await,
                }
            });
        }
    }

    pub(super) fn seconds(&self) -> Vec<Second> {
        let mut seconds = self.seconds.lock().unwrap().clone();
        // Of its calls some are still waited for.
        seconds.truncate(seconds.len().saturating_sub(2));
        seconds
    }

    async fn ask_whatever_comes(self: Arc<Self>, mut random: StdRng) {
        let mut asked = JoinSet::new();
        loop {
            sleep(Duration::from_secs(1) / RATE).await;
            let (method, key) = drawn(&mut random);
            let own = Arc::clone(&self);
            asked.spawn(async move { own.ask(method, key).await });
            while asked.try_join_next().is_some() {}
        }
    }

    async fn ask_and_wait(self: Arc<Self>, mut random: StdRng) {
        let each = Duration::from_secs(CLIENTS) / RATE;
        sleep(each.mul_f64(random.random_range(0.0..1.0))).await;
        loop {
            let (method, key) = drawn(&mut random);
            self.ask(method, key).await;
            sleep(each.mul_f64(random.random_range(0.5..1.5))).await;
        }
    }

    async fn ask(&self, method: Method, key: i64) {
        let began = Instant::now();
        let answered =
            timeout(IN_TIME, self.answered(method, key)).await.is_ok_and(|result| result == Some(true));
        let second = began.duration_since(self.began).as_secs() as usize;
        let mut seconds = self.seconds.lock().unwrap();
        if seconds.len() <= second {
            seconds.resize(second + 1, Second::default());
        }
        let Second { asked, answered: right, passed, passed_answered } = &mut seconds[second];
        let (of, good) = if method == Method::Get { (asked, right) } else { (passed, passed_answered) };
        *of += 1;
        *good += usize::from(answered);
    }

    /// Whether a result answers a call.
    async fn answered(&self, method: Method, key: i64) -> Option<bool> {
        let idle = self.idle.lock().unwrap().pop();
        let mut socket = match idle {
            Some(socket) => socket,
            None => self.network.dial_socket(GATEWAY.parse().unwrap()).await.ok()?,
        };
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let asked = Asked { method, prefixed: false, key, call, other: 0, who: 0 };
        socket.write_all(&asked.message(Kind::Call, 1).bytes(Wire::framed())).await.ok()?;
        let mut incoming = Incoming::new(Wire::framed());
        let (message, _) = incoming.next(&mut socket).await.ok()??;
        self.idle.lock().unwrap().push(socket);
        Some(matches!(Content::of(&message), Content::Result { .. }))
    }
}

fn drawn(random: &mut StdRng) -> (Method, i64) {
    match random.random_range(0..100) {
        0..PASSED => (Method::Look, 0),
        PASSED..ASKED_ONCE => (Method::Get, random.random_range(KEYS..i64::MAX)),
        _ => (Method::Get, random.random_range(0..KEYS)),
    }
}

/// Calls a second.
const RATE: u32 = 200;
const CLIENTS: u64 = 200;
/// Of a hundred calls, those that no rule caches, and after them those that nobody has asked before or will again.
const PASSED: u32 = 4;
const ASKED_ONCE: u32 = PASSED + 4;
/// What they ask for.
const KEYS: i64 = 320;
/// Whoever waits longer has no use for an answer.
const IN_TIME: Duration = Duration::from_millis(1100);
