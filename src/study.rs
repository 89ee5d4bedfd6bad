//! What is learnt of a method's calls while they pass: how often the same is asked again, and how long replies stay the same.
//!
//! No reply is kept, and no argument: hashes and counts alone, of a bounded sample of keys. For each of those it is known what a cache of each lifetime
//! would have done, and whether what the backend said instead was what the cache would have said.

mod fields;
mod hot;
mod lifetimes;
mod sample;
mod summary;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::clock::Millis;
use crate::key::Ignored;
use crate::key::canonical::Canonical;
use crate::wire::{Bounds, Struct};

use fields::{Arguments, Fields};
use hot::Hot;
use lifetimes::{Lifetimes, Said};
use sample::Sample;
pub(crate) use summary::{FieldSummary, LifetimeSummary, Summary};

/// What was learnt of one method.
#[derive(Debug)]
pub(crate) struct Study {
    seed: u64,
    /// What its rule leaves out of keys: nothing is learnt of that.
    ignored: Arc<Ignored>,
    calls: AtomicU64,
    /// Calls that came with arguments which make no key.
    unkeyable: AtomicU64,
    learnt: Mutex<Learnt>,
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Lesson {
    study: Arc<Study>,
    arguments: Arguments,
    sent: Millis,
}

/// What became of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End<'a> {
    /// A result, or an empty reply.
    Reply(Struct<'a>),
    /// An exception that the IDL declares.
    Exception(Struct<'a>),
    /// No answer, as was expected.
    Silence,
    /// No answer, or none that counts as one.
    Fault,
}

#[derive(Debug)]
struct Learnt {
    began: Millis,
    /// Calls that were to have no answer.
    silent: u64,
    faults: u64,
    exceptions: u64,
    /// Bytes of replies, all together.
    bytes: u64,
    /// Empty replies.
    empty: u64,
    /// A sample of all keys, and those with most of the calls, which may not be in it.
    keys: Sample<Lifetimes>,
    hot: Hot<Lifetimes>,
    fields: Fields,
    /// Different replies, as far as it matters whether there are several.
    replies: Sample<()>,
}

impl Study {
    /// Nothing is known yet of a method whose keys leave `ignored` out. Who does not know `seed` cannot choose what is in the sample.
    pub(crate) fn new(seed: u64, ignored: Arc<Ignored>, now: Millis) -> Self {
        let learnt = Learnt {
            began: now,
            silent: 0,
            faults: 0,
            exceptions: 0,
            bytes: 0,
            empty: 0,
            keys: Sample::new(KEYS),
            hot: Hot::new(HOT),
            fields: Fields::default(),
            replies: Sample::new(SEVERAL),
        };
        let (calls, unkeyable) = (AtomicU64::default(), AtomicU64::default());
        Self { seed, ignored, calls, unkeyable, learnt: Mutex::new(learnt) }
    }

    /// What its rule leaves out of keys.
    pub(crate) fn ignored(&self) -> &Ignored {
        &self.ignored
    }

    /// A call with these arguments is sent at `now`.
    pub(crate) fn asked(
        self: &Arc<Self>,
        Struct { protocol, bytes }: Struct<'_>,
        now: Millis,
    ) -> Option<Lesson> {
        let mut canonical = Vec::with_capacity(bytes.len());
        let spelled =
            Canonical::new(Bounds::default().depth).put(protocol, bytes, &self.ignored, &mut canonical);
        let arguments = spelled.ok().and_then(|()| Arguments::read(&canonical, self.seed).ok());
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.unkeyable.fetch_add(u64::from(arguments.is_none()), Ordering::Relaxed);
        arguments.map(|arguments| Lesson { study: Arc::clone(self), arguments, sent: now })
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it comes to so far.
    pub(crate) fn summary(&self, now: Millis) -> Summary {
        let [calls, unkeyable] = [&self.calls, &self.unkeyable].map(|count| count.load(Ordering::Relaxed));
        summary::summary(&self.learnt(), (calls, unkeyable), now)
    }

    /// A reply by what it says and not by how: sets and maps have no order.
    fn hash(&self, Struct { protocol, bytes }: Struct<'_>) -> u64 {
        let mut spelled = Vec::with_capacity(bytes.len());
        match Canonical::new(Bounds::default().depth).put(protocol, bytes, &Ignored::default(), &mut spelled)
        {
            Ok(()) => xxh3_64_with_seed(&spelled, self.seed),
            Err(_) => xxh3_64_with_seed(bytes, self.seed),
        }
    }
}

impl Lesson {
    /// The call has ended so.
    pub(crate) fn ended(&self, end: End<'_>) {
        let (said, kept) = match end {
            End::Reply(reply) => (reply, true),
            End::Exception(reply) => (reply, false),
            End::Silence => return self.study.learnt().silent += 1,
            End::Fault => return self.study.learnt().faults += 1,
        };
        let (reply, length) = (self.study.hash(said), said.bytes.len());
        let said = if kept { Said::Kept(reply) } else { Said::Removed };
        let mut learnt = self.study.learnt();
        learnt.bytes += length as u64;
        learnt.exceptions += u64::from(!kept);
        learnt.empty += u64::from(kept && length <= EMPTY);
        let (key, Learnt { keys, hot, .. }) = (self.arguments.key(), &mut *learnt);
        for lifetimes in [keys.of(key), hot.of(key)].into_iter().flatten() {
            lifetimes.answered(self.sent, said);
        }
        learnt.fields.answered(&self.arguments, reply);
        learnt.replies.of(reply);
    }
}

/// Keys of which something is learnt at a time, of each method: about 300 KiB.
const KEYS: usize = 512;
/// Keys with most of the calls that are looked at apart.
const HOT: usize = 32;
/// Replies that are told apart.
const SEVERAL: usize = 8;
/// Bytes of a struct without fields.
const EMPTY: usize = 1;

#[cfg(test)]
mod tests;
