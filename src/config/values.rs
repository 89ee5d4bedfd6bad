//! Every option with the value that holds, and in what another configuration differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::changes::{Changes, When, when};
use super::draft::Draft;
use super::words::{self, Difference};

/// The options of a section, by their names.
pub(super) type Options = BTreeMap<String, Value>;

/// Every option with the value that holds, given or by default, by its section and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Values {
    sections: BTreeMap<String, Held>,
}

/// What holds in a section.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Held {
    options: Options,
    /// What is found where options point.
    digests: BTreeMap<String, u128>,
    /// The options that the file gives.
    given: BTreeSet<String>,
}

impl Held {
    pub(super) fn new(options: Options, given: BTreeSet<String>) -> Self {
        Self { options, given, digests: BTreeMap::new() }
    }

    /// What the file gives.
    pub(super) fn given(&self) -> impl Iterator<Item = (&str, &Value)> {
        let given = self.options.iter().filter(|(name, _)| self.given.contains(*name));
        given.map(|(name, value)| (name.as_str(), value))
    }

    /// The value of an option.
    pub(super) fn get(&self, option: &str) -> Option<&Value> {
        self.options.get(option)
    }

    fn holds_as(&self, other: &Self, option: &str) -> bool {
        self.options.get(option) == other.options.get(option)
            && self.digests.get(option) == other.digests.get(option)
    }

    fn take(&mut self, option: &str, next: &Self) {
        fn replace<T: Clone>(own: &mut BTreeMap<String, T>, next: &BTreeMap<String, T>, option: &str) {
            match next.get(option) {
                Some(value) => own.insert(option.to_owned(), value.clone()),
                None => own.remove(option),
            };
        }
        replace(&mut self.options, &next.options, option);
        replace(&mut self.digests, &next.digests, option);
        match next.given.contains(option) {
            true => self.given.insert(option.to_owned()),
            false => self.given.remove(option),
        };
    }
}

impl Values {
    /// What the sections of a file hold.
    pub(super) fn of(draft: &Draft) -> Self {
        let sections = draft.sections().into_iter();
        Self { sections: sections.map(|(path, section)| (path.to_owned(), section.held())).collect() }
    }

    /// Notes what is found where an option points, if it is given: a change there is a change of the option.
    pub(super) fn note(&mut self, section: &str, option: &str, digest: u128) {
        let Some(held) = self.sections.get_mut(section) else { return };
        if held.get(option).is_some_and(|value| !value.is_null()) {
            held.digests.insert(option.to_owned(), digest);
        }
    }

    /// Takes over from `next` what a reload changes; sections that `stay` are not gone until a restart.
    pub(super) fn reload(&mut self, mut next: Self, stay: &[String]) -> Changes {
        let mut changes = Changes::default();
        let paths: BTreeSet<String> = self.sections.keys().chain(next.sections.keys()).cloned().collect();
        for path in paths {
            match (self.sections.get_mut(&path), next.sections.remove(&path)) {
                (Some(old), Some(new)) => within(&mut changes, &path, old, &new),
                (Some(old), None) => {
                    let when = if stay.contains(&path) { When::AtRestart } else { when(&path, None) };
                    changes.note(when, path.clone(), words::gone(&path, old));
                    if when == When::AtReload {
                        self.sections.remove(&path);
                    }
                }
                (None, Some(new)) => {
                    let when = when(&path, None);
                    changes.note(when, path.clone(), words::new(&path, &new));
                    if when == When::AtReload {
                        self.sections.insert(path, new);
                    }
                }
                (None, None) => {}
            }
        }
        changes
    }
}

/// Takes over from `new` what a reload changes in a section that stays.
fn within(changes: &mut Changes, section: &str, old: &mut Held, new: &Held) {
    let names: BTreeSet<String> = old.options.keys().chain(new.options.keys()).cloned().collect();
    for option in names {
        if old.holds_as(new, &option) {
            continue;
        }
        let when = when(section, Some(&option));
        for (name, difference) in differences(&option, old.get(&option), new.get(&option)) {
            changes.note(when, format!("{section}.{name}"), words::option(section, &name, &difference));
        }
        if when == When::AtReload {
            old.take(&option, new);
        }
    }
}

/// In what an option that holds otherwise differs: in one value, or in those of a table. Where the value is the same, what it names is not.
fn differences<'a>(
    option: &str,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
) -> Vec<(String, Difference<'a>)> {
    if old == new {
        return vec![(option.to_owned(), Difference::Content(new.unwrap_or(&Value::Null)))];
    }
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    flatten(old, option.to_owned(), &mut before);
    flatten(new, option.to_owned(), &mut after);
    let names: BTreeSet<String> = before.keys().chain(after.keys()).cloned().collect();
    let pairs = names.into_iter().map(|name| {
        let (from, to) = (before.get(&name).copied(), after.get(&name).copied());
        (name, from.unwrap_or(&Value::Null), to.unwrap_or(&Value::Null))
    });
    pairs
        .filter(|(_, from, to)| from != to)
        .map(|(name, from, to)| (name, Difference::Value(from, to)))
        .collect()
}

/// A value, or those in a table, by their path.
fn flatten<'a>(value: Option<&'a Value>, path: String, values: &mut BTreeMap<String, &'a Value>) {
    match value {
        None => {}
        Some(Value::Object(options)) => {
            for (name, value) in options {
                flatten(Some(value), format!("{path}.{name}"), values);
            }
        }
        Some(value) => {
            values.insert(path, value);
        }
    }
}
