//! An explanation as people read it.

use std::time::Duration;

use super::report::{
    BackendReport, CallReport, EntryReport, Explanation, KeyReport, ListenerReport, MarkReport, RuleReport,
    SharingReport, TagReport, TierReport, VerificationReport, WindowsReport,
};
use crate::outcome::Outcome;

/// What people read.
pub(crate) fn told(explanation: &Explanation) -> String {
    let Explanation { method, untold, shared, listeners } = explanation;
    let mut page = Page::default();
    for listener in listeners {
        page.heading(&format!("{method} at listener {}", listener.listener));
        page.line("rule", &rule(&listener.rule));
        for (index, switch) in listener.rule.switches.iter().enumerate() {
            page.line(if index == 0 { "steered by" } else { "" }, switch);
        }
        if let Some(found) = &listener.rule.verification {
            page.line("verified", &verification(found));
        }
        page.line("backend", &backend(&listener.backend));
        if let Some(backup) = &listener.backup {
            page.line("backup", &backend(backup));
        }
        page.line("shared tier", &sharing(shared.as_ref()));
        if !listener.rule.invalidates.is_empty() {
            page.line("invalidates", &listener.rule.invalidates.join(", "));
        }
        calls(&mut page, listener);
    }
    if let Some(untold) = untold {
        page.heading(&format!("of the call itself nothing can be said: {untold}"));
    }
    page.text
}

/// Lines with a word in front of each.
#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn heading(&mut self, text: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.text.extend([gap, text, "\n"]);
    }

    fn line(&mut self, word: &str, text: &str) {
        self.text.push_str(&format!("  {word:WIDTH$}{text}\n"));
    }
}

/// Those of which something is held in full, or one of all; the others in one line each.
fn calls(page: &mut Page, listener: &ListenerReport) {
    let nobody = !listener.calls.iter().any(CallReport::is_held);
    for (index, call) in listener.calls.iter().enumerate() {
        let name = format!("as {}", call.name);
        if !call.is_held() && (index > 0 || !nobody) {
            let key = call
                .key
                .as_ref()
                .map_or(String::new(), |key| format!(", key {}, of which nothing is held", key.hash));
            page.heading(&format!("{name}{key}: {}", outcome(&call.now)));
            continue;
        }
        page.heading(&name);
        in_full(page, call);
    }
}

fn in_full(page: &mut Page, call: &CallReport) {
    let CallReport { key, unkeyable, tags, marks, local, shared, now, in_outage, .. } = call;
    if let Some(KeyReport { hash, redis, call, ignored }) = key {
        let without =
            if ignored.is_empty() { String::new() } else { format!(", ignoring {}", ignored.join(", ")) };
        page.line("key", hash);
        page.line("", &format!("{call}{without}"));
        redis.iter().for_each(|redis| page.line("redis key", redis));
    }
    if let Some(unkeyable) = unkeyable {
        page.line("key", &format!("none, so it is passed: {unkeyable}"));
    }
    for (index, one) in tags.iter().enumerate() {
        page.line(if index == 0 { "tags" } else { "" }, &tag(one));
    }
    for (index, one) in marks.iter().enumerate() {
        page.line(if index == 0 { "marks" } else { "" }, &mark(one));
    }
    for (word, held) in [("local", local), ("shared", shared)] {
        if *held != TierReport::Unused {
            page.line(word, &tier(held));
        }
    }
    page.line("now", &outcome(now));
    page.line("in an outage", &outcome(in_outage));
}

fn rule(rule: &RuleReport) -> String {
    let RuleReport { pattern, annotation, mode, not_kept, windows, fallback, .. } = rule;
    let Some(pattern) = pattern else {
        return "none: its calls are passed to the backend, and nothing is kept".to_owned();
    };
    let kept = match (windows, not_kept) {
        (Some(windows), None) if mode.as_deref() == Some("observe") => {
            format!("calls are passed, and would be answered with {}", windows_told(windows))
        }
        (Some(windows), None) => windows_told(windows),
        (_, why) => format!("nothing is kept, because {}", why.as_deref().unwrap_or("the rule says so")),
    };
    let fallback = if *fallback { "; has a fallback" } else { "" };
    let stated = annotation.as_ref().map(|place| format!(", stated in {place}")).unwrap_or_default();
    format!("{pattern} ({}{stated}): {kept}{fallback}", mode.as_deref().unwrap_or("on"))
}

fn verification(found: &VerificationReport) -> String {
    let VerificationReport { share, matches, changed, mismatches } = found;
    format!(
        "{share} of its hits; of the last ones {matches} match, {changed} have changed since, {mismatches} are wrong"
    )
}

fn windows_told(windows: &WindowsReport) -> String {
    let WindowsReport { ttl, stale_while_revalidate, stale_if_error, soft_timeout, tiers } = windows;
    let soft = soft_timeout.map_or(String::new(), |soft| format!(", soft_timeout {}", span(soft)));
    format!(
        "ttl {}, stale_while_revalidate {}, stale_if_error {}{soft}; kept in {}",
        span(*ttl),
        span(*stale_while_revalidate),
        span(*stale_if_error),
        tiers.join(" and ")
    )
}

fn backend(BackendReport { name, down, out, spared }: &BackendReport) -> String {
    if *spared {
        return format!("{name}: an operator has it spared");
    }
    match (down, out) {
        (true, _) => format!("{name}: down, every endpoint fails"),
        (false, true) => format!("{name}: every endpoint fails at this method"),
        (false, false) => format!("{name}: up"),
    }
}

fn sharing(shared: Option<&SharingReport>) -> String {
    let told = match shared {
        None => "none",
        Some(SharingReport { up: true, hears: true }) => "up, and all marks of other gateways are known",
        Some(SharingReport { up: true, hears: false }) => {
            "up, but marks of other gateways may be unknown here"
        }
        Some(SharingReport { up: false, .. }) => "down: marks of other gateways may be unknown here",
    };
    told.to_owned()
}

fn tag(TagReport { template, tags, untold }: &TagReport) -> String {
    match untold {
        Some(why) => format!("{template}: {why}"),
        None => tags.join(", "),
    }
}

fn mark(MarkReport { on, kind, age, version, settles }: &MarkReport) -> String {
    let kind = kind.as_str();
    let version = version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
    let settles = match *settles > 0.0 {
        true => format!("; what is asked within {} is not kept", span(*settles)),
        false => String::new(),
    };
    format!("{kind}, {} ago, on {on}{version}{settles}", span(*age))
}

fn tier(tier: &TierReport) -> String {
    match tier {
        TierReport::Unused | TierReport::Nothing => "nothing".to_owned(),
        TierReport::Unread { why } => format!("unknown: {why}"),
        TierReport::Removed { age } => format!("nothing: an answer proved it wrong {} ago", span(*age)),
        TierReport::Entry(EntryReport { age, bytes, ending, state, because, .. }) => {
            let because =
                if because.is_empty() { String::new() } else { format!(": {}", because.join("; ")) };
            format!("{state}{because} ({ending} of {bytes} bytes, asked for {} ago)", span(*age))
        }
    }
}

/// What becomes of a call, and the word for it.
fn outcome(word: &str) -> String {
    let Some(outcome) = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word) else {
        return word.to_owned();
    };
    let told = match outcome {
        Outcome::HitLocal => "the entry of this gateway answers",
        Outcome::HitShared => "the entry of the shared tier answers",
        Outcome::Stale => "a stale entry answers while it is refreshed",
        Outcome::Miss | Outcome::Coalesced => "the backend is asked",
        Outcome::StaleIfError => "an old entry answers for the backend",
        Outcome::StaleIfSlow => "an old entry answers if the backend is slow",
        Outcome::Backup => "the backup is asked",
        Outcome::Fallback => "the rule's fallback answers",
        Outcome::Passed | Outcome::PassedUnkeyable | Outcome::PassedRamp => "it is passed to the backend",
        Outcome::ObservedHit => "it is passed to the backend; on, the rule would answer it",
        Outcome::ObservedMiss => "it is passed to the backend; on, the rule would ask too",
        Outcome::Own => "the gateway answers about itself",
        Outcome::Oneway => "it is passed to the backend, and has no reply",
        Outcome::Failed => "an exception answers",
    };
    format!("{told} ({word})")
}

/// A time as people write it, to a tenth of a second where that tells something.
fn span(seconds: f64) -> String {
    let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match span.subsec_millis() {
        0 => humantime::format_duration(span).to_string(),
        _ if span < FINE => format!("{seconds:.1}s"),
        _ => humantime::format_duration(Duration::from_secs(span.as_secs())).to_string(),
    }
}

/// Up to here tenths of a second are told.
const FINE: Duration = Duration::from_secs(10);
/// Columns of the word in front of a line.
const WIDTH: usize = 14;
