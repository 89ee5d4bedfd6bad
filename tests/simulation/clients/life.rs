//! A client as it runs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::dial::Simulated;
use larder::dial::simulated::Socket;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::{Client, Manner, Numbering, Step};
use crate::history::What;
use crate::service::{Content, Method};
use crate::stage::{Stage, host};
use crate::thrift::Kind;
use crate::wire::Incoming;

/// Asks what its steps say, and waits for what its manner says.
pub(crate) async fn live(stage: Arc<Stage>, plan: Client) {
    let network = stage.network.host(host(1, plan.number));
    let mut life = Life { stage, network, plan, line: None, calls: 0, opened: 0 };
    for (index, step) in life.plan.steps.clone().into_iter().enumerate() {
        sleep(Duration::from_millis(step.think)).await;
        life.step(index, &step).await;
    }
    life.leave().await;
}

struct Life {
    stage: Arc<Stage>,
    network: Simulated,
    plan: Client,
    line: Option<Line>,
    calls: usize,
    opened: usize,
}

/// A connection to the gateway.
struct Line {
    wire: u64,
    write: WriteHalf<Socket>,
    written: usize,
    /// Calls asked on it.
    calls: usize,
    shared: Arc<Shared>,
    _reader: AbortOnDropHandle<()>,
}

/// What the reader of a connection tells.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    unanswered: usize,
    ended: bool,
    deaf_until: Option<Instant>,
}

impl Life {
    async fn step(&mut self, index: usize, step: &Step) {
        if self.line.as_ref().is_some_and(Line::has_ended) {
            self.drop_line();
        }
        self.room().await;
        let Some(mut line) = self.line.take() else {
            self.line = self.open().await;
            self.introduce().await;
            if self.line.is_some() {
                Box::pin(self.step(index, step)).await;
            }
            return;
        };
        let nonsense = match self.plan.manner {
            Manner::SendsHalves { every, .. } | Manner::SendsGarbage { every } => index % every == every - 1,
            _ => false,
        };
        if nonsense {
            return self.send_nonsense(line, step).await;
        }
        if let Manner::StopsReading { from, time } = self.plan.manner
            && index == from
        {
            self.stage.note(What::Deaf { client: self.plan.number, wire: line.wire });
            line.shared.state.lock().unwrap().deaf_until = Some(Instant::now() + Duration::from_millis(time));
        }
        self.send(&mut line, step).await;
        if let Manner::Vanishes { calls } = self.plan.manner
            && line.calls == calls
        {
            self.stage.note(What::Left { client: self.plan.number, wire: line.wire });
            if let Some(link) = self.stage.network.links().iter().find(|link| link.route.number == line.wire)
            {
                link.cut();
            }
            return;
        }
        self.line = Some(line);
    }

    /// Says who it is on a connection that was opened now. Where that fails, the connection is given up.
    async fn introduce(&mut self) {
        let Some(mut line) = self.line.take() else { return };
        if self.plan.who != 0 {
            self.opened += 1;
            let step = self.plan.introduction(self.opened);
            self.send(&mut line, &step).await;
        }
        self.line = Some(line);
        self.room().await;
    }

    /// Waits until another call may be sent, for as long as its manner says.
    async fn room(&mut self) {
        let Some(line) = &self.line else { return };
        let patience = match self.plan.manner {
            Manner::GoesOn { patience } | Manner::HangsUp { patience } => {
                Some(Duration::from_millis(patience))
            }
            // Who does not read does not wait either.
            Manner::StopsReading { .. } => Some(Duration::from_millis(50)),
            _ => None,
        };
        let free = line.shared.until(|state| state.ended || state.unanswered < self.plan.width);
        let in_time = match patience {
            None => {
                free.await;
                true
            }
            Some(patience) => timeout(patience, free).await.is_ok(),
        };
        if in_time {
            if line.has_ended() {
                self.drop_line();
            }
            return;
        }
        match self.plan.manner {
            Manner::GoesOn { .. } => {
                self.stage.note(What::GaveUp { client: self.plan.number, wire: line.wire });
                line.shared.state.lock().unwrap().unanswered = 0;
            }
            Manner::HangsUp { .. } => {
                self.stage.note(What::GaveUp { client: self.plan.number, wire: line.wire });
                self.drop_line();
            }
            _ => {}
        }
    }

    async fn open(&self) -> Option<Line> {
        let address = SocketAddr::new(host(2, self.plan.gateway), 9090);
        let socket = timeout(Duration::from_secs(5), self.network.dial_socket(address)).await.ok()?.ok()?;
        let wire = socket.route().number;
        self.stage.note(What::Opened { client: self.plan.number, wire, gateway: self.plan.gateway });
        let (read, write) = split(socket);
        let shared = Arc::<Shared>::default();
        let reading = Reading {
            stage: Arc::clone(&self.stage),
            client: self.plan.number,
            wire,
            shared: Arc::clone(&shared),
            incoming: Incoming::new(self.plan.wire),
        };
        let reader = AbortOnDropHandle::new(tokio::spawn(reading.run(read)));
        Some(Line { wire, write, written: 0, calls: 0, shared, _reader: reader })
    }

    async fn send(&mut self, line: &mut Line, step: &Step) {
        let seqid = match self.plan.numbering {
            Numbering::Zero => 0,
            Numbering::Counting => i32::try_from(self.calls + 1).unwrap(),
        };
        self.calls += 1;
        line.calls += 1;
        let bytes = self.bytes(step, seqid);
        if expects_reply(step) {
            line.shared.state.lock().unwrap().unanswered += 1;
        }
        self.stage.note(What::Called {
            client: self.plan.number,
            wire: line.wire,
            asked: step.asked,
            kind: step.kind,
            seqid,
            bytes: (line.written, line.written + bytes.len()),
        });
        line.written += bytes.len();
        if !line.write(&bytes, self.plan.manner).await {
            // The rest of the message is missing: nothing further can be said on it.
            self.stage.note(What::Left { client: self.plan.number, wire: line.wire });
            line.shared.change(|state| state.ended = true);
        }
    }

    async fn send_nonsense(&mut self, mut line: Line, step: &Step) {
        let (bytes, pause) = match self.plan.manner {
            Manner::SendsHalves { pause, .. } => {
                let whole = self.bytes(step, 77);
                (whole[..whole.len() / 2].to_vec(), pause)
            }
            _ => (b"GET / HTTP/1.1\r\nHost: larder\r\n\r\n".to_vec(), 0),
        };
        let _ = line.write(&bytes, self.plan.manner).await;
        sleep(Duration::from_millis(pause)).await;
        self.line = Some(line);
        self.drop_line();
    }

    fn bytes(&self, step: &Step, seqid: i32) -> Vec<u8> {
        step.asked.message(step.kind, seqid).bytes(self.plan.wire)
    }

    fn drop_line(&mut self) {
        if let Some(line) = self.line.take()
            && !line.has_ended()
        {
            self.stage.note(What::Left { client: self.plan.number, wire: line.wire });
        }
    }

    /// Reads what is due, as far as its manner goes, and closes.
    async fn leave(&mut self) {
        let Some(line) = &mut self.line else { return };
        if self.plan.manner == Manner::HalfCloses {
            self.stage.note(What::HalfClosed { client: self.plan.number, wire: line.wire });
            let _ = line.write.shutdown().await;
        }
        if self.plan.manner.is_polite() {
            line.shared.until(|state| state.ended || state.unanswered == 0).await;
        } else {
            let _ = timeout(
                Duration::from_secs(3),
                line.shared.until(|state| state.ended || state.unanswered == 0),
            )
            .await;
        }
        self.drop_line();
    }
}

/// Whether its client expects to be answered.
fn expects_reply(step: &Step) -> bool {
    match step.kind {
        Kind::Call => step.asked.method != Method::Tell,
        // It is told that this is no call.
        Kind::Reply | Kind::Exception => true,
        Kind::Oneway => false,
    }
}

impl Line {
    fn has_ended(&self) -> bool {
        self.shared.state.lock().unwrap().ended
    }

    /// Writes, but a client that does not read does not wait for ever for its own bytes to be read.
    async fn write(&mut self, bytes: &[u8], manner: Manner) -> bool {
        let write = self.write.write_all(bytes);
        match manner {
            Manner::StopsReading { .. } | Manner::HangsUp { .. } | Manner::GoesOn { .. } => {
                timeout(Duration::from_secs(5), write).await.is_ok_and(|written| written.is_ok())
            }
            _ => write.await.is_ok(),
        }
    }
}

impl Shared {
    async fn until(&self, reached: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            if reached(&self.state.lock().unwrap()) {
                return;
            }
            changed.await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_waiters();
    }
}

/// The reading half of a connection.
struct Reading {
    stage: Arc<Stage>,
    client: usize,
    wire: u64,
    shared: Arc<Shared>,
    incoming: Incoming,
}

impl Reading {
    async fn run(mut self, mut from: ReadHalf<Socket>) {
        let how = loop {
            let deaf = self.shared.state.lock().unwrap().deaf_until;
            let read = match deaf {
                Some(until) if until > Instant::now() => {
                    tokio::time::sleep_until(until).await;
                    continue;
                }
                // It may become deaf while it waits.
                _ => {
                    timeout_at(Instant::now() + Duration::from_millis(500), self.incoming.next(&mut from))
                        .await
                }
            };
            let (message, bytes) = match read {
                Err(_) => continue,
                Ok(Ok(Some(found))) => found,
                Ok(Ok(None)) => break "closed",
                Ok(Err(error)) => break named(error.kind()),
            };
            self.stage.note(What::Replied {
                client: self.client,
                wire: self.wire,
                seqid: message.seqid,
                content: Content::of(&message),
                name: message.name,
                bytes,
            });
            self.shared.change(|state| state.unanswered = state.unanswered.saturating_sub(1));
        };
        self.stage.note(What::Ended { client: self.client, wire: self.wire, how });
        self.shared.change(|state| state.ended = true);
    }
}

fn named(kind: std::io::ErrorKind) -> &'static str {
    match kind {
        std::io::ErrorKind::ConnectionReset => "reset",
        std::io::ErrorKind::UnexpectedEof => "closed inside a message",
        _ => "unreadable",
    }
}
