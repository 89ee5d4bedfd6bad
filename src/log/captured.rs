//! What is logged in this thread, for tests.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber, set_default};

use super::fields::Fields;
use super::filter;

/// What is logged in this thread for as long as this lives: each line begins with its level and its target.
pub(crate) struct Captured {
    lines: Lines,
    _guard: DefaultGuard,
    /// Where there is but one subscriber, a line that another thread meets first is taken for one that nobody wants.
    _second: Dispatch,
}

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// What these directives let through.
    pub(crate) fn by(directives: &str) -> Self {
        let second = Dispatch::new(NoSubscriber::default());
        let lines = Lines::default();
        let writer = lines.clone();
        let people = tracing_subscriber::fmt().fmt_fields(Fields).with_env_filter(filter(directives));
        let people = people.with_ansi(false).without_time().with_writer(move || writer.clone());
        Self { lines, _guard: set_default(people.finish()), _second: second }
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| line.trim_start().to_owned()).collect()
    }

    /// Those of them with this text.
    pub(crate) fn with(&self, text: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(text)).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
