//! The rule of each method of one listener, out of all that the configuration says and the IDL declares.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::headers::Headers;
use super::options::{Mode, Options, Tier};
use super::pattern::{Methods, Pattern};
use super::resolve::{Replies, Resolved, resolve_known};
use super::sessions::{Makes, Session};
use super::tagging::template::Template;
use super::tagging::{Invalidation, Tagging};
use super::{Action, Backup, Caching, Declaration, Ramp, Rule, Tiers, Timeout};
use crate::call::{Answering, Repeat, Returns, Terms};
use crate::idl::{Method, Place, Schema};
use crate::key::Ignored;
use crate::setting::Period;

/// The rule of a method, and the name it is counted under.
#[derive(Clone, Debug)]
pub(crate) struct Ruled {
    /// What holds for its calls.
    pub rule: Rule,
    /// The metric label: names that nobody wrote down share one, because they come from the network.
    pub label: Arc<str>,
    /// The rule that governs it, and whether that is in force.
    pub governing: Option<(Pattern, Mode)>,
    /// Where the IDL states that rule, if it is not the configuration's.
    pub annotation: Option<Place>,
    /// Why none of its replies is kept, where that is so.
    pub not_kept: Option<NotKept>,
    /// What an operator says of it for a while, each in a line.
    pub steered: Vec<Arc<str>>,
}

/// Why no reply of a method is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotKept {
    /// No rule is for it.
    #[error("no rule is for it")]
    Unruled,
    /// Its rule is switched off.
    #[error("its rule is off")]
    Off,
    /// Its rule does not say for how long.
    #[error("its rule has no ttl")]
    Unlimited,
    /// There are none.
    #[error("it has no reply")]
    Oneway,
    /// They are empty.
    #[error("it returns nothing, and its rule does not say cache_void")]
    Void,
    /// An operator says so.
    #[error("an operator has its calls passed")]
    Bypassed,
    /// A rule for many methods does not mean this one.
    #[error("a rule for many methods keeps only what the idl declares with a result")]
    Unmeant,
    /// It is for one connection.
    #[error("what it leaves behind on its connection no other has")]
    State,
}

/// A rule as it was stated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated<'a> {
    /// The methods that it is for.
    pub pattern: &'a Pattern,
    /// What it says of them.
    pub options: &'a Options,
    /// Where the IDL states it, if it is not the configuration's.
    pub annotation: Option<&'a Place>,
}

impl<'a> From<(&'a Pattern, &'a Options)> for Stated<'a> {
    /// As the configuration states it.
    fn from((pattern, options): (&'a Pattern, &'a Options)) -> Self {
        Self { pattern, options, annotation: None }
    }
}

/// What holds for each method that a listener may be asked for. Nothing is left to be found out when a call comes.
#[derive(Clone, Debug)]
pub(crate) struct Governed {
    /// By service and name: what the IDL declares, and what a rule names exactly.
    named: BTreeMap<(String, String), Arc<Ruled>>,
    /// For names that nobody wrote down: the most specific first.
    patterns: Vec<(Pattern, Arc<Ruled>)>,
    /// For the rest of them.
    other: Arc<Ruled>,
    /// What the IDL declares.
    schema: Option<Schema>,
}

impl Governed {
    /// What `rules`, the most specific of a service first, and the listener's IDL say together.
    pub(crate) fn new<'a>(
        rules: impl IntoIterator<Item = impl Into<Stated<'a>>>,
        schema: Option<&Schema>,
    ) -> Self {
        let rules: Vec<Stated<'a>> = rules.into_iter().map(Into::into).collect();
        let declared = schema.into_iter().flat_map(|schema| {
            let services = schema.services();
            services.flat_map(move |service| {
                service.methods.values().map(move |method| (service.name.clone(), (schema, method)))
            })
        });
        let mut named = BTreeMap::new();
        for (service, (schema, method)) in declared {
            let governing = rules.iter().find(|rule| rule.pattern.matches(&service, &method.name));
            let label = format!("{service}.{}", method.name);
            let ruled = ruled(governing.copied(), Some((schema, method)), label);
            named.insert((service, method.name.clone()), ruled);
        }
        let mut patterns = Vec::new();
        for rule in rules {
            let pattern = rule.pattern;
            let ruled = || ruled(Some(rule), None, pattern.to_string());
            match pattern.methods() {
                Methods::Exact(name) => {
                    let service = pattern.service().unwrap_or_default().to_owned();
                    named.entry((service, name.clone())).or_insert_with(ruled);
                }
                Methods::Prefix(_) => patterns.push((pattern.clone(), ruled())),
            }
        }
        Self { named, patterns, other: ruled(None, None, OTHER.to_owned()), schema: schema.cloned() }
    }

    /// The methods that have a name here: each with its service.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &str, &Arc<Ruled>)> {
        self.named.iter().map(|((service, method), ruled)| (service.as_str(), method.as_str(), ruled))
    }

    /// What holds for the methods that have no name here and match a pattern, the most specific first.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = (&Pattern, &Arc<Ruled>)> {
        self.patterns.iter().map(|(pattern, ruled)| (pattern, ruled))
    }

    /// The same with what `steer` makes of the rule of each method; of those that have no name here it is given none.
    pub(crate) fn steered(&self, steer: impl Fn(Option<(&str, &str)>, &Ruled) -> Ruled) -> Self {
        let unnamed = |ruled: &Arc<Ruled>| Arc::new(steer(None, ruled));
        let named = self.named.iter().map(|((service, method), ruled)| {
            ((service.clone(), method.clone()), Arc::new(steer(Some((service, method)), ruled)))
        });
        Self {
            named: named.collect(),
            patterns: self
                .patterns
                .iter()
                .map(|(pattern, ruled)| (pattern.clone(), unnamed(ruled)))
                .collect(),
            other: unnamed(&self.other),
            schema: self.schema.clone(),
        }
    }

    /// The backends that rules name here.
    pub(crate) fn backends(&self) -> impl Iterator<Item = &str> {
        let ruled = self.named.values().chain(self.patterns.iter().map(|(_, ruled)| ruled));
        ruled.flat_map(|ruled| {
            let Rule { backend, backup, .. } = &ruled.rule;
            [backend.as_deref(), backup.as_ref().map(|backup| &*backup.backend)].into_iter().flatten()
        })
    }

    /// What the IDL declares, where there is one.
    pub(crate) fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// What holds for the methods that nothing here is for.
    pub(crate) fn other(&self) -> &Arc<Ruled> {
        &self.other
    }
}

/// What `governing` says of a method, if the IDL declares it with that.
fn ruled(governing: Option<Stated<'_>>, declared: Option<(&Schema, &Method)>, label: String) -> Arc<Ruled> {
    let unruled = || Rule { studied: None, ..rule(None, &Options::default(), declared).0 };
    let (rule, not_kept) = match governing {
        None => (unruled(), Some(NotKept::Unruled)),
        Some(Stated { pattern, options, .. }) => {
            // Where a method is found is so whatever becomes of its replies.
            let unruled = || Rule { backend: backend(options), ..unruled() };
            let (rule, not_kept) = rule(Some(pattern.methods()), options, declared);
            let not_kept = if options.mode == Mode::Off { Some(NotKept::Off) } else { not_kept };
            let rule = match (options.mode, rule.action) {
                (Mode::On, action) => Rule { action, studied: None, ..rule },
                // What would be kept is seen, and what could be is learnt; all else is as without the rule.
                (Mode::Observe, Action::Cache(caching)) => {
                    Rule { action: Action::Observe(caching), studied: rule.studied, ..unruled() }
                }
                (Mode::Observe, _) => Rule { studied: rule.studied, ..unruled() },
                (Mode::Off, _) => unruled(),
            };
            (rule, not_kept)
        }
    };
    let annotation = governing.and_then(|stated| stated.annotation.cloned());
    let governing = governing.map(|stated| (stated.pattern.clone(), stated.options.mode));
    Arc::new(Ruled { rule, label: label.into(), governing, annotation, not_kept, steered: Vec::new() })
}

/// What `options` say of a method while they are in force, and why nothing is kept of it, if nothing is; `methods` are those that their rule
/// is for, if there is a rule.
fn rule(
    methods: Option<&Methods>,
    options: &Options,
    declared: Option<(&Schema, &Method)>,
) -> (Rule, Option<NotKept>) {
    // What a rule for many methods names and this one does not have was refused or warned of when the file was checked.
    let (resolved, _) = resolve_known(options, declared);
    let session = session(methods, options, &resolved);
    let (action, not_kept) = match (options.ttl, not_kept(methods, options, resolved.replies), &session) {
        (_, _, Some(Session::Identity(_))) => (Action::Pass, None),
        (_, _, Some(Session::State)) => (Action::Pass, Some(NotKept::State)),
        (Some(ttl), None, None) => (Action::Cache(caching(ttl.duration(), options, &resolved)), None),
        (Some(_), not_kept, None) => (Action::Pass, not_kept),
        (None, _, None) => (Action::Pass, Some(NotKept::Unlimited)),
    };
    let is_identity = matches!(session, Some(Session::Identity(_)));
    let kept = is_identity || matches!(action, Action::Cache(_));
    // That a method may be kept implies that it may be repeated; of one that is not, its rule must say so.
    let repeats = options.idempotent.unwrap_or(kept);
    let studied = studied(&resolved);
    let rule = Rule {
        terms: Terms {
            repeat: if repeats { Repeat::Idempotent } else { Repeat::Once },
            answer: match resolved.replies {
                Replies::Nothing => Answering::Oneway,
                Replies::Unknown | Replies::Value | Replies::Void => Answering::Reply,
            },
            returns: match resolved.replies {
                // Who named it as a session call says that an empty reply is one.
                Replies::Unknown if is_identity => Returns::Void,
                Replies::Unknown => Returns::Unknown,
                Replies::Value => Returns::Value,
                Replies::Void | Replies::Nothing => Returns::Void,
            },
            failures: resolved.failure_exceptions.into(),
        },
        timeout: match (options.timeout, methods) {
            (Some(own), _) => Timeout::Own(own.duration()),
            (None, Some(_)) => Timeout::Ruled,
            (None, None) => Timeout::Backend,
        },
        backend: backend(options),
        backup: backup(options).filter(|_| repeats),
        declaration: if declared.is_some() { Declaration::Declared } else { Declaration::Undeclared },
        action,
        fallback: resolved.fallback,
        studied,
        invalidation: invalidation(options, resolved.invalidates),
        spares: false,
        session,
    };
    (rule, not_kept)
}

/// What the calls of a method leave behind on their connection, where its rule says so.
fn session(methods: Option<&Methods>, options: &Options, resolved: &Resolved) -> Option<Session> {
    let makes = options.session.filter(|_| matches!(methods, Some(Methods::Exact(_))))?;
    Some(match makes {
        Makes::State => Session::State,
        Makes::Identity => {
            let ttl = options.ttl.map(Period::duration).unwrap_or_default();
            let mut caching = caching(ttl, options, resolved);
            if caching.stale_if_error.is_zero() {
                caching.stale_if_error = SESSION_STALE;
            }
            Session::Identity(Box::new(caching))
        }
    })
}

/// What keys of a method would leave out; of one that never answers there is nothing to learn.
fn studied(resolved: &Resolved) -> Option<Arc<Ignored>> {
    match resolved.replies {
        Replies::Nothing => None,
        Replies::Unknown | Replies::Value | Replies::Void => Some(Arc::new(ignored(resolved))),
    }
}

fn ignored(resolved: &Resolved) -> Ignored {
    Ignored::new(resolved.ignore.iter().map(Vec::as_slice))
}

fn invalidation(options: &Options, templates: Vec<Template>) -> Option<Arc<Invalidation>> {
    let (settle, hold_until) = (options.settle.duration(), options.hold_until.reach());
    (!templates.is_empty())
        .then(|| Arc::new(Invalidation { templates: templates.into(), settle, hold_until }))
}

fn backend(options: &Options) -> Option<Arc<str>> {
    options.backend.as_deref().map(Arc::from)
}

fn backup(options: &Options) -> Option<Backup> {
    let backend = options.backup.as_deref().map(Arc::from)?;
    Some(Backup { backend, when: options.backup_when })
}

/// Why replies of a method may not be kept and shared. A method that returns nothing is called for its effect, which a shared reply
/// would lose: only a rule that names it alone may say otherwise.
fn not_kept(methods: Option<&Methods>, options: &Options, replies: Replies) -> Option<NotKept> {
    match (methods, replies) {
        (None, _) => Some(NotKept::Unruled),
        (_, Replies::Nothing) => Some(NotKept::Oneway),
        (Some(_), Replies::Value) => None,
        (Some(Methods::Exact(_)), Replies::Void) => (!options.cache_void).then_some(NotKept::Void),
        // Nobody knows what it returns; whoever named it and gave it a ttl does.
        (Some(Methods::Exact(_)), Replies::Unknown) => None,
        (Some(Methods::Prefix(_)), Replies::Void | Replies::Unknown) => Some(NotKept::Unmeant),
    }
}

fn caching(ttl: Duration, options: &Options, resolved: &Resolved) -> Caching {
    Caching {
        ttl,
        ttl_jitter: options.ttl_jitter,
        stale_while_revalidate: options.stale_while_revalidate.duration(),
        stale_if_error: options.stale_if_error.duration(),
        hold: Duration::ZERO,
        ramp: Ramp::of(options.ramp),
        verify: options.verify,
        soft_timeout: options.soft_timeout.map(Period::duration),
        ignored: ignored(resolved),
        headers: Headers::new(&options.key_headers, &options.forward_headers),
        revision: options.revision,
        tiers: match (options.tiers.contains(&Tier::Local), options.tiers.contains(&Tier::Shared)) {
            (true, false) => Tiers::Local,
            (false, true) => Tiers::Shared,
            (true, true) | (false, false) => Tiers::Both,
        },
        exceptions: resolved.cache_exceptions.clone().into(),
        exception_ttl: options.exception_time().duration(),
        exception_stale_if_error: options.exception_stale_if_error.duration(),
        reply_max: options.max_reply.length(),
        tagging: Tagging::new(resolved.tags.clone()),
        unvouched: options.unvouched(),
    }
}

/// For how long what a session call was answered opens a session while its backend fails, where its rule does not say.
const SESSION_STALE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The label of methods that neither a rule nor the IDL names.
pub(crate) const OTHER: &str = "_OTHER";

#[cfg(test)]
mod tests;
