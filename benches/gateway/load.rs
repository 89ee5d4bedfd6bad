//! The load: connections that call, check every reply, and measure between two instants.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::Fallible;
use crate::call::{Call, Reply, Speech};
use crate::cell;
use crate::ids::Ids;
use crate::process::{Cpu, Process};

/// Whom a load calls, how, and about what.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) speech: Speech,
    pub(crate) order: Order,
    pub(crate) cell: cell::Cell,
    pub(crate) ids: Rc<Ids>,
}

/// Whether the replies of one connection must come in the order of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Kept,
    /// Matched by seqid alone.
    Any,
}

/// What a load measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) calls: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu: Cpu,
    /// From a call's write to the read of its reply, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Warming,
    Measuring,
    Over,
}

/// What all connections of a load share.
#[derive(Debug)]
struct Meter {
    load: Load,
    phase: Cell<Phase>,
    seqid: Cell<u32>,
    calls: Cell<u64>,
    latencies: RefCell<Histogram<u64>>,
}

/// One batch of calls on a connection: the id asked under each seqid from `first` on.
#[derive(Debug)]
struct Batch {
    first: u32,
    asked: Vec<Option<u64>>,
    answered: usize,
}

impl Load {
    /// Calls for `seconds` after a short warming and reads what `server` used meanwhile.
    ///
    /// # Errors
    /// When a reply is not the one to its call, or a connection fails.
    pub(crate) fn measure(&self, server: &Process, seconds: f64) -> Fallible<Measured> {
        self.drive(async |meter: &Meter| {
            tokio::time::sleep(WARMING).await;
            meter.phase.set(Phase::Measuring);
            let (start, before) = (Instant::now(), server.cpu()?);
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            let (cpu, elapsed) = (server.cpu()?.since(before), start.elapsed());
            meter.phase.set(Phase::Over);
            Ok(Measured {
                calls: meter.calls.get(),
                seconds: elapsed.as_secs_f64(),
                cpu,
                latencies: meter.latencies.borrow().clone(),
            })
        })
    }

    /// Calls until the ids end.
    ///
    /// # Errors
    /// As [`Load::measure`].
    pub(crate) fn fill(&self) -> Fallible<()> {
        self.drive(async |_: &Meter| Ok(()))
    }

    fn drive<T>(&self, watch: impl AsyncFnOnce(&Meter) -> Fallible<T>) -> Fallible<T> {
        let meter = Rc::new(Meter {
            load: self.clone(),
            phase: Cell::new(Phase::Warming),
            seqid: Cell::new(1),
            calls: Cell::new(0),
            latencies: RefCell::new(Histogram::new_with_max(LATENCY_LIMIT, 3)?),
        });
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let mut connections = JoinSet::new();
            for _ in 0..self.cell.connections {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                connections.spawn_local(converse(stream, Rc::clone(&meter)));
            }
            let watched = watch(&meter).await?;
            while let Some(ended) = connections.join_next().await {
                ended??;
            }
            Ok(watched)
        })
    }
}

async fn converse(mut stream: TcpStream, meter: Rc<Meter>) -> Fallible<()> {
    let mut calls = Vec::new();
    let mut unread = BytesMut::with_capacity(BUFFER);
    while meter.phase.get() != Phase::Over {
        let mut batch = meter.next_batch(&mut calls);
        if batch.asked.is_empty() {
            break;
        }
        let start = Instant::now();
        stream.write_all(&calls).await?;
        while batch.answered < batch.asked.len() {
            unread.reserve(BUFFER);
            if stream.read_buf(&mut unread).await? == 0 {
                return Err(format!("{:?}: closed with calls unanswered", meter.load.speech).into());
            }
            let elapsed = start.elapsed();
            while let Some(reply) = meter.load.speech.read(&unread)? {
                unread.advance(reply.length);
                batch.accept(reply, &meter.load)?;
                meter.count(elapsed);
            }
        }
    }
    Ok(())
}

impl Meter {
    fn next_batch(&self, calls: &mut Vec<u8>) -> Batch {
        calls.clear();
        let cell = self.load.cell;
        let first = self.seqid.get();
        let asked: Vec<_> = (0..cell.depth).map_while(|_| self.load.ids.next()).map(Some).collect();
        self.seqid.set((first + asked.len() as u32) % SEQIDS);
        for (seqid, id) in (first..).zip(asked.iter().flatten()) {
            self.load.speech.write(Call { seqid, id: *id, size: cell.size }, calls);
        }
        Batch { first, asked, answered: 0 }
    }

    fn count(&self, elapsed: Duration) {
        if self.phase.get() == Phase::Measuring {
            self.calls.set(self.calls.get() + 1);
            self.latencies.borrow_mut().saturating_record(elapsed.as_nanos() as u64);
        }
    }
}

impl Batch {
    /// Takes a reply: right id, right size, right place, and none twice.
    fn accept(&mut self, reply: Reply, load: &Load) -> Fallible<()> {
        let place = reply.seqid.map_or(self.answered, |seqid| seqid.wrapping_sub(self.first) as usize);
        let asked = self.asked.get_mut(place).and_then(Option::take);
        let in_order = load.order == Order::Any || place == self.answered;
        if asked != Some(reply.id) || reply.size != load.cell.size || !in_order {
            return Err(
                format!("{:?}: {reply:?} answers place {place} that asked {asked:?}", load.speech).into()
            );
        }
        self.answered += 1;
        Ok(())
    }
}

const WARMING: Duration = Duration::from_millis(200);
const BUFFER: usize = 64 * 1024;
/// A minute in nanoseconds; later replies count as this late.
const LATENCY_LIMIT: u64 = 60_000_000_000;
/// Seqids start again here, far below where the largest batch would leave an i32.
const SEQIDS: u32 = i32::MAX as u32 - 1024;
