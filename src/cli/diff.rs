//! `larder diff`: what a reload from one configuration to another changes, in words.

use std::path::{Path, PathBuf};

use clap::Args;

use super::CONFIG;
use super::serve::load;
use crate::config::{Change, Changes, Config, Loaded};

/// The two configurations.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The configuration as it was.
    old: PathBuf,
    /// The configuration as it is to be.
    new: PathBuf,
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let Arguments { old, new } = arguments;
    let (old, new) = (usable(load(Some(old)), old)?, usable(load(Some(new)), new)?);
    Ok(told(&old.changes(&new)))
}

fn usable(loaded: Loaded, file: &Path) -> Result<Config, (String, u8)> {
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    let why = || (format!("{} cannot be used:\n{}", file.display(), problems.join("\n")), CONFIG);
    loaded.config.ok_or_else(why)
}

/// The changes as people read them.
fn told(changes: &Changes) -> String {
    if changes.is_empty() {
        return "nothing changes\n".to_owned();
    }
    let mut text: String = lines("", &changes.applied);
    if !changes.restart.is_empty() {
        text.push_str("needs a restart:\n");
        text.push_str(&lines("  ", &changes.restart));
    }
    text
}

fn lines(indent: &str, changes: &[Change]) -> String {
    Change::sayings(changes).iter().map(|says| format!("{indent}{says}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(old: &str, new: &str) -> Result<String, (String, u8)> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        run(&Arguments { old: file("old.toml", old), new: file("new.toml", new) })
    }

    const BASE: &str = "[listeners.users]\nbind = '127.0.0.1:0'\nservice = 'UserService'\nbackend = 'users'\n\
        [backends.users]\nendpoints = ['h:1']\n[rules.'UserService.getUser']\nttl = '30s'\n";

    #[test]
    fn a_reload_and_a_restart_are_told_apart() {
        let new = BASE.replace("30s", "1m").replace("['h:1']", "['h:1', 'h:2']");
        let said = diff(BASE, &format!("{new}[runtime]\nthreads = 3\n")).unwrap();
        let expected = "backend users: 1 endpoint more (h:2)\nUserService.getUser: ttl 30s to 1m\n\
            needs a restart:\n  runtime.threads none to 3\n";
        assert_eq!(said, expected);
        assert_eq!(diff(BASE, BASE).unwrap(), "nothing changes\n");
    }

    #[test]
    fn what_cannot_be_used_is_told_as_check_tells_it() {
        let (why, code) = diff(BASE, &BASE.replace("ttl", "tll")).unwrap_err();
        assert!(code == CONFIG && why.contains("new.toml:8: ") && why.contains("did you mean ttl?"), "{why}");
    }
}
