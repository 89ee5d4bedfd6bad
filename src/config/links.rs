//! What the sections say of each other: names that must exist, addresses that must differ, bounds that must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::draft::{Draft, Placed, RuleDraft, State};
use super::problem::{Checked, Location, Problem};
use crate::backend::Sharing;
use crate::dial::Address;
use crate::listener;
use crate::rule::options::{SOFT_NEVER, Tier};
use crate::setting::{Finding, Nearest};

/// Holds the sections against each other.
pub(super) fn check(draft: &Draft, file: &Path) -> Checked {
    let mut checked = Checked::default();
    if draft.listeners.is_empty() {
        let message = "no listener: expected a section [listeners.NAME]".to_owned();
        checked.problems.push(Problem::of_file(file, message));
    }
    let mut sides = Sides { file, checked: &mut checked };
    addresses(draft, &mut sides);
    backends(draft, &mut sides);
    listeners(draft, &mut sides);
    rules(draft, &mut sides);
    checked
}

/// Where findings go.
struct Sides<'a> {
    file: &'a Path,
    checked: &'a mut Checked,
}

impl Sides<'_> {
    fn problem(&mut self, place: &Location, finding: Finding) {
        self.checked.problems.push(place.problem(self.file, finding));
    }

    fn warning(&mut self, place: &Location, finding: Finding) {
        self.checked.warnings.push(place.problem(self.file, finding));
    }
}

/// No two sockets can listen on one address.
fn addresses(draft: &Draft, sides: &mut Sides<'_>) {
    let mut taken: Vec<(Address, &str)> = vec![(draft.admin.options.bind.into(), "admin")];
    let mut listeners: Vec<_> =
        draft.listeners.values().filter(|listener| listener.place.gives("bind")).collect();
    listeners.sort_by_key(|listener| listener.place.line);
    let invalidation = draft.invalidation.iter();
    let invalidation = invalidation.map(|section| (&section.place, section.options.bind.into()));
    let listeners = listeners.into_iter().map(|listener| (&listener.place, listener.options.bind.clone()));
    for (place, bind) in invalidation.chain(listeners) {
        if let Some((_, other)) = taken.iter().find(|(other, _)| overlap(other, &bind)) {
            sides.problem(place, Finding::new("bind", format!("{bind} is already taken by {other}")));
        }
        taken.push((bind, &place.path));
    }
}

fn overlap(one: &Address, other: &Address) -> bool {
    let (Some(one), Some(other)) = (one.network(), other.network()) else { return one == other };
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    let meet = one.ip() == other.ip() || (everywhere && one.is_ipv4() == other.is_ipv4());
    one.port() != 0 && one.port() == other.port() && meet
}

/// Where a backend is named, and how.
type Named<'a> = (&'a Location, &'static str, &'a String);

fn backends(draft: &Draft, sides: &mut Sides<'_>) {
    let of_listeners = draft.listeners.values().filter(|listener| listener.place.gives("backend"));
    let of_listeners = of_listeners.map(|listener| (&listener.place, "backend", &listener.options.backend));
    let of_rules = draft.rules.iter().flat_map(|rule| {
        let options = &rule.section.options;
        let both = [("backend", &options.backend), ("backup", &options.backup)];
        both.into_iter().filter_map(|(option, name)| Some((&rule.section.place, option, name.as_ref()?)))
    });
    let named: Vec<Named<'_>> = of_listeners.chain(of_rules).collect();
    let meant = unknown_backends(draft, &named, sides);
    for (name, backend) in &draft.backends {
        match (backend.place.gives("endpoints"), backend.place.gives("endpoints_file")) {
            (true, true) => {
                let message = "endpoints are given too: it is one or the other";
                sides.problem(&backend.place, Finding::new("endpoints_file", message));
            }
            (false, false) => {
                let message = "missing: expected a list of hosts with ports such as [\"10.0.0.1:9191\", \"db.example:9191\"], or endpoints_file";
                sides.problem(&backend.place, Finding::new("endpoints", message));
            }
            (true, false) | (false, true) => {}
        }
        if !meant.contains(name) && !named.iter().any(|(_, _, named)| *named == name) {
            sides.warning(&backend.place, Finding::new("", "no listener and no rule names this backend"));
        }
        let own = backend.options.connections == Sharing::PerClient;
        if own && backend.state == State::Sound && !backend.place.gives("max_connections") {
            let most = backend.options.max_connections;
            let message = format!(
                "each client has a connection of its own, and max_connections is {most}: no more clients than that \
                have a place at an endpoint at one time; say max_connections"
            );
            sides.warning(&backend.place, Finding::new("connections", message));
        }
    }
}

/// Says of each name that is no backend's once that there is none, wherever it stands. Returns the backends that are probably meant.
fn unknown_backends(draft: &Draft, named: &[Named<'_>], sides: &mut Sides<'_>) -> BTreeSet<String> {
    let mut unknown: BTreeMap<&str, Vec<(usize, &Location, &'static str)>> = BTreeMap::new();
    for (place, option, name) in named.iter().filter(|(_, _, name)| !draft.backends.contains_key(*name)) {
        unknown.entry(name.as_str()).or_default().push((place.line_of(option), place, option));
    }
    let mut meant = BTreeSet::new();
    for (name, mut places) in unknown {
        places.sort_by_key(|(line, ..)| *line);
        let Some(((_, place, option), others)) = places.split_first() else { continue };
        let others: Vec<String> = others.iter().map(|(line, ..)| line.to_string()).collect();
        let also = match &others[..] {
            [] => String::new(),
            others => format!(", which stands in line {} too", others.join(", ")),
        };
        let nearest = Nearest::of(name, draft.backends.keys().map(String::as_str));
        meant.extend(nearest.0.clone());
        let finding = Finding::new(option, format!("there is no backend {name:?}{also}"));
        sides.problem(place, finding.suggesting(nearest));
    }
    meant
}

fn listeners(draft: &Draft, sides: &mut Sides<'_>) {
    for listener in draft.listeners.values() {
        let Some(client) = listener.options.client_timeout else {
            continue;
        };
        let Some(backend) = draft.backends.get(&listener.options.backend) else {
            continue;
        };
        let Some(timeout) = backend.options.timeout.filter(|timeout| *timeout > client) else {
            continue;
        };
        let message = format!(
            "{timeout} is longer than client_timeout of {}, {client}, after which nobody reads the reply",
            listener.place.path
        );
        sides.warning(&backend.place, Finding::new("timeout", message));
    }
}

fn rules(draft: &Draft, sides: &mut Sides<'_>) {
    for rule in &draft.rules {
        let (place, options) = (&rule.section.place, &rule.section.options);
        let capacity = draft.local.options.capacity;
        if options.keeps_in(Tier::Local) && options.max_reply > capacity {
            let message = format!("{} is larger than the whole local tier, {capacity}", options.max_reply);
            sides.warning(place, Finding::new("max_reply", message));
        }
        if options.ttl.is_some() && options.tiers == [Tier::Shared] && draft.shared.is_none() {
            sides.warning(place, Finding::new("tiers", "without a section [cache.shared] nothing is kept"));
        }
        elsewhere(rule, draft, sides);
        let is_its = |service: &str| rule.pattern.service().is_none_or(|own| own == service);
        for listener in draft.listeners.values().filter(|one| is_its(&one.options.service)) {
            between(rule, listener, draft, sides);
        }
    }
}

/// A rule that takes methods from the backend which a wider rule names, and does not say so.
fn elsewhere(rule: &RuleDraft, draft: &Draft, sides: &mut Sides<'_>) {
    let mut wider = draft.rules.iter().filter(|wider| wider.pattern.covers(&rule.pattern));
    let named = wider.find_map(|wider| Some((&wider.pattern, wider.section.options.backend.as_ref()?)));
    if let (Some((pattern, name)), None) = (named, &rule.section.options.backend) {
        let message = format!(
            "its calls go to the listener's backend, not to {name:?} as those of {pattern}: nothing is inherited"
        );
        sides.warning(&rule.section.place, Finding::new("backend", message));
    }
}

/// A rule and a listener whose calls it governs.
fn between(
    rule: &RuleDraft,
    listener: &Placed<listener::options::Options>,
    draft: &Draft,
    sides: &mut Sides<'_>,
) {
    if let (Some(timeout), Some(client)) = (rule.section.options.timeout, listener.options.client_timeout)
        && timeout > client
    {
        let message = format!(
            "{timeout} is longer than client_timeout of {}, {client}, after which nobody reads the reply",
            listener.place.path
        );
        sides.warning(&rule.section.place, Finding::new("timeout", message));
    }
    let name = rule.section.options.backend.as_ref().unwrap_or(&listener.options.backend);
    let Some(backend) = draft.backends.get(name) else {
        return;
    };
    backed_up(rule, name, draft, sides);
    if rule.section.options.ttl.is_some() && backend.options.connections == Sharing::PerClient {
        let message = format!("nothing of {} is cached: its connections are per_client", backend.place.path);
        sides.warning(&rule.section.place, Finding::new("ttl", message));
    }
    let (longest, kept) = (backend.options.reply, rule.section.options.max_reply);
    // What not even the local tier could hold was pointed out.
    let is_told = kept > draft.local.options.capacity;
    if rule.section.place.gives("max_reply") && kept > longest && !is_told {
        let message = format!("{kept} is more than a reply may have, by {}: {longest}", backend.place.path);
        sides.warning(&rule.section.place, Finding::new("max_reply", message));
    }
    let whole = rule.section.options.timeout.or(backend.options.timeout);
    if let (Some(soft), Some(whole)) = (rule.section.options.soft_timeout, whole)
        && soft >= whole
        && soft < SOFT_NEVER
    {
        let message = format!("{soft} is never waited for: the whole call may take {whole}");
        sides.warning(&rule.section.place, Finding::new("soft_timeout", message));
    }
    if let (Some(attempt), Some(whole)) =
        (backend.options.attempt_timeout, rule.section.options.timeout.and(whole))
        && attempt > whole
    {
        let message = format!("{whole} is shorter than attempt_timeout of {}, {attempt}", backend.place.path);
        sides.warning(&rule.section.place, Finding::new("timeout", message));
    }
}

/// A rule's backup, and the backend `usual` that its calls go to.
fn backed_up(rule: &RuleDraft, usual: &str, draft: &Draft, sides: &mut Sides<'_>) {
    let Some(name) = &rule.section.options.backup else { return };
    let (Some(usual), Some(backup)) = (draft.backends.get(usual), draft.backends.get(name)) else {
        return;
    };
    let both = usual.options.endpoints.iter().find(|one| backup.options.endpoints.contains(one));
    if let Some(endpoint) = both.filter(|_| usual.place.path != backup.place.path) {
        let message = format!("{name:?} and {} are both at {endpoint}: they fail together", usual.place.path);
        sides.warning(&rule.section.place, Finding::new("backup", message));
    }
    let mut wrong = |message| sides.problem(&rule.section.place, Finding::new("backup", message));
    if usual.place.path == backup.place.path {
        wrong(format!("{name:?} is the backend that its calls go to anyway"));
    }
    for one in [usual, backup] {
        if one.options.connections == Sharing::PerClient {
            wrong(format!("what {} knows of a client's connection no other backend does", one.place.path));
        }
    }
}
