//! Watches over the endpoints of a backend: hears their silence, has them checked, and takes out those whose calls all fail.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::Backend;
use super::endpoint::{Endpoint, SILENCE_LEAST, SILENCE_MOST, SLOWEST_TIMES};
use super::finding::Finding;
use super::standing::{Standing, Why};

/// The checks under way.
type Checks = FuturesUnordered<BoxFuture<'static, (Arc<Endpoint>, Finding)>>;

impl Backend {
    /// Watches, for ever. Checks that are under way end with it.
    pub(super) async fn watch_forever(&self) {
        let mut checks = Checks::new();
        loop {
            let now = Instant::now();
            let endpoints = self.endpoints.all();
            for endpoint in endpoints.iter() {
                listen(endpoint, now);
                self.listen_to_methods(endpoint, now);
                endpoint.cells.calm_down();
                endpoint.pool.permits.wait_for_first_miss(now);
                if endpoint.position.begin_check(now) {
                    let endpoint = Arc::clone(endpoint);
                    checks.push(Box::pin(async move {
                        let finding = endpoint.check().await;
                        (endpoint, finding)
                    }));
                }
            }
            self.take_out_failing(&endpoints, now);
            self.release_lost();
            let next = next(&endpoints, now);
            tokio::select! {
                biased;
                Some((endpoint, finding)) = checks.next() => self.found(&endpoint, finding),
                () = self.means.alarm.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Limits a method that does not answer although most of what waits is its calls, so that others are left some of what the endpoint
    /// can do; and takes it out where it cannot be slow any more.
    fn listen_to_methods(&self, endpoint: &Endpoint, now: Instant) {
        let Some((method, cell)) = endpoint.cells.most_waiting() else { return };
        // What never answered may take any time.
        let Some(slowest) = method.pace.slowest() else { return };
        let (silence, patience) = (cell.silence(now), (slowest * SLOWEST_TIMES).max(SILENCE_LEAST));
        if silence < patience || !endpoint.position.is_rotating() {
            return;
        }
        let others = endpoint.cells.others_waiting(&method);
        // It may wait for others: where their calls may be all that the endpoint can handle, or where few connections are read.
        let is_behind = others >= endpoint.pulse.parallel() || endpoint.pool.permits.stands().is_some();
        let alone = if is_behind { SILENCE_MOST } else { SILENCE_ALONE };
        if silence < patience.max(alone) {
            if others > 0 {
                endpoint.pool.permits.hold(method.index, endpoint.passage(), now);
            }
            return;
        }
        let turned = cell.silent(now, endpoint.limits(), self.means.chance.share());
        endpoint.cells.trouble();
        endpoint.note_method(turned, &method, None);
    }

    fn found(&self, endpoint: &Endpoint, finding: Finding) {
        self.means.tally.checked(finding);
        debug!(backend = %self.name(), endpoint = %endpoint.address, finding = finding.as_str(), "endpoint was checked");
        endpoint.warns(finding);
        endpoint.checked(finding, self.means.chance.share());
    }

    /// Takes endpoints out whose methods all fail: half of them at most, and never the last. The others' methods are out one by one.
    fn take_out_failing(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        let standing = |wanted: fn(Standing) -> bool| {
            endpoints.iter().filter(|one| wanted(one.position.standing())).count()
        };
        for endpoint in endpoints.iter().filter(|one| one.position.is_rotating() && one.cells.none_answers())
        {
            let failing = standing(|one| one == Standing::Ejected(Why::Failing));
            if standing(|one| one == Standing::Rotating) < 2 || (failing + 1) * 2 > endpoints.len() {
                return;
            }
            let effect = endpoint.position.failing(now, self.means.chance.share());
            endpoint.note(effect, None);
        }
    }
}

/// Has an endpoint checked that is silent, and takes it out where no check can tell.
fn listen(endpoint: &Endpoint, now: Instant) {
    // How much it handles at once must be known before it is needed: then silence needs no ten seconds.
    if endpoint.pulse.wants_trial() {
        endpoint.position.suspect(now);
    }
    let silence = endpoint.pulse.silence();
    if silence < SILENCE_LEAST || !endpoint.position.is_rotating() {
        return;
    }
    let patience = endpoint.patience();
    if silence >= patience.max(SILENCE_ALONE) {
        endpoint.note(endpoint.position.silent(now), None);
    } else if silence >= patience {
        endpoint.position.suspect(now);
    }
}

/// When to look again at the latest.
fn next(endpoints: &[Arc<Endpoint>], now: Instant) -> Instant {
    let listens = |one: &Arc<Endpoint>| one.in_flight() > 0;
    let tick = now + if endpoints.iter().any(listens) { TICK } else { TICK_IDLE };
    endpoints.iter().filter_map(|one| one.position.check_at()).fold(tick, Instant::min).max(now)
}

/// How often calls that wait are looked after: a fraction of the shortest silence that counts.
const TICK: Duration = Duration::from_millis(100);
/// How often, where none wait: whoever begins to wait is noticed by then.
const TICK_IDLE: Duration = Duration::from_millis(500);
/// Silence that proves by itself that an endpoint is gone, where a check might only be held up by what it is silent about.
const SILENCE_ALONE: Duration = Duration::from_secs(10);
