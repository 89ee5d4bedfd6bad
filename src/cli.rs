//! The commands, and what each exits with.

pub mod serve;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Answers Thrift calls from a cache, and keeps answering when the backends behind it are down.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve {
        /// The configuration; without it, the one that ships inside the program.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Tell every problem of a configuration at once, with file, line and the nearest right name.
    Check {
        /// The configuration.
        file: PathBuf,
    },
}

/// Runs the command that the arguments name, and returns the exit code: 0 fine, 64 bad usage, 78 bad configuration, 1 anything else.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "commands speak to people")]
pub fn run() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { USAGE } else { 0 };
        }
    };
    match arguments.command {
        Command::Serve { config } => serve::run(config.as_deref()),
        Command::Check { file } => {
            let (report, code) = crate::config::check::check(&file);
            if code == 0 {
                print!("{report}")
            } else {
                eprint!("{report}")
            }
            code
        }
    }
}

/// Bad usage, as in `sysexits.h`.
pub const USAGE: u8 = 64;
/// Bad configuration, as in `sysexits.h`.
pub const CONFIG: u8 = 78;
