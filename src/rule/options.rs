//! What the config may say of a method: the place where an option is added.

mod mode;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sessions::Makes;
pub(crate) use mode::Mode;

use crate::mark::{Reach, Standing};
use crate::setting::{Finding, Period, Section, Share, Size};

/// What may be done with the calls of a method. The name is `"Service.method"`, `"Service.prefix*"`, `"Service.*"` or `"*"`;
/// the most specific one governs a method alone, nothing is inherited. Without `ttl` nothing is cached. One for many methods
/// caches those of them that the listener's `idl` declares with a result. The options may stand behind a method in that `idl` instead, as
/// annotations such as `larder.ttl = "30s"`; a rule here that names the service and is for the method wins over them whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// How long a reply is fresh: it answers at once. `"0s"` asks a backend every time and keeps the reply for
    /// `stale_if_error` alone.
    #[schemars(extend("x-least" = "0s", "x-most" = "87600h", "x-default" = "none: nothing is cached"))]
    pub ttl: Option<Period>,
    /// Shortens each key's `ttl` by up to this share, so that keys asked at once do not end at once. The same key is
    /// shortened alike on all gateways.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub ttl_jitter: f64,
    /// How long after `ttl` a reply still answers at once, while one call refreshes it (RFC 5861).
    #[schemars(extend("x-least" = "0s", "x-most" = "87600h"))]
    pub stale_while_revalidate: Period,
    /// How long after `ttl` a reply still answers when backends fail (RFC 5861).
    #[schemars(extend("x-least" = "0s", "x-most" = "87600h"))]
    pub stale_if_error: Period,
    /// How long a call waits for a backend before a reply that `stale_if_error` still allows answers. The call to the backend goes on,
    /// and what it brings is kept. With `1h` only a failure counts, however long it takes to be found out.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h", "x-default" = "ten times what the method's answers usually take, and 1s at least; with `backup_when = \"before_stale\"` until the backend fails"))]
    pub soft_timeout: Option<Period>,
    /// Argument fields that do not tell two calls apart, such as `["trace_id", "ctx.request_id", "3"]`: names (with
    /// the listener's `idl`) or ids, nested with dots. All others do.
    #[schemars(length(max = 256))]
    pub ignore: Vec<String>,
    /// Info headers that tell two calls apart besides their arguments, such as `["x-tenant"]`. They go to the backend with the call that is
    /// made for all who ask the same; other headers do not. Upper and lower case are the same. For the header transport.
    #[schemars(length(max = 16))]
    pub key_headers: Vec<String>,
    /// Info headers that go to the backend with such a call too, as its first caller sent them: those that change nothing of the reply,
    /// such as `["traceparent"]`.
    #[schemars(length(max = 64))]
    pub forward_headers: Vec<String>,
    /// Part of every key: another number, and what was kept before answers no more.
    pub revision: u32,
    /// `on`: as this rule says. `observe`: passes calls as without this rule, counts what would have been hits, and learns from them
    /// which rule they should have (`larder advise`), with a `ttl` or without. `off`: passes calls as without this rule.
    pub mode: Mode,
    /// The share of its keys, in percent, that the rule is for: those of others pass as without this rule. A larger share has the keys of a
    /// smaller one.
    #[schemars(range(min = 0, max = 100))]
    pub ramp: u8,
    /// The share of fresh hits of which the backend is asked again, after they were answered: what it says is compared with what was served.
    /// The rule falls to `observe` by itself if more than one in 20 of its last 64 verdicts are mismatches, of 20 at least.
    #[schemars(extend("x-least" = "0.001%", "x-most" = "100%", "x-default" = "none: nothing is verified"))]
    pub verify: Option<Share>,
    /// The backend that answers these calls, by its name in `[backends.NAME]`, whatever `mode` says.
    #[schemars(extend("x-default" = "the listener's"))]
    pub backend: Option<String>,
    /// The backend that answers when that one fails, or is known to be out: one that gives the same answers elsewhere, by its name in
    /// `[backends.NAME]`. Only of what may be sent twice: with `ttl` or `idempotent`. The usual backend has half of `timeout` then.
    #[schemars(extend("x-default" = "none"))]
    pub backup: Option<String>,
    /// `after_stale`: the backup is asked where no old reply may answer. `before_stale`: old replies answer where the backup fails too.
    pub backup_when: BackupWhen,
    /// Where replies are kept.
    #[schemars(length(min = 1, max = 2))]
    pub tiers: Vec<Tier>,
    /// Names that purges and `invalidates` know what is kept by, made of arguments and reply: `["user:{id}", "team:{reply.team_id}"]`.
    /// Fields as in `ignore`; through lists, each element makes a tag of its own. `{name|lower}` folds a text to lower case.
    #[schemars(length(max = 16))]
    pub tags: Vec<String>,
    /// The tags of what a call of this method changes: they answer only in an outage from its beginning on, and not at all once it has
    /// succeeded. Only in a rule without `ttl`.
    #[schemars(length(max = 16))]
    pub invalidates: Vec<String>,
    /// How long the effect of such a call may still spread among the service's replicas: what is asked meanwhile is not kept. It is also
    /// how long a call may still take effect of which nobody knows whether it did.
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub settle: Period,
    /// Who knows what such a call has changed before it is answered: this `gateway`, the shared tier (`redis`), or all gateways of it (the
    /// `fleet`). The last two take as long as telling them: for the fleet a tenth of a second, and up to 1.5 s where a gateway has died or the
    /// shared tier is away.
    pub hold_until: HoldUntil,
    /// What may be done with an entry while this gateway cannot hear what the others invalidate: `serve` it as always, take it for
    /// `soft`ly invalidated, or `hard`, so that it does not answer, nor does a call that was under way before.
    #[schemars(extend("x-default" = "soft with tags, else serve"))]
    pub on_coherence_loss: Option<OnLoss>,
    /// Whether the empty reply of a method that returns nothing is kept: of the calls that share it only one reaches the
    /// service. Only in a rule for one method.
    pub cache_void: bool,
    /// Declared exceptions that are kept as answers: names of `throws` fields or of their types (with the
    /// listener's `idl`), or ids.
    #[schemars(length(max = 256))]
    pub cache_exceptions: Vec<String>,
    /// How long a kept exception is fresh.
    #[schemars(extend("x-least" = "0s", "x-most" = "87600h", "x-default" = "5s"))]
    pub exception_ttl: Option<Period>,
    /// How long after `exception_ttl` a kept exception still answers when backends fail, if nothing younger is kept.
    #[schemars(extend("x-least" = "0s", "x-most" = "87600h"))]
    pub exception_stale_if_error: Period,
    /// Declared exceptions that mean the service failed: taken like a dead connection. Names or ids as above.
    #[schemars(length(max = 256))]
    pub failure_exceptions: Vec<String>,
    /// What the calls of the method leave behind on their connection. `identity`: their arguments are who it belongs to. Its further calls share
    /// replies, and backend connections, with those who have said the same; on each new backend connection the call is replayed. While the
    /// backend fails it is answered by what was answered last, for `stale_if_error` (30 days if that is not said). `state`: its
    /// connection gets a backend connection of its own, and nothing of it is kept or shared. Only in a rule for one method.
    #[schemars(extend("x-default" = "state for methods that are known to make a session, see listeners.NAME.sessions"))]
    pub session: Option<Makes>,
    /// The longest reply that is kept, in bytes.
    #[schemars(extend("x-least" = "1", "x-most" = "1GiB"))]
    pub max_reply: Size,
    /// How long a whole call may take, further tries included. Not counted are the look into the shared tier before it, and the wait for
    /// another gateway that asks: half of this time, and a second, at most.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h", "x-default" = "the backend's timeout, else 30s"))]
    pub timeout: Option<Period>,
    /// Whether a call that may have run may be sent again, to another endpoint.
    #[schemars(extend("x-default" = "true with ttl, else false"))]
    pub idempotent: Option<bool>,
    /// Whether the method has no reply, where no `idl` says so.
    pub oneway: bool,
    /// What answers when nothing else does: the result as JSON, in Thrift's field names. Needs the listener's `idl`.
    pub fallback: Option<String>,
}

/// When a backup is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BackupWhen {
    /// When no old entry may answer.
    AfterStale,
    /// Before an old entry answers.
    BeforeStale,
}

/// Who knows what a call has changed before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HoldUntil {
    /// This gateway.
    Gateway,
    /// The shared tier.
    Redis,
    /// All gateways of the shared tier.
    Fleet,
}

impl HoldUntil {
    /// How far a mark must have got.
    pub(crate) fn reach(self) -> Reach {
        match self {
            Self::Gateway => Reach::Gateway,
            Self::Redis => Reach::Shared,
            Self::Fleet => Reach::Fleet,
        }
    }
}

/// What may be done with an entry while nobody knows what other gateways have invalidated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnLoss {
    /// Its age alone decides, as far as is known.
    Serve,
    /// It answers in an outage alone.
    Soft,
    /// It does not answer.
    Hard,
}

/// Where replies are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tier {
    /// In this process.
    Local,
    /// In Redis.
    Shared,
}

impl Options {
    /// How long a kept exception is fresh.
    pub(crate) fn exception_time(&self) -> Period {
        self.exception_ttl.unwrap_or(EXCEPTION_TTL)
    }

    /// Whether a call that may have run may be sent again.
    pub(crate) fn repeats(&self) -> bool {
        self.idempotent.unwrap_or_else(|| self.ttl.is_some() || self.session == Some(Makes::Identity))
    }

    /// What is left of an entry while nobody knows what other gateways have invalidated.
    pub(crate) fn unvouched(&self) -> Standing {
        match self.on_coherence_loss {
            Some(OnLoss::Serve) => Standing::Clear,
            Some(OnLoss::Soft) => Standing::Soft,
            Some(OnLoss::Hard) => Standing::Hard,
            None if self.tags.is_empty() => Standing::Clear,
            None => Standing::Soft,
        }
    }

    /// Whether replies are kept in `tier` while the rule is on.
    pub(crate) fn keeps_in(&self, tier: Tier) -> bool {
        self.ttl.is_some() && self.tiers.contains(&tier)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: None,
            ttl_jitter: 0.0,
            stale_while_revalidate: Period::ZERO,
            stale_if_error: Period::ZERO,
            soft_timeout: None,
            ignore: Vec::new(),
            key_headers: Vec::new(),
            forward_headers: Vec::new(),
            revision: 0,
            mode: Mode::On,
            ramp: 100,
            verify: None,
            backend: None,
            backup: None,
            backup_when: BackupWhen::AfterStale,
            tiers: vec![Tier::Local, Tier::Shared],
            tags: Vec::new(),
            invalidates: Vec::new(),
            settle: Period::from_secs(1),
            hold_until: HoldUntil::Gateway,
            on_coherence_loss: None,
            cache_void: false,
            cache_exceptions: Vec::new(),
            exception_ttl: None,
            exception_stale_if_error: Period::ZERO,
            failure_exceptions: Vec::new(),
            session: None,
            max_reply: Size::from_mib(1),
            timeout: None,
            idempotent: None,
            oneway: false,
            fallback: None,
        }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let cached = self.ttl.is_some();
        let identity = self.session == Some(Makes::Identity);
        let twice = self.tiers.first() == self.tiers.get(1) && self.tiers.len() > 1;
        let checks = [
            (
                cached && self.idempotent == Some(false),
                "idempotent",
                "a method with ttl is idempotent: leave one out",
            ),
            (cached && self.oneway, "oneway", "a oneway method has no reply to keep: leave out this or ttl"),
            (self.oneway && self.fallback.is_some(), "fallback", "a oneway method has no reply"),
            (self.oneway && self.cache_void, "cache_void", "a oneway method has no reply to keep"),
            (twice, "tiers", "one tier is listed twice"),
            (
                cached && !self.invalidates.is_empty(),
                "invalidates",
                "a call that changes something is not answered from what is kept: leave out this or ttl",
            ),
            (
                identity && self.idempotent == Some(false),
                "idempotent",
                "a session call is replayed, so it is idempotent: leave this out",
            ),
            (
                identity && !self.invalidates.is_empty(),
                "invalidates",
                "what is replayed changes nothing: leave out this or session",
            ),
            (
                self.session.is_some() && self.oneway,
                "session",
                "a oneway method has no reply that says whether it was taken",
            ),
            (identity && self.fallback.is_some(), "fallback", "what is made up says of nobody who he is"),
            (
                self.session == Some(Makes::State) && cached,
                "ttl",
                "what is answered is for one connection: leave out this or session",
            ),
            (
                self.backup.is_some() && !self.repeats(),
                "backup",
                "without ttl or idempotent a call might have its effect at both backends",
            ),
            (
                self.backup.is_some() && !self.invalidates.is_empty(),
                "backup",
                "a call that changes something does so at its own backend: leave out this or invalidates",
            ),
            (
                self.backup.is_some() && self.oneway,
                "backup",
                "nobody knows whether a oneway method has failed",
            ),
        ];
        chosen(checks).collect()
    }

    fn warnings(&self) -> Vec<Finding> {
        let identity = self.session == Some(Makes::Identity);
        let cached = self.ttl.is_some() || identity;
        let swr = !self.stale_while_revalidate.is_zero();
        let sie = !self.stale_if_error.is_zero();
        let soft = self.soft_timeout.is_some();
        let exceptions = !self.cache_exceptions.is_empty();
        let before = self.backup_when == BackupWhen::BeforeStale;
        chosen([
            (cached && !identity && !sie, "ttl", "without stale_if_error nothing answers when backends are down"),
            (
                !cached && swr,
                "stale_while_revalidate",
                "without ttl nothing is cached, so nothing gets stale",
            ),
            (!cached && sie, "stale_if_error", "without ttl nothing is cached, so nothing gets stale"),
            (!cached && soft, "soft_timeout", "without ttl nothing is cached, so nothing old can answer"),
            (
                cached && sie && self.stale_if_error < self.stale_while_revalidate,
                "stale_if_error",
                "it is shorter than stale_while_revalidate, which lets old entries answer for longer anyway",
            ),
            (
                cached && soft && self.stale_if_error <= self.stale_while_revalidate,
                "soft_timeout",
                "it is for replies that stale_if_error allows longer than stale_while_revalidate, and there are none",
            ),
            (before && self.backup.is_none(), "backup_when", "without backup nobody is asked"),
            (before && !cached, "backup_when", "without ttl nothing is cached, so nothing old can answer"),
            (!cached && self.ttl_jitter > 0.0, "ttl_jitter", "without ttl there is nothing to shorten"),
            (!cached && self.ramp != 100, "ramp", "without ttl nothing is cached"),
            (!cached && self.verify.is_some(), "verify", "without ttl nothing is cached, so there are no hits"),
            (!cached && !self.tags.is_empty(), "tags", "without ttl nothing is cached, so nothing has tags"),
            (
                !cached && self.on_coherence_loss.is_some(),
                "on_coherence_loss",
                "without ttl nothing is cached",
            ),
            (!cached && self.cache_void, "cache_void", "without ttl nothing is cached"),
            (!cached && exceptions, "cache_exceptions", "without ttl nothing is cached"),
            (!cached && !self.ignore.is_empty(), "ignore", "without ttl there are no keys"),
            (!cached && !self.key_headers.is_empty(), "key_headers", "without ttl there are no keys"),
            (
                !cached && !self.forward_headers.is_empty(),
                "forward_headers",
                "without ttl all headers go to the backend",
            ),
            (
                self.forward_headers.iter().any(|name| is_of_caller(name)),
                "forward_headers",
                "what the first caller may see answers all who ask the same: it belongs in key_headers",
            ),
            (
                self.exception_ttl.is_some() && !exceptions,
                "exception_ttl",
                "without cache_exceptions no exception is kept",
            ),
            (
                !self.exception_stale_if_error.is_zero() && !exceptions,
                "exception_stale_if_error",
                "without cache_exceptions no exception is kept",
            ),
            (
                self.fallback.is_some() && !self.repeats(),
                "fallback",
                "without ttl or idempotent it may answer a call that has had its effect",
            ),
        ])
        .collect()
    }
}

/// Whether a header with this name says who calls.
fn is_of_caller(name: &str) -> bool {
    ["authorization", "cookie", "proxy-authorization"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn chosen<const N: usize>(checks: [(bool, &'static str, &'static str); N]) -> impl Iterator<Item = Finding> {
    checks.into_iter().filter(|check| check.0).map(|(_, option, message)| Finding::new(option, message))
}

/// What is kept of an exception: long enough to absorb a burst, short enough to be forgotten when it is repaired.
const EXCEPTION_TTL: Period = Period::from_secs(5);
/// The longest `soft_timeout`: no call is waited for so long.
pub(crate) const SOFT_NEVER: Period = Period::from_secs(3600);
