//! One thing to say about a configuration file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::setting::{Finding, Nearest};

/// Something wrong, or unwise, in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as it was named.
    pub file: PathBuf,
    /// The line, counted from 1; 0 stands for the file as a whole.
    pub line: usize,
    /// The section and option, such as `rules."UserService.getUser".ttl`; may be empty.
    pub path: String,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The nearest right name, where there is one.
    pub suggestion: Nearest,
}

impl Problem {
    /// Of a file as a whole.
    pub(super) fn of_file(file: &Path, message: String) -> Self {
        Self { file: file.to_owned(), line: 0, path: String::new(), message, suggestion: Nearest::default() }
    }
}

/// What was found of a configuration: what is wrong, and what is unwise.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Checked {
    /// Adds what else was found.
    pub(super) fn add(&mut self, more: Self) {
        self.problems.extend(more.problems);
        self.warnings.extend(more.warnings);
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}{}", self.message, self.suggestion)
    }
}

/// Where a section stands: its path in the file, its line, and those of its options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Location {
    /// The file, if it is not the configuration's own.
    pub file: Option<PathBuf>,
    /// Its path, such as `rules."UserService.getUser"`.
    pub path: String,
    /// The line of its header.
    pub line: usize,
    /// The options that it gives, and their lines.
    pub lines: Vec<(String, usize)>,
}

impl Location {
    /// Whether the file gives this option.
    pub(crate) fn gives(&self, option: &str) -> bool {
        self.lines.iter().any(|(name, _)| name == option)
    }

    /// The line of an option, or of the section where the option is not given.
    pub(crate) fn line_of(&self, option: &str) -> usize {
        self.lines.iter().find(|(name, _)| name == option).map_or(self.line, |(_, line)| *line)
    }

    /// What a finding about this section is in its file, which is `file` unless it says another.
    pub(crate) fn problem(&self, file: &Path, finding: Finding) -> Problem {
        let path = match finding.option {
            "" => self.path.clone(),
            option => format!("{}.{option}", self.path),
        };
        Problem {
            file: self.file.as_deref().unwrap_or(file).to_owned(),
            line: self.line_of(finding.option),
            path,
            message: finding.message,
            suggestion: finding.suggestion,
        }
    }
}

/// A key as TOML writes it: quoted where it must be.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { format!("{name:?}") }
}
