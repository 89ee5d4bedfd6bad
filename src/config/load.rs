//! File and environment to `Config`, or every problem with its line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::{Place, key};
use super::section::{self, read, unknown};
use super::text::Text;
use super::{Cache, Config, Listener, Loaded, Problem, Rule, Shared, links};
use crate::cache::options::Password;
use crate::setting::{Finding, Section};

/// What a file says, before its sections are held against each other.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) runtime: Placed<crate::runtime::options::Options>,
    pub(super) log: Placed<crate::log::options::Options>,
    pub(super) admin: Placed<crate::admin::options::Options>,
    pub(super) limits: Placed<crate::limits::Options>,
    pub(super) listeners: BTreeMap<String, Placed<crate::listener::options::Options>>,
    pub(super) backends: BTreeMap<String, Placed<crate::backend::options::Options>>,
    pub(super) local: Placed<crate::cache::options::Local>,
    pub(super) shared: Option<Placed<crate::cache::options::Shared>>,
    pub(super) flights: Placed<crate::flight::options::Options>,
    pub(super) rules: Vec<Rule>,
}

/// A section and where it stands.
#[derive(Debug, Default)]
pub(super) struct Placed<T> {
    pub(super) options: T,
    pub(super) place: Place,
}

/// The outside world, as far as a configuration names it.
pub(super) struct Outside<'a> {
    pub(super) read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads and checks the file at `path`.
pub(super) fn load(path: &Path, outside: &Outside<'_>) -> Loaded {
    let source = match (outside.read_file)(path) {
        Ok(source) => source,
        Err(error) => {
            let problem = whole_file(path, format!("cannot be read: {error}"));
            return Loaded { config: None, problems: vec![problem], warnings: Vec::new() };
        }
    };
    let (mut text, root) = Text::parse(path, &source);
    let draft = draft(&mut text, root);
    let broken = text.is_broken();
    let checked = links::check(&draft, path, outside);
    let links::Checked { problems, mut warnings, schemas, password } = checked;
    for problem in problems {
        let absence = problem.line == 0;
        if !(broken && absence) {
            text.add(problem);
        }
    }
    warnings.extend(advice(&draft, path));
    warnings.sort_by_key(|warning| warning.line);
    let problems = text.into_problems();
    let config = problems.is_empty().then(|| assemble(path, draft, schemas, password));
    Loaded { config, problems, warnings }
}

/// A problem of no line.
pub(super) fn whole_file(path: &Path, message: String) -> Problem {
    Problem { file: path.to_owned(), line: 0, path: String::new(), message, suggestion: None }
}

fn draft<'i>(text: &mut Text<'i>, root: DeTable<'i>) -> Draft {
    let mut draft = Draft::default();
    for (name, value) in root {
        let at = name.span().start;
        let Some(known) = ROOT.iter().find(|known| *known == name.get_ref()) else {
            unknown(text, "", &name, ROOT.into_iter());
            continue;
        };
        let Some(table) = text.table(value, known) else {
            continue;
        };
        match *known {
            "runtime" => draft.runtime = placed(text, known, at, table),
            "log" => draft.log = placed(text, known, at, table),
            "admin" => draft.admin = placed(text, known, at, table),
            "limits" => draft.limits = placed(text, known, at, table),
            "flights" => draft.flights = placed(text, known, at, table),
            "listeners" => draft.listeners = named(text, known, table),
            "backends" => draft.backends = named(text, known, table),
            "cache" => tiers(text, &mut draft, table),
            _ => draft.rules = rules(text, table),
        }
    }
    draft
}

fn placed<'i, T: Section>(text: &mut Text<'i>, path: &str, offset: usize, table: DeTable<'i>) -> Placed<T> {
    let (options, place) = read(text, path, offset, table);
    Placed { options, place }
}

/// `[listeners.NAME]` and `[backends.NAME]`: the names are free.
fn named<'i, T: Section>(text: &mut Text<'i>, kind: &str, table: DeTable<'i>) -> BTreeMap<String, Placed<T>> {
    let mut sections = BTreeMap::new();
    for (name, value) in table {
        let path = format!("{kind}.{}", key(name.get_ref()));
        if key(name.get_ref()) != *name.get_ref() {
            let message = "is no name: expected letters, digits, `_` and `-`".to_owned();
            text.report(name.span().start, path.clone(), message, None);
        }
        if let Some(table) = text.table(value, &path) {
            sections.insert(name.get_ref().to_string(), placed(text, &path, name.span().start, table));
        }
    }
    sections
}

fn tiers<'i>(text: &mut Text<'i>, draft: &mut Draft, table: DeTable<'i>) {
    for (name, value) in table {
        let path = format!("cache.{}", key(name.get_ref()));
        let at = name.span().start;
        match name.get_ref().as_ref() {
            "local" => {
                if let Some(table) = text.table(value, &path) {
                    draft.local = placed(text, &path, at, table);
                }
            }
            "shared" => {
                if let Some(table) = text.table(value, &path) {
                    draft.shared = Some(placed(text, &path, at, table));
                }
            }
            _ => unknown(text, "cache", &name, ["local", "shared"].into_iter()),
        }
    }
}

fn rules<'i>(text: &mut Text<'i>, table: DeTable<'i>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for (name, value) in table {
        rules.extend(rule(text, &name, value));
    }
    rules.sort_by(|a, b| a.pattern.cmp(&b.pattern));
    rules
}

fn rule<'i>(text: &mut Text<'i>, name: &Spanned<DeString<'i>>, value: Spanned<DeValue<'i>>) -> Option<Rule> {
    let path = format!("rules.{:?}", name.get_ref());
    let at = name.span().start;
    let pattern = name.get_ref().parse().map_err(|error| {
        text.report(at, path.clone(), format!("{error}"), None);
    });
    let unquoted = pattern.is_err()
        && value.get_ref().as_table().is_some_and(|t| t.values().all(|v| v.get_ref().is_table()));
    if unquoted {
        return None;
    }
    let table = text.table(value, &path)?;
    let (options, place) = read(text, &path, at, table);
    pattern.ok().map(|pattern| Rule { pattern, options, place })
}

/// What each section by itself has to say that is no problem.
fn advice(draft: &Draft, file: &Path) -> Vec<Problem> {
    let mut said = section::warnings(file, &draft.runtime.options, &draft.runtime.place);
    said.extend(section::warnings(file, &draft.log.options, &draft.log.place));
    said.extend(section::warnings(file, &draft.admin.options, &draft.admin.place));
    said.extend(section::warnings(file, &draft.limits.options, &draft.limits.place));
    said.extend(section::warnings(file, &draft.flights.options, &draft.flights.place));
    said.extend(section::warnings(file, &draft.local.options, &draft.local.place));
    for listener in draft.listeners.values() {
        said.extend(section::warnings(file, &listener.options, &listener.place));
    }
    for backend in draft.backends.values() {
        said.extend(section::warnings(file, &backend.options, &backend.place));
    }
    if let Some(shared) = &draft.shared {
        said.extend(section::warnings(file, &shared.options, &shared.place));
    }
    for rule in &draft.rules {
        said.extend(section::warnings(file, &rule.options, &rule.place));
    }
    said
}

fn assemble(path: &Path, draft: Draft, mut schemas: links::Schemas, password: Option<Password>) -> Config {
    let listeners = draft.listeners.into_iter().map(|(name, listener)| {
        let schema = schemas.remove(&name);
        (name, Listener { options: listener.options, schema })
    });
    Config {
        file: path.to_owned(),
        runtime: draft.runtime.options,
        log: draft.log.options,
        admin: draft.admin.options,
        limits: draft.limits.options,
        listeners: listeners.collect(),
        backends: draft.backends.into_iter().map(|(name, backend)| (name, backend.options)).collect(),
        cache: Cache {
            local: draft.local.options,
            shared: draft.shared.map(|shared| Shared { options: shared.options, password }),
        },
        flights: draft.flights.options,
        rules: draft.rules,
    }
}

/// A path that stands in a configuration file, seen from where that file was found.
pub(super) fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or_else(|| Path::new("")).join(path)
}

/// The password that the shared section points to.
pub(super) fn password(
    shared: &crate::cache::options::Shared,
    file: &Path,
    outside: &Outside<'_>,
) -> Result<Option<Password>, Finding> {
    if let Some(path) = &shared.password_file {
        let path = beside(file, path);
        let text = (outside.read_file)(&path).map_err(|error| {
            Finding::new("password_file", format!("{} cannot be read: {error}", path.display()))
        })?;
        return match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(Some(Password::new(line))),
            Some(_) | None => {
                Err(Finding::new("password_file", format!("{} has no first line", path.display())))
            }
        };
    }
    let Some(variable) = &shared.password_env else {
        return Ok(None);
    };
    match (outside.env)(variable) {
        Some(text) if !text.is_empty() => Ok(Some(Password::new(text))),
        Some(_) | None => {
            Err(Finding::new("password_env", format!("{variable} is not set in the environment")))
        }
    }
}

/// The sections there are.
const ROOT: [&str; 9] =
    ["runtime", "log", "admin", "limits", "listeners", "backends", "cache", "flights", "rules"];
