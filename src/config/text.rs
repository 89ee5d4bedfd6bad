//! The text of a configuration file: its tables with their lines, and what is no TOML.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use crate::setting::Nearest;

/// A file that is being read, and what was found wrong in it so far.
#[derive(Debug)]
pub(super) struct Text<'i> {
    file: PathBuf,
    text: &'i str,
    problems: Vec<Problem>,
    broken: BTreeSet<usize>,
}

impl<'i> Text<'i> {
    /// Reads as much as is TOML; the rest becomes problems.
    pub(super) fn parse(file: &Path, text: &'i str) -> (Self, DeTable<'i>) {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut read = Self { file: file.to_owned(), text, problems: Vec::new(), broken: BTreeSet::new() };
        for error in errors {
            let span = error.span().unwrap_or_default();
            let line = read.line(span.start);
            if !read.broken.insert(line) {
                continue;
            }
            let (path, message) = match error.message() {
                "duplicate key" => (read.slice(span), "given twice".to_owned()),
                message => (String::new(), format!("no TOML: {message}")),
            };
            read.problems.push(Problem {
                file: file.to_owned(),
                line,
                path,
                message,
                suggestion: Nearest::default(),
            });
        }
        (read, root.into_inner())
    }

    /// The file's name.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Whether parts of the file could not be read, so that what seems missing may only be unreadable.
    pub(super) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// How many problems were found so far.
    pub(super) fn problems(&self) -> usize {
        self.problems.len()
    }

    /// The line of a byte offset, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    /// What stands there, short enough for a message.
    pub(super) fn slice(&self, span: Range<usize>) -> String {
        let text = self.text.get(span).unwrap_or_default().lines().next().unwrap_or_default().trim();
        match text.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
            None => text.to_owned(),
        }
    }

    /// Adds a problem, unless its line is no TOML, which says enough.
    pub(super) fn add(&mut self, problem: Problem) {
        if problem.file != self.file || !self.broken.contains(&problem.line) {
            self.problems.push(problem);
        }
    }

    /// Adds a problem at a byte offset.
    pub(super) fn report(&mut self, offset: usize, path: String, message: String, suggestion: Nearest) {
        let line = self.line(offset);
        self.add(Problem { file: self.file.clone(), line, path, message, suggestion });
    }

    /// The table in a value, or a problem.
    pub(super) fn table(&mut self, value: Spanned<DeValue<'i>>, path: &str) -> Option<DeTable<'i>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(table),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                let message =
                    format!("{} is no section: expected [{path}] and its options", self.slice(span.clone()));
                self.report(span.start, path.to_owned(), message, Nearest::default());
                None
            }
        }
    }

    /// All that was found wrong, in the order of the file.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| {
            (a.file != self.file, &a.file, a.line).cmp(&(b.file != self.file, &b.file, b.line))
        });
        self.problems
    }
}

/// The characters of a value that a message repeats.
const SHOWN_MAX: usize = 60;
