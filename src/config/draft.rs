//! What a file says, section by section, before the sections are held against each other.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::held::{Held, Origin};
use super::problem::{Location, Problem, key};
use super::section::{read, unknown};
use super::text::Text;
use crate::idl::Place;
use crate::rule::pattern::Pattern;
use crate::setting::{Nearest, Section};
use crate::{admin, backend, cache, flight, invalidation, limits, listener, log, rule, runtime};

/// What a file says, before its sections are held against each other.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) runtime: Placed<runtime::options::Options>,
    pub(super) log: Placed<log::options::Options>,
    pub(super) admin: Placed<admin::options::Options>,
    pub(super) invalidation: Option<Placed<invalidation::options::Options>>,
    pub(super) limits: Placed<limits::Options>,
    pub(super) listeners: BTreeMap<String, Placed<listener::options::Options>>,
    pub(super) backends: BTreeMap<String, Placed<backend::options::Options>>,
    pub(super) local: Placed<cache::options::LocalOptions>,
    pub(super) shared: Option<Placed<cache::options::SharedOptions>>,
    pub(super) flights: Placed<flight::options::Options>,
    pub(super) rules: Vec<RuleDraft>,
}

/// A rule.
#[derive(Debug)]
pub(super) struct RuleDraft {
    /// The methods it is for.
    pub(super) pattern: Pattern,
    /// What is said of them.
    pub(super) section: Placed<rule::options::Options>,
    /// Where the IDL states it, if it is not the configuration's.
    pub(super) annotation: Option<Place>,
}

impl RuleDraft {
    /// Its section, or what that would be called.
    fn path(&self) -> String {
        format!("rules.{:?}", self.pattern.to_string())
    }
}

/// A section and where it stands.
#[derive(Debug, Default)]
pub(super) struct Placed<T> {
    pub(super) options: T,
    pub(super) place: Location,
    /// Whether a problem was found in it: what was refused has its default, of which there is nothing to say.
    pub(super) state: State,
}

/// Whether a section says what its options hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Sound,
    Refused,
}

impl Draft {
    /// What the tables of a file say. Whatever is wrong becomes a problem of `text`.
    pub(super) fn read<'i>(text: &mut Text<'i>, root: DeTable<'i>) -> Self {
        let mut draft = Self::default();
        for (name, value) in root {
            let at = name.span().start;
            // What stands below a header that is no TOML has lost its section, which is said already.
            let options = value.get_ref().as_table().map_or(0, DeTable::len);
            if text.is_broken() && options == 0 {
                continue;
            }
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
                "invalidation" => draft.invalidation = Some(placed(text, known, at, table)),
                "limits" => draft.limits = placed(text, known, at, table),
                "flights" => draft.flights = placed(text, known, at, table),
                "listeners" => draft.listeners = named(text, known, table),
                "backends" => draft.backends = named(text, known, table),
                "cache" => tiers(text, &mut draft, table),
                _ => draft.state(rules(text, table)),
            }
        }
        draft
    }

    /// Adds rules that are stated elsewhere.
    pub(super) fn state(&mut self, rules: Vec<RuleDraft>) {
        self.rules.extend(rules);
        self.rules.sort_by(|a, b| a.pattern.cmp(&b.pattern));
    }

    /// All sections there are with their paths, whatever they hold.
    pub(super) fn sections(&self) -> Vec<(String, &dyn Spoken)> {
        fn named<T: Section>(section: &Placed<T>) -> (String, &dyn Spoken) {
            (section.place.path.clone(), section)
        }
        let single: [(&str, &dyn Spoken); 6] = [
            ("runtime", &self.runtime),
            ("log", &self.log),
            ("admin", &self.admin),
            ("limits", &self.limits),
            ("flights", &self.flights),
            ("cache.local", &self.local),
        ];
        let mut all: Vec<_> = single.map(|(path, section)| (path.to_owned(), section)).into();
        all.extend(self.invalidation.as_ref().map(named));
        all.extend(self.listeners.values().map(named));
        all.extend(self.backends.values().map(named));
        all.extend(self.shared.as_ref().map(named));
        all.extend(self.rules.iter().map(|rule| (rule.path(), &rule.section as &dyn Spoken)));
        all
    }
}

/// A section of any type.
pub(super) trait Spoken {
    /// What it has to say that is no problem.
    fn warnings(&self, file: &Path) -> Vec<Problem>;
    /// What holds in it, given or by default.
    fn held(&self) -> Held;
}

impl<T: Section> Spoken for Placed<T> {
    fn warnings(&self, file: &Path) -> Vec<Problem> {
        match self.state {
            State::Sound => {
                let warnings = self.options.warnings().into_iter();
                warnings.map(|finding| self.place.problem(file, finding)).collect()
            }
            State::Refused => Vec::new(),
        }
    }

    fn held(&self) -> Held {
        let options = match serde_json::to_value(&self.options) {
            Ok(serde_json::Value::Object(options)) => options.into_iter().collect(),
            Ok(_) | Err(_) => BTreeMap::new(),
        };
        let given = self.place.lines.iter().map(|(option, _)| option.clone()).collect();
        let origin = if self.place.file.is_none() { Origin::Configuration } else { Origin::Idl };
        Held::new(options, given, origin)
    }
}

/// Reads a section whose header is at `offset`, and whether anything is wrong in it.
pub(super) fn placed<'i, T: Section>(
    text: &mut Text<'i>,
    path: &str,
    offset: usize,
    table: DeTable<'i>,
) -> Placed<T> {
    let before = text.problems();
    let (options, place) = read(text, path, offset, table);
    let sound = text.problems() == before && !text.is_broken();
    Placed { options, place, state: if sound { State::Sound } else { State::Refused } }
}

/// `[listeners.NAME]` and `[backends.NAME]`: the names are free.
fn named<'i, T: Section>(text: &mut Text<'i>, kind: &str, table: DeTable<'i>) -> BTreeMap<String, Placed<T>> {
    let mut sections = BTreeMap::new();
    for (name, value) in table {
        let path = format!("{kind}.{}", key(name.get_ref()));
        if key(name.get_ref()) != *name.get_ref() {
            let message = "is no name: expected letters, digits, `_` and `-`".to_owned();
            text.report(name.span().start, path.clone(), message, Nearest::default());
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

fn rules<'i>(text: &mut Text<'i>, table: DeTable<'i>) -> Vec<RuleDraft> {
    let mut rules: Vec<RuleDraft> = Vec::new();
    for (name, value) in table {
        rules.extend(rule(text, &name, value));
    }
    rules
}

fn rule<'i>(
    text: &mut Text<'i>,
    name: &Spanned<DeString<'i>>,
    value: Spanned<DeValue<'i>>,
) -> Option<RuleDraft> {
    let path = format!("rules.{:?}", name.get_ref());
    let at = name.span().start;
    let pattern = name.get_ref().parse().map_err(|error| {
        text.report(at, path.clone(), format!("{error}"), Nearest::default());
    });
    let unquoted = pattern.is_err()
        && value.get_ref().as_table().is_some_and(|t| t.values().all(|v| v.get_ref().is_table()));
    if unquoted {
        return None;
    }
    let table = text.table(value, &path)?;
    let section = placed(text, &path, at, table);
    pattern.ok().map(|pattern| RuleDraft { pattern, section, annotation: None })
}

/// The sections there are.
const ROOT: [&str; 10] = [
    "runtime",
    "log",
    "admin",
    "invalidation",
    "limits",
    "listeners",
    "backends",
    "cache",
    "flights",
    "rules",
];
