//! One second of a gateway, in lines of at most 80 columns.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::sample::{Keys, Sample};
use crate::admin::status::{BackendStatus, EndpointStatus};
use crate::admin::traffic::MethodTraffic;
use crate::figures::short_span;
use crate::outcome::Outcome;

/// What changed from one moment to the other.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) before: &'a Sample,
    pub(super) now: &'a Sample,
    pub(super) keys: &'a Keys,
    /// The most lines of each kind.
    pub(super) lines: usize,
}

/// The calls of a method between the two moments.
struct Method<'a> {
    name: &'a str,
    calls: u64,
    hits: u64,
    /// Old replies, in place of a fault or beside a refresh.
    stale: u64,
    failed: u64,
    waits: Vec<u64>,
}

impl Frame<'_> {
    /// All that is shown.
    pub(super) fn text(self) -> String {
        let mut methods = self.methods();
        methods.sort_by(|one, other| other.calls.cmp(&one.calls).then(one.name.cmp(other.name)));
        let mut text = self.head(&methods);
        self.put_methods(&methods, &mut text);
        self.put_keys(&mut text);
        self.put_endpoints(&mut text);
        text
    }

    /// Seconds between the two moments.
    fn seconds(self) -> f64 {
        (self.now.traffic.uptime_seconds - self.before.traffic.uptime_seconds).max(f64::MIN_POSITIVE)
    }

    fn methods(&self) -> Vec<Method<'_>> {
        let key = |one: &MethodTraffic| (one.listener.clone(), one.method.clone());
        let before: HashMap<_, _> = self.before.traffic.methods.iter().map(|one| (key(one), one)).collect();
        let none = MethodTraffic::default();
        let all = self.now.traffic.methods.iter();
        all.map(|now| Method::between(before.get(&key(now)).copied().unwrap_or(&none), now)).collect()
    }

    fn head(self, methods: &[Method<'_>]) -> String {
        let sum = |count: fn(&Method<'_>) -> u64| methods.iter().map(count).sum::<u64>();
        let (calls, hits, failed) = (sum(|one| one.calls), sum(|one| one.hits), sum(|one| one.failed));
        let stale = sum(|one| one.stale);
        let up = short_span(self.now.status.uptime_seconds).replace(' ', "");
        let version = &self.now.status.version;
        if calls == 0 {
            return format!("larder {version}, up {up}: no calls\n");
        }
        let rate = rate(calls, self.seconds());
        format!(
            "larder {version}, up {up}: {rate} calls/s, {} hits, {} stale, {} failed\n",
            share(hits, calls),
            share(stale, calls),
            share(failed, calls)
        )
    }

    fn put_methods(self, methods: &[Method<'_>], text: &mut String) {
        let called: Vec<_> = methods.iter().filter(|method| method.calls > 0).take(self.lines).collect();
        if called.is_empty() {
            return;
        }
        let bounds = &self.now.traffic.bounds_seconds;
        let _ = writeln!(
            text,
            "\n{:<30}{:>9}{:>8}{:>8}{:>8}{:>8}{:>9}",
            "method", "calls/s", "hits", "stale", "p50 ms", "p99 ms", "failed/s"
        );
        for method in called {
            let ms = |share| quantile(&method.waits, bounds, share);
            let _ = writeln!(
                text,
                "{:<30}{:>9}{:>8}{:>8}{:>8}{:>8}{:>9}",
                cut(method.name, 29),
                rate(method.calls, self.seconds()),
                share(method.hits, method.calls),
                share(method.stale, method.calls),
                ms(0.5),
                ms(0.99),
                rate(method.failed, self.seconds())
            );
        }
        text.push_str("(p50 and p99 of calls that were not answered at once)\n");
    }

    fn put_keys(self, text: &mut String) {
        let Keys { calls, seen, unseen } = self.keys;
        if let Some(why) = unseen {
            let _ = writeln!(text, "\nno keys: {}", cut(why, 70));
            return;
        }
        if calls.is_empty() {
            return;
        }
        let mut all: Vec<_> = calls.iter().collect();
        all.sort_by(|(one, ones), (other, others)| others.cmp(ones).then_with(|| one.cmp(other)));
        let _ = writeln!(text, "\n{:<36}{:<34}{:>10}", "keys by their hash", "", "of calls");
        for ((method, key), count) in all.into_iter().take(self.lines) {
            let _ = writeln!(text, "{:<36}{key:<34}{:>10}", cut(method, 35), share(*count, *seen));
        }
    }

    fn put_endpoints(self, text: &mut String) {
        let before: BTreeMap<_, _> = endpoints(&self.before.status.backends).collect();
        let _ = writeln!(
            text,
            "\n{:<36}{:<17}{:>9}{:>9}{:>9}",
            "endpoint", "state", "in flight", "calls/s", "failed/s"
        );
        let mut all: Vec<_> = endpoints(&self.now.status.backends).collect();
        // Those that are out first, then those that fail most.
        all.sort_by_key(|(_, one)| (one.state == "rotating", u64::MAX - one.failed));
        for ((backend, address), now) in all.into_iter().take(self.lines) {
            let (answered, failed) =
                before.get(&(backend, address)).map_or((0, 0), |one| (one.answered, one.failed));
            let (answered, failed) =
                (now.answered.saturating_sub(answered), now.failed.saturating_sub(failed));
            let state =
                now.reason.as_ref().map_or_else(|| now.state.clone(), |why| format!("{}: {why}", now.state));
            let _ = writeln!(
                text,
                "{:<36}{:<17}{:>9}{:>9}{:>9}",
                cut(&format!("{backend}/{address}"), 35),
                cut(&state, 17),
                now.in_flight,
                rate(answered + failed, self.seconds()),
                rate(failed, self.seconds())
            );
        }
        // An endpoint in rotation that answers nothing of a method looks well.
        for backend in &self.now.status.backends {
            for method in &backend.methods_out {
                let _ =
                    writeln!(text, "{}: out at every endpoint: {}", cut(&backend.name, 20), cut(method, 34));
            }
        }
    }
}

impl<'a> Method<'a> {
    fn between(before: &MethodTraffic, now: &'a MethodTraffic) -> Self {
        let count =
            |of: &MethodTraffic, outcome: Outcome| of.outcomes.get(outcome.as_str()).copied().unwrap_or(0);
        let sum = |outcomes: &mut dyn Iterator<Item = Outcome>| {
            outcomes.map(|outcome| count(now, outcome).saturating_sub(count(before, outcome))).sum()
        };
        let waits = now.waits.iter().enumerate();
        let waits = waits.map(|(at, count)| count.saturating_sub(before.waits.get(at).copied().unwrap_or(0)));
        Self {
            name: &now.method,
            calls: sum(&mut Outcome::ALL.into_iter()),
            hits: sum(&mut Outcome::ALL.into_iter().filter(|outcome| outcome.is_hit())),
            stale: sum(&mut [Outcome::Stale, Outcome::StaleIfError, Outcome::StaleIfSlow].into_iter()),
            failed: sum(&mut [Outcome::Failed].into_iter()),
            waits: waits.collect(),
        }
    }
}

/// All endpoints, by backend and address.
fn endpoints(backends: &[BackendStatus]) -> impl Iterator<Item = ((&str, &str), &EndpointStatus)> {
    backends.iter().flat_map(|backend| {
        backend.endpoints.iter().map(|one| ((backend.name.as_str(), one.address.as_str()), one))
    })
}

/// The time in milliseconds that so many of the calls did not exceed, as if those of one bucket were spread evenly over it.
fn quantile(waits: &[u64], bounds: &[f64], share: f64) -> String {
    let all: u64 = waits.iter().sum();
    if all == 0 {
        return "-".to_owned();
    }
    let (wanted, mut below, mut lower) = (share * all as f64, 0.0, 0.0);
    for (count, bound) in waits.iter().zip(bounds) {
        let count = *count as f64;
        if count > 0.0 && below + count >= wanted {
            let within = ((wanted - below) / count).clamp(0.0, 1.0);
            return format!("{:.1}", 1_000.0 * (lower + (bound - lower) * within));
        }
        (below, lower) = (below + count, *bound);
    }
    format!(">{:.0}", 1_000.0 * lower)
}

fn rate(count: u64, seconds: f64) -> String {
    let rate = count as f64 / seconds;
    if rate > 0.0 && rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

fn share(count: u64, all: u64) -> String {
    if all == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * count as f64 / all as f64) }
}

/// At most so many letters of a text.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['~']).collect(),
    }
}

#[cfg(test)]
mod tests;
