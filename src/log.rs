//! What the gateway says on standard error, and at what rate it speaks of calls.

#[cfg(test)]
pub(crate) mod captured;
mod fields;
pub(crate) mod options;

use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use fields::Fields;
use options::Format;
pub(crate) use options::{Access, Destination, Settings, directives};

/// Starts to write what is traced to standard error. A filter in `RUST_LOG` wins over the configured one.
pub(crate) fn start(settings: &Settings) -> Filter {
    let environment = EnvFilter::try_from_default_env().map(|filter| filter.to_string()).ok();
    let filter = filter(environment.as_deref().unwrap_or(&settings.filter));
    let colours = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // A second subscriber, which only tests could install, is not worth an error.
    match settings.format {
        Format::Human => {
            let lines = lines.fmt_fields(Fields).with_filter_reloading();
            let handle = lines.reload_handle();
            let _ = lines.finish().try_init();
            Filter::new(environment, move |filter| drop(handle.reload(filter)))
        }
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_filter_reloading();
            let handle = lines.reload_handle();
            let _ = lines.finish().try_init();
            Filter::new(environment, move |filter| drop(handle.reload(filter)))
        }
    }
}

/// What these directives let through, and audit lines.
fn filter(directives: &str) -> EnvFilter {
    let audit = format!("{AUDIT}=info").parse().expect("a target and a level are a directive");
    EnvFilter::new(directives).add_directive(audit)
}

/// The target of the lines that say who ordered what and why: they are written whatever the level is.
pub(crate) const AUDIT: &str = "larder::audit";

/// What is logged, which can be said otherwise while it runs.
pub(crate) struct Filter {
    /// What `RUST_LOG` says.
    environment: Option<String>,
    change: Box<dyn Fn(EnvFilter) + Send + Sync>,
}

impl Filter {
    fn new(environment: Option<String>, change: impl Fn(EnvFilter) + Send + Sync + 'static) -> Self {
        Self { environment, change: Box::new(change) }
    }

    /// Logs by these directives; without them by those in `RUST_LOG`, and where there are none, by the `configured` ones.
    pub(crate) fn set(&self, directives: Option<&str>, configured: &str) {
        let usual = self.environment.as_deref().unwrap_or(configured);
        (self.change)(filter(directives.unwrap_or(usual)));
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("environment", &self.environment).finish_non_exhaustive()
    }
}

/// Admits so many lines a second, and counts the others.
#[derive(Debug)]
pub(crate) struct Lines {
    per_second: AtomicU32,
    second: Mutex<Second>,
}

#[derive(Debug)]
struct Second {
    began: Instant,
    admitted: u32,
    dropped: u64,
}

impl Lines {
    /// At most `per_second` lines a second.
    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = AtomicU32::new(per_second);
        Self { per_second, second: Mutex::new(Second { began: Instant::now(), admitted: 0, dropped: 0 }) }
    }

    /// At most so many a second from here on.
    pub(crate) fn admit_each_second(&self, lines: u32) {
        self.per_second.store(lines, Ordering::Relaxed);
    }

    /// Whether one more line may be written, and how many were not since the last that was.
    pub(crate) fn admit(&self) -> Option<u64> {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.began.elapsed() >= Duration::from_secs(1) {
            second.began = Instant::now();
            second.admitted = 0;
        }
        if second.admitted >= self.per_second.load(Ordering::Relaxed) {
            second.dropped += 1;
            return None;
        }
        second.admitted += 1;
        Some(std::mem::take(&mut second.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_hides_who_ordered_what() {
        for directives in ["error", "off", "larder::audit=off", "warn,larder::backend=debug"] {
            let captured = captured::Captured::by(directives);
            tracing::info!("routine");
            tracing::info!(target: AUDIT, "ordered");
            assert_eq!(captured.lines(), ["INFO larder::audit: ordered"], "{directives}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lines_beyond_the_rate_are_counted_instead() {
        let lines = Lines::new(2);
        assert_eq!((lines.admit(), lines.admit(), lines.admit()), (Some(0), Some(0), None));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(lines.admit(), Some(1));
    }
}
