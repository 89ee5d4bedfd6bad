//! The gateway's own figures, read where Prometheus reads them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::http::{self, Method, Request, Server};
use crate::outcome::Outcome;

/// Calls by what became of them, up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes([u64; Outcome::ALL.len()]);

impl Outcomes {
    /// Reads `/metrics` of the admin endpoint.
    pub(super) async fn scrape(admin: SocketAddr) -> io::Result<Self> {
        let request = Request { method: Method::GET, path: "/metrics", token: None, body: &[] };
        let server = Server::Network(admin.to_string());
        let (_, page) = http::ask(&server, &request, PAGE_MAX, PATIENCE).await.map_err(io::Error::other)?;
        Ok(Self::of(&String::from_utf8_lossy(&page)))
    }

    /// The sums over all listeners and methods.
    fn of(page: &str) -> Self {
        let mut sums = Self::default();
        for sample in page.lines().filter_map(|line| line.strip_prefix("larder_calls_total{")) {
            let Some((labels, value)) = sample.rsplit_once("} ") else {
                continue;
            };
            let count = value.split(' ').next().and_then(|count| count.parse::<u64>().ok());
            let named = |outcome: &Outcome| labels.contains(&format!("outcome=\"{}\"", outcome.as_str()));
            let outcome = Outcome::ALL.iter().find(|outcome| named(outcome));
            if let (Some(outcome), Some(count)) = (outcome, count) {
                sums.add(*outcome, count);
            }
        }
        sums
    }

    /// The calls of these outcomes.
    pub(super) fn sum(&self, outcomes: &[Outcome]) -> u64 {
        outcomes.iter().filter_map(|outcome| self.0.get(*outcome as usize)).sum()
    }

    /// All calls.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What was counted since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (count, before) in since.0.iter_mut().zip(earlier.0) {
            *count = count.saturating_sub(before);
        }
        since
    }

    /// Counts more calls of an outcome.
    pub(super) fn add(&mut self, outcome: Outcome, count: u64) {
        if let Some(sum) = self.0.get_mut(outcome as usize) {
            *sum += count;
        }
    }
}

/// Bytes of a page of figures beyond which it is none.
const PAGE_MAX: usize = 8 << 20;
/// How long the gateway may take to show its figures.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_summed_by_outcome_over_methods() {
        let outcomes = Outcomes::of(
            "# TYPE larder_calls counter\n\
             larder_calls_total{listener=\"users\",method=\"getUser\",outcome=\"hit_local\"} 7\n\
             larder_calls_total{listener=\"users\",method=\"listUsers\",outcome=\"hit_local\"} 3\n\
             larder_calls_total{listener=\"users\",method=\"getUser\",outcome=\"stale\"} 2\n\
             larder_calls_total{listener=\"users\",method=\"getUser\",outcome=\"stale_if_error\"} 5\n\
             larder_call_seconds_count{listener=\"users\",outcome=\"stale\"} 99\n\
             # EOF\n",
        );
        assert_eq!(outcomes.sum(&[Outcome::HitLocal]), 10);
        assert_eq!(outcomes.sum(&[Outcome::Stale]), 2);
        assert_eq!(outcomes.total(), 17);
        assert_eq!(outcomes.since(&outcomes), Outcomes::default());
    }
}
