//! The one write to Redis: a script that lets the younger stay.

use std::time::Duration;

use redis::Script;

use crate::cache::envelope;
use crate::clock::Millis;
use crate::entry::Slot;

use super::Write;
use super::link::{Failure, Link};

/// [`Slot::replaces`] inside Redis, so that writes may come late, twice, and in any order.
#[derive(Debug)]
pub(super) struct Replace(Script);

impl Replace {
    pub(super) fn new() -> Self {
        Self(Script::new(REPLACE))
    }

    /// Puts `value`, the envelope of `slot`, under a Redis key for `keep`. What lies there and was born after `latest`
    /// cannot be believed, and is replaced.
    pub(super) async fn run(
        &self,
        link: &Link,
        redis_key: &str,
        slot: &Slot,
        value: Vec<u8>,
        latest: Millis,
        keep: Duration,
    ) -> Write {
        let mut call = self.0.key(redis_key);
        call.arg(&envelope::head(slot)[..]).arg(latest.0).arg(value).arg(expiry(keep));
        match link.write::<u8>(&call, TIMEOUT).await {
            Ok(0) => Write::Written,
            Ok(1) => Write::Older,
            Ok(2) => Write::Tombstone,
            Err(Failure::Slow) => Write::Timeout,
            Ok(_) | Err(Failure::WrongType | Failure::Other) => Write::Error,
        }
    }
}

/// Redis takes no expiry of 0 ms and none that overflows its clock.
fn expiry(keep: Duration) -> u64 {
    u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1, KEEP_MAX_MILLIS)
}

/// `KEYS[1]`: the key. `ARGV`: the first 13 bytes of our envelope; the latest believable birth in milliseconds; the
/// envelope; its expiry in milliseconds. Returns 0 if it is written; 1 if an entry lies there and stays, 2 if a tombstone
/// does. An entry stays if it is younger, a tombstone also against an entry of its own age. Nothing else stays: other
/// types, other formats, other programs' values, and births further ahead than readers believe, which would block the
/// key until then.
const REPLACE: &str = r"
local held = redis.pcall('GETRANGE', KEYS[1], 0, 12)
if type(held) == 'string' and #held == 13 and string.sub(held, 1, 4) == string.sub(ARGV[1], 1, 4) then
    local theirs, ours = struct.unpack('>I8', held, 5), struct.unpack('>I8', ARGV[1], 5)
    local tombstone, is_tombstone = string.byte(held, 13) == 1, string.byte(ARGV[1], 13) == 1
    if theirs <= tonumber(ARGV[2]) then
        if theirs > ours or (theirs == ours and tombstone and not is_tombstone) then
            return tombstone and 2 or 1
        end
    end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 0
";

/// How long a write holds its place before it is given up. Nobody waits for it, so it may take longer than a read.
const TIMEOUT: Duration = Duration::from_secs(1);
/// The longest expiry: ten years.
const KEEP_MAX_MILLIS: u64 = 10 * 365 * 24 * 3_600 * 1_000;
