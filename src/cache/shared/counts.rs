//! What became of reads from the shared tier and writes to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::servers::Servers;
use crate::cache::envelope::Unreadable;

/// The shared tier's metrics. Clones count together.
#[derive(Debug, Clone)]
pub struct Counts {
    /// 1 while the store is up, else 0.
    pub up: Gauge,
    /// Its servers, one by one.
    pub servers: Servers,
    /// How many servers are up.
    risen: Arc<Mutex<usize>>,
    reads: Family<Label, Counter>,
    /// Of the reads, those that ended best.
    hits: Counter,
    writes: Family<Label, Counter>,
    seconds: Family<Asked, Histogram, fn() -> Histogram>,
}

impl Counts {
    /// Adds the metrics to `registry`, with every result that can occur at 0.
    pub fn register(&self, registry: &mut Registry) {
        for read in Read::ALL {
            drop(self.reads.get_or_create(&read.into()));
        }
        for write in Write::ALL {
            drop(self.writes.get_or_create(&write.into()));
        }
        registry.register("larder_shared_up", "Whether the shared tier is up", self.up.clone());
        registry.register("larder_shared_reads", "Reads from the shared tier by result", self.reads.clone());
        registry.register("larder_shared_writes", "Writes to the shared tier by result", self.writes.clone());
        let seconds = "Time that the shared tier took to answer, by what it was asked; a timeout counts with its length";
        registry.register("larder_shared_seconds", seconds, self.seconds.clone());
        self.servers.register(registry);
    }

    /// One more of the store's servers is up, or one less. The store is up while one is.
    pub(super) fn server_is_up(&self, is: bool) {
        // A number is whole between any two statements.
        let mut risen = self.risen.lock().unwrap_or_else(PoisonError::into_inner);
        *risen = if is { risen.saturating_add(1) } else { risen.saturating_sub(1) };
        self.up.set(i64::from(*risen > 0));
    }

    /// Counts a read.
    pub fn read(&self, read: Read) {
        if read == Read::Hit {
            self.hits.inc();
        } else {
            self.reads.get_or_create(&read.into()).inc();
        }
    }

    /// Counts a write.
    pub fn write(&self, write: Write) {
        self.writes.get_or_create(&write.into()).inc();
    }

    /// Counts how long the answer to one question took.
    pub(super) fn took(&self, operation: Operation, took: Duration) {
        self.seconds.get_or_create(&Asked { operation: operation.as_str() }).observe(took.as_secs_f64());
    }

    /// How many reads ended so.
    #[cfg(test)]
    pub(crate) fn reads(&self, read: Read) -> u64 {
        self.reads.get_or_create(&read.into()).get()
    }

    /// How many writes ended so.
    #[cfg(test)]
    pub(crate) fn writes(&self, write: Write) -> u64 {
        self.writes.get_or_create(&write.into()).get()
    }
}

impl Default for Counts {
    fn default() -> Self {
        let reads = Family::<Label, Counter>::default();
        Self {
            up: Gauge::default(),
            servers: Servers::default(),
            risen: Arc::default(),
            hits: reads.get_or_create_owned(&Read::Hit.into()),
            reads,
            writes: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(100e-6, 3.0, 10))),
        }
    }
}

/// What the shared tier is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// For an entry.
    Read,
    /// To keep something.
    Write,
    /// For the turn to ask a backend, or to take it back.
    Lease,
    /// Whatever has to do with marks.
    Marks,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Lease => "lease",
            Self::Marks => "marks",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    operation: &'static str,
}

/// How a read ended. All but `Hit` are a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// An entry came.
    Hit,
    /// Nothing is kept under the key.
    Miss,
    /// What was kept under the key was proved wrong.
    Tombstone,
    /// No answer within the read timeout.
    Timeout,
    /// The store answered with an error, or the connection died.
    Error,
    /// Not asked: the store, or the server in it that has the key, is down.
    Skipped,
    /// Not asked: too much is read from the server at this moment.
    Dropped,
    /// The entry was born too far ahead of our clock.
    Future,
    /// What came is not an entry of this key.
    Unreadable(Unreadable),
}

impl Read {
    const ALL: [Self; 18] = [
        Self::Hit,
        Self::Miss,
        Self::Tombstone,
        Self::Timeout,
        Self::Error,
        Self::Skipped,
        Self::Dropped,
        Self::Future,
        Self::Unreadable(Unreadable::Foreign),
        Self::Unreadable(Unreadable::Format(0)),
        Self::Unreadable(Unreadable::Truncated),
        Self::Unreadable(Unreadable::TooLarge),
        Self::Unreadable(Unreadable::Header),
        Self::Unreadable(Unreadable::Checksum),
        Self::Unreadable(Unreadable::Compression),
        Self::Unreadable(Unreadable::Unsigned),
        Self::Unreadable(Unreadable::Forged),
        Self::Unreadable(Unreadable::OtherKey),
    ];
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It is kept: an entry or a tombstone.
    Written,
    /// A younger entry lies there and stays.
    Older,
    /// A tombstone lies there that is not older, and stays.
    Tombstone,
    /// A lease was given back.
    GivenBack,
    /// Not begun: too many writes, or too many bytes of them, were in flight.
    Dropped,
    /// Not begun: the entry is above the bounds of [`envelope`](crate::cache::envelope).
    TooLarge,
    /// Not begun: the store, or the server in it that has the key, is down.
    Skipped,
    /// The store's memory is full, and it evicts nothing.
    Full,
    /// No answer in time. The entry may be kept or not.
    Timeout,
    /// The store refused it, or the connection died. In the second case, the entry may be kept or not.
    Error,
}

impl Write {
    const ALL: [Self; 10] = [
        Self::Written,
        Self::Older,
        Self::Tombstone,
        Self::GivenBack,
        Self::Dropped,
        Self::TooLarge,
        Self::Skipped,
        Self::Full,
        Self::Timeout,
        Self::Error,
    ];
}

type Label = [(&'static str, &'static str); 1];

impl From<Read> for Label {
    fn from(read: Read) -> Self {
        let result = match read {
            Read::Hit => "hit",
            Read::Miss => "miss",
            Read::Tombstone => "tombstone",
            Read::Timeout => "timeout",
            Read::Error => "error",
            Read::Skipped => "skipped",
            Read::Dropped => "dropped",
            Read::Future => "future",
            Read::Unreadable(reason) => reason.label(),
        };
        [("result", result)]
    }
}

impl From<Write> for Label {
    fn from(write: Write) -> Self {
        let result = match write {
            Write::Written => "written",
            Write::Older => "older",
            Write::Tombstone => "tombstone",
            Write::GivenBack => "given_back",
            Write::Dropped => "dropped",
            Write::TooLarge => "too_large",
            Write::Skipped => "skipped",
            Write::Full => "full",
            Write::Timeout => "timeout",
            Write::Error => "error",
        };
        [("result", result)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_is_there_from_the_start() {
        let (counts, mut registry) = (Counts::default(), Registry::default());
        counts.register(&mut registry);
        counts.read(Read::Unreadable(Unreadable::Format(9)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("larder_shared_up 0"), "{text}");
        assert!(text.contains("larder_shared_reads_total{result=\"hit\"} 0"), "{text}");
        assert!(text.contains("larder_shared_reads_total{result=\"unreadable_format\"} 1"), "{text}");
        assert!(text.contains("larder_shared_writes_total{result=\"dropped\"} 0"), "{text}");
    }
}
