//! Who is given orders, and the token that shows whose they are.

use std::path::{Path, PathBuf};

use clap::Args;

use super::USAGE;
use super::admin::{Admin, Form};
use super::trust::Trust;

/// Who is given orders, by whose leave, and how the answer is shown.
#[derive(Clone, Debug, Args)]
pub(super) struct Recipient {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket.
    #[arg(value_name = "ADDR")]
    admin: Admin,
    #[command(flatten)]
    trust: Trust,
    /// The file whose first line is the gateway's token.
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Prints the gateway's answer as it is.
    #[arg(long, global = true)]
    json: bool,
}

impl Recipient {
    /// Who is given orders.
    ///
    /// # Errors
    /// What is wrong with the files that are named for it, and the exit code.
    pub(super) fn admin(&self) -> Result<Admin, (String, u8)> {
        self.trust.lend(&self.admin)
    }

    /// The token, if a file is named.
    ///
    /// # Errors
    /// What is wrong with the file, and the exit code.
    pub(super) fn token(&self) -> Result<Option<String>, (String, u8)> {
        read(self.token_file.as_deref()).map_err(|why| (why, USAGE))
    }

    /// How the answer is shown.
    pub(super) fn form(&self) -> Form {
        Form::of(self.json)
    }
}

/// What `file` says: its first line.
///
/// # Errors
/// If it cannot be read, or has none.
fn read(file: Option<&Path>) -> Result<Option<String>, String> {
    let Some(file) = file else { return Ok(None) };
    let wrong = |why: &str| format!("the token file {} {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    line.map(|line| Some(line.to_owned())).ok_or_else(|| wrong("has no first line"))
}
