//! Every option with the value that holds, and in what another configuration differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::changes::{Changes, When, when};
use super::draft::Draft;
use super::held::Held;
use super::words::{self, Difference};

/// Every option with the value that holds, given or by default, by its section and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Values {
    sections: BTreeMap<String, Held>,
}

impl Values {
    /// What the sections of a file hold.
    pub(super) fn of(draft: &Draft) -> Self {
        let sections = draft.sections().into_iter();
        Self { sections: sections.map(|(path, section)| (path, section.held())).collect() }
    }

    /// Notes what is found where an option points, if it is given: a change there is a change of the option.
    pub(super) fn note(&mut self, section: &str, option: &str, digest: u128) {
        if let Some(held) = self.sections.get_mut(section) {
            held.note(option, digest);
        }
    }

    /// The sections there are, by their paths.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Held)> {
        self.sections.iter().map(|(path, held)| (path.as_str(), held))
    }

    /// Takes over from `next` what a reload changes.
    pub(super) fn reload(&mut self, mut next: Self) -> Changes {
        let mut changes = Changes::default();
        let paths: BTreeSet<String> = self.sections.keys().chain(next.sections.keys()).cloned().collect();
        for path in paths {
            match (self.sections.get_mut(&path), next.sections.remove(&path)) {
                (Some(old), Some(new)) => within(&mut changes, &path, old, &new),
                (Some(old), None) => {
                    let when = when(&path, None);
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
    old.origin = new.origin;
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
