//! An endpoint as an operator sees it.

use crate::dial::Address;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Endpoint;
use crate::backend::standing::Standing;

/// An endpoint as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointStatus {
    /// Where it listens.
    pub address: Address,
    /// Whether it takes calls.
    pub standing: Standing,
    /// Why the last TLS handshake with it failed, if it did.
    pub untrusted: Option<Arc<String>>,
    /// For how long it has taken no calls.
    pub out_for: Option<Duration>,
    /// Whether it was ever heard.
    pub heard: bool,
    /// Whether it is gone with most of the others, and held while it answers checks.
    pub held: bool,
    /// Whether it is an address of a name at which nothing ever answered, beside one that does.
    pub idle: bool,
    /// Calls that wait for it.
    pub in_flight: usize,
    /// Those of them that wait for a connection.
    pub waiting: usize,
    /// The calls that it may get at once, while something limits them.
    pub limit: Option<usize>,
    /// The misses among them, while what was kept is lost.
    pub miss_limit: Option<usize>,
    /// The misses among those that wait for it.
    pub misses: usize,
    /// Tries that were answered.
    pub answered: u64,
    /// Tries that ended with a fault.
    pub failed: u64,
    /// Connections open to it.
    pub connections: usize,
    /// How it treats connections.
    pub habits: Habits,
}

/// How an endpoint treats connections, as far as that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Habits {
    /// The most calls that it handled at once, at least 1.
    pub parallel: usize,
    /// The connections that it reads at once, where others were seen to wait.
    pub reads: Option<usize>,
    /// For how long connections are left idle, where it was seen to close them: four fifths of what it allows.
    pub rest: Option<Duration>,
    /// How old connections become, where it was seen to close them under calls: four fifths of what it allows.
    pub age: Option<Duration>,
    /// Whether it closes a connection on a check.
    pub closes_on_checks: bool,
    /// Whether it closes a connection after an exception of the protocol.
    pub closes_after_exceptions: bool,
    /// Whether it answers calls that expect no answer.
    pub answers_oneways: bool,
}

impl Endpoint {
    /// How it stands now.
    pub(in crate::backend) fn status(&self) -> EndpointStatus {
        let (miss_limit, misses) = self.pool.permits.misses();
        let (answered, failed) = self.ends.counts();
        EndpointStatus {
            address: self.address.clone(),
            standing: self.position.standing(),
            untrusted: self.untrusted.load_full(),
            heard: self.pulse.was_heard(),
            out_for: self.position.out_since().map(|since| Instant::now().saturating_duration_since(since)),
            held: self.is_held.load(Ordering::Acquire),
            idle: false,
            in_flight: self.in_flight(),
            waiting: self.pool.permits.waiting(),
            limit: self.pool.permits.limit(),
            miss_limit,
            misses,
            answered,
            failed,
            connections: self.pool.connections(),
            habits: Habits {
                parallel: self.pulse.parallel(),
                reads: self.pool.permits.stands(),
                rest: self.pool.learnt_rest(),
                age: self.pool.learnt_age(),
                closes_on_checks: self.position.closes_on_checks(),
                closes_after_exceptions: self.pool.closes_after_exceptions(),
                answers_oneways: self.pulse.answers_oneways(),
            },
        }
    }
}
