//! What to do with a method, by what was learnt of it.

use std::time::Duration;

use super::field_name;
use super::report::{UNIQUE, Verdict};
use super::writes::changes;
use crate::idl::Method;
use crate::study::{FieldSummary, LifetimeSummary, Summary};

/// What is known of a method beside its calls.
pub(super) struct Known<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// What the IDL says of it.
    pub(super) declared: Option<&'a Method>,
    /// The share of answers that may be others than the backend would give.
    pub(super) tolerance: f64,
}

/// What to do with a method. In doubt it is left alone.
pub(super) fn verdict(summary: &Summary, known: &Known<'_>) -> Verdict {
    if let Some(why) = is_effect(summary, known) {
        return Verdict::Pass { why: why.to_owned() };
    }
    let answered = summary.answered;
    if answered < CALLS_LEAST {
        return Verdict::Wait {
            why: format!("{answered} answers were seen, and {CALLS_LEAST} are the least"),
        };
    }
    let idle = idle_fields(summary, known);
    if !idle.is_empty() {
        return Verdict::LeaveOut { fields: idle };
    }
    let tried: Vec<_> = summary.lifetimes.iter().filter(|tried| 2 * tried.ttl <= summary.observed).collect();
    // From the first that goes wrong on, longer ones do too.
    let right = tried.iter().take_while(|tried| !is_wrong(tried, known.tolerance));
    match right.filter(|tried| is_sure(tried.wrong, tried.compared, known.tolerance)).last() {
        Some(longest) => cache(&tried, longest),
        None => unsure(summary, &tried, known.tolerance),
    }
}

/// Why a method seems to be called for its effect.
fn is_effect(summary: &Summary, known: &Known<'_>) -> Option<&'static str> {
    if known.declared.is_some_and(|method| method.returns.is_none()) {
        return Some("it returns nothing, so it is called for its effect");
    }
    if changes(known.name) {
        return Some("by its name it changes something");
    }
    (summary.answered > 0 && summary.empty == summary.answered)
        .then_some("all its replies are empty, so it is called for its effect")
}

/// Fields without which keys should be.
fn idle_fields(summary: &Summary, known: &Known<'_>) -> Vec<String> {
    // Where all calls have one answer, no field shows what it does.
    let idle = summary.fields.iter().filter(|field| summary.varied && is_idle(field));
    idle.map(|field| field_name(known.declared, field.id)).collect()
}

/// Whether a field is another in nearly each call, and calls that differ in it alone have had one answer: it names the call.
pub(super) fn is_idle(field: &FieldSummary) -> bool {
    field.new_values >= UNIQUE && field.others >= CALLS_LEAST && field.differing == 0
}

/// The shortest `ttl` that answers nearly as much as the longest that is right; what is between them may be stale.
fn cache(tried: &[&LifetimeSummary], longest: &LifetimeSummary) -> Verdict {
    if longest.hits < WORTH {
        return hardly_again(longest);
    }
    let enough = |one: &&&LifetimeSummary| one.ttl <= longest.ttl && one.hits >= NEARLY * longest.hits;
    let chosen = tried.iter().find(enough).copied().unwrap_or(longest);
    Verdict::Cache {
        ttl: chosen.ttl.as_secs(),
        stale_while_revalidate: longest.ttl.saturating_sub(chosen.ttl).as_secs(),
        hits: chosen.hits,
        // What holds for the longest holds for the others.
        compared: longest.compared,
        wrong: longest.wrong,
    }
}

fn unsure(summary: &Summary, tried: &[&LifetimeSummary], tolerance: f64) -> Verdict {
    if let Some(first) = tried.iter().find(|one| is_wrong(one, tolerance)) {
        let share = (first.wrong as f64 / first.compared.max(1) as f64).max(first.risk);
        let (ttl, share) = (time(first.ttl), 100.0 * share);
        let why =
            format!("its replies change: of what {ttl} would have answered, about {share:.1} % had changed");
        return Verdict::Pass { why };
    }
    match tried.last() {
        Some(longest)
            if longest.ttl >= LOOK_LEAST && longest.hits < WORTH && longest.compared < COMPARED_LEAST =>
        {
            hardly_again(longest)
        }
        Some(longest) if longest.ttl >= LOOK_LEAST => {
            let least = (3.0 / tolerance).ceil();
            let why = format!(
                "{} answers could be compared, and {least} are the least for that tolerance",
                longest.compared
            );
            Verdict::Wait { why }
        }
        Some(_) | None => {
            Verdict::Wait { why: format!("it was looked at for {} alone", time(summary.observed)) }
        }
    }
}

fn hardly_again(longest: &LifetimeSummary) -> Verdict {
    let (ttl, share) = (time(longest.ttl), 100.0 * longest.hits);
    Verdict::Pass { why: format!("the same is hardly asked again: within {ttl}, {share:.1} % of calls are") }
}

/// Whether too many answers were seen to be wrong, or would be.
fn is_wrong(tried: &LifetimeSummary, tolerance: f64) -> bool {
    tried.wrong as f64 > tolerance * tried.compared as f64 || tried.risk > tolerance
}

/// Whether no more than that share is wrong, with 95 % certainty where none was (the rule of three: Hanley and Lippman-Hand, JAMA 1983).
fn is_sure(wrong: u64, compared: u64, tolerance: f64) -> bool {
    wrong as f64 + 3.0 <= tolerance * compared as f64
}

fn time(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// Answers, below which nothing is advised.
const CALLS_LEAST: u64 = 100;
/// The `ttl` that must have been tried before it is said that nothing is asked again.
const LOOK_LEAST: Duration = Duration::from_secs(60);
/// Comparisons, below which a method that is hardly asked again is not looked at longer.
const COMPARED_LEAST: u64 = 10;
/// The share of calls that a rule must answer to be worth one.
const WORTH: f64 = 0.05;
/// The share of the longest `ttl`'s hits that a shorter one must have.
const NEARLY: f64 = 0.9;
