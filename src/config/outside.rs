//! What a configuration takes from outside its file: other files, and the environment.

use std::io;
use std::path::{Path, PathBuf};

use crate::cache::options::{Found, SharedOptions};
use crate::setting::{Finding, Keeper, Secret};
use crate::tls::{Papers, Pem};

/// The outside world, as far as a configuration names it.
pub(super) struct Outside<'a> {
    pub(super) read_file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

/// A path that stands in a configuration file, seen from where that file was found.
pub(super) fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or_else(|| Path::new("")).join(path)
}

impl Outside<'_> {
    /// What a file holds, which must be text.
    pub(super) fn read_text(&self, path: &Path) -> io::Result<String> {
        String::from_utf8((self.read_file)(path)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
    }

    /// What the shared section of `file` points to, with its `papers`.
    pub(super) fn found(
        &self,
        shared: &SharedOptions,
        file: &Path,
        papers: Papers,
    ) -> Result<Found, Finding> {
        let secret = shared.secret_file.as_ref().map(|path| self.text("secret_file", &beside(file, path)));
        let secret = secret.transpose()?.map(Secret::new);
        let password = self.secret(shared.password(), file)?;
        let sentinel_password = self.secret(shared.sentinel_password(), file)?;
        Ok(Found { password, sentinel_password, secret, papers })
    }

    /// The certificates and the key that the shared section of `file` points to.
    pub(super) fn papers(&self, shared: &SharedOptions, file: &Path) -> Result<Papers, Finding> {
        let pem = |option: &'static str, path: &Option<PathBuf>| {
            path.as_ref().map(|path| self.pem(option, path, file)).transpose()
        };
        Ok(Papers {
            authority: pem("tls_ca", &shared.tls_ca)?,
            certificate: pem("tls_cert", &shared.tls_cert)?,
            key: pem("tls_key", &shared.tls_key)?,
        })
    }

    /// A PEM file that an option of `file` names.
    pub(super) fn pem(&self, option: &'static str, path: &Path, file: &Path) -> Result<Pem, Finding> {
        let path = beside(file, path);
        let text = Secret::new(self.text(option, &path)?);
        Ok(Pem { path, text })
    }

    /// The secret that is where a section of `file` says.
    pub(super) fn secret(&self, keeper: Keeper<'_>, file: &Path) -> Result<Option<Secret>, Finding> {
        let Keeper { file: (file_option, path), variable: (variable_option, variable) } = keeper;
        if let Some(path) = path {
            let path = beside(file, path);
            let text = self.text(file_option, &path)?;
            return match text.lines().next() {
                Some(line) if !line.is_empty() => Ok(Some(Secret::new(line.to_owned()))),
                Some(_) | None => {
                    Err(Finding::new(file_option, format!("{} has no first line", path.display())))
                }
            };
        }
        let Some(variable) = variable else {
            return Ok(None);
        };
        match (self.env)(variable) {
            Some(text) if !text.is_empty() => Ok(Some(Secret::new(text))),
            Some(_) | None => {
                Err(Finding::new(variable_option, format!("{variable} is not set in the environment")))
            }
        }
    }

    fn text(&self, option: &'static str, path: &Path) -> Result<String, Finding> {
        let unread = |error| Finding::new(option, format!("{} cannot be read: {error}", path.display()));
        self.read_text(path).map_err(unread)
    }
}
