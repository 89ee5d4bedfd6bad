//! The threads that the gateway runs on, and the descriptors that it may use.

pub mod descriptors;
pub mod options;

use std::io;

use tokio::runtime::{Builder, Runtime};

pub use options::Settings;

/// A runtime with one thread for each core it may use, unless told otherwise. With one, waking a task wakes no other thread.
pub fn start(settings: &Settings) -> io::Result<Runtime> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match settings.threads.unwrap_or_else(cores) {
        1 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}
