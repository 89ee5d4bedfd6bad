//! The access log: a JSON line for each call, or for a share of them. A call only puts its line into a bounded queue; whoever writes them may be slow.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::line::{Line, Seen};
use crate::files::Files;
use crate::log::{Access, Destination};

/// Takes lines.
#[derive(Debug)]
pub(crate) struct AccessLog {
    lines: mpsc::Sender<Line>,
    /// Calls of ten thousand that have one.
    share: u64,
    /// What the calls so far add up to.
    turn: AtomicU64,
    /// Lines that found no room since the last that did.
    missed: AtomicU64,
    dropped: Counter,
}

/// Writes them.
#[derive(Debug)]
pub(crate) struct Writer {
    lines: mpsc::Receiver<Line>,
    to: Destination,
    files: Arc<dyn Files>,
    dropped: Counter,
    /// When it was last told that they cannot be written.
    told: Option<Instant>,
}

/// An access log, and who writes it.
pub(crate) fn open(access: &Access, files: Arc<dyn Files>, registry: &mut Registry) -> (AccessLog, Writer) {
    let dropped = Counter::default();
    let help =
        "Lines of the access log that were dropped, because they could not be written or not soon enough";
    registry.register("larder_access_log_dropped", help, dropped.clone());
    let (sender, lines) = mpsc::channel(LINES_HELD);
    let share = (access.percent * (WHOLE / 100) as f64).round() as u64;
    let (turn, missed) = (AtomicU64::default(), AtomicU64::default());
    let log = AccessLog { lines: sender, share, turn, missed, dropped: dropped.clone() };
    (log, Writer { lines, to: access.to.clone(), files, dropped, told: None })
}

impl AccessLog {
    /// Notes a call, if it is one of the share.
    pub(super) fn note(&self, seen: &Seen<'_>) {
        let before = self.turn.fetch_add(self.share, Ordering::Relaxed);
        if before / WHOLE == before.wrapping_add(self.share) / WHOLE {
            return;
        }
        let Ok(place) = self.lines.try_reserve() else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            self.dropped.inc();
            return;
        };
        place.send(Line::new(seen, None, self.missed.swap(0, Ordering::Relaxed)));
    }
}

impl Writer {
    /// Writes lines as they come, until it is told to stop; then those that have come.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut some = Vec::with_capacity(LINES_AT_ONCE);
        loop {
            let count = tokio::select! {
                biased;
                count = self.lines.recv_many(&mut some, LINES_AT_ONCE) => count,
                () = stop.cancelled(), if !self.lines.is_closed() => {
                    self.lines.close();
                    continue;
                }
            };
            if count == 0 {
                return;
            }
            self.write(&some).await;
            some.clear();
        }
    }

    async fn write(&mut self, lines: &[Line]) {
        let mut text = Vec::new();
        for line in lines {
            // A line is made of texts and numbers, and memory takes it.
            if serde_json::to_writer(&mut text, line).is_ok() {
                text.push(b'\n');
            }
        }
        let written = match &self.to {
            Destination::File(path) => self.files.append(path, text).await,
            Destination::Stdout => print(text).await,
        };
        let Err(error) = written else { return };
        self.dropped.inc_by(lines.len() as u64);
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EACH) {
            self.told = Some(Instant::now());
            warn!(%error, to = %self.to, "the access log cannot be written");
        }
    }
}

/// Writes to standard output, which may be a pipe that nobody reads: no thread that serves calls waits for it.
async fn print(text: Vec<u8>) -> io::Result<()> {
    tokio::task::spawn_blocking(move || {
        let mut out = io::stdout().lock();
        out.write_all(&text)?;
        out.flush()
    })
    .await?
}

/// Shares are told in this many parts.
const WHOLE: u64 = 10_000;
/// Lines that wait to be written: some MiB.
const LINES_HELD: usize = 8_192;
/// Lines that are written together.
const LINES_AT_ONCE: usize = 1_024;
/// Between two lines in the log that say that this one cannot be written.
const TOLD_EACH: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::Asker;

    use std::path::PathBuf;

    use crate::clock::Millis;
    use crate::files::Memory;
    use crate::outcome::Outcome;

    fn seen() -> Seen<'static> {
        Seen {
            at: Millis(1_000),
            listener: "users",
            client: Asker::Address("10.0.0.1:5000".parse().unwrap()),
            service: b"UserService",
            method: b"getUser",
            backend: "users",
            endpoint: None,
            outcome: Outcome::HitLocal,
            why: None,
            age: Some(Duration::from_secs(2)),
            took: Duration::from_millis(1),
        }
    }

    fn opened(percent: f64, files: &Memory) -> (AccessLog, Writer) {
        let access = Access { to: Destination::File(PathBuf::from("/log")), percent };
        open(&access, Arc::new(files.clone()), &mut Registry::default())
    }

    /// What is written of so many calls that came before the stop.
    async fn written(percent: f64, calls: usize) -> (Vec<Line>, u64) {
        let files = Memory::default();
        let (log, writer) = opened(percent, &files);
        (0..calls).for_each(|_| log.note(&seen()));
        let stop = CancellationToken::new();
        stop.cancel();
        writer.run(stop).await;
        let text = String::from_utf8(files.get("/log").unwrap_or_default()).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), log.dropped.get())
    }

    #[tokio::test]
    async fn each_call_has_a_line_and_what_came_before_the_stop_is_written() {
        let (lines, dropped) = written(100.0, 3_000).await;
        assert_eq!((lines.len(), dropped), (3_000, 0));
        let line = &lines[0];
        assert_eq!((line.method.as_str(), line.outcome.as_str()), ("UserService.getUser", "hit_local"));
        assert_eq!((line.age_seconds, line.at_unix_seconds, line.missed), (Some(2.0), 1.0, 0));
    }

    #[tokio::test]
    async fn a_share_of_the_calls_is_that_share() {
        for (percent, share) in [(25.0, 250), (0.1, 1), (99.9, 999)] {
            assert_eq!(written(percent, 1_000).await.0.len(), share, "{percent}");
        }
    }

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_holds_nobody_up() {
        let (lines, dropped) = written(100.0, LINES_HELD + 5).await;
        assert_eq!((lines.len(), dropped), (LINES_HELD, 5));
    }

    #[tokio::test]
    async fn the_next_line_tells_how_many_are_missing_before_it() {
        let (log, mut writer) = opened(100.0, &Memory::default());
        (0..LINES_HELD + 5).for_each(|_| log.note(&seen()));
        writer.lines.recv().await.unwrap();
        log.note(&seen());
        let mut last = None;
        while let Ok(line) = writer.lines.try_recv() {
            last = Some(line);
        }
        assert_eq!(last.unwrap().missed, 5);
    }
}
