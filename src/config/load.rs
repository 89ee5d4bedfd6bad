//! File and environment to `Config`, or every problem with its line.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::draft::Draft;
use super::encrypted::{self, Encrypted};
use super::idls::Schemas;
use super::outside::{Outside, beside};
use super::problem::{Checked, Location};
use super::text::Text;
use super::values::Values;
use super::watch::{Contents, digest};
use super::{Config, Listener, Loaded, Problem, Rule, annotated, governed, idls, links, sessions, tags};
use crate::backend::options::flaw_of_list;
use crate::cache::options::{self, SharedSettings};
use crate::rule::method::Governed;
use crate::setting::{Finding, Secret, Section};

/// Reads and checks the file at `path`, and notes what it was read from.
pub(super) fn load(path: &Path, outside: &Outside<'_>) -> Loaded {
    let files = RefCell::new(Contents::new());
    let read_file = |path: &Path| {
        let content = (outside.read_file)(path);
        files.borrow_mut().insert(path.to_owned(), digest(&content));
        content
    };
    let noting = Outside { read_file: &read_file, env: outside.env };
    let loaded = read(path, &noting, outside);
    Loaded { files: files.into_inner(), ..loaded }
}

/// Lists of endpoints, certificates and their keys are no part of it, and are read `beside`: a gateway that runs looks at them by itself.
fn read(path: &Path, outside: &Outside<'_>, beside: &Outside<'_>) -> Loaded {
    let source = match outside.read_text(path) {
        Ok(source) => source,
        Err(error) => {
            let problem = Problem::of_file(path, format!("cannot be read: {error}"));
            return Loaded { problems: vec![problem], ..Loaded::default() };
        }
    };
    let (mut text, root) = Text::parse(path, &source);
    let mut draft = Draft::read(&mut text, root);
    let broken = text.is_broken();
    let idls::Read { schemas, mut checked } = idls::read(&draft, path, outside);
    let annotated::Found { rules, checked: stated } = annotated::rules(&draft, &schemas);
    draft.state(rules);
    checked.add(stated);
    checked.add(links::check(&draft, path));
    checked.add(governed::check(&draft, path, &schemas));
    checked.add(sessions::check(&draft, &schemas, path));
    let Checked { mut problems, mut warnings } = checked;
    problems.sort();
    problems.dedup();
    let shared = shared(&draft, path, (outside, beside)).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let tokens = tokens(&draft, path, outside, &mut problems);
    let encrypted = encrypted::read(&draft, path, beside, &mut problems);
    for problem in problems {
        let absence = problem.line == 0;
        if !(broken && absence) {
            text.add(problem);
        }
    }
    warnings.extend(draft.sections().into_iter().flat_map(|(_, section)| section.warnings(path)));
    warnings.extend(lists(&draft, path, beside));
    warnings.extend(tags::warnings(&draft, path));
    // What two listeners serve is looked at for each of them.
    warnings.sort();
    warnings.dedup();
    let problems = text.into_problems();
    let config =
        problems.is_empty().then(|| assemble(draft, path, &schemas, Found { shared, tokens, encrypted }));
    Loaded { config, problems, warnings, files: Contents::new() }
}

/// What is wrong with the files of endpoints: no more than unwise, for whoever writes them may not have done so yet.
fn lists(draft: &Draft, file: &Path, outside: &Outside<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    for section in draft.backends.values() {
        let Some(list) = &section.options.endpoints_file else { continue };
        let list = beside(file, list);
        let flaw = match outside.read_text(&list) {
            Ok(content) => flaw_of_list(&content),
            Err(error) => Some(error.to_string()),
        };
        let finding =
            |why| Finding::new("endpoints_file", format!("{} cannot be used now: {why}", list.display()));
        found.extend(flaw.map(|why| section.place.problem(file, finding(why))));
    }
    found
}

/// What the shared tier is told, if there is one, and digests of what its options point to.
struct Shared {
    settings: SharedSettings,
    digests: Vec<(&'static str, u128)>,
}

fn shared(
    draft: &Draft,
    file: &Path,
    (outside, beside): (&Outside<'_>, &Outside<'_>),
) -> Result<Option<Shared>, Problem> {
    let Some(section) = &draft.shared else {
        return Ok(None);
    };
    // What is wrong with the options by themselves has been said.
    if !section.options.problems().is_empty() {
        return Ok(None);
    }
    let papers = beside.papers(&section.options, file);
    let found = papers.and_then(|papers| outside.found(&section.options, file, papers));
    let digests = found.as_ref().map(digests).unwrap_or_default();
    let settings = found.and_then(|found| section.options.settings(found));
    match settings {
        Ok(settings) => Ok(Some(Shared { settings, digests })),
        Err(finding) => Err(section.place.problem(file, finding)),
    }
}

/// What those show who give orders.
struct Tokens {
    admin: Option<Secret>,
    invalidation: Option<Secret>,
}

fn tokens(draft: &Draft, file: &Path, outside: &Outside<'_>, problems: &mut Vec<Problem>) -> Tokens {
    let mut found = |keeper, place: &Location| {
        outside.secret(keeper, file).unwrap_or_else(|finding| {
            problems.push(place.problem(file, finding));
            None
        })
    };
    let admin = found(draft.admin.options.token(), &draft.admin.place);
    let section = draft.invalidation.as_ref();
    let invalidation = section.and_then(|section| found(section.options.token(), &section.place));
    Tokens { admin, invalidation }
}

fn digests(found: &options::Found) -> Vec<(&'static str, u128)> {
    let password = found.password.as_ref().map(Secret::reveal);
    let theirs = found.sentinel_password.as_ref().map(Secret::reveal);
    let all = [
        ("password_file", password),
        ("password_env", password),
        ("sentinel_password_file", theirs),
        ("sentinel_password_env", theirs),
        ("secret_file", found.secret.as_ref().map(Secret::reveal)),
    ];
    let given = all.into_iter().filter_map(|(option, text)| Some((option, text?)));
    given.map(|(option, text)| (option, xxh3_128(text.as_bytes()))).collect()
}

/// What was found where the sections point.
struct Found {
    shared: Option<Shared>,
    tokens: Tokens,
    encrypted: Encrypted,
}

fn assemble(draft: Draft, file: &Path, schemas: &Schemas, found: Found) -> Config {
    let Found { shared, tokens, mut encrypted } = found;
    let (shared, digests) =
        shared.map_or((None, Vec::new()), |shared| (Some(shared.settings), shared.digests));
    let values = values(&draft, schemas, &digests, &tokens);
    let secrets = secrets(&draft, file);
    let limits = draft.limits.options.settings();
    let rules = draft.rules.iter().map(|rule| Rule {
        pattern: rule.pattern.clone(),
        options: rule.section.options.clone(),
        annotation: rule.annotation.clone(),
    });
    let rules: Arc<[Rule]> = rules.collect();
    let listeners = draft.listeners.into_iter().map(|(name, section)| {
        let options = section.options;
        let schema = schemas.get(&name).map(|read| &read.schema);
        let listener = Listener {
            socket_mode: options.socket_mode,
            bind: options.bind.clone(),
            settings: options.settings(&limits, encrypted.listeners.remove(&name)),
            methods: Governed::new(rules.iter().map(|rule| rule.saying(&rule.options)), schema),
            rules: Arc::clone(&rules),
            service: options.service,
            backend: options.backend,
        };
        (name, listener)
    });
    let backends = draft.backends.into_iter().map(|(name, section)| {
        let tls = encrypted.backends.remove(&name);
        let settings = section.options.settings(&name, |path| beside(file, path), tls);
        (name, settings)
    });
    Config {
        runtime: draft.runtime.options.settings(|path| beside(file, path)),
        log: draft.log.options.settings(|path| beside(file, path)),
        admin: draft.admin.options.settings((tokens.admin, encrypted.admin), |path| beside(file, path)),
        invalidation: draft.invalidation.map(|section| section.options.settings(tokens.invalidation)),
        rules: draft.rules.iter().map(|rule| rule.pattern.clone()).collect(),
        listeners: listeners.collect(),
        backends: backends.collect(),
        cache: draft.local.options.settings(shared),
        flights: draft.flights.options.bounds(),
        limits,
        secrets,
        file: file.to_owned(),
        values,
    }
}

/// The files that hold secrets, and the options that name them.
fn secrets(draft: &Draft, file: &Path) -> Vec<(String, PathBuf)> {
    let shared = draft.shared.iter().flat_map(|section| {
        let options = &section.options;
        [
            ("cache.shared.secret_file", options.secret_file.as_deref()),
            ("cache.shared.password_file", options.password().file.1),
            ("cache.shared.sentinel_password_file", options.sentinel_password().file.1),
            ("cache.shared.tls_key", options.tls_key.as_deref()),
        ]
    });
    let invalidation = draft.invalidation.iter();
    let tokens = invalidation.map(|section| ("invalidation.token_file", section.options.token().file.1));
    let admin = ("admin.token_file", draft.admin.options.token().file.1);
    let all = shared.chain(tokens).chain([admin]);
    let all = all.map(|(option, path)| (option.to_owned(), path)).chain(keys(draft));
    all.filter_map(|(option, path)| Some((option, beside(file, path?)))).collect()
}

/// The files that hold the keys of certificates, but that for Redis.
fn keys(draft: &Draft) -> impl Iterator<Item = (String, Option<&Path>)> {
    let listeners = draft.listeners.values().map(|section| (&section.place, section.options.tls.as_ref()));
    let servers = listeners.chain([(&draft.admin.place, draft.admin.options.tls.as_ref())]);
    let servers = servers.map(|(place, tls)| (place, tls.map(|tls| tls.key.as_path())));
    let clients = draft.backends.values().map(|section| {
        let tls = section.options.tls.as_ref();
        (&section.place, tls.and_then(|tls| tls.key.as_deref()))
    });
    servers.chain(clients).map(|(place, key)| (format!("{}.tls.key", place.path), key))
}

/// What the file says, and what the files hold that it names.
fn values(draft: &Draft, schemas: &Schemas, shared: &[(&'static str, u128)], tokens: &Tokens) -> Values {
    let mut values = Values::of(draft);
    for (name, read) in schemas {
        if let Some(listener) = draft.listeners.get(name) {
            values.note(&listener.place.path, "idl", read.digest);
        }
    }
    for (option, digest) in shared {
        values.note("cache.shared", option, *digest);
    }
    for (section, token) in [("admin", &tokens.admin), ("invalidation", &tokens.invalidation)] {
        let Some(token) = token else { continue };
        let digest = xxh3_128(token.reveal().as_bytes());
        ["token_file", "token_env"].iter().for_each(|option| values.note(section, option, digest));
    }
    values
}
