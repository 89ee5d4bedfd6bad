//! The marks that gateways share, in Redis: a stream, and what is kept beside it in the same slot.
//!
//! ```text
//! PREFIX:{marks}:log       a stream: EPOCH-SEQUENCE -> m: the announcement
//! PREFIX:{marks}:gateways  a hash: gateway -> EPOCH-SEQUENCE it has come to, when it need not be waited for any longer, history;
//!                          and of them all, `history`, and `clock` -> the time by which they are waited for, and Redis' own when that was
//! PREFIX:{marks}:on:COVER  a hash: a, h -> EPOCH-SEQUENCE of the last mark on it of any kind, and of the last hard one
//! ```
//!
//! In a history that was not seen before, some marks may be missing, so it begins with an epoch; and some who hold a lease may not be listed: nothing
//! is known to all until the leases of before have ended. So it begins with a gateway named `grace` that has come nowhere and is waited for as long.
//!
//! For how long a gateway is waited for is counted by a clock that goes on with Redis' own, by [`LOOK_MAX`] from one look to the next at most: where that
//! is set forward, who is cut off in that moment still holds his lease.
//!
//! Scripts name the log as their key and derive the others from it: all have one hash tag, so a cluster keeps them in one slot. While that slot moves,
//! some of them lie elsewhere, and are not to be taken for missing: so each script first asks for all at once, which a server that has not all refuses.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::Value;

use super::script::{Lua, expiry};
use super::{Failure, Redis};
use crate::cache::shared::feed::{
    Announcement, EPOCH_SKIP, Evicts, Exact, Feed, HEARD_MAX, Heard, Hello, KEPT, Unheard,
};
use crate::clock::Millis;
use crate::mark::{Cover, Kind, Mark, Version};

/// What the feed runs.
#[derive(Debug)]
pub(super) struct Scripts {
    log: String,
    announce: Lua,
    listen: Lua,
    exact: Lua,
}

impl Scripts {
    /// For keys that begin with `prefix`.
    pub(super) fn new(prefix: &str) -> Self {
        let (announce, listen, exact) = (Lua::new(ANNOUNCE), Lua::new(LISTEN), Lua::new(EXACT));
        Self { log: format!("{prefix}:{{marks}}:log"), announce, listen, exact }
    }
}

impl Redis {
    async fn says(&self, lua: &Lua, arguments: &[Vec<u8>]) -> Result<Value, Unheard> {
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let said = self.run(lua, &self.scripts.log, &arguments, TIMEOUT).await;
        said.map_err(|failure: Failure| {
            tracing::debug!(%failure, "shared marks");
            Unheard
        })
    }
}

impl Feed for Redis {
    fn announce<'a>(
        &'a self,
        said: &'a [Announcement],
        keep: Duration,
    ) -> BoxFuture<'a, Result<(), Unheard>> {
        async move {
            let settings = [text(KEPT), expiry(keep).to_string().into_bytes()];
            let said = said.iter().flat_map(|said| {
                let hard = u8::from(said.mark.kind == Kind::Hard);
                let covers = said.mark.covers.iter().map(|cover| format!("{:032x}", cover.0).into_bytes());
                let was = said.again.map(|place| place.to_string().into_bytes()).unwrap_or_default();
                let head = [said.encode(), text(usize::from(hard)), was, text(said.mark.covers.len())];
                head.into_iter().chain(covers)
            });
            let arguments: Vec<_> = settings.into_iter().chain(said).collect();
            self.says(&self.scripts.announce, &arguments).await.map(|_| ())
        }
        .boxed()
    }

    fn listen<'a>(&'a self, hello: &'a Hello) -> BoxFuture<'a, Result<Heard, Unheard>> {
        async move {
            let empty = Mark { covers: [].into(), kind: Kind::Soft, settle: Duration::ZERO };
            let opens = Announcement { origin: hello.opens, mark: empty, again: None };
            let arguments = [
                hello.gateway.to_string().into_bytes(),
                hello.applied.epoch().to_string().into_bytes(),
                hello.applied.sequence().to_string().into_bytes(),
                hello.there.encode().to_vec(),
                opens.encode(),
                hello.lease.as_millis().to_string().into_bytes(),
                text(HEARD_MAX),
                text(usize::from(hello.asks)),
                (hello.gateway % EPOCH_SKIP).to_string().into_bytes(),
                LOOK_MAX.as_millis().to_string().into_bytes(),
            ];
            heard(&self.says(&self.scripts.listen, &arguments).await?).ok_or(Unheard)
        }
        .boxed()
    }

    fn exact<'a>(&'a self, covers: &'a [Cover]) -> BoxFuture<'a, Result<Vec<Exact>, Unheard>> {
        async move {
            let arguments: Vec<_> =
                covers.iter().map(|cover| format!("{:032x}", cover.0).into_bytes()).collect();
            let Value::Array(said) = self.says(&self.scripts.exact, &arguments).await? else {
                return Err(Unheard);
            };
            let exact: Option<Vec<Exact>> = said.iter().map(exact).collect();
            exact.filter(|exact| exact.len() == covers.len()).ok_or(Unheard)
        }
        .boxed()
    }
}

fn text(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// A stream's id; an empty one is before all others.
fn version(value: &Value) -> Option<Version> {
    let Value::BulkString(bytes) = value else { return None };
    let text = std::str::from_utf8(bytes).ok()?;
    if text.is_empty() {
        return Some(Version::default());
    }
    let (epoch, sequence) = text.split_once('-')?;
    Some(Version::new(epoch.parse().ok()?, sequence.parse().ok()?))
}

fn heard(value: &Value) -> Option<Heard> {
    let Value::Array(parts) = value else { return None };
    let [goes_on, evicts, first, last, Value::Int(now), Value::Int(gateways), fleet, Value::Array(marks)] =
        parts.as_slice()
    else {
        return None;
    };
    let marks = marks.iter().map(|mark| {
        let Value::Array(pair) = mark else { return None };
        let [id, Value::BulkString(said)] = pair.as_slice() else { return None };
        Some((version(id)?, Announcement::decode(said)?))
    });
    let [first, last, fleet] = [version(first)?, version(last)?, version(fleet)?];
    let Value::Int(evicts) = evicts else { return None };
    let evicts = match evicts {
        0 => Some(Evicts::Nothing),
        1 => Some(Evicts::Expiring),
        2 => Some(Evicts::Anything),
        _ => None,
    };
    let (now, gateways) = (Millis(u64::try_from(*now).ok()?), usize::try_from(*gateways).ok()?);
    Some(Heard {
        now,
        gateways,
        goes_on: truth(goes_on)?,
        evicts,
        first,
        last,
        fleet,
        marks: marks.collect::<Option<_>>()?,
    })
}

fn truth(value: &Value) -> Option<bool> {
    let Value::Int(number) = value else { return None };
    Some(*number != 0)
}

fn exact(value: &Value) -> Option<Exact> {
    let Value::Array(pair) = value else { return None };
    let [any, hard] = pair.as_slice() else { return None };
    Some(Exact { any: version(any)?, hard: version(hard)? })
}

/// `KEYS[1]`: the log. `ARGV`: how many marks it holds; how long the last on a cover is kept, in milliseconds; and for each mark its
/// announcement, 1 if it is hard, the id that it had if it is told again, how many covers it has, and those.
const ANNOUNCE: &str = r"
local beside = string.sub(KEYS[1], 1, -4)
local function on(cover)
    return beside .. 'on:' .. cover
end
local at = 3
while at <= #ARGV do
    local covers = tonumber(ARGV[at + 3])
    for cover = at + 4, at + 3 + covers do
        redis.call('EXISTS', KEYS[1], on(ARGV[cover]))
    end
    at = at + 4 + covers
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then
    return redis.error_reply('ERR there is no epoch')
end
local epoch, sequence = string.match(last[1], '^(%d+)-(%d+)$')
local function place(id)
    local e, s = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(e), tonumber(s)
end
local function is_known(cover, field, was)
    local known = redis.call('HGET', on(cover), field)
    if not known then
        return false
    end
    local e, s = place(known)
    local was_e, was_s = place(was)
    return e > was_e or (e == was_e and s >= was_s)
end
at = 3
while at <= #ARGV do
    local fields = ARGV[at + 1] == '1' and { 'h', 'a' } or { 'a' }
    local was, covers = ARGV[at + 2], tonumber(ARGV[at + 3])
    local news = was == ''
    for cover = at + 4, at + 3 + covers do
        news = news or not is_known(ARGV[cover], fields[1], was)
    end
    if news then
        sequence = sequence + 1
        local id = epoch .. '-' .. string.format('%.0f', sequence)
        redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], id, 'm', ARGV[at])
        for cover = at + 4, at + 3 + covers do
            for _, field in ipairs(fields) do
                if was == '' then
                    redis.call('HSET', on(ARGV[cover]), field, id)
                elseif not is_known(ARGV[cover], field, was) then
                    redis.call('HSET', on(ARGV[cover]), field, was)
                end
            end
            redis.call('PEXPIRE', on(ARGV[cover]), ARGV[2])
        end
    end
    at = at + 4 + covers
end
";

/// `KEYS[1]`: the log. `ARGV`: the gateway; epoch and sequence that it has come to, 0 at first; what the announcement begins with that lay
/// there; what opens an epoch; how long the gateway may be waited for, in milliseconds; how many marks it hears; 1 if it asks whether marks may be
/// evicted; by how much an epoch that it opens is later than the next; how many milliseconds pass at most between two looks. Returns whether the log goes on there, 0 if not, 1 if those that expire, 2 if all, -1 if that was not asked, the first and last ids of the log, the time, how many gateways there are, how far all have come, and what came after.
const LISTEN: &str = r"
local log, gateways = KEYS[1], string.sub(KEYS[1], 1, -4) .. 'gateways'
redis.call('EXISTS', log, gateways)
local epoch, sequence = tonumber(ARGV[2]), tonumber(ARGV[3])
local function place(id)
    local e, s = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(e), tonumber(s)
end
local function write(e, s)
    return string.format('%.0f-%.0f', e, s)
end
local function edge(command, from, to)
    local found = redis.call(command, log, from, to, 'COUNT', 1)[1]
    return found and found[1] or ''
end

local first, last = edge('XRANGE', '-', '+'), edge('XREVRANGE', '+', '-')
local goes_on = false
if last ~= '' then
    local e, s = place(first)
    if epoch == 0 or (epoch == e and sequence < s) then
        goes_on = true
    else
        local there = redis.call('XRANGE', log, write(epoch, sequence), write(epoch, sequence))[1]
        goes_on = there ~= nil and string.sub(there[2][2], 1, 16) == ARGV[4]
    end
end
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%w+)') or ''
local is_new = redis.call('HGET', gateways, 'history') ~= history
local last_epoch, last_sequence = 0, 0
if last ~= '' then
    last_epoch, last_sequence = place(last)
end
if is_new or (not goes_on and last_epoch <= epoch) then
    last = write(math.max(last_epoch, epoch) + 1 + ARGV[9], math.max(last_sequence, sequence) + 1)
    redis.call('XADD', log, last, 'm', ARGV[5])
    first = edge('XRANGE', '-', '+')
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counted, counted_at = string.match(redis.call('HGET', gateways, 'clock') or '', '^(%d+) (%d+)$')
counted = counted and counted + math.min(math.max(now - counted_at, 0), tonumber(ARGV[10])) or now
redis.call('HSET', gateways, 'clock', string.format('%.0f %.0f', counted, now))
local ends = string.format(' %.0f ', counted + ARGV[6])
if is_new then
    redis.call('HSET', gateways, 'history', history, 'grace', '0-0' .. ends .. history)
end
local come = goes_on and write(epoch, sequence) or '0-0'
redis.call('HSET', gateways, ARGV[1], come .. ends .. history)
local fleet_epoch, fleet_sequence = math.huge, math.huge
local all, count = redis.call('HGETALL', gateways), 0
for at = 1, #all, 2 do
    local where, ends, of = string.match(all[at + 1], '^(%S+) (%d+) ?(.*)$')
    if all[at] == 'history' or all[at] == 'clock' then
        -- It is no gateway.
    elseif not where or tonumber(ends) <= counted then
        redis.call('HDEL', gateways, all[at])
    else
        local e, s = place(where)
        count = count + (all[at] == 'grace' and 0 or 1)
        if of ~= history then
            e, s = 0, 0
        end
        if e < fleet_epoch or (e == fleet_epoch and s < fleet_sequence) then
            fleet_epoch, fleet_sequence = e, s
        end
    end
end

local marks = {}
if goes_on then
    for index, mark in ipairs(redis.call('XRANGE', log, '(' .. write(epoch, sequence), '+', 'COUNT', ARGV[7])) do
        marks[index] = { mark[1], mark[2][2] }
    end
end
local evicts = -1
if ARGV[8] == '1' then
    local memory = redis.pcall('INFO', 'memory')
    local policy = type(memory) == 'string' and string.match(memory, 'maxmemory_policy:(%a+)') or ''
    evicts = ({ noeviction = 0, volatile = 1, allkeys = 2 })[policy] or 0
end
return { goes_on and 1 or 0, evicts, first, last, now, count, write(fleet_epoch, fleet_sequence), marks }
";

/// `KEYS[1]`: the log. `ARGV`: covers. Returns for each the ids of the last mark of any kind and of the last hard one, empty where there is none.
const EXACT: &str = r"
local beside, said = string.sub(KEYS[1], 1, -4), {}
for index, cover in ipairs(ARGV) do
    redis.call('EXISTS', KEYS[1], beside .. 'on:' .. cover)
    local found = redis.call('HMGET', beside .. 'on:' .. cover, 'a', 'h')
    said[index] = { found[1] or '', found[2] or '' }
end
return said
";

/// So much passes at most between two looks, however much Redis' clock says: what is left of the tenth of a second for which a gateway is waited for
/// longer than it holds its lease is for clocks of other rates. It is as much as passes between two looks of one gateway.
const LOOK_MAX: Duration = Duration::from_millis(50);
/// How long the others' marks are waited for. Nobody's call waits.
const TIMEOUT: Duration = Duration::from_millis(500);
