//! What `larder check` says.

use std::fmt::Write as _;
use std::path::Path;

use super::fit::System;
use super::{Config, Loaded};

/// What to print of a file that was read, and of what it asks for that does not fit this system: another may run it.
pub(crate) fn check(path: &Path, loaded: &mut Loaded) -> String {
    let fit = loaded.config.as_mut().map(|config| config.fit(System::ask())).unwrap_or_default();
    let mut found = String::new();
    for line in fit.problem.iter().chain(&fit.warnings) {
        // Writing to a String cannot fail.
        let _ = writeln!(found, "warning: {}: {line}", path.display());
    }
    found + &report(path, loaded)
}

/// What to print of a file that was read.
pub(super) fn report(path: &Path, loaded: &Loaded) -> String {
    let mut text = String::new();
    let problems = loaded.problems.iter().map(ToString::to_string);
    let warnings = loaded.warnings.iter().map(|warning| format!("warning: {warning}"));
    for line in problems.chain(warnings) {
        text.push_str(&line);
        text.push('\n');
    }
    let counts = format!(
        "{} and {}",
        count(loaded.problems.len(), "problem"),
        count(loaded.warnings.len(), "warning")
    );
    let verdict = match &loaded.config {
        Some(config) => format!("good, with {}", parts(config)),
        None => "cannot be used".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}: {verdict}; {counts}", path.display());
    text
}

fn parts(config: &Config) -> String {
    let listeners = count(config.listeners.len(), "listener");
    let backends = count(config.backends.len(), "backend");
    format!("{listeners}, {backends}, {}", count(config.rules.len(), "rule"))
}

fn count(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        more => format!("{more} {noun}s"),
    }
}
