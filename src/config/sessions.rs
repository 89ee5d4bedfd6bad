//! Session calls: what the rules say of them, and what is known of methods of such names of which nothing is said.

use std::path::Path;

use super::draft::{Draft, Placed, RuleDraft};
use super::idls::Schemas;
use super::problem::Checked;
use crate::backend::Sharing;
use crate::idl::Schema;
use crate::listener::options::Options as Listener;
use crate::rule::options::Mode;
use crate::rule::pattern::Methods;
use crate::rule::sessions::{Makes, Sessions, is_secret, makes_session};
use crate::setting::Finding;

/// Holds what is said of session calls against their names, the listeners' IDL and the backends.
pub(super) fn check(draft: &Draft, schemas: &Schemas, file: &Path) -> Checked {
    let mut checked = Checked::default();
    for rule in &draft.rules {
        let place = &rule.section.place;
        let fault = rule.section.options.session.and_then(|makes| fault(rule, makes, schemas));
        checked.problems.extend(fault.map(|fault| place.problem(file, fault)));
        checked.warnings.extend(unwise(rule, draft).into_iter().map(|found| place.problem(file, found)));
    }
    for (name, listener) in &draft.listeners {
        let schema = schemas.get(name).map(|read| &read.schema);
        let advice = schema.and_then(|schema| advice(draft, listener, schema));
        checked.warnings.extend(advice.map(|advice| listener.place.problem(file, advice)));
    }
    checked
}

/// What no rule can say of its method.
fn fault(rule: &RuleDraft, makes: Makes, schemas: &Schemas) -> Option<Finding> {
    let Methods::Exact(name) = rule.pattern.methods() else {
        return Some(Finding::new("session", "only a rule for one method may say so of it"));
    };
    if makes == Makes::State {
        return None;
    }
    if is_secret(name) {
        let message = format!(
            "calls of {name} carry a secret, or are answered with a handle: who says the same is not the same; say \"state\""
        );
        return Some(Finding::new("session", message));
    }
    let declared =
        schemas.values().filter_map(|read| read.schema.service(rule.pattern.service()?)?.methods.get(name));
    let mut fields = declared.flat_map(|method| &method.arguments).map(|field| field.name.as_str());
    let secret = fields.find(|field| names_secret(field))?;
    let message = format!(
        "by its name the argument {secret} is a secret, which is neither kept nor replayed: say \"state\""
    );
    Some(Finding::new("session", message))
}

/// Whether a field of this name holds what nobody else should know.
fn names_secret(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    SECRETS.iter().any(|secret| field.contains(secret))
}

/// What to know of a rule whose method says who calls.
fn unwise(rule: &RuleDraft, draft: &Draft) -> Vec<Finding> {
    let options = &rule.section.options;
    if options.session != Some(Makes::Identity) || options.mode != Mode::On {
        return Vec::new();
    }
    let mut found = Vec::new();
    if draft.shared.as_ref().is_some_and(|shared| shared.options.secret_file.is_none()) {
        let message =
            "without a secret_file in [cache.shared], who reads Redis can try out for whom entries are kept";
        found.push(Finding::new("session", message));
    }
    let is_its = |listener: &&Placed<Listener>| {
        rule.pattern.service().is_none_or(|own| own == listener.options.service)
    };
    let names = draft.listeners.values().filter(is_its).map(|listener| &listener.options.backend);
    let mut backends = options.backend.iter().chain(names).filter_map(|name| draft.backends.get(name));
    if let Some(own) = backends.find(|backend| backend.options.connections == Sharing::PerClient) {
        let message = format!("nobody shares anything: the connections of {} are per_client", own.place.path);
        found.push(Finding::new("session", message));
    }
    found
}

/// What to know of a listener that declares methods which make sessions, of which neither it nor a rule says what they mean, or of which it
/// says that they mean nothing.
fn advice(draft: &Draft, listener: &Placed<Listener>, schema: &Schema) -> Option<Finding> {
    let Listener { backend, service, sessions, .. } = &listener.options;
    let own = draft.backends.get(backend);
    if own.is_some_and(|backend| backend.options.connections == Sharing::PerClient) {
        return None;
    }
    let governing = |method: &str| {
        let first = draft.rules.iter().find(|rule| rule.pattern.matches(service, method))?;
        Some(&first.section.options).filter(|options| options.mode == Mode::On)
    };
    let is_open = |method: &&str| governing(method).is_none_or(|options| options.session.is_none());
    let methods =
        || schema.service(service).into_iter().flat_map(|service| service.methods.keys().map(String::as_str));
    let making: Vec<&str> = methods().filter(|method| makes_session(method)).filter(is_open).collect();
    let making = (!making.is_empty()).then(|| making.join(", "))?;
    let kept = methods().find(|method| governing(method).is_some_and(|options| options.ttl.is_some()));
    let message = match (sessions, kept) {
        (Sessions::Shared, Some(kept)) => format!(
            "the idl declares {making}, and {kept} is kept and asked over connections that all clients share: if the service \
            remembers who calls, one client is answered what another may read; say \"own\", or session in a rule for each"
        ),
        (Sessions::Own, _) if !listener.place.gives("sessions") => format!(
            "the idl declares {making}: a connection that calls it gets a backend connection of its own from then on, and nothing \
            of it is cached; say \"own\" if that is meant, session = \"identity\" in a rule for one by which a client says who it \
            is, or \"shared\" if the service remembers nothing for a connection"
        ),
        (Sessions::Own | Sessions::Shared, _) => return None,
    };
    Some(Finding::new("sessions", message))
}

/// What the names of fields have in them that hold secrets.
const SECRETS: [&str; 6] = ["password", "passwd", "secret", "token", "credential", "apikey"];
