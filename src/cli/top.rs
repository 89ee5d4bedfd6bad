//! `larder top`: what a running gateway does, each second: methods, the keys with most of the calls, endpoints.

mod frame;
mod sample;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;

use super::admin::Admin;
use super::trust::Trust;

use frame::Frame;
use sample::{Keys, Sample};

/// Which gateway, and how often.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket.
    #[arg(value_name = "ADDR")]
    admin: Admin,
    #[command(flatten)]
    trust: Trust,
    /// Shows one second and ends.
    #[arg(long)]
    once: bool,
    /// The most lines of methods, of keys and of endpoints each.
    #[arg(long, value_name = "LINES", default_value_t = 10)]
    lines: usize,
}

/// Shows one second after the other, until nobody reads them or the gateway does not answer.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let Arguments { admin, trust, once, lines } = arguments;
    let admin = &trust.lend(admin)?;
    let failed = |why: super::admin::AskError| (why.to_string(), 1);
    let mut out = io::stdout().lock();
    let redraws = out.is_terminal() && !once;
    let mut before = Sample::take(admin).map_err(failed)?;
    loop {
        let keys = Keys::watch(admin, SECOND).map_err(failed)?;
        let now = Sample::take(admin).map_err(failed)?;
        let frame = Frame { before: &before, now: &now, keys: &keys, lines: *lines }.text();
        let shown = if redraws { redrawn(&frame) } else { format!("{frame}\n") };
        if write!(out, "{shown}").and_then(|()| out.flush()).is_err() || *once {
            return Ok(String::new());
        }
        before = now;
    }
}

/// A frame in the place of the one before: each line is cleared behind its end, and what lies below it.
fn redrawn(frame: &str) -> String {
    format!("\x1b[H{}\x1b[J", frame.replace('\n', "\x1b[K\n"))
}

/// From one frame to the next.
const SECOND: Duration = Duration::from_secs(1);
