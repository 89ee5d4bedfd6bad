//! The rule of one method, out of all that the configuration says and the IDL declares.

use std::sync::Arc;
use std::time::Duration;

use super::options::{Mode, Options, Tier};
use super::pattern::{Methods, Pattern};
use super::resolve::{Replies, Resolved, resolve_known};
use super::{Action, Caching, Declaration, Rule, Tiers};
use crate::call::{Answering, Repeat, Returns, Terms};
use crate::idl::{Method, Schema};
use crate::key::Ignored;

/// The rules and declarations that one listener's methods are looked up in.
#[derive(Debug)]
pub struct Governed {
    /// The rules, the most specific of a service first.
    pub rules: Arc<Vec<(Pattern, Options)>>,
    /// What the listener's IDL declares.
    pub schema: Option<Schema>,
    /// The backend's own timeout for a whole call.
    pub timeout: Option<Duration>,
}

/// The rule of a method, and the name it is counted under.
#[derive(Debug)]
pub struct Ruled {
    /// What holds for its calls.
    pub rule: Rule,
    /// The metric label: names that nobody wrote down share one, because they come from the network.
    pub label: Arc<str>,
}

impl Governed {
    /// What holds for the calls of `service.method`.
    pub fn find(&self, service: &str, method: &str) -> Ruled {
        let declared = self.schema.as_ref().and_then(|schema| {
            let found = schema.service(service)?.methods.get(method)?;
            Some((schema, found))
        });
        let governing = self.rules.iter().find(|(pattern, _)| pattern.matches(service, method));
        let label = match (declared, governing.map(|(pattern, _)| (pattern, pattern.methods()))) {
            (Some(_), _) | (None, Some((_, Methods::Exact(_)))) => format!("{service}.{method}").into(),
            (None, Some((pattern, Methods::Prefix(_)))) => pattern.to_string().into(),
            (None, None) => OTHER.into(),
        };
        Ruled { rule: self.rule(governing.map(|(_, options)| options), declared), label }
    }

    fn rule(&self, options: Option<&Options>, declared: Option<(&Schema, &Method)>) -> Rule {
        let unruled = Options::default();
        let ruled = options.is_some();
        let options = options.unwrap_or(&unruled);
        // What a rule for many methods names and this one does not have was refused or warned of when the file was checked.
        let (resolved, _) = resolve_known(options, declared);
        let timeout = options.timeout.map(|timeout| timeout.duration()).or(self.timeout);
        let oneway = options.oneway || resolved.replies == Replies::Nothing;
        Rule {
            terms: terms(options, &resolved, oneway),
            timeout: timeout.or_else(|| ruled.then_some(RULED_TIMEOUT)),
            declaration: if declared.is_some() { Declaration::Declared } else { Declaration::Undeclared },
            action: action(options, &resolved, oneway),
            fallback: resolved.fallback,
        }
    }
}

fn terms(options: &Options, resolved: &Resolved, oneway: bool) -> Terms {
    Terms {
        repeat: if options.repeats() { Repeat::Idempotent } else { Repeat::Once },
        answer: if oneway { Answering::Oneway } else { Answering::Reply },
        returns: match resolved.replies {
            Replies::Unknown => Returns::Unknown,
            Replies::Value => Returns::Value,
            Replies::Void | Replies::Nothing => Returns::Void,
        },
        failures: resolved.failure_exceptions.clone().into(),
    }
}

fn action(options: &Options, resolved: &Resolved, oneway: bool) -> Action {
    let Some(ttl) = options.ttl.filter(|_| !oneway) else {
        return Action::Pass;
    };
    let caching = Caching {
        ttl: ttl.duration(),
        ttl_jitter: options.ttl_jitter,
        stale_while_revalidate: options.stale_while_revalidate.duration(),
        stale_if_error: options.stale_if_error.duration(),
        ignored: Ignored::new(resolved.ignore.iter().map(Vec::as_slice)),
        revision: options.revision,
        tiers: match (options.tiers.contains(&Tier::Local), options.tiers.contains(&Tier::Shared)) {
            (true, false) => Tiers::Local,
            (false, true) => Tiers::Shared,
            (true, true) | (false, false) => Tiers::Both,
        },
        exceptions: resolved.cache_exceptions.clone().into(),
        exception_ttl: options.exception_time().duration(),
        reply_max: options.max_reply.length(),
    };
    match options.mode {
        Mode::On => Action::Cache(caching),
        Mode::Observe => Action::Observe(caching),
        Mode::Off => Action::Pass,
    }
}

/// The label of methods that neither a rule nor the IDL names.
pub const OTHER: &str = "_OTHER";

/// How long a call of a ruled method may take where nothing else is said: its callers rely on the gateway to answer something.
const RULED_TIMEOUT: Duration = Duration::from_secs(1);
