//! Metrics of the shared tier's servers, one by one. A server that is none any more leaves them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is counted of servers. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Servers {
    states: Family<State, Gauge>,
    left: Family<Left, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    server: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Left {
    server: String,
    reason: &'static str,
}

impl Servers {
    pub(super) fn register(&self, registry: &mut Registry) {
        let states = "1 for the state a server of the shared tier is in";
        registry.register("larder_shared_server_state", states, self.states.clone());
        let left = "How often a server of the shared tier that was up was left, by reason";
        registry.register("larder_shared_server_left", left, self.left.clone());
    }

    /// Notes that `server` is in `state`, one of `all` that it may be in.
    pub(super) fn note(&self, server: &str, state: &'static str, all: &[&'static str]) {
        for one in all {
            let label = State { server: server.to_owned(), state: one };
            self.states.get_or_create(&label).set(i64::from(*one == state));
        }
    }

    /// Counts that `server` was left; `reason` is one of few.
    pub(super) fn left(&self, server: &str, reason: &'static str) {
        self.left.get_or_create(&Left { server: server.to_owned(), reason }).inc();
    }

    /// Forgets a server, in each of its states and reasons.
    pub(super) fn forget(&self, server: &str, states: &[&'static str], reasons: &[&'static str]) {
        for state in states {
            self.states.remove(&State { server: server.to_owned(), state });
        }
        for reason in reasons {
            self.left.remove(&Left { server: server.to_owned(), reason });
        }
    }

    /// Whether `server` is noted to be in `state`.
    #[cfg(test)]
    pub(super) fn is_in(&self, server: &str, state: &'static str) -> bool {
        self.states.get(&State { server: server.to_owned(), state }).is_some_and(|gauge| gauge.get() == 1)
    }
}
