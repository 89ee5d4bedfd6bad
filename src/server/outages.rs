//! Watches for outages: notes in the ledger when a backend is down and when it is back, logs both, and keeps the ledger for the next start.

use crate::dial::Address;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::build::Parts;
use crate::admin::outage::Outage;
use crate::backend::{Backend, Why};
use crate::clock::{Clock, Millis};
use crate::metrics::{OutageSums, Traffic};

/// One backend, for whose outages one task watches.
pub(super) struct Watch {
    pub(super) parts: Arc<Parts>,
    pub(super) backend: Arc<Backend>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) clock: Clock,
}

impl Watch {
    /// Watches, for ever.
    pub(super) async fn forever(&self) {
        loop {
            self.backend.until_down(true).await;
            self.begin();
            self.parts.ledger.keep().await;
            let (mut told, mut sums) = (Instant::now(), OutageSums::default());
            while timeout(KEPT_EACH, self.backend.until_down(false)).await.is_err() {
                self.note();
                if told.elapsed() >= TOLD_EACH {
                    sums = self.sum_up(sums);
                    told = Instant::now();
                }
                self.parts.ledger.keep().await;
            }
            self.end();
            self.parts.ledger.keep().await;
        }
    }

    /// The backend is there no longer: an outage that lasts is over.
    pub(super) async fn leave(&self) {
        if self.parts.ledger.lasting(self.backend.name()).is_some() {
            self.end();
            self.parts.ledger.keep().await;
        }
    }

    fn begin(&self) {
        let (name, now) = (self.backend.name(), self.clock.now());
        self.traffic.outage.begin();
        let coverage_percent = self.parts.coverage(name, now).whole.percent();
        self.parts.ledger.begin(name, coverage_percent, now);
        self.note();
        let why = self.parts.ledger.lasting(name).map(|outage| reasons(&outage)).unwrap_or_default();
        warn!(backend = %name, why, coverage_percent, "outage begins: no endpoint is in rotation");
    }

    fn note(&self) {
        let sums = self.traffic.outage.sums();
        self.parts.ledger.note(self.backend.name(), sums, &out(&self.backend), self.clock.now());
    }

    /// Tells what calls got since `told`, and gives what they have got in all.
    fn sum_up(&self, told: OutageSums) -> OutageSums {
        let (name, sums) = (self.backend.name(), self.traffic.outage.sums());
        let Some(outage) = self.parts.ledger.lasting(name) else { return sums };
        let lately = sums.since(told);
        warn!(
            backend = %name,
            since = time_of_day(outage.began_unix_seconds),
            seconds = outage.seconds,
            fresh = lately.fresh,
            stale = lately.stale,
            backup = lately.backup,
            fallback = lately.fallback,
            failed = lately.failed,
            asked = lately.asked,
            oldest_age_seconds = outage.oldest_age_seconds,
            why = reasons(&outage),
            "outage lasts: calls of the last minute"
        );
        sums
    }

    fn end(&self) {
        self.traffic.outage.end();
        let (name, sums) = (self.backend.name(), self.traffic.outage.sums());
        let Some(outage) = self.parts.ledger.end(name, sums, self.clock.now()) else { return };
        let Outage { seconds, calls, oldest_age_seconds, .. } = &outage;
        info!(
            backend = %name,
            seconds,
            fresh = calls.fresh,
            stale = calls.stale,
            backup = calls.backup,
            fallback = calls.fallback,
            failed = calls.failed,
            asked = calls.asked,
            oldest_age_seconds,
            why = reasons(&outage),
            "outage is over"
        );
    }
}

impl Parts {
    /// Keeps the outages, those that last too, for the next start.
    pub(super) async fn keep_ledger(&self) {
        self.note_outages(self.clock.now());
        self.ledger.keep().await;
    }

    /// Brings the outages that last up to date.
    pub(super) fn note_outages(&self, now: Millis) {
        for (name, to) in &*self.backends.all() {
            self.ledger.note(name, to.traffic.outage.sums(), &out(&to.backend), now);
        }
    }
}

/// The endpoints that are out of rotation, and why.
fn out(backend: &Backend) -> Vec<(Address, Why)> {
    let endpoints = backend.endpoints().into_iter();
    endpoints.filter_map(|one| Some((one.address, one.standing.why()?))).collect()
}

/// Each endpoint and what kept it out, in one line.
fn reasons(outage: &Outage) -> String {
    let each = outage.endpoints.iter().map(|(endpoint, why)| format!("{endpoint} {}", why.join(", ")));
    each.collect::<Vec<_>>().join("; ")
}

/// Hours and minutes of a day, in UTC as all times of the log.
fn time_of_day(unix_seconds: f64) -> String {
    let minutes = (unix_seconds / 60.0) as u64 % (24 * 60);
    format!("{:02}:{:02}Z", minutes / 60, minutes % 60)
}

/// How often it is told what an outage does to calls.
const TOLD_EACH: Duration = Duration::from_secs(60);
/// How often a ledger with an outage that lasts is kept: more of it a process that is killed does not lose.
const KEPT_EACH: Duration = Duration::from_secs(10);
