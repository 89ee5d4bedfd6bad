//! What a section of a configuration holds: its options, given or by default, and what is found where they point.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The options of a section, by their names.
pub(super) type Options = BTreeMap<String, Value>;

/// Who says what a section holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// The file.
    #[default]
    Configuration,
    /// Annotations in the IDL that it names.
    Idl,
}

/// What holds in a section.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Held {
    pub(super) options: Options,
    pub(super) origin: Origin,
    /// What is found where options point.
    digests: BTreeMap<String, u128>,
    /// The options that are given.
    given: BTreeSet<String>,
}

impl Held {
    /// All options, and which of them are given.
    pub(super) fn new(options: Options, given: BTreeSet<String>, origin: Origin) -> Self {
        Self { options, origin, given, digests: BTreeMap::new() }
    }

    /// What is given.
    pub(super) fn given(&self) -> impl Iterator<Item = (&str, &Value)> {
        let given = self.options.iter().filter(|(name, _)| self.given.contains(*name));
        given.map(|(name, value)| (name.as_str(), value))
    }

    /// Notes what is found where an option points, if it is given.
    pub(super) fn note(&mut self, option: &str, digest: u128) {
        if self.get(option).is_some_and(|value| !value.is_null()) {
            self.digests.insert(option.to_owned(), digest);
        }
    }

    /// The value of an option.
    pub(super) fn get(&self, option: &str) -> Option<&Value> {
        self.options.get(option)
    }

    /// Whether an option holds the same as in `other`.
    pub(super) fn holds_as(&self, other: &Self, option: &str) -> bool {
        self.options.get(option) == other.options.get(option)
            && self.digests.get(option) == other.digests.get(option)
    }

    /// Takes over what an option holds in `next`.
    pub(super) fn take(&mut self, option: &str, next: &Self) {
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
