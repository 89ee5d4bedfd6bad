//! `larder nagios`: the state of a running gateway as one line and an exit code for Nagios and its kin.

mod calling;
mod figure;
mod judge;
mod range;

use std::fmt;
use std::time::Duration;

use super::admin::{Admin, AskError};
use super::trust::Trust;
use crate::admin::status::Status;

use calling::Calling;
use judge::{judge, plain};
use range::Range;

/// What `larder nagios` is asked. A range is `[@]start:end`; a value outside it alerts.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket; without it, 127.0.0.1:9099.
    #[arg(value_name = "ADDR")]
    address: Option<Admin>,
    /// The same.
    #[arg(long, value_name = "ADDR", conflicts_with = "address")]
    admin: Option<Admin>,
    #[command(flatten)]
    trust: Trust,
    /// Looks at this backend alone, and at the calls of the listeners before it.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Percent of endpoints healthy, of the backend where it is least.
    #[arg(long, value_name = "RANGE", default_value = "100:")]
    pub healthy_warning: Range,
    /// Percent of endpoints healthy, of the backend where it is least.
    #[arg(long, value_name = "RANGE", default_value = "50:")]
    pub healthy_critical: Range,
    /// Percent of the last minute's calls answered by an exception, of the backend where it is most.
    #[arg(long, value_name = "RANGE", default_value = "1")]
    pub failed_warning: Range,
    /// Percent of the last minute's calls answered by an exception, of the backend where it is most.
    #[arg(long, value_name = "RANGE", default_value = "10")]
    pub failed_critical: Range,
    /// Percent of the last minute's calls answered by a fallback, of the backend where it is most.
    #[arg(long, value_name = "RANGE", default_value = "1")]
    pub fallback_warning: Range,
    /// Percent of the last minute's calls answered by a fallback, of the backend where it is most.
    #[arg(long, value_name = "RANGE", default_value = "25")]
    pub fallback_critical: Range,
    /// Percent of the last minute's calls answered by an old entry for a fault, of the backend where it is most.
    #[arg(long, value_name = "RANGE", default_value = "5")]
    pub stale_if_error_warning: Range,
    /// Percent of the last minute's calls answered by an old entry for a fault, of the backend where it is most.
    #[arg(long, value_name = "RANGE", default_value = "50")]
    pub stale_if_error_critical: Range,
    /// Percent of the last minute's calls answered by an old entry for a slow backend, of the backend where it is most.
    #[arg(long, value_name = "RANGE", default_value = "25")]
    pub stale_if_slow_warning: Range,
    /// Percent of the last minute's calls answered by an old entry for a slow backend, of the backend where it is most.
    #[arg(long, value_name = "RANGE")]
    pub stale_if_slow_critical: Option<Range>,
    /// Age of the oldest entry that answered in the last minute, in seconds.
    #[arg(long, value_name = "RANGE")]
    pub age_warning: Option<Range>,
    /// Age of the oldest entry that answered in the last minute, in seconds.
    #[arg(long, value_name = "RANGE")]
    pub age_critical: Option<Range>,
    /// Seconds that an outage has lasted: the longest that lasts, 0 where none does.
    #[arg(long, value_name = "RANGE")]
    pub outage_warning: Option<Range>,
    /// Seconds that an outage has lasted: the longest that lasts, 0 where none does.
    #[arg(long, value_name = "RANGE")]
    pub outage_critical: Option<Range>,
    /// Percent of the last five minutes' calls that would be answered a minute into an outage, of the backend where it is least.
    #[arg(long, value_name = "RANGE")]
    pub coverage_warning: Option<Range>,
    /// Percent of the last five minutes' calls that would be answered a minute into an outage, of the backend where it is least.
    #[arg(long, value_name = "RANGE")]
    pub coverage_critical: Option<Range>,
    /// Days until a certificate in use expires, the one with the fewest.
    #[arg(long, value_name = "RANGE", default_value = "14:")]
    pub certificate_warning: Range,
    /// Days until a certificate in use expires, the one with the fewest.
    #[arg(long, value_name = "RANGE", default_value = "3:")]
    pub certificate_critical: Range,
    /// Seconds since the configuration was read.
    #[arg(long, value_name = "RANGE")]
    pub config_age_warning: Option<Range>,
    /// Seconds since the configuration was read.
    #[arg(long, value_name = "RANGE")]
    pub config_age_critical: Option<Range>,
    #[command(flatten)]
    calling: Calling,
    /// How long the gateway may take to answer, and the call after it.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

impl Arguments {
    /// The endpoint that is asked.
    fn asked(&self) -> Admin {
        self.address.as_ref().or(self.admin.as_ref()).cloned().unwrap_or_default()
    }

    /// The same, with the certificates that are given, unless they are for the call alone.
    fn admin(&self) -> Result<Admin, String> {
        let asked = self.asked();
        if self.calling.is_encrypted() && !asked.is_encrypted() {
            return Ok(asked);
        }
        self.trust.lend(&asked).map_err(|(why, _)| why)
    }
}

/// A plugin's verdict. The numbers are the exit codes that Nagios reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// Nothing alerts.
    Ok = 0,
    /// A warning range alerts.
    Warning = 1,
    /// A critical range alerts, or no gateway answers.
    Critical = 2,
    /// Nothing can be said: what answered is no gateway, or the check was asked wrongly.
    Unknown = 3,
}

/// Asks the gateway. Returns the line to print and the exit code.
pub fn run(arguments: &Arguments) -> (String, u8) {
    let (state, text) = check(arguments).unwrap_or_else(|why| (State::Unknown, plain(&why)));
    (format!("LARDER {state} - {text}"), state as u8)
}

/// The verdict.
///
/// # Errors
/// Why nothing can be said.
fn check(arguments: &Arguments) -> Result<(State, String), String> {
    match fetch(&arguments.admin()?, arguments.timeout) {
        Ok(status) => {
            let called = arguments.calling.run(&arguments.trust, arguments.timeout)?;
            Ok(judge(arguments, &status, called.as_ref()))
        }
        Err(error @ AskError::Silence { .. }) => Ok((State::Critical, plain(&error.to_string()))),
        Err(error @ (AskError::Stranger { .. } | AskError::Refused { .. })) => Err(error.to_string()),
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        })
    }
}

fn fetch(admin: &Admin, timeout: Duration) -> Result<Status, AskError> {
    let body = admin.get("/v1/status", STATUS_MAX, timeout)?;
    serde_json::from_slice(&body).map_err(|error| admin.stranger(error.to_string()))
}

/// Bytes of a status beyond which it is none.
const STATUS_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests;
