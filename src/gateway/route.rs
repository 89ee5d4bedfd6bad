//! The rule, key prefix and counters of a method, found by its name on the wire.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

use super::Scratch;
use crate::call::{Answering, CallRef, Repeat, Terms};
use crate::key::canonical::Unkeyable;
use crate::key::{Prefix, Scope};
use crate::metrics::{ListenerCounts, MethodCounts};
use crate::rule::method::{Governed, OTHER, Ruled};
use crate::rule::{Action, Caching, Declaration, Rule};
use crate::wire::Protocol;
use crate::wire::message::{Kind, split_name};

/// All that is known of one method.
#[derive(Debug)]
pub struct Route {
    /// What holds for its calls.
    pub rule: Rule,
    /// What is counted of them.
    pub counts: MethodCounts,
    binary: Prefix,
    compact: Prefix,
}

/// Names on the wire and what they lead to.
pub type Names = HashMap<Box<[u8]>, Arc<Route>, RandomState>;

/// The methods of one listener.
#[derive(Debug)]
pub struct Routes {
    backend: Arc<str>,
    service: String,
    methods: Governed,
    names: ArcSwap<Names>,
}

impl Routes {
    /// Routes to `backend`, where a name without prefix belongs to `service`.
    pub fn new(backend: Arc<str>, service: String, methods: Governed) -> Self {
        Self { backend, service, methods, names: ArcSwap::default() }
    }

    /// The names met so far.
    pub fn names(&self) -> Arc<Names> {
        self.names.load_full()
    }

    /// The route of a name that is not among those met so far.
    pub fn find(&self, name: &[u8], listener: &ListenerCounts) -> Arc<Route> {
        if let Some(route) = self.names.load().get(name) {
            return Arc::clone(route);
        }
        let route = Arc::new(self.route(name, listener));
        // Names come from the network: what is remembered of them is bounded.
        if self.names.load().len() < NAMES_MAX {
            self.names.rcu(|names| {
                let mut names = Names::clone(names);
                names.insert(name.into(), Arc::clone(&route));
                names
            });
        }
        route
    }

    fn route(&self, name: &[u8], listener: &ListenerCounts) -> Route {
        let (service, method) = split_name(name);
        let service = service.unwrap_or(self.service.as_bytes());
        let ruled = match (std::str::from_utf8(service), std::str::from_utf8(method)) {
            (_, Ok(TRACKING)) => {
                Ruled { rule: Rule { action: Action::Refuse, ..Rule::default() }, label: TRACKING.into() }
            }
            (Ok(service), Ok(method)) => self.methods.find(service, method),
            (Err(_), _) | (_, Err(_)) => Ruled { rule: Rule::default(), label: OTHER.into() },
        };
        let prefix = |protocol| match ruled.rule.action.caching() {
            None => Prefix::default(),
            Some(caching) => Prefix::new(&Scope {
                backend: &self.backend,
                service,
                method,
                protocol,
                revision: caching.revision,
                ignored: &caching.ignored,
            }),
        };
        Route {
            binary: prefix(Protocol::Binary),
            compact: prefix(Protocol::Compact),
            counts: listener.method(ruled.label),
            rule: ruled.rule,
        }
    }
}

impl Route {
    /// Leaves the key of `call` in `scratch`.
    #[inline]
    pub fn key(&self, call: &CallRef<'_>, caching: &Caching, scratch: &mut Scratch) -> Result<(), Unkeyable> {
        let prefix = match call.protocol {
            Protocol::Binary => &self.binary,
            Protocol::Compact => &self.compact,
        };
        scratch.key.clear();
        scratch.key.extend_from_slice(prefix.as_bytes());
        scratch.canonical.put(call.protocol, call.body, &caching.ignored, &mut scratch.key)
    }

    /// The terms for one call: a message's type alone makes a call oneway where nothing else tells.
    pub fn terms(&self, kind: Kind) -> Cow<'_, Terms> {
        let terms = &self.rule.terms;
        let unsure = kind == Kind::Oneway
            && terms.answer == Answering::Reply
            && self.rule.declaration == Declaration::Undeclared;
        if unsure {
            Cow::Owned(Terms { answer: Answering::Unsure, ..terms.clone() })
        } else {
            Cow::Borrowed(terms)
        }
    }

    /// Whether the client of a call of this kind expects no reply.
    pub fn is_silent(&self, kind: Kind) -> bool {
        self.terms(kind).answer != Answering::Reply
    }

    /// Whether a call must keep its place among the others of its connection in effect too.
    pub fn keeps_place(&self) -> bool {
        self.rule.terms.repeat == Repeat::Once
    }
}

/// thriftpy2's tracking handshake. A backend that accepted it would expect a header before each later message of that connection,
/// and would not find it on a pooled one; told that the method is unknown, the client does without.
const TRACKING: &str = "__thriftpy_tracing_method_name__v2";

/// Names remembered per listener.
const NAMES_MAX: usize = 1024;
