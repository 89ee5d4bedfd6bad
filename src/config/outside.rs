//! What a configuration takes from outside its file: other files, and the environment.

use std::io;
use std::path::{Path, PathBuf};

use crate::cache::options::SharedOptions;
use crate::cache::shared::redis::Secret;
use crate::setting::Finding;

/// The outside world, as far as a configuration names it.
pub(super) struct Outside<'a> {
    pub(super) read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

/// A path that stands in a configuration file, seen from where that file was found.
pub(super) fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or_else(|| Path::new("")).join(path)
}

impl Outside<'_> {
    /// The password that the shared section of `file` points to.
    pub(super) fn password(&self, shared: &SharedOptions, file: &Path) -> Result<Option<Secret>, Finding> {
        if let Some(path) = &shared.password_file {
            let path = beside(file, path);
            let text = (self.read_file)(&path).map_err(|error| {
                Finding::new("password_file", format!("{} cannot be read: {error}", path.display()))
            })?;
            return match text.lines().next() {
                Some(line) if !line.is_empty() => Ok(Some(Secret::new(line.to_owned()))),
                Some(_) | None => {
                    Err(Finding::new("password_file", format!("{} has no first line", path.display())))
                }
            };
        }
        let Some(variable) = &shared.password_env else {
            return Ok(None);
        };
        match (self.env)(variable) {
            Some(text) if !text.is_empty() => Ok(Some(Secret::new(text))),
            Some(_) | None => {
                Err(Finding::new("password_env", format!("{variable} is not set in the environment")))
            }
        }
    }
}
