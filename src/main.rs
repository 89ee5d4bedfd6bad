//! The `larder` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A cache frees entries of all sizes among others that stay. The system's allocator keeps what lies between them: with it, a full
/// local tier takes up to four times its capacity after a burst of misses.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(larder::cli::run())
}
