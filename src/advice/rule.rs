//! A rule as it stands in a configuration.

use std::time::Duration;

use super::field_name;
use super::report::Verdict;
use crate::idl::Method;
use crate::key::Ignored;
use crate::rule::pattern::Pattern;

/// The rule that does what `verdict` says for the methods of `pattern`, whose keys leave `left_out` out already. Of a name that a rule cannot have, none.
pub(super) fn rule(pattern: &str, verdict: &Verdict, left_out: &[String]) -> Option<String> {
    pattern.parse::<Pattern>().ok()?;
    let ignore = |fields: &[String]| {
        let fields: Vec<_> = fields.iter().map(|field| format!("{field:?}")).collect();
        if fields.is_empty() { String::new() } else { format!("ignore = [{}]\n", fields.join(", ")) }
    };
    let head = format!("[rules.\"{pattern}\"]\n");
    match verdict {
        Verdict::Cache { ttl, stale_while_revalidate, .. } => {
            let stale = match stale_while_revalidate {
                0 => String::new(),
                stale => format!("stale_while_revalidate = \"{}\"\n", time(*stale)),
            };
            let ttl = time(*ttl);
            let outage = "# What may answer in an outage is yours to say.\nstale_if_error = \"1h\"\n";
            Some(format!("{head}ttl = \"{ttl}\"\n{stale}{outage}{}", ignore(left_out)))
        }
        Verdict::LeaveOut { fields } => {
            let all: Vec<_> = left_out.iter().chain(fields).cloned().collect();
            Some(format!("{head}mode = \"observe\"\n{}", ignore(&all)))
        }
        Verdict::Wait { .. } | Verdict::Pass { .. } => None,
    }
}

/// What keys leave out, as a rule says it.
pub(super) fn left_out(ignored: &Ignored, declared: Option<&Method>) -> Vec<String> {
    let path = |path: Vec<i16>| {
        let (first, rest) = path.split_first()?;
        let steps = [field_name(declared, *first)].into_iter().chain(rest.iter().map(ToString::to_string));
        Some(steps.collect::<Vec<_>>().join("."))
    };
    ignored.paths().into_iter().filter_map(path).collect()
}

fn time(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string().replace(' ', "")
}
