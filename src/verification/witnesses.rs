//! Which calls the replies were kept for that are served now.

use bytes::Bytes;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use xxhash_rust::xxh3::xxh3_128;

use crate::call::{Call, ClientId};
use crate::clock::Millis;
use crate::seed::{Hashing, Seed};

/// The calls that replies were kept for, by their keys: those of late, and no long ones.
#[derive(Debug)]
pub(crate) struct Witnesses {
    calls: Cache<u128, Witness, Hashing>,
}

/// A call, and when it was sent.
#[derive(Clone, Debug)]
struct Witness {
    born: Millis,
    call: Call,
}

impl Witnesses {
    /// None yet.
    pub(crate) fn new(seed: Seed) -> Self {
        let weigh = |_: &u128, witness: &Witness| witness.weight();
        let calls = Cache::builder()
            .max_capacity(BYTES_MAX)
            .weigher(weigh)
            .eviction_policy(EvictionPolicy::lru())
            .build_with_hasher(seed.hashing());
        Self { calls }
    }

    /// The reply under `key` that was born then is kept for this call.
    pub(crate) fn note(&self, key: &[u8], call: &Call, born: Millis) {
        if call.body.len() > CALL_MAX {
            return;
        }
        // Cut out of a read buffer, it would hold all of that in memory. It is nobody's call any more.
        let body = Bytes::copy_from_slice(&call.body);
        let name = Bytes::copy_from_slice(&call.name);
        let call = Call { client: ClientId::default(), name, body, ..call.clone() };
        self.calls.insert(xxh3_128(key), Witness { born, call });
    }

    /// The call that the reply under `key` is kept for which was born then, if that is known.
    pub(crate) fn of(&self, key: &[u8], born: Millis) -> Option<Call> {
        let witness = self.calls.get(&xxh3_128(key)).filter(|witness| witness.born == born);
        witness.map(|witness| witness.call)
    }
}

impl Witness {
    fn weight(&self) -> u32 {
        (ENTRY + self.call.name.len() + self.call.body.len()) as u32
    }
}

/// Bytes of all calls of a listener.
const BYTES_MAX: u64 = 8 << 20;
/// Bytes of one.
const CALL_MAX: usize = 16 << 10;
/// Bytes that one takes besides, about.
const ENTRY: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Protocol;
    use crate::wire::message::Kind;

    fn call(body: Vec<u8>) -> Call {
        Call {
            client: ClientId(7),
            protocol: Protocol::Binary,
            name: Bytes::from_static(b"get"),
            kind: Kind::Call,
            body: body.into(),
            identity: None,
            info: None,
        }
    }

    #[test]
    fn a_call_is_known_of_the_very_reply_that_was_kept_for_it() {
        let witnesses = Witnesses::new(Seed::new(1));
        witnesses.note(b"key", &call(vec![1, 2, 0]), Millis(5));
        let known = witnesses.of(b"key", Millis(5)).unwrap();
        assert_eq!((known.client, &known.body[..]), (ClientId::default(), &[1, 2, 0][..]));
        assert!(witnesses.of(b"key", Millis(6)).is_none() && witnesses.of(b"kez", Millis(5)).is_none());
    }

    #[test]
    fn they_take_little_memory() {
        let witnesses = Witnesses::new(Seed::new(1));
        witnesses.note(b"long", &call(vec![0; CALL_MAX + 1]), Millis(5));
        assert!(witnesses.of(b"long", Millis(5)).is_none());
        for key in 0..2_000_u32 {
            witnesses.note(&key.to_be_bytes(), &call(vec![0; CALL_MAX]), Millis(5));
        }
        witnesses.calls.run_pending_tasks();
        assert!(witnesses.calls.weighted_size() <= BYTES_MAX);
        assert!(witnesses.of(&1_999_u32.to_be_bytes(), Millis(5)).is_some());
    }
}
