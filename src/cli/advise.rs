//! `larder advise`: which rules a running gateway's methods should have.

use std::fmt::Write as _;

use clap::Args;

use super::USAGE;
use super::admin::{Admin, Form, TIMEOUT};
use super::trust::Trust;
use crate::advice::report::{Advice, FieldReport, LifetimeReport, MethodReport, Question, UNIQUE, Verdict};
use crate::figures::{grouped, span};

/// Whom to ask, and how sure to be.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket.
    #[arg(value_name = "ADDR")]
    admin: Admin,
    #[command(flatten)]
    trust: Trust,
    /// The percentage of answers that may be others than the backend would give at that moment.
    #[arg(long, value_name = "PERCENT", default_value = "1")]
    tolerance: f64,
    /// Prints the advised rules alone, as they stand in a configuration.
    #[arg(long, conflicts_with = "json")]
    toml: bool,
    /// Prints the gateway's answer as it is.
    #[arg(long)]
    json: bool,
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let Arguments { admin, trust, tolerance, toml, json } = arguments;
    let admin = trust.lend(admin)?;
    if !(*tolerance > 0.0 && *tolerance <= 100.0) {
        return Err((format!("--tolerance: expected above 0 and at most 100, found {tolerance}"), USAGE));
    }
    let question = Question { tolerance: tolerance / 100.0 };
    let body = serde_json::to_vec(&question).map_err(|error| (error.to_string(), 1))?;
    let answer = admin.post("/v1/advise", &body, None, ANSWER_MAX, TIMEOUT);
    admin.told(answer, Form::of(*json), |advice: Advice| if *toml { advice.rules } else { told(&advice) })
}

fn told(advice: &Advice) -> String {
    if advice.methods.is_empty() {
        return "no rule with mode = \"observe\" has met a call yet\n".to_owned();
    }
    let mut text = String::new();
    for method in &advice.methods {
        method_told(method, &mut text);
    }
    if !advice.rules.is_empty() {
        let _ = write!(text, "as rules:\n\n{}", advice.rules);
    }
    text
}

fn method_told(report: &MethodReport, text: &mut String) {
    let MethodReport { listener, method, name, observed, calls, distinct, faults, exceptions, reply, .. } =
        report;
    let rate = *calls as f64 / observed.max(1.0);
    let observed = time(*observed as u64);
    let _ = writeln!(text, "{method} at listener {listener}, as {name}");
    let _ = writeln!(
        text,
        "  {} calls in {observed} ({rate:.1}/s), {distinct} different, {faults} faults, {exceptions} exceptions, {reply:.0} bytes a reply",
        grouped(*calls)
    );
    let seen: Vec<_> = report.lifetimes.iter().filter(|lifetime| lifetime.seen).collect();
    if seen.iter().any(|lifetime| lifetime.compared > 0) {
        let _ = writeln!(
            text,
            "  {:>8} {:>9} {:>12} {:>9} {:>10}",
            "ttl", "answered", "calls saved", "wrong", "memory"
        );
        seen.iter().for_each(|lifetime| lifetime_told(lifetime, rate, text));
    }
    report.fields.iter().filter_map(field_told).for_each(|line| {
        let _ = writeln!(text, "  {line}");
    });
    let _ = writeln!(text, "  {}\n", verdict_told(&report.verdict));
}

fn lifetime_told(lifetime: &LifetimeReport, rate: f64, text: &mut String) {
    let LifetimeReport { ttl, hits, compared, wrong, memory, .. } = lifetime;
    let wrong = match compared {
        0 => "-".to_owned(),
        compared => format!("{:.2} %", 100.0 * *wrong as f64 / *compared as f64),
    };
    let (ttl, saved) = (time(*ttl), format!("{:.1}/s", rate * hits));
    let memory = bytesize::ByteSize(*memory).to_string();
    let _ = writeln!(text, "  {ttl:>8} {:>7.1} % {saved:>12} {wrong:>9} {memory:>10}", 100.0 * hits);
}

/// What is worth saying of a field.
fn field_told(field: &FieldReport) -> Option<String> {
    let FieldReport { name, others, differing, new_values, idle, .. } = field;
    if *idle {
        return Some(format!(
            "{name} is another in {:.0} % of calls, and changed none of {others} answers",
            100.0 * new_values
        ));
    }
    let makes_unique = *others > 0 && *new_values >= UNIQUE;
    makes_unique.then(|| {
        format!(
            "{name} is another in {:.0} % of calls: with it in the key nothing comes again ({differing} of {others} answers differed)",
            100.0 * new_values
        )
    })
}

fn verdict_told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Cache { ttl, stale_while_revalidate: 0, hits, compared, wrong } => {
            format!(
                "keep for {}: {:.0} % of calls answered, {wrong} of {compared} wrong",
                time(*ttl),
                100.0 * hits
            )
        }
        Verdict::Cache { ttl, stale_while_revalidate, hits, compared, wrong } => format!(
            "keep for {}, and {} more while it is refreshed: {:.0} % of calls answered, {wrong} of {compared} wrong",
            time(*ttl),
            time(*stale_while_revalidate),
            100.0 * hits
        ),
        Verdict::LeaveOut { fields } => format!("leave {} out of keys, and look again", fields.join(", ")),
        Verdict::Wait { why } => format!("look longer: {why}"),
        Verdict::Pass { why } => format!("leave alone: {why}"),
    }
}

fn time(seconds: u64) -> String {
    span(seconds as f64)
}

/// Bytes of an answer, beyond which it is none: a method takes some 4 KiB.
const ANSWER_MAX: usize = 16 << 20;
