//! The `larder` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(larder::cli::run())
}
