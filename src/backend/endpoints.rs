//! The endpoints of a backend: which of them there are, which is asked next, and whether any takes calls.

use crate::dial::Address;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::attempt::Attempt;
use super::candidates;
use super::endpoint::{Endpoint, EndpointStatus};
use super::means::Means;
use super::method::{Method, Question};
use super::roster::Member;

/// The endpoints of a backend, replaced as a whole.
#[derive(Debug)]
pub(super) struct Endpoints {
    means: Arc<Means>,
    all: ArcSwap<Vec<Arc<Endpoint>>>,
}

impl Endpoints {
    /// None yet.
    pub(super) fn new(means: Arc<Means>) -> Self {
        Self { means, all: ArcSwap::default() }
    }

    /// Makes these the endpoints. What is known of an address stays with it; what joins others begins slowly.
    pub(super) fn adopt(&self, members: impl Iterator<Item = Member>) {
        let known = self.all.load();
        let mut endpoints: Vec<Arc<Endpoint>> = Vec::new();
        let (now, settings) = (Instant::now(), self.means.settings().clone());
        for Member { address, weight, host } in members {
            if endpoints.iter().any(|one| one.address == address) {
                continue;
            }
            let proves = settings.tls.as_ref().map(|tls| tls.proves(&host));
            let is_it = |one: &&Arc<Endpoint>| {
                one.address == address && one.speaks_as(&settings) && one.proves == proves
            };
            let old = known.iter().find(is_it);
            let new = || Arc::new(Endpoint::new(address, proves.clone(), &self.means));
            let endpoint = old.map_or_else(new, Arc::clone);
            if old.is_none() && !known.is_empty() {
                endpoint.share.begin_slowly(now);
            }
            endpoint.share.weigh(weight);
            endpoints.push(endpoint);
        }
        let gone = |one: &&Arc<Endpoint>| !endpoints.iter().any(|stays| Arc::ptr_eq(stays, one));
        let gone: Vec<Arc<Endpoint>> = known.iter().filter(gone).cloned().collect();
        self.all.store(Arc::new(endpoints));
        gone.iter().for_each(|one| one.retire());
        // One that rotated may be gone.
        self.means.left.notify_waiters();
    }

    /// Has all of them obey the settings that are in force.
    pub(super) fn obey(&self) {
        let settings = self.means.settings();
        self.all.load().iter().for_each(|one| one.obey(&settings));
    }

    /// Holds these, and none else.
    pub(super) fn hold(&self, held: &[Address]) {
        let settings = self.means.settings();
        self.all.load().iter().for_each(|one| one.hold(held.contains(&one.address), &settings));
        self.means.alarm.notify_one();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.load().is_empty()
    }

    /// An attempt at the endpoint that fits best, none of `tried`; `None` if there is none to ask at this moment.
    pub(super) fn choose(&self, tried: &[Address], question: Question<'_>) -> Option<Attempt> {
        let chosen = candidates::choose(&self.all.load(), tried, question, &self.means.chance);
        // What it speaks may have changed since the call was let in.
        chosen.filter(|attempt| attempt.endpoint.speech.protocol == question.call.protocol)
    }

    /// Whether any that is not among `tried` is in rotation.
    pub(super) fn any_but(&self, tried: &[Address]) -> bool {
        self.all.load().iter().any(|one| one.position.is_rotating() && !tried.contains(&one.address))
    }

    /// Whether more than half are out of rotation.
    pub(super) fn most_are_out(&self) -> bool {
        let all = self.all.load();
        all.iter().filter(|one| !one.position.is_rotating()).count() * 2 > all.len()
    }

    /// Whether any is in rotation, and not only for a call to find out whether it is back.
    pub(super) fn any_is_back(&self) -> bool {
        self.all.load().iter().any(|one| one.position.is_back())
    }

    /// Whether any takes the calls of a method.
    pub(super) fn any_takes(&self, method: &Method) -> bool {
        self.all.load().iter().any(|one| one.takes(method))
    }

    /// Whether any that is not among `tried` takes the calls of a method.
    pub(super) fn any_takes_but(&self, tried: &[Address], method: &Method) -> bool {
        self.all.load().iter().any(|one| one.takes(method) && !tried.contains(&one.address))
    }

    /// Whether any waits for a call of this method that finds out whether it is back.
    pub(super) fn any_is_due(&self, method: &Method) -> bool {
        let now = Instant::now();
        self.all.load().iter().any(|one| one.is_due(method, now))
    }

    /// All of them, as they are now.
    pub(super) fn all(&self) -> Arc<Vec<Arc<Endpoint>>> {
        self.all.load_full()
    }

    /// The labels of the methods that none takes, though some are in rotation.
    pub(super) fn methods_out(&self) -> Vec<String> {
        let mut out: Vec<Arc<Method>> = self.all.load().iter().flat_map(|one| one.cells.out()).collect();
        out.retain(|method| !self.any_takes(method));
        let mut labels: Vec<String> = out.iter().map(|method| method.name.to_string()).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    pub(super) fn status(&self) -> Vec<EndpointStatus> {
        self.all.load().iter().map(|one| one.status()).collect()
    }

    /// Closes the connections that were idle for too long, again and again.
    pub(super) async fn reap_forever(&self) {
        loop {
            let now = Instant::now();
            let endpoints = self.all.load_full();
            let next = endpoints.iter().filter_map(|one| one.reap(now)).min();
            drop(endpoints);
            // What is given back from here on is idle for too long at the earliest one idle time from here.
            let latest = now + self.means.settings().idle_timeout.min(REAP_MOST);
            let at = next.map_or(latest, |next| next.min(latest)).max(now + REAP_LEAST);
            tokio::time::sleep_until(at).await;
        }
    }

    #[cfg(test)]
    pub(super) fn first(&self) -> Arc<Endpoint> {
        Arc::clone(&self.all.load()[0])
    }
}

/// The shortest time between two looks at the idle connections.
const REAP_LEAST: Duration = Duration::from_millis(50);
/// The longest: by then a connection that its peer has closed is closed here too.
const REAP_MOST: Duration = Duration::from_secs(1);
