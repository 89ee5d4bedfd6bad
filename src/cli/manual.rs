//! `larder completions` and `larder man`: what a shell and a manual say of the commands, made from them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::Arguments as Larder;

/// Which shell is to complete commands.
#[derive(Clone, Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Where manual pages go.
#[derive(Clone, Debug, Args)]
pub(super) struct Manual {
    /// The folder for all pages, `larder.1` and one for each command; without it the first is printed.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// A script for that shell.
pub(super) fn completions(Completions { shell }: &Completions) -> String {
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut commands(), NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The page, or nothing where all of them are written.
///
/// # Errors
/// What the system says of the folder.
pub(super) fn manual(Manual { folder }: &Manual) -> Result<String, (String, u8)> {
    let failed = |what: &Path, error| (format!("{}: {error}", what.display()), 1);
    let Some(folder) = folder else {
        let mut page = Vec::new();
        // As among all pages, there is none of the command `help`.
        let rendered = clap_mangen::Man::new(commands().disable_help_subcommand(true)).render(&mut page);
        rendered.map_err(|error| failed(Path::new(NAME), error))?;
        return Ok(String::from_utf8_lossy(&page).into_owned());
    };
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(commands(), folder));
    written.map(|()| String::new()).map_err(|error| failed(folder, error))
}

/// The program as it is called.
fn commands() -> Command {
    Larder::command().name(NAME)
}

const NAME: &str = "larder";
