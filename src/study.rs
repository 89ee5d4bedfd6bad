//! What is learnt of a method's calls while they pass: how often the same is asked again, and how long replies stay the same.
//!
//! No reply is kept, and no argument: hashes and counts alone, of a bounded sample of keys. For each of those it is known what a cache of each lifetime
//! would have done, and whether what the backend said instead was what the cache would have said.

mod fields;
mod hot;
mod lifetimes;
mod sample;
mod summary;

use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::clock::Millis;
use crate::key::Ignored;
use crate::key::canonical::Canonical;
use crate::wire::Protocol;

pub(crate) use fields::Arguments;
use fields::Fields;
use hot::Hot;
use lifetimes::{Lifetimes, Said};
use sample::Sample;
pub(crate) use summary::{FieldSummary, LifetimeSummary, Summary};

/// What was learnt of one method.
#[derive(Debug)]
pub(crate) struct Study {
    seed: u64,
    learnt: Mutex<Learnt>,
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Lesson {
    arguments: Arguments,
    sent: Millis,
}

/// What became of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End<'a> {
    /// A result, or an empty reply.
    Reply(&'a [u8]),
    /// An exception that the IDL declares.
    Exception(&'a [u8]),
    /// No answer, or none that counts as one.
    Fault,
}

#[derive(Debug)]
struct Learnt {
    began: Millis,
    calls: u64,
    /// Calls that came with arguments which make no key.
    unkeyable: u64,
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
}

impl Study {
    /// Nothing is known yet. Who does not know `seed` cannot choose what is in the sample.
    pub(crate) fn new(seed: u64, now: Millis) -> Self {
        let learnt = Learnt {
            began: now,
            calls: 0,
            unkeyable: 0,
            faults: 0,
            exceptions: 0,
            bytes: 0,
            empty: 0,
            keys: Sample::new(KEYS),
            hot: Hot::new(HOT),
            fields: Fields::default(),
        };
        Self { seed, learnt: Mutex::new(learnt) }
    }

    /// A call is sent at `now`, with these arguments in canonical form, if they have one.
    pub(crate) fn asked(&self, canonical: Option<&[u8]>, now: Millis) -> Option<Lesson> {
        let arguments = canonical.and_then(|canonical| Arguments::read(canonical, self.seed).ok());
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.calls += 1;
        learnt.unkeyable += u64::from(arguments.is_none());
        arguments.map(|arguments| Lesson { arguments, sent: now })
    }

    /// The call has ended so.
    pub(crate) fn ended(&self, lesson: &Lesson, protocol: Protocol, end: End<'_>) {
        let (body, kept) = match end {
            End::Reply(body) => (body, true),
            End::Exception(body) => (body, false),
            End::Fault => {
                self.learnt.lock().unwrap_or_else(PoisonError::into_inner).faults += 1;
                return;
            }
        };
        let reply = self.hash(protocol, body);
        let said = if kept { Said::Kept(reply) } else { Said::Removed };
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.bytes += body.len() as u64;
        learnt.exceptions += u64::from(!kept);
        learnt.empty += u64::from(kept && body.len() <= EMPTY);
        let (key, Learnt { keys, hot, .. }) = (lesson.arguments.key(), &mut *learnt);
        for lifetimes in [keys.of(key), hot.of(key)].into_iter().flatten() {
            lifetimes.answered(lesson.sent, said);
        }
        learnt.fields.answered(&lesson.arguments, reply);
    }

    /// What it comes to so far.
    pub(crate) fn summary(&self, now: Millis) -> Summary {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        summary::summary(&learnt, now)
    }

    /// A reply by what it says and not by how: sets and maps have no order.
    fn hash(&self, protocol: Protocol, body: &[u8]) -> u64 {
        let mut spelled = Vec::with_capacity(body.len());
        match Canonical::new(DEPTH_MAX).put(protocol, body, &Ignored::default(), &mut spelled) {
            Ok(()) => xxh3_64_with_seed(&spelled, self.seed),
            Err(_) => xxh3_64_with_seed(body, self.seed),
        }
    }
}

/// Keys of which something is learnt at a time, of each method: about 300 KiB.
const KEYS: usize = 512;
/// Keys with most of the calls that are looked at apart.
const HOT: usize = 32;
/// Bytes of a struct without fields.
const EMPTY: usize = 1;
/// Structs and containers inside each other.
const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests;
