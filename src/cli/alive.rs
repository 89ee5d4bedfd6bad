//! `larder alive`: whether a gateway answers, for the health checks of containers, which have nothing else to ask with.

use std::time::Duration;

use clap::Args;

use super::admin::Admin;
use super::trust::Trust;

/// Whom to ask.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket; without it, 127.0.0.1:9099.
    #[arg(value_name = "ADDR")]
    admin: Option<Admin>,
    #[command(flatten)]
    trust: Trust,
    /// Asks whether new connections are welcome: they are not while it drains.
    #[arg(long)]
    ready: bool,
    /// How long the gateway may take to answer.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let path = if arguments.ready { "/readyz" } else { "/livez" };
    let admin = arguments.trust.lend(&arguments.admin.clone().unwrap_or_default())?;
    match admin.get(path, ANSWER_MAX, arguments.timeout) {
        Ok(said) => Ok(String::from_utf8_lossy(&said).into_owned()),
        Err(error) => Err((error.to_string(), 1)),
    }
}

/// Bytes of an answer, beyond which it is none.
const ANSWER_MAX: usize = 4 << 10;
