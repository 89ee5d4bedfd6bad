//! What happened in a world, in the order it happened: all that the judge sees.

use std::fmt::Write;
use std::sync::Mutex;

use tokio::time::Instant;

use crate::purges::{Kind as Wrongness, Wrong};
use crate::rules::Rule;
use crate::service::{Asked, Content};
use crate::thrift::Kind;

/// A moment: microseconds since the world began.
pub(crate) type Moment = u64;

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Moment,
    pub(crate) what: What,
}

/// The number of a connection, over all of a world.
pub(crate) type Wire = u64;

#[derive(Clone, Debug)]
#[expect(dead_code, reason = "much of it is for those who read a history")]
pub(crate) enum What {
    /// Rules are in force from here on.
    Rules { generation: usize, rules: Vec<Rule> },
    /// A client opened a connection.
    Opened { client: usize, wire: Wire, gateway: usize },
    /// A client is about to write a call, which takes these bytes of what it writes.
    Called { client: usize, wire: Wire, asked: Asked, kind: Kind, seqid: i32, bytes: (usize, usize) },
    /// A client read a reply, which took these bytes of what it reads.
    Replied { client: usize, wire: Wire, name: String, seqid: i32, content: Content, bytes: (usize, usize) },
    /// A client waits no longer for what it asked on a connection.
    GaveUp { client: usize, wire: Wire },
    /// A client stopped reading, for good or for a time.
    Deaf { client: usize, wire: Wire },
    /// A client ended its sending side.
    HalfClosed { client: usize, wire: Wire },
    /// A client closed a connection.
    Left { client: usize, wire: Wire },
    /// A client's connection was ended by the other side, or broke.
    Ended { client: usize, wire: Wire, how: &'static str },
    /// Bytes of a connection were read or written.
    Passed { wire: Wire, did: Did, bytes: usize },
    /// A backend began to handle a call, which took these bytes of what it reads.
    Began {
        endpoint: usize,
        wire: Wire,
        gateway: usize,
        asked: Asked,
        kind: Kind,
        seqid: i32,
        serial: i64,
        bytes: (usize, usize),
    },
    /// A backend is about to write a reply, which takes these bytes of what it writes.
    Answered {
        endpoint: usize,
        wire: Wire,
        serial: i64,
        content: Content,
        honest: bool,
        size: usize,
        bytes: (usize, usize),
    },
    /// A backend will not answer this call.
    Silent { endpoint: usize, wire: Wire, serial: i64 },
    /// A backend closed a connection.
    Closed { endpoint: usize, wire: Wire },
    /// An endpoint behaves otherwise from here on.
    Mood { endpoint: usize, mood: String },
    /// The network did something to a connection.
    Network { wire: Wire, what: &'static str },
    /// The shared tier behaves otherwise from here on.
    Tier { what: String },
    /// Somebody is about to tell a gateway that something is wrong.
    Ordered { order: usize, gateway: usize, wrong: Wrong, kind: Wrongness },
    /// He was told that it is done, and how far that has got.
    Obeyed { order: usize, reach: Reach },
    /// What a gateway has under way.
    UnderWay {
        gateway: usize,
        connections: usize,
        held: usize,
        flights: usize,
        calls: usize,
        writes: usize,
        /// Connections to each endpoint.
        links: Vec<usize>,
    },
    /// A task ended by a panic.
    Panicked { what: String },
    /// Clients have left, and nothing is asked any more.
    Quiet,
}

/// Who knows of a change for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The gateway that was told.
    Gateway,
    /// All that may answer as if they knew all.
    Fleet,
}

/// What was done at an end of a connection: at the gateway's, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    ReadFromClient,
    WroteToClient,
    /// The client's end took what the gateway had written.
    ClientRead,
    ReadFromBackend,
    WroteToBackend,
}

/// The recorder.
#[derive(Debug)]
pub(crate) struct History {
    began: Instant,
    events: Mutex<Vec<Event>>,
}

impl History {
    /// To be made inside the world's runtime, whose time it tells.
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), events: Mutex::default() }
    }

    pub(crate) fn note(&self, what: What) {
        let at = u64::try_from(self.began.elapsed().as_micros()).unwrap();
        self.events.lock().unwrap().push(Event { at, what });
    }

    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

/// A history as text: the same for the same seed, wherever it runs.
pub(crate) fn text<'a>(events: impl IntoIterator<Item = &'a Event>) -> String {
    let mut text = String::new();
    for Event { at, what } in events {
        writeln!(text, "{:>10}.{:03} ms  {what:?}", at / 1000, at % 1000).unwrap();
    }
    text
}
