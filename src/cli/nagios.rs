//! `larder nagios`: the state of a running gateway as one line and an exit code for Nagios and its kin.

pub mod range;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use ureq::Agent;

use crate::admin::status::{BackendStatus, Status};

use range::Range;

/// What `larder nagios` is asked. A range is `[@]start:end`; a value outside it alerts.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The gateway's admin endpoint.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9099")]
    pub admin: SocketAddr,
    /// Looks at this backend alone.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Percent of endpoints healthy, of the backend where it is least.
    #[arg(long, value_name = "RANGE", default_value = "100:")]
    pub healthy_warning: Range,
    /// Percent of endpoints healthy, of the backend where it is least.
    #[arg(long, value_name = "RANGE", default_value = "50:")]
    pub healthy_critical: Range,
    /// Percent of the last minute's calls answered by a stale entry.
    #[arg(long, value_name = "RANGE", default_value = "5")]
    pub stale_warning: Range,
    /// Percent of the last minute's calls answered by a stale entry.
    #[arg(long, value_name = "RANGE", default_value = "50")]
    pub stale_critical: Range,
    /// Age of the oldest entry that answered in the last minute, in seconds.
    #[arg(long, value_name = "RANGE")]
    pub age_warning: Option<Range>,
    /// Age of the oldest entry that answered in the last minute, in seconds.
    #[arg(long, value_name = "RANGE")]
    pub age_critical: Option<Range>,
    /// Seconds since the configuration was read.
    #[arg(long, value_name = "RANGE")]
    pub config_age_warning: Option<Range>,
    /// Seconds since the configuration was read.
    #[arg(long, value_name = "RANGE")]
    pub config_age_critical: Option<Range>,
    /// How long the gateway may take to answer.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
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
    let (state, text) = match fetch(arguments) {
        Ok(status) => judge(arguments, &status),
        Err(trouble) => (trouble.state(), trouble.to_string()),
    };
    (format!("LARDER {state} - {text}"), state as u8)
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

/// Why there is no status to judge.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no gateway answers at {admin}: {why}")]
    Silence { admin: SocketAddr, why: String },
    #[error("what answers at {admin} is no gateway: {why}")]
    Stranger { admin: SocketAddr, why: String },
}

impl Trouble {
    fn state(&self) -> State {
        match self {
            Self::Silence { .. } => State::Critical,
            Self::Stranger { .. } => State::Unknown,
        }
    }
}

fn fetch(arguments: &Arguments) -> Result<Status, Trouble> {
    let admin = arguments.admin;
    let body = get(admin, arguments.timeout).map_err(|error| trouble(admin, &error))?;
    serde_json::from_slice(&body).map_err(|error| Trouble::Stranger { admin, why: plain(&error.to_string()) })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "ureq's errors may grow, and the rest of them is silence")]
fn trouble(admin: SocketAddr, error: &ureq::Error) -> Trouble {
    let why = plain(&error.to_string());
    match error {
        ureq::Error::StatusCode(_) | ureq::Error::Protocol(_) | ureq::Error::BodyExceedsLimit(_) => {
            Trouble::Stranger { admin, why }
        }
        _ => Trouble::Silence { admin, why },
    }
}

fn get(admin: SocketAddr, timeout: Duration) -> Result<Vec<u8>, ureq::Error> {
    // A proxy from the environment must not stand between a check and the gateway beside it.
    let agent: Agent = Agent::config_builder().timeout_global(Some(timeout)).proxy(None).build().into();
    agent
        .get(format!("http://{admin}/status"))
        .call()?
        .body_mut()
        .with_config()
        .limit(STATUS_MAX)
        .read_to_vec()
}

fn judge(arguments: &Arguments, status: &Status) -> (State, String) {
    let seen: Vec<&BackendStatus> = status
        .backends
        .iter()
        .filter(|backend| arguments.backend.as_ref().is_none_or(|name| *name == backend.name))
        .collect();
    if let (Some(name), true) = (&arguments.backend, seen.is_empty()) {
        return (State::Unknown, format!("the gateway has no backend {}", plain(name)));
    }
    let figures = figures(arguments, status, &seen);
    let reload = reload(status);
    let state = figures.iter().map(Figure::state).chain(reload.iter().map(|_| State::Warning)).max();
    let texts: Vec<String> = figures.iter().map(Figure::text).chain(reload).collect();
    let measures: Vec<String> = figures.iter().map(Figure::measure).collect();
    (state.unwrap_or(State::Ok), format!("{} | {}", texts.join(", "), measures.join(" ")))
}

fn figures<'a>(arguments: &'a Arguments, status: &Status, seen: &[&BackendStatus]) -> [Figure<'a>; 4] {
    let total: usize = seen.iter().map(|backend| backend.endpoints.len()).sum();
    let healthy: usize = seen.iter().map(|backend| healthy(backend)).sum();
    let down: Vec<String> =
        seen.iter().filter(|backend| backend.down).map(|backend| plain(&backend.name)).collect();
    let downs = if down.is_empty() { String::new() } else { format!(" (down: {})", down.join(" ")) };
    let stale = percent(status.window.stale, status.window.calls);
    let oldest = status.window.oldest_age_seconds;
    let config_age = status.config.age_seconds;
    [
        Figure {
            label: "healthy",
            says: format!("{healthy} of {total} endpoints healthy{downs}"),
            value: seen.iter().map(|backend| health(backend)).fold(100.0, f64::min),
            unit: Unit::Percent,
            warning: Some(&arguments.healthy_warning),
            critical: Some(&arguments.healthy_critical),
        },
        Figure {
            label: "stale",
            says: format!("{stale:.1}% served stale"),
            value: stale,
            unit: Unit::Percent,
            warning: Some(&arguments.stale_warning),
            critical: Some(&arguments.stale_critical),
        },
        Figure {
            label: "oldest",
            says: format!("oldest {oldest:.0} s"),
            value: oldest,
            unit: Unit::Seconds,
            warning: arguments.age_warning.as_ref(),
            critical: arguments.age_critical.as_ref(),
        },
        Figure {
            label: "config_age",
            says: format!("config {config_age:.0} s old"),
            value: config_age,
            unit: Unit::Seconds,
            warning: arguments.config_age_warning.as_ref(),
            critical: arguments.config_age_critical.as_ref(),
        },
    ]
}

/// One thing that is judged.
struct Figure<'a> {
    label: &'static str,
    says: String,
    value: f64,
    unit: Unit,
    warning: Option<&'a Range>,
    critical: Option<&'a Range>,
}

#[derive(Clone, Copy)]
enum Unit {
    Percent,
    Seconds,
}

impl Figure<'_> {
    fn state(&self) -> State {
        if self.critical.is_some_and(|range| range.alerts(self.value)) {
            State::Critical
        } else if self.warning.is_some_and(|range| range.alerts(self.value)) {
            State::Warning
        } else {
            State::Ok
        }
    }

    fn text(&self) -> String {
        match self.state() {
            State::Ok | State::Unknown => self.says.clone(),
            State::Warning => format!("{} (warning)", self.says),
            State::Critical => format!("{} (critical)", self.says),
        }
    }

    /// Performance data: `'label'=value[unit];warning;critical;least;most`.
    fn measure(&self) -> String {
        let range = |range: Option<&Range>| range.map(ToString::to_string).unwrap_or_default();
        let value = (self.value * 1000.0).round() / 1000.0;
        let (unit, bounds) = match self.unit {
            Unit::Percent => ("%", "0;100"),
            Unit::Seconds => ("s", "0"),
        };
        format!("'{}'={value}{unit};{};{};{bounds}", self.label, range(self.warning), range(self.critical))
    }
}

/// What to say of a reload that changed nothing.
fn reload(status: &Status) -> Option<String> {
    let last = &status.config.last_reload;
    (last != RELOADED).then(|| format!("the last reload failed: {} (warning)", plain(last)))
}

fn health(backend: &BackendStatus) -> f64 {
    let endpoints = backend.endpoints.len();
    if endpoints == 0 { 0.0 } else { percent(healthy(backend) as u64, endpoints as u64) }
}

/// An endpoint of a backend that is down may still rotate, because something has to be asked.
fn healthy(backend: &BackendStatus) -> usize {
    let rotating = backend.endpoints.iter().filter(|endpoint| endpoint.state == ROTATING).count();
    if backend.down { 0 } else { rotating }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// One line, without the bar that begins performance data.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c == '|' || c.is_control() { ' ' } else { c }).collect()
}

/// The state of an endpoint that gets calls.
const ROTATING: &str = "rotating";
/// What the status says of a reload that took effect.
const RELOADED: &str = "ok";
/// Bytes of a status beyond which it is none.
const STATUS_MAX: u64 = 8 << 20;

#[cfg(test)]
mod tests;
