//! The verdict on a gateway's status: each figure of the backend where it is worst.

use super::calling::Called;
use super::figure::{Figure, Unit};
use super::{Arguments, State};
use crate::admin::outage::Outage;
use crate::admin::status::{BackendStatus, CoverageStatus, Status};
use crate::outcome::Outcome;

/// Judges what the gateway tells, and what became of a call: the worst state, and a line with performance data behind a bar.
pub(super) fn judge(arguments: &Arguments, status: &Status, called: Option<&Called>) -> (State, String) {
    let seen: Vec<&BackendStatus> = status
        .backends
        .iter()
        .filter(|backend| arguments.backend.as_ref().is_none_or(|name| *name == backend.name))
        .collect();
    if let (Some(name), true) = (&arguments.backend, seen.is_empty()) {
        return (State::Unknown, format!("the gateway has no backend {}", plain(name)));
    }
    let call = called.and_then(|called| call(arguments, called));
    let figures = figures(arguments, status, &seen).into_iter();
    let figures: Vec<Figure<'_>> = figures.chain(certificate(arguments, status)).chain(call).collect();
    let complaints: Vec<(State, String)> = complaints(status).chain(called.and_then(unanswered)).collect();
    let state = figures.iter().map(Figure::state).chain(complaints.iter().map(|(state, _)| *state)).max();
    let texts: Vec<String> =
        figures.iter().map(Figure::text).chain(complaints.into_iter().map(|(_, text)| text)).collect();
    let measures: Vec<String> = figures.iter().map(Figure::measure).collect();
    (state.unwrap_or(State::Ok), format!("{} | {}", texts.join(", "), measures.join(" ")))
}

/// One line, without the bar that begins performance data.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c == '|' || c.is_control() { ' ' } else { c }).collect()
}

fn figures<'a>(arguments: &'a Arguments, status: &Status, seen: &[&BackendStatus]) -> [Figure<'a>; 9] {
    let oldest = seen.iter().map(|backend| backend.window.oldest_age_seconds).fold(0.0, f64::max);
    let config_age = status.config.age_seconds;
    let (failed, fallback, stale, slow) = (
        share(seen, Outcome::Failed, "failed"),
        share(seen, Outcome::Fallback, "got a fallback"),
        share(seen, Outcome::StaleIfError, "stale for a fault"),
        share(seen, Outcome::StaleIfSlow, "stale for a slow backend"),
    );
    [
        Figure {
            label: "healthy",
            says: healths(seen),
            value: seen.iter().map(|backend| health(backend)).fold(100.0, f64::min),
            unit: Unit::Percent,
            warning: Some(&arguments.healthy_warning),
            critical: Some(&arguments.healthy_critical),
        },
        Figure {
            warning: Some(&arguments.failed_warning),
            critical: Some(&arguments.failed_critical),
            ..failed
        },
        Figure {
            warning: Some(&arguments.fallback_warning),
            critical: Some(&arguments.fallback_critical),
            ..fallback
        },
        Figure {
            warning: Some(&arguments.stale_if_error_warning),
            critical: Some(&arguments.stale_if_error_critical),
            ..stale
        },
        Figure {
            warning: Some(&arguments.stale_if_slow_warning),
            critical: arguments.stale_if_slow_critical.as_ref(),
            ..slow
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
            warning: arguments.outage_warning.as_ref(),
            critical: arguments.outage_critical.as_ref(),
            ..outage(seen)
        },
        Figure {
            warning: arguments.coverage_warning.as_ref(),
            critical: arguments.coverage_critical.as_ref(),
            ..coverage(seen)
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

/// The share of calls with this outcome, of the backend where it is greatest.
fn share<'a>(seen: &[&BackendStatus], outcome: Outcome, word: &str) -> Figure<'a> {
    let shares = seen.iter().map(|backend| {
        let count = backend.window.outcomes.get(outcome.as_str()).copied().unwrap_or_default();
        (percent(count, backend.window.calls), count, backend)
    });
    let worst = shares.max_by(|one, other| one.0.total_cmp(&other.0)).filter(|(_, count, _)| *count > 0);
    let (value, says) = match worst {
        None => (0.0, format!("0% {word}")),
        Some((value, count, BackendStatus { name, window, .. })) => {
            (value, format!("{value:.1}% {word} ({}: {count} of {} calls)", plain(name), window.calls))
        }
    };
    Figure { label: outcome.as_str(), says, value, unit: Unit::Percent, warning: None, critical: None }
}

/// The longest outage that lasts.
fn outage<'a>(seen: &[&BackendStatus]) -> Figure<'a> {
    let lasting = seen.iter().filter_map(|backend| backend.outage.as_ref());
    let (value, says) = match lasting.max_by(|one, other| one.seconds.total_cmp(&other.seconds)) {
        None => (0.0, "no outage".to_owned()),
        Some(Outage { backend, seconds, .. }) => {
            (*seconds, format!("outage of {} for {seconds:.0} s", plain(backend)))
        }
    };
    Figure { label: "outage", says, value, unit: Unit::Seconds, warning: None, critical: None }
}

/// The share of calls that would be answered a minute into an outage, of the backend where it is least.
fn coverage<'a>(seen: &[&BackendStatus]) -> Figure<'a> {
    let shares = seen.iter().filter_map(|backend| {
        let CoverageStatus { calls, after, .. } = &backend.coverage;
        let at = after.iter().find(|at| at.seconds == COVERED_FOR).filter(|_| *calls > 0)?;
        let covered = at.kept + at.backup + at.fallback;
        Some((percent(covered, *calls), covered, *calls, plain(&backend.name)))
    });
    let (value, says) = match shares.min_by(|one, other| one.0.total_cmp(&other.0)) {
        None => (100.0, "no calls to cover".to_owned()),
        Some((value, covered, calls, name)) => {
            (value, format!("{value:.1}% covered in an outage ({name}: {covered} of {calls} calls)"))
        }
    };
    Figure { label: "coverage", says, value, unit: Unit::Percent, warning: None, critical: None }
}

/// The certificate that expires first, where there is one.
fn certificate<'a>(arguments: &'a Arguments, status: &Status) -> Option<Figure<'a>> {
    let all = status.certificates.iter();
    let first = all.min_by(|one, other| one.seconds_left.total_cmp(&other.seconds_left))?;
    let (days, section) = (first.seconds_left / DAY, plain(&first.section));
    let says = match days {
        ..0.0 => format!("a certificate of {section} has expired"),
        _ => format!("a certificate of {section} expires in {days:.0} days"),
    };
    let (warning, critical) = (Some(&arguments.certificate_warning), Some(&arguments.certificate_critical));
    Some(Figure { label: "certificate", says, value: days, unit: Unit::Days, warning, critical })
}

/// How many endpoints are healthy, and which backends lack some.
fn healths(seen: &[&BackendStatus]) -> String {
    let total: usize = seen.iter().map(|backend| counted(backend)).sum();
    let healthy_ones: usize = seen.iter().map(|backend| healthy(backend)).sum();
    let lacking = seen.iter().filter(|backend| health(backend) < 100.0).map(|backend| {
        let name = plain(&backend.name);
        let untrusted = backend.endpoints.iter().find_map(|one| one.untrusted.as_deref());
        let untrusted = untrusted.map(|why| format!(", {}", plain(why))).unwrap_or_default();
        if backend.down {
            format!("{name} is down{untrusted}")
        } else {
            format!("{name}: {} of {}{untrusted}", healthy(backend), counted(backend))
        }
    });
    let lacking: Vec<String> = lacking.collect();
    let lacking = if lacking.is_empty() { String::new() } else { format!(" ({})", lacking.join("; ")) };
    format!("{healthy_ones} of {total} endpoints healthy{lacking}")
}

/// How long a call took that was answered.
fn call<'a>(arguments: &'a Arguments, called: &Called) -> Option<Figure<'a>> {
    let seconds = called.ended.as_ref().ok()?.as_secs_f64();
    Some(Figure {
        label: "call",
        says: format!("{} answered in {seconds:.3} s", plain(&called.method)),
        value: seconds,
        unit: Unit::Seconds,
        warning: arguments.calling.call_warning.as_ref(),
        critical: arguments.calling.call_critical.as_ref(),
    })
}

/// That a call was not answered.
fn unanswered(called: &Called) -> Option<(State, String)> {
    let why = called.ended.as_ref().err()?;
    Some((State::Critical, format!("{}: {} (critical)", plain(&called.method), plain(why))))
}

/// What is wrong whatever the ranges say.
fn complaints(status: &Status) -> impl Iterator<Item = (State, String)> {
    let last = &status.config.last_reload;
    let reload =
        (last != RELOADED).then(|| format!("the last reload changed nothing: {} (warning)", plain(last)));
    let shared = status.shared.configured && !status.shared.up;
    let shared = shared.then(|| "the shared tier is down (warning)".to_owned());
    let mut unusable =
        status.certificates.iter().filter_map(|one| Some((&one.section, one.unusable.as_ref()?)));
    let unusable = unusable.next().map(|(section, why)| {
        format!("the certificates of {} are not renewed: {} (warning)", plain(section), plain(why))
    });
    reload.into_iter().chain(shared).chain(unusable).map(|text| (State::Warning, text))
}

fn health(backend: &BackendStatus) -> f64 {
    percent(healthy(backend) as u64, counted(backend) as u64)
}

/// The endpoints that should be healthy: an idle address of a name is nobody's loss.
fn counted(backend: &BackendStatus) -> usize {
    backend.endpoints.iter().filter(|endpoint| !endpoint.idle).count()
}

/// An endpoint of a backend that is down may still rotate, because something has to be asked.
fn healthy(backend: &BackendStatus) -> usize {
    let rotating = backend.endpoints.iter().filter(|endpoint| endpoint.state == ROTATING).count();
    if backend.down { 0 } else { rotating }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// How long an outage lasts, in seconds, when its coverage is judged.
const COVERED_FOR: u64 = 60;
/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// The state of an endpoint that gets calls.
const ROTATING: &str = "rotating";
/// What the status says of a reload that took effect.
const RELOADED: &str = "ok";
