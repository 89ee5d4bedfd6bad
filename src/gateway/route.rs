//! What is decided of a method before any call comes: its rule, keys and counters, found by its name on the wire.

pub(crate) mod known;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::asking::Asking;
use super::caller::Scratch;
use super::destination::{Destination, Destinations};
use super::leak::Leak;
use super::vitals::{Question, SERVICE};
use crate::backend::{Backend, Methods};
use crate::call::identity::Identity;
use crate::call::{Answering, CallRef, Repeat, Terms};
use crate::clock::Millis;
use crate::entry::Entry;
use crate::key::canonical::Unkeyable;
use crate::key::{Prefix, Scope, Spelling, covering};
use crate::mark::{Cover, Covers, Marks, Standing};
use crate::metrics::{FallsBack, ListenerCounts, MethodCounts};
use crate::rule::method::{Governed, Ruled};
use crate::rule::pattern::Pattern;
use crate::rule::sessions::{Leaves, Session, makes_session};
use crate::rule::{Action, Caching, Declaration, Freshness};
use crate::wire::message::{Kind, split_name};

/// All that is known of one method, or of all that share a rule and a name on the metrics.
#[derive(Debug)]
pub(crate) struct Route {
    /// What is done with its calls.
    pub decision: Decision,
    /// What is counted of them.
    pub counts: Arc<MethodCounts>,
    asking: Arc<Asking>,
    /// For a call whose message alone says that its client expects no reply.
    unsure: Option<Arc<Asking>>,
    /// What its calls leave behind on the connection that they are sent on.
    pub leaves: Leaves,
    /// What is to be told of the first of them.
    pub leak: Option<Leak>,
}

/// What is done with a method's calls.
#[derive(Debug)]
pub(crate) enum Decision {
    /// They go to a backend.
    Pass,
    /// They are answered from what is kept.
    Cache(Arc<Cached>),
    /// They go to a backend, and what would have been a hit is counted.
    Observe(Box<Keyed>),
    /// They say who their client is, and are answered from what is kept while a backend fails.
    Identify(Arc<Cached>),
    /// They ask about the gateway, which answers itself.
    Own(Question),
    /// They are no calls for a backend.
    Refuse,
}

/// What holds for calls that are answered from what is kept.
#[derive(Debug)]
pub(crate) struct Cached {
    /// What is kept, and under which keys.
    pub keyed: Keyed,
    /// How a backend is asked.
    pub asking: Arc<Asking>,
    /// The pattern of the rule.
    pub rule: Arc<str>,
    /// What holds for them at the backup, whose replies are kept under keys of their own.
    pub backup: Option<Arc<Self>>,
}

/// What is kept, and under which keys.
#[derive(Debug)]
pub(crate) struct Keyed {
    /// What may be done with an entry.
    pub caching: Caching,
    /// What covers all entries of the method.
    covers: [Cover; 3],
    pub(super) prefix: Prefix,
}

/// The methods of one listener. What the IDL declares and what a rule names is in the table from the beginning; other names come from
/// the network, and nothing is remembered of them.
#[derive(Debug)]
pub(crate) struct Routes {
    names: HashMap<Box<[u8]>, Arc<Route>, RandomState>,
    service: String,
    patterns: Vec<(Pattern, Unnamed)>,
    other: Unnamed,
    refused: Arc<Route>,
    /// What holds for each method, as the configuration says it.
    governed: Governed,
    /// Where any of them lead.
    destinations: Vec<Arc<Destination>>,
}

/// The routes of names that nobody wrote down.
#[derive(Debug)]
struct Unnamed {
    plain: Arc<Route>,
    session: Arc<Route>,
}

impl Routes {
    /// Routes to backends, where a name without prefix belongs to `service`.
    pub(crate) fn new(
        to: Destinations<'_>,
        service: &str,
        methods: &Governed,
        listener: &ListenerCounts,
    ) -> Self {
        let mut names = HashMap::default();
        for (of, method, ruled) in methods.named() {
            let counts = counts(to, listener, ruled);
            let mut add = |name: &str, spelling| {
                let named = Named { to, service: of, method, spelling };
                names.insert(name.as_bytes().into(), Arc::new(Route::named(named, ruled, &counts)));
            };
            if of == service {
                add(method, Spelling::Plain);
            }
            add(&format!("{of}:{method}"), Spelling::Multiplexed);
        }
        let unnamed = |ruled: &Ruled| {
            let counts = counts(to, listener, ruled);
            let route = |leaves| {
                let asking = Asking::new(to, ruled, Methods::unnamed, &counts);
                Route::new(Decision::Pass, asking, ruled.rule.declaration, leaves)
            };
            let leaves = to.sessions.left_by_known();
            let session = Route { leak: Leak::of_known(leaves), ..route(leaves) };
            Unnamed { plain: Arc::new(route(Leaves::Nothing)), session: Arc::new(session) }
        };
        let other = methods.other();
        let traffic = &to.of(&other.rule).traffic;
        let counts = Arc::new(listener.method(TRACKING.into(), FallsBack::default(), traffic));
        let refused = Asking::new(to, other, Methods::unnamed, &counts);
        Self {
            names,
            service: service.to_owned(),
            patterns: methods.patterns().map(|(pattern, ruled)| (pattern.clone(), unnamed(ruled))).collect(),
            other: unnamed(other),
            refused: Arc::new(Route::new(
                Decision::Refuse,
                refused,
                Declaration::Undeclared,
                Leaves::Nothing,
            )),
            governed: methods.clone(),
            destinations: to.among(methods),
        }
    }

    /// The same, where the gateway answers itself what is asked about it in the words of fb303, whoever else would.
    pub(crate) fn asked_about_itself(mut self, to: Destinations<'_>, listener: &ListenerCounts) -> Self {
        let other = self.governed.other();
        let traffic = &to.of(&other.rule).traffic;
        for question in Question::ALL {
            let method = question.method();
            let label = format!("{SERVICE}.{method}");
            let counts = Arc::new(listener.method(label.into(), FallsBack::default(), traffic));
            let asking = Asking::new(to, other, Methods::unnamed, &counts);
            let (decision, declaration) = (Decision::Own(question), Declaration::Declared);
            let route = Arc::new(Route::new(decision, asking, declaration, Leaves::Nothing));
            let multiplexed = [SERVICE, &self.service].map(|service| format!("{service}:{method}"));
            for name in multiplexed.into_iter().chain([method.to_owned()]) {
                self.names.insert(name.as_bytes().into(), Arc::clone(&route));
            }
        }
        self
    }

    /// Whatever keeps replies of a method.
    pub(crate) fn cached(&self) -> impl Iterator<Item = &Arc<Cached>> {
        let cached = self.names.values().filter_map(|route| match &route.decision {
            Decision::Cache(cached) | Decision::Identify(cached) => Some(cached),
            Decision::Pass | Decision::Observe(_) | Decision::Own(_) | Decision::Refuse => None,
        });
        cached.flat_map(|cached| std::iter::once(cached).chain(&cached.backup))
    }

    /// Whether any of them leads to this backend.
    pub(crate) fn lead_to(&self, backend: *const Backend) -> bool {
        self.destinations.iter().any(|destination| Arc::as_ptr(&destination.backend) == backend)
    }

    /// What is known of the method with this name on the wire.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> &Arc<Route> {
        match self.names.get(name) {
            Some(route) => route,
            None => self.unnamed(name),
        }
    }

    /// Nobody wrote the name down: all that can be for it is a pattern.
    fn unnamed(&self, name: &[u8]) -> &Arc<Route> {
        let (service, method) = split_name(name);
        if [TRACKING, TTWITTER].iter().any(|handshake| method == handshake.as_bytes()) {
            return &self.refused;
        }
        let service = service.map_or(Ok(self.service.as_str()), std::str::from_utf8);
        let (Ok(service), Ok(method)) = (service, std::str::from_utf8(method)) else {
            return &self.other.plain;
        };
        let pattern = self.patterns.iter().find(|(pattern, _)| pattern.matches(service, method));
        let unnamed = pattern.map_or(&self.other, |(_, unnamed)| unnamed);
        if makes_session(method) { &unnamed.session } else { &unnamed.plain }
    }
}

fn counts(to: Destinations<'_>, listener: &ListenerCounts, ruled: &Ruled) -> Arc<MethodCounts> {
    let Ruled { rule, label, .. } = ruled;
    let on = FallsBack { backup: rule.backup.is_some(), fallback: rule.fallback.is_some() };
    Arc::new(listener.method(Arc::clone(label), on, &to.of(rule).traffic))
}

/// A method as it is named on the wire.
#[derive(Clone, Copy)]
struct Named<'a> {
    to: Destinations<'a>,
    service: &'a str,
    method: &'a str,
    spelling: Spelling,
}

impl Route {
    fn new(decision: Decision, asking: Asking, declaration: Declaration, leaves: Leaves) -> Self {
        // A message's type alone makes a call oneway where nothing else tells.
        let unsure = match (asking.terms.answer, declaration) {
            (Answering::Reply, Declaration::Undeclared) => Some(Arc::new(asking.answered(Answering::Unsure))),
            (Answering::Reply | Answering::Oneway | Answering::Unsure, _) => None,
        };
        Self {
            decision,
            counts: Arc::clone(&asking.counts),
            asking: Arc::new(asking),
            unsure,
            leaves,
            leak: None,
        }
    }

    fn named(named: Named<'_>, ruled: &Ruled, counts: &Arc<MethodCounts>) -> Self {
        let asking = Asking::new(named.to, ruled, Methods::named, counts);
        let leaves = named.to.sessions.left_by(named.method, ruled.rule.session.as_ref());
        let governing = || {
            let rule = ruled.governing.as_ref().map(|(pattern, _)| pattern.to_string());
            Arc::<str>::from(rule.unwrap_or_default())
        };
        let cached =
            |caching| Arc::new(Cached::new(named, Arc::new(asking.clone()), (&governing(), caching)));
        let decision = match (&ruled.rule.session, &ruled.rule.action) {
            (Some(Session::Identity(caching)), _) => Decision::Identify(cached(caching)),
            (_, Action::Pass) => Decision::Pass,
            // Its answer is for its own connection, whatever its rule says.
            (_, Action::Observe(_) | Action::Cache(_)) if leaves == Leaves::Session => Decision::Pass,
            (_, Action::Observe(caching)) => {
                Decision::Observe(Box::new(Keyed::new(named, asking.backend(), caching)))
            }
            (_, Action::Cache(caching)) => Decision::Cache(cached(caching)),
        };
        let leak = Leak::of(named.method, leaves);
        Self { leak, ..Self::new(decision, asking, ruled.rule.declaration, leaves) }
    }

    /// The backend that is asked.
    pub(crate) fn backend(&self) -> &Arc<Backend> {
        self.asking.backend()
    }

    /// How a backend is asked for a call whose message is of this kind.
    #[inline]
    pub(crate) fn asking(&self, kind: Kind) -> &Arc<Asking> {
        match (kind, &self.unsure) {
            (Kind::Oneway, Some(unsure)) => unsure,
            (Kind::Oneway | Kind::Call | Kind::Reply | Kind::Exception, _) => &self.asking,
        }
    }

    /// Whether a call must keep its place among the others of its connection in effect too.
    #[inline]
    pub(crate) fn keeps_place(&self) -> bool {
        self.asking.terms.repeat == Repeat::Once || self.leaves != Leaves::Nothing
    }

    /// Whether a call of this kind may follow others that keep their place, on the connection that they are sent on, before those are
    /// answered.
    #[inline]
    pub(crate) fn runs(&self, kind: Kind) -> bool {
        let Terms { repeat, answer, .. } = &self.asking(kind).terms;
        (*repeat, *answer, self.leaves) == (Repeat::Once, Answering::Reply, Leaves::Nothing)
    }
}

impl Cached {
    fn new(named: Named<'_>, asking: Arc<Asking>, (rule, caching): (&Arc<str>, &Caching)) -> Self {
        // While it is asked, something is wrong anyway.
        let unverified = Caching { verify: None, ..caching.clone() };
        let at = |asking: &Arc<Asking>| Self::new(named, Arc::clone(asking), (rule, &unverified));
        Self {
            keyed: Keyed::new(named, asking.backend(), caching),
            backup: asking.backup.as_ref().map(|backup| Arc::new(at(&backup.asking))),
            rule: Arc::clone(rule),
            asking,
        }
    }
}

impl Keyed {
    fn new(named: Named<'_>, backend: &Backend, caching: &Caching) -> Self {
        let Named { to: _, service, method, spelling } = named;
        let prefix = Prefix::new(&Scope {
            backend: backend.name(),
            service: service.as_bytes(),
            method: method.as_bytes(),
            spelling,
            protocol: backend.settings().protocol,
            revision: caching.revision,
            ignored: &caching.ignored,
        });
        Self { prefix, caching: caching.clone(), covers: covering(service.as_bytes(), method.as_bytes()) }
    }

    /// What covers all entries of the method.
    pub(crate) fn method(&self) -> Cover {
        let [method, ..] = self.covers;
        method
    }

    /// Whether `key` is one of those that calls have here.
    pub(crate) fn begins(&self, key: &[u8]) -> bool {
        key.starts_with(self.prefix.as_bytes())
    }

    /// All that may cover what is kept under `key` with these tags.
    pub(crate) fn covers<'a>(&'a self, tags: &'a [Cover], key: &'a [u8]) -> Covers<'a> {
        Covers { place: &self.covers, tags, key }
    }

    /// What `entry`, kept under `key`, may be used for at `now`: by its age and the marks that cover it.
    #[inline]
    pub(crate) fn judge(&self, entry: &Entry, key: &[u8], now: Millis, marks: &Marks) -> Freshness {
        self.caching.judge(entry, key, now, self.standing(entry, key, now, marks))
    }

    /// What marks leave of `entry`, kept under `key`, and what is not known of them.
    #[inline]
    fn standing(&self, entry: &Entry, key: &[u8], now: Millis, marks: &Marks) -> Standing {
        let marked = marks.standing(&entry.seal, self.covers(&entry.tags.covers, key));
        // Who made its tags by other templates may have left out what a mark covers.
        let knows = entry.tags.made_by == self.caching.tagging.made_by();
        let standing = if knows { marked } else { marked.max(Standing::Soft) };
        let vouched = marks.vouch(entry.version, now);
        match entry.seal.is_doubtful() {
            // Where others can be asked what they have marked, they are asked first.
            true if marks.hears(now) => Standing::Hard,
            false if vouched => standing,
            true | false => standing.max(self.caching.unvouched),
        }
    }

    /// Leaves the key of `call` in `scratch`.
    #[inline]
    pub(crate) fn key(
        &self,
        call: &CallRef<'_>,
        identity: Option<&Arc<Identity>>,
        scratch: &mut Scratch,
    ) -> Result<(), Unkeyable> {
        scratch.key.clear();
        scratch.key.extend_from_slice(self.prefix.as_bytes());
        scratch.canonical.put(call.protocol, call.body, &self.caching.ignored, &mut scratch.key)?;
        self.caching.headers.put(call.info, &mut scratch.key)?;
        if let Some(identity) = identity {
            scratch.key.extend_from_slice(identity.digest());
        }
        Ok(())
    }

    /// The key of a call that has `key` where `usual` holds.
    pub(crate) fn key_like(&self, usual: &Self, key: &[u8]) -> Arc<[u8]> {
        let arguments = key.get(usual.prefix.as_bytes().len()..).unwrap_or_default();
        [self.prefix.as_bytes(), arguments].concat().into()
    }
}

/// thriftpy2's tracking handshake. A backend that accepted it would expect a header before each later message of that connection,
/// and would not find it on a pooled one; told that the method is unknown, the client does without.
const TRACKING: &str = "__thriftpy_tracing_method_name__v2";
/// The same of Finagle's clients (TTwitter).
const TTWITTER: &str = "__can__finagle__trace__v3__";

#[cfg(test)]
mod tests;
