//! What a reload changes, and what only a restart does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draft::Draft;

/// Every option with the value that holds, given or by default, by its section and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Values {
    sections: BTreeMap<String, BTreeMap<String, Value>>,
}

/// The options, as `section.option`, in which a configuration differs from the one in force; a section that is new or gone stands
/// there as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What is in force now.
    pub applied: Vec<String>,
    /// What stays as it was until a restart.
    pub restart: Vec<String>,
}

/// When a changed option takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    AtReload,
    AtRestart,
}

/// The one list of what a reload changes. `option` is `None` for a section that is new or gone.
fn when(section: &str, option: Option<&str>) -> When {
    let kind = section.split('.').next();
    match (kind, option) {
        (Some("rules" | "backends"), _) | (Some("listeners"), Some("backend" | "idl")) => When::AtReload,
        (_, _) => When::AtRestart,
    }
}

impl Values {
    /// What the sections of a file hold.
    pub(super) fn of(draft: &Draft) -> Self {
        let sections = draft.sections().into_iter();
        Self { sections: sections.map(|(path, section)| (path.to_owned(), section.values())).collect() }
    }

    /// Notes what is found where an option points, if it is given: a change there is a change of the option.
    pub(super) fn note(&mut self, section: &str, option: &str, digest: u128) {
        let value = self.sections.get_mut(section).and_then(|section| section.get_mut(option));
        if let Some(value) = value.filter(|value| !value.is_null()) {
            *value = Value::from(vec![value.take(), Value::from(digest.to_string())]);
        }
    }

    /// Takes over from `next` what a reload changes; sections that `stay` are not gone until a restart.
    pub(super) fn reload(&mut self, mut next: Self, stay: &[String]) -> Changes {
        let mut changes = Changes::default();
        let paths: BTreeSet<String> = self.sections.keys().chain(next.sections.keys()).cloned().collect();
        for path in paths {
            match (self.sections.get_mut(&path), next.sections.remove(&path)) {
                (Some(old), Some(new)) => changes.within(&path, old, new),
                (Some(_), None) if stay.contains(&path) => changes.restart.push(path),
                (_, new) => {
                    if changes.note(&path, None) == When::AtReload {
                        self.sections.remove(&path);
                        self.sections.extend(new.map(|new| (path, new)));
                    }
                }
            }
        }
        changes
    }
}

impl Changes {
    /// Takes over from `new` what a reload changes in a section that stays.
    fn within(&mut self, path: &str, old: &mut BTreeMap<String, Value>, new: BTreeMap<String, Value>) {
        // Some options are tables, whose entries may be gone.
        let gone: Vec<String> = old.keys().filter(|option| !new.contains_key(*option)).cloned().collect();
        for option in gone {
            if self.note(path, Some(&option)) == When::AtReload {
                old.remove(&option);
            }
        }
        for (option, value) in new {
            if old.get(&option) != Some(&value) && self.note(path, Some(&option)) == When::AtReload {
                old.insert(option, value);
            }
        }
    }

    fn note(&mut self, section: &str, option: Option<&str>) -> When {
        let path = option.map_or_else(|| section.to_owned(), |option| format!("{section}.{option}"));
        let when = when(section, option);
        match when {
            When::AtReload => self.applied.push(path),
            When::AtRestart => self.restart.push(path),
        }
        when
    }
}
