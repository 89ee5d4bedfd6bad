//! Scripts, which run in the server that owns their key; and the one write to Redis, a script that lets the younger stay.

use std::time::Duration;

use redis::{Cmd, Script, Value};

use crate::clock::Millis;

use super::Write;
use super::failure::Failure;

/// A script of one key.
#[derive(Debug)]
pub(crate) struct Lua {
    source: &'static str,
    hash: String,
}

/// A script with its key and arguments.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    lua: &'a Lua,
    key: &'a str,
    arguments: &'a [&'a [u8]],
}

impl Lua {
    /// A script that names its one key `KEYS[1]` and what else it is given `ARGV`.
    pub(crate) fn new(source: &'static str) -> Self {
        Self { source, hash: Script::new(source).get_hash().to_owned() }
    }

    /// It with its key and arguments.
    pub(crate) fn call<'a>(&'a self, key: &'a str, arguments: &'a [&'a [u8]]) -> Call<'a> {
        Call { lua: self, key, arguments }
    }
}

impl Call<'_> {
    /// For a server that knows the script.
    pub(super) fn known(&self) -> Cmd {
        self.command("EVALSHA", &self.lua.hash)
    }

    /// For a server that does not, and will from then on.
    pub(super) fn whole(&self) -> Cmd {
        self.command("EVAL", self.lua.source)
    }

    /// Bytes of its key and arguments.
    pub(super) fn size(&self) -> usize {
        self.arguments.iter().map(|argument| argument.len()).fold(self.key.len(), usize::saturating_add)
    }

    fn command(&self, verb: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(1).arg(self.key).arg(self.arguments);
        command
    }
}

/// What [`REPLACE`] is told.
#[derive(Debug)]
pub(super) struct Replacement {
    latest: String,
    value: Vec<u8>,
    expiry: String,
}

impl Replacement {
    /// To put an envelope, `value`, for `keep`. What lies there and was born after `latest` cannot be believed, and is
    /// replaced.
    pub(super) fn new(value: Vec<u8>, latest: Millis, keep: Duration) -> Self {
        let (latest, expiry) = (latest.0.to_string(), expiry(keep).to_string());
        Self { latest, value, expiry }
    }

    /// As the script takes it.
    pub(super) fn arguments(&self) -> [&[u8]; 3] {
        [self.latest.as_bytes(), &self.value, self.expiry.as_bytes()]
    }
}

/// How giving a lease back ended.
pub(super) fn given_back(answer: &Result<Value, Failure>) -> Write {
    match answer {
        Ok(Value::Int(_)) => Write::GivenBack,
        answer => replaced(answer),
    }
}

/// How a write ended by what [`REPLACE`] says.
pub(super) fn replaced(answer: &Result<Value, Failure>) -> Write {
    match answer {
        Ok(Value::Int(0)) => Write::Written,
        Ok(Value::Int(1)) => Write::Older,
        Ok(Value::Int(2)) => Write::Tombstone,
        Err(Failure::Slow) => Write::Timeout,
        Err(Failure::Down) => Write::Skipped,
        Err(Failure::Full) => Write::Dropped,
        Err(Failure::NoMemory) => Write::Full,
        Ok(_) | Err(Failure::Lost | Failure::Unfit | Failure::WrongType | Failure::Refused) => Write::Error,
    }
}

/// Redis takes no expiry of 0 ms and none that overflows its clock.
pub(super) fn expiry(keep: Duration) -> u64 {
    u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1, KEEP_MAX_MILLIS)
}

/// [`Slot::replaces`](crate::entry::Slot::replaces) inside Redis, so that writes may come late, twice, and in any order.
///
/// `KEYS[1]`: the key. `ARGV`: the latest believable birth in milliseconds; our envelope; its expiry in milliseconds. Returns 0
/// if it is written; 1 if an entry lies there and stays, 2 if a tombstone does. An entry stays if it is younger, a
/// tombstone also against an entry of its own age, and both in any format: the first 13 bytes mean the same in all. Nothing else stays:
/// other types, other programs' values, and births further ahead than readers believe, which would block the key until then.
pub(super) const REPLACE: &str = r"
local held = redis.pcall('GETRANGE', KEYS[1], 0, 12)
if type(held) == 'string' and #held == 13 and string.sub(held, 1, 3) == 'LRD' then
    local theirs, ours = struct.unpack('>I8', held, 5), struct.unpack('>I8', ARGV[2], 5)
    local tombstone, is_tombstone = string.byte(held, 13) == 1, string.byte(ARGV[2], 13) == 1
    if theirs <= tonumber(ARGV[1]) then
        if theirs > ours or (theirs == ours and tombstone and not is_tombstone) then
            return tombstone and 2 or 1
        end
    end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 0
";

/// `KEYS[1]`: a lease. `ARGV`: the token of who gives it back. Returns how many were.
pub(super) const GIVE_BACK: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
";

/// The longest expiry: ten years.
const KEEP_MAX_MILLIS: u64 = 10 * 365 * 24 * 3_600 * 1_000;
