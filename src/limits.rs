//! The bounds on what clients may ask of the gateway.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Finding, Period, Section, Size};
use crate::wire::Bounds;

/// Bounds on what clients may send. A call over one is answered with an exception where its connection can go on,
/// else the connection is closed; either is counted in `larder_limits_exceeded_total`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// The longest framed message, in bytes. The default is that of Apache Thrift's `TFramedTransport`.
    #[schemars(extend("x-least" = "1024", "x-most" = "1GiB"))]
    pub frame: Size,
    /// The longest unframed message, in bytes. The default is that of Apache Thrift's `TConfiguration`.
    #[schemars(extend("x-least" = "1024", "x-most" = "1GiB"))]
    pub message: Size,
    /// How deep structs, lists, sets and maps may nest in a message.
    #[schemars(range(min = 1, max = 64))]
    pub depth: u32,
    /// Client connections at one time, over all listeners; further ones are closed at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// Client connections at one time from one address (an IPv6 /64 counts as one), over all listeners; further ones are closed at once.
    /// Without it, nine tenths of `connections`: however many connections one client opens, others find a place, and clients
    /// behind one proxy have nearly all of them.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_address: Option<u32>,
    /// Unanswered calls at one time on one connection; further ones stay unread until an answer has left.
    #[schemars(range(min = 1, max = 65536))]
    pub calls_per_connection: u32,
    /// Bytes of unanswered calls and unsent replies, over all connections. Replies on their way from a backend, at most one for each
    /// of its connections, come on top. Above, connections that hold more than 64 KiB are not read
    /// further; if that does not help, those end that hold most, first those whose clients do not read.
    #[schemars(extend("x-least" = "1MiB", "x-most" = "1TiB"))]
    pub buffered: Size,
    /// How long a client may take to finish a message it has begun.
    #[schemars(extend("x-least" = "10ms", "x-most" = "1h"))]
    pub message_time: Period,
    /// How long a client may take nothing of what is written to it; then its connection is closed. When the gateway stops, at most 1 s.
    #[schemars(extend("x-least" = "10ms", "x-most" = "1h"))]
    pub write_time: Period,
    /// How long a client that has ended its sending side waits for an answer, from then or from the answer before; then its connection
    /// is closed. A client that has closed its connection altogether looks the same until something is written to it.
    #[schemars(extend("x-least" = "10ms", "x-most" = "24h"))]
    pub half_closed_time: Period,
    /// How long a connection without a call stays open; without it, for ever. Few Thrift clients reconnect.
    #[schemars(extend("x-least" = "1s", "x-most" = "30d"))]
    pub idle_time: Option<Period>,
}

/// The bounds as those who keep them are told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// On each message.
    pub bounds: Bounds,
    /// Client connections at one time, over all listeners.
    pub connections: usize,
    /// Client connections at one time from one address.
    pub connections_per_address: usize,
    /// Unanswered calls at one time on one connection.
    pub calls_per_connection: usize,
    /// Bytes of unanswered calls and unsent replies, over all connections.
    pub buffered: usize,
    /// How long a client may take to finish a message it has begun.
    pub message_time: Duration,
    /// How long a client may take nothing of what is written to it.
    pub write_time: Duration,
    /// How long a client that has ended its sending side waits for an answer.
    pub half_closed_time: Duration,
    /// How long a connection without a call stays open.
    pub idle_time: Option<Duration>,
}

impl Options {
    /// The bounds as those who keep them are told.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            bounds: Bounds {
                frame: self.frame.length(),
                message: self.message.length(),
                depth: self.depth as usize,
            },
            connections: self.connections as usize,
            connections_per_address: self
                .connections_per_address
                .unwrap_or(self.connections - self.connections / 10)
                as usize,
            calls_per_connection: self.calls_per_connection as usize,
            buffered: self.buffered.length(),
            message_time: self.message_time.duration(),
            write_time: self.write_time.duration(),
            half_closed_time: self.half_closed_time.duration(),
            idle_time: self.idle_time.map(Period::duration),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frame: Size::from_bytes(16_384_000),
            message: Size::from_mib(100),
            depth: 64,
            connections: 10_000,
            connections_per_address: None,
            calls_per_connection: 32,
            buffered: Size::from_mib(1024),
            message_time: Period::from_secs(30),
            write_time: Period::from_secs(30),
            half_closed_time: Period::from_secs(10),
            idle_time: None,
        }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let longest = self.frame.max(self.message);
        if longest <= self.buffered {
            return Vec::new();
        }
        let message = format!(
            "{} is less than the longest message, {longest}, which could never be read",
            self.buffered
        );
        vec![Finding::new("buffered", message)]
    }
}
