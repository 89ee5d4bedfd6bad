//! The name somebody probably meant.

use std::fmt;

/// A suggestion to end a message with: `, did you mean ttl?`, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nearest(pub Option<String>);

impl Nearest {
    /// The one of `known` that is nearest to `name`, if any is near enough to be meant.
    pub fn of<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        if name.len() > LONGEST {
            return Self(None);
        }
        let wanted = name.to_lowercase();
        let mut best = (NEAR, None);
        for candidate in known.into_iter().filter(|known| known.len() <= LONGEST) {
            let likeness = strsim::jaro_winkler(&wanted, &candidate.to_lowercase());
            if likeness > best.0 {
                best = (likeness, Some(candidate));
            }
        }
        Self(best.1.map(str::to_owned))
    }

    /// The same between quotes, as a value stands in a file.
    #[must_use]
    pub fn quoted(self) -> Self {
        Self(self.0.map(|name| format!("{name:?}")))
    }
}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, ", did you mean {name}?"),
            None => Ok(()),
        }
    }
}

/// Likeness by Jaro and Winkler above which two names look like one with a slip: `tll` and `ttl` have 0.80, `cache` and `local` 0.47.
const NEAR: f64 = 0.75;

/// Longer names, in bytes, are not compared.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, known: &[&str], expected: Option<&str>) {
        assert_eq!(Nearest::of(name, known.iter().copied()).0.as_deref(), expected);
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        check("tll", &["timeout", "ttl"], Some("ttl"));
        check("traceId", &["id", "trace_id"], Some("trace_id"));
        check("strcut", &["struct", "service"], Some("struct"));
        check("GetUser", &["getUser", "listUsers"], Some("getUser"));
        check("zebra", &["id", "trace_id"], None);
        check("id", &[], None);
    }

    #[test]
    fn a_typo_finds_its_option_and_a_stranger_finds_none() {
        let known = ["ttl", "ttl_jitter", "timeout", "mode", "stale_if_error", "stale_while_revalidate"];
        check("tll", &known, Some("ttl"));
        check("TTL", &known, Some("ttl"));
        check("time_out", &known, Some("timeout"));
        check("stale_on_error", &known, Some("stale_if_error"));
        check("colour", &known, None);
        check("", &known, None);
    }
}
