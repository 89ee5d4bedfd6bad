//! Endpoints and their weights, as a section of the configuration or a file of its own lists them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use super::Endpoint;
use crate::setting::Finding;

/// What a file of endpoints says: TOML like the configuration, so that whoever wrote the options there can move them here. A file that is cut
/// off inside its list is broken, and no shorter list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct Listing {
    pub(in super::super) endpoints: Vec<Endpoint>,
    pub(in super::super) weights: BTreeMap<Endpoint, u32>,
}

impl Listing {
    /// What a file of endpoints says.
    ///
    /// # Errors
    /// What is wrong with it, on one line.
    pub(in super::super) fn parse(content: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
        let listing: Self = toml::from_str(text).map_err(|error| said(text, &error))?;
        if listing.endpoints.is_empty() {
            return Err("it lists no endpoints".to_owned());
        }
        match problems(&listing.endpoints, &listing.weights).first() {
            Some(Finding { option, message, .. }) => Err(format!("{option}: {message}")),
            None => Ok(listing),
        }
    }
}

/// Hosts with their ports, and the weights of those that have some.
pub(super) type Pairs = (Vec<(String, u16)>, BTreeMap<(String, u16), u32>);

impl Listing {
    /// What it lists.
    pub(in super::super) fn pairs(&self) -> Pairs {
        pairs(&self.endpoints, &self.weights)
    }
}

pub(super) fn pairs(endpoints: &[Endpoint], weights: &BTreeMap<Endpoint, u32>) -> Pairs {
    let pair = |endpoint: &Endpoint| (endpoint.host.clone(), endpoint.port);
    let weights = weights.iter().map(|(endpoint, weight)| (pair(endpoint), *weight));
    (endpoints.iter().map(pair).collect(), weights.collect())
}

fn said(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    }
}

/// What is wrong with endpoints and their weights that is not wrong with one of them alone.
pub(super) fn problems(endpoints: &[Endpoint], weights: &BTreeMap<Endpoint, u32>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, endpoint) in endpoints.iter().enumerate() {
        if endpoints.iter().take(at).any(|earlier| earlier == endpoint) {
            found.push(Finding::new("endpoints", format!("{endpoint} is listed twice")));
        }
    }
    for (endpoint, weight) in weights {
        if !endpoints.contains(endpoint) {
            found.push(Finding::new("weights", format!("{endpoint} is not one of the endpoints")));
        }
        if !WEIGHTS.contains(weight) {
            let message = format!("{weight}, of {endpoint}, is not from 1 to {}", WEIGHTS.end());
            found.push(Finding::new("weights", message));
        }
    }
    found
}

/// A share of nothing would be an endpoint that is never found to be back.
const WEIGHTS: RangeInclusive<u32> = 1..=1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lists_endpoints_or_says_why_not() {
        let said = |text: &str| Listing::parse(text.as_bytes()).map(|listing| listing.endpoints.len());
        assert_eq!(
            said(
                "# ours\nendpoints = [\n  \"a:1\", # the first\n  \"[::1]:2\",\n]\nweights = { \"a:1\" = 2 }\n"
            ),
            Ok(2)
        );
        let check = |text: &str, parts: &[&str]| {
            let why = said(text).unwrap_err();
            assert!(parts.iter().all(|part| why.contains(part)) && !why.contains('\n'), "{text}: {why}");
        };
        check("", &["lists no endpoints"]);
        check("endpoints = []", &["lists no endpoints"]);
        check("endpoints = [\"a:1\",\n\"b:2\"", &["line 2"]);
        check("\nendpoints = [\"a\"]", &["line 2", "a port from 1 to 65535 is missing"]);
        check("endpoints = [\"a:1\", \"a:1\"]", &["endpoints: a:1 is listed twice"]);
        check(
            "endpoints = [\"a:1\"]\nweights = { \"b:1\" = 1 }",
            &["weights: b:1 is not one of the endpoints"],
        );
        check("endpoints = [\"a:1\"]\ntimeout = \"1s\"", &["line 2", "timeout"]);
        assert!(Listing::parse(b"endpoints = [\"\xff:1\"]").is_err());
    }
}
