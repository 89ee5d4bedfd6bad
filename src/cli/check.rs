//! `larder check`: what is wrong with a configuration and, where that is asked for, with what it names.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands speak to people")]

mod reach;

use std::path::Path;

use clap::Args;

use super::serve::{SAMPLE, load};
use super::{CONFIG, Configuration};
use crate::config::check::check as report;

/// Which configuration, and how far to look.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Tries each endpoint and Redis too: whether it is reached, and is what the configuration says. Nothing is changed there.
    #[arg(long)]
    connect: bool,
}

/// Says what there is to say, and gives the exit code: 0 if all is well, 78 for a configuration that cannot be used, 1 where something that it
/// names is not as told.
pub(super) fn run(arguments: &Arguments) -> u8 {
    let file = arguments.configuration.file();
    let mut loaded = load(file);
    let report = report(file.unwrap_or_else(|| Path::new(SAMPLE)), &mut loaded);
    let Some(config) = loaded.config else {
        eprint!("{report}");
        return CONFIG;
    };
    print!("{report}");
    if !arguments.connect {
        return 0;
    }
    let reached = match reach::reach(&config) {
        Ok(reached) => reached,
        Err(error) => {
            eprintln!("larder: nothing can be reached: {error}");
            return 1;
        }
    };
    for one in &reached {
        match &one.found {
            Ok(said) => println!("{}: {said}", one.what),
            Err(why) => eprintln!("{}: {why}", one.what),
        }
    }
    u8::from(reached.iter().any(|one| one.found.is_err()))
}
