//! An endpoint as it runs.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use larder::dial::simulated::Socket;
use rand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Habits, Mood};
use crate::history::What;
use crate::service::{Asked, Content, Method, Returns};
use crate::stage::{Stage, host, number_of};
use crate::thrift::{Kind, Message, Wire};
use crate::wire::Incoming;
use crate::world::stream;

/// Listens and answers as its moods say.
pub(crate) async fn live(stage: Arc<Stage>, number: usize) {
    let plan = stage.world.endpoints[number].clone();
    let (mood, now) = watch::channel(Mood::Up);
    let changes = async {
        for (at, next) in plan.moods {
            stage.until(at).await;
            if mood.send_replace(next) != next {
                stage.note(What::Mood { endpoint: number, mood: format!("{next:?}") });
            }
        }
        std::future::pending::<()>().await;
    };
    let serving = serve(Arc::clone(&stage), number, plan.habits, now);
    tokio::join!(changes, serving);
}

async fn serve(stage: Arc<Stage>, number: usize, habits: Habits, mut now: watch::Receiver<Mood>) {
    let address = SocketAddr::new(host(3, number), 9191);
    let mut served = JoinSet::new();
    loop {
        let mood = *now.borrow_and_update();
        if mood == Mood::Down {
            served.shutdown().await;
            drop(stage.network.listen(address, 1));
            let _ = now.changed().await;
            continue;
        }
        let mut arrivals = stage.network.listen(address, BACKLOG);
        let mut handling = Handling { stage: &stage, number, habits, now: &now, served: &mut served };
        handling.until_down(&mut arrivals).await;
    }
}

struct Handling<'a> {
    stage: &'a Arc<Stage>,
    number: usize,
    habits: Habits,
    now: &'a watch::Receiver<Mood>,
    served: &'a mut JoinSet<()>,
}

impl Handling<'_> {
    /// Accepts connections until the endpoint goes down.
    async fn until_down(&mut self, arrivals: &mut mpsc::Receiver<Socket>) {
        let mut now = self.now.clone();
        loop {
            let mood = *now.borrow_and_update();
            let full = mood == Mood::Full || self.habits.one_at_a_time && !self.served.is_empty();
            tokio::select! {
                biased;
                changed = now.changed() => {
                    if changed.is_err() || *now.borrow() == Mood::Down {
                        return;
                    }
                }
                Some(_) = self.served.join_next(), if !self.served.is_empty() => {}
                Some(socket) = arrivals.recv(), if !full => {
                    let talk = Talk {
                        stage: Arc::clone(self.stage),
                        number: self.number,
                        habits: self.habits,
                        now: self.now.clone(),
                        wire: socket.route().number,
                        gateway: number_of(socket.route().from),
                        speaks: self.stage.world.wire,
                        written: 0,
                        owner: 0,
                        socket,
                    };
                    self.served.spawn(talk.run());
                }
            }
        }
    }
}

/// One connection.
struct Talk {
    stage: Arc<Stage>,
    number: usize,
    habits: Habits,
    now: watch::Receiver<Mood>,
    wire: u64,
    gateway: usize,
    speaks: Wire,
    socket: Socket,
    written: usize,
    /// Who has said on it that he calls.
    owner: i64,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    Answers(Content),
    WrongSeqid,
    WrongName,
    Garbage,
    Half,
    Twice,
    Closes,
    Nothing,
}

impl Talk {
    async fn run(mut self) {
        let mut incoming = Incoming::new(self.speaks);
        let mut calls = 0;
        loop {
            let rest = self.habits.closes_idle.map_or(FOR_EVER, Duration::from_millis);
            let read = timeout(rest, incoming.next(&mut self.socket)).await;
            let Ok(Ok(Some((message, bytes)))) = read else { break };
            calls += 1;
            if self.handle(&message, bytes).await.is_break() || self.habits.closes_after == Some(calls) {
                break;
            }
        }
        self.stage.note(What::Closed { endpoint: self.number, wire: self.wire });
    }

    async fn handle(&mut self, message: &Message, bytes: (usize, usize)) -> ControlFlow<()> {
        if message.name == CHECK {
            return self.handle_check(message).await;
        }
        let Some(asked) = Asked::of(message, self.owner) else { return ControlFlow::Break(()) };
        let serial = self.stage.serial();
        self.stage.note(What::Began {
            endpoint: self.number,
            wire: self.wire,
            gateway: self.gateway,
            asked,
            kind: message.kind,
            seqid: message.seqid,
            serial,
            bytes,
        });
        let mut random = stream(self.stage.world.seed, "answer", asked.call * 16 + self.number as u64);
        let (least, most) = self.habits.latency;
        let mut latency = random.random_range(least..=most);
        let odds = self.habits.odds;
        if random.random_range(0..1000) < odds.slow {
            latency += random.random_range(100..3_000);
        }
        let padding = if random.random_range(0..1000) < odds.long { 20_000 } else { 20 };
        let deed = self.decide(&asked, message.kind, serial, &mut random);
        let mood = *self.now.borrow();
        if let Mood::Slow(more) = mood {
            latency += more;
        }
        sleep(Duration::from_millis(latency)).await;
        match mood {
            Mood::Hangs => {
                self.stage.note(What::Silent { endpoint: self.number, wire: self.wire, serial });
                // Whoever waits for the rest of the time is not told of anything but the end.
                let _ = self.socket.read_u8().await;
                return ControlFlow::Break(());
            }
            Mood::HangsUp => return ControlFlow::Break(()),
            Mood::Up | Mood::Down | Mood::Slow(_) | Mood::Full => {}
        }
        self.act(deed, message, &asked, serial, padding).await
    }

    /// A check is no call of a client: it is answered as a method that the service does not have, and leaves no trace.
    async fn handle_check(&mut self, message: &Message) -> ControlFlow<()> {
        let mood = *self.now.borrow();
        let more = if let Mood::Slow(more) = mood { more } else { 0 };
        sleep(Duration::from_millis(self.habits.latency.0 + more)).await;
        match mood {
            Mood::Hangs => {
                let _ = self.socket.read_u8().await;
                return ControlFlow::Break(());
            }
            Mood::HangsUp => return ControlFlow::Break(()),
            Mood::Up | Mood::Down | Mood::Slow(_) | Mood::Full => {}
        }
        let (name, seqid) = (message.name.clone(), message.seqid);
        let reply = Message { kind: Kind::Exception, name, seqid, fields: Vec::new() };
        let bytes = reply.bytes(self.speaks);
        self.written += bytes.len();
        match self.socket.write_all(&bytes).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn decide(&self, asked: &Asked, kind: Kind, serial: i64, random: &mut impl Rng) -> Deed {
        let odds = self.habits.odds;
        if asked.method == Method::Unknown {
            return Deed::Answers(Content::Exception { code: UNKNOWN_METHOD, serial });
        }
        if asked.method.returns() == Returns::Nothing {
            // thriftpy2 does not answer a oneway method, however it is asked.
            return Deed::Nothing;
        }
        let item = asked.method.returns() == Returns::Item && kind == Kind::Call;
        let declared = if item { (odds.missing, odds.overloaded) } else { (0, 0) };
        let deeds = [
            (declared.0, Deed::Answers(Content::Declared { id: 1, serial })),
            (declared.1, Deed::Answers(Content::Declared { id: 2, serial })),
            (odds.internal, Deed::Answers(Content::Exception { code: INTERNAL_ERROR, serial })),
            (if item { odds.empty } else { 0 }, Deed::Answers(Content::Empty)),
            (odds.undeclared, Deed::Closes),
            (odds.wrong_seqid, Deed::WrongSeqid),
            (odds.wrong_name, Deed::WrongName),
            (odds.garbage, Deed::Garbage),
            (odds.half, Deed::Half),
            (odds.twice, Deed::Twice),
        ];
        let mut drawn = random.random_range(0..1000);
        for (odds, deed) in deeds {
            if drawn < odds {
                return deed;
            }
            drawn -= odds;
        }
        Deed::Answers(match asked.method.returns() {
            Returns::Item | Returns::Number => Content::Result { serial },
            Returns::Void | Returns::Nothing => Content::Empty,
        })
    }

    async fn act(
        &mut self,
        deed: Deed,
        message: &Message,
        asked: &Asked,
        serial: i64,
        padding: usize,
    ) -> ControlFlow<()> {
        let right = Content::Result { serial };
        let (content, honest) = match &deed {
            Deed::Nothing => {
                self.stage.note(What::Silent { endpoint: self.number, wire: self.wire, serial });
                return ControlFlow::Continue(());
            }
            Deed::Closes => return ControlFlow::Break(()),
            Deed::Answers(content) => (content.clone(), true),
            Deed::Twice => (right, true),
            Deed::WrongSeqid | Deed::WrongName | Deed::Garbage | Deed::Half => (right, false),
        };
        if asked.method == Method::Ugi && honest && matches!(content, Content::Result { .. }) {
            if self.owner != 0 {
                // As a metastore does that is told again.
                return ControlFlow::Break(());
            }
            self.owner = asked.key;
        }
        // thriftpy2's name in a reply is the method's, without the service of a multiplexed call.
        let name = if deed == Deed::WrongName { "otherMethod" } else { asked.method.name() };
        let seqid = message.seqid.wrapping_add(i32::from(deed == Deed::WrongSeqid));
        let fields = content.fields(asked, padding);
        let reply = Message { kind: content.kind(), name: name.to_owned(), seqid, fields };
        let mut bytes = reply.bytes(self.speaks);
        let size = bytes.len();
        match deed {
            Deed::Garbage => bytes = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Deed::Half => bytes.truncate(bytes.len() / 2),
            Deed::Twice => bytes.extend_from_within(..),
            _ => {}
        }
        self.stage.note(What::Answered {
            endpoint: self.number,
            wire: self.wire,
            serial,
            content,
            honest,
            size,
            bytes: (self.written, self.written + size),
        });
        self.written += bytes.len();
        let written = self.socket.write_all(&bytes).await;
        if written.is_err() || matches!(deed, Deed::Half | Deed::Garbage) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// What a gateway calls that wants a sign of life.
const CHECK: &str = "larder_check";
const UNKNOWN_METHOD: i32 = 1;
const INTERNAL_ERROR: i32 = 6;
const BACKLOG: usize = 3;
const FOR_EVER: Duration = Duration::from_secs(1_000_000);
