//! What `larder check FILE` says.

use std::fmt::Write as _;
use std::path::Path;

use super::fit::System;
use super::{Config, Loaded};

/// The exit code of a configuration that cannot be used: `EX_CONFIG` of BSD's `sysexits.h`.
pub(crate) const BAD_CONFIG: u8 = 78;

/// Reads the file at `path` as the gateway would, and says what of it does not fit this system: another may run it. Returns what to print, and the exit code: 0 or [`BAD_CONFIG`].
pub(crate) fn check(path: &Path) -> (String, u8) {
    let read = |path: &Path| std::fs::read_to_string(path);
    let mut loaded = Config::load(path, &read, &|name| std::env::var(name).ok());
    let fit = loaded.config.as_mut().map(|config| config.fit(System::ask())).unwrap_or_default();
    let mut found = String::new();
    for line in fit.problem.iter().chain(&fit.warnings) {
        // Writing to a String cannot fail.
        let _ = writeln!(found, "warning: {}: {line}", path.display());
    }
    let (report, code) = report(path, &loaded);
    (found + &report, code)
}

/// What to print of a file that was read, and the exit code.
pub(crate) fn report(path: &Path, loaded: &Loaded) -> (String, u8) {
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
    (text, if loaded.config.is_some() { 0 } else { BAD_CONFIG })
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
