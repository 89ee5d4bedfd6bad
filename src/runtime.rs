//! The threads that the gateway runs on, the descriptors and the memory that it may use, and the service manager that it runs under.

pub(crate) mod descriptors;
pub(crate) mod memory;
pub(crate) mod notify;
pub(crate) mod options;

use std::hint::black_box;
use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

pub(crate) use options::Settings;

/// A runtime with one thread for each core it may use, unless told otherwise. With one, waking a task wakes no other thread.
pub(crate) fn start(settings: &Settings) -> io::Result<Runtime> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match settings.threads.unwrap_or_else(cores) {
        1 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

/// Has the allocator give freed memory back to the system, for ever. mimalloc looks for pages that have been free for long enough only
/// when it frees another one: without this, what a burst took would stay until there is traffic again.
pub(crate) async fn give_memory_back() {
    loop {
        tokio::time::sleep(GIVE_BACK).await;
        drop(black_box(Vec::<u8>::with_capacity(PAGE)));
    }
}

/// How often freed memory is given back: mimalloc's own delay is 1 s.
const GIVE_BACK: Duration = Duration::from_secs(1);
/// Bytes for which mimalloc 3 takes a page of their own, which it frees with them: more than 512 KiB. They are never touched.
const PAGE: usize = 1 << 20;
