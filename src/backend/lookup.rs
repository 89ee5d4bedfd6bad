//! Looks up what a backend's host names stand for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep, timeout};

use super::Backend;
use super::deadline::{Deadline, within};
use crate::dial::{Address, Refusal};
use crate::fault::Fault;

/// What came of looking host names up.
#[derive(Clone, Debug)]
pub(super) enum Lookup {
    /// The first is under way.
    Pending,
    /// Each was looked up at least once; why the last that failed did.
    Over(Option<Arc<str>>),
}

impl Lookup {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over(_))
    }
}

/// A name, its port, and why nobody could say what it stands for.
type Failure = (String, u16, Arc<str>);

impl Backend {
    /// Looks all host names up, again and again, and at once when there are others.
    pub(super) async fn look_up_forever(&self) {
        loop {
            tokio::select! {
                biased;
                () = self.discovery.renamed.notified() => {}
                () = self.look_up_until_told() => {}
            }
        }
    }

    async fn look_up_until_told(&self) {
        let mut failing = Vec::new();
        loop {
            let names: Vec<(String, u16)> = {
                let mut roster = self.discovery.roster();
                roster.begin_update();
                let names = roster.hosts().iter().filter(|host| !host.is_literal());
                names.map(|host| (host.name.clone(), host.port)).collect()
            };
            if names.is_empty() {
                return std::future::pending().await;
            }
            failing = self.look_all_up(&names, &failing).await;
            self.lookup.send_replace(Lookup::Over(failing.last().map(|(_, _, why)| Arc::clone(why))));
            let interval = self.means.settings().resolve_interval;
            let pause = if self.endpoints.is_empty() { interval.min(EMPTY_PAUSE) } else { interval };
            sleep(pause).await;
        }
    }

    /// Looks all names up, and takes each one's addresses as soon as they are known: a name that nobody answers for keeps no other
    /// waiting. Gives those that failed, of which `before` were failing already, and tells what is new of them.
    async fn look_all_up(&self, names: &[(String, u16)], before: &[Failure]) -> Vec<Failure> {
        let lookups = names.iter().map(|(name, port)| async move {
            let found = self.look_up(name, *port).await;
            (name, *port, found)
        });
        let mut lookups: FuturesUnordered<_> = lookups.collect();
        let mut failing: Vec<Failure> = Vec::new();
        while let Some((name, port, found)) = lookups.next().await {
            match found {
                Ok(addresses) => {
                    let addresses = addresses.into_iter().map(Address::from).collect();
                    self.resolved(name, port, addresses);
                }
                Err(why) => {
                    let failure = (name.clone(), port, why);
                    if !before.contains(&failure) {
                        tracing::warn!(backend = %self.name(), why = &*failure.2, "lookup failed, the last addresses stay");
                    }
                    failing.push(failure);
                    self.stand_in();
                }
            }
            // Whoever waits looks whether there is an endpoint now.
            self.lookup.send_modify(|_| ());
        }
        failing
    }

    /// Waits until a name has an address, as long as opening a connection may take. A deadline that passes before is the call's
    /// own end, and says nothing of the names.
    pub(super) async fn wait_for_lookup(&self, deadline: Option<Deadline>) -> Result<(), Fault> {
        let bound = Instant::now() + self.means.settings().connect_timeout;
        let patience = deadline.filter(|deadline| deadline.at < bound);
        let mut lookup = self.lookup.subscribe();
        let until = patience.map_or(bound, |deadline| deadline.at);
        let has_found = |lookup: &Lookup| lookup.is_over() || !self.endpoints.is_empty();
        let over = within(Some(until), lookup.wait_for(has_found)).await;
        if !self.endpoints.is_empty() {
            return Ok(());
        }
        let why = match (over, patience) {
            (Ok(Ok(found)), _) => match &*found {
                Lookup::Over(Some(why)) => why.to_string(),
                Lookup::Over(None) | Lookup::Pending => "it has no address".to_owned(),
            },
            (Err(_), Some(deadline)) => return Err(self.means.late(deadline)),
            (Ok(Err(_)) | Err(_), _) => "its names are still being looked up".to_owned(),
        };
        Err(self.means.unreachable(Refusal::Nameless, why))
    }

    /// A name's addresses, or why there are none; then those of the last good lookup stay.
    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Arc<str>> {
        let found = self.means.dial.resolve(name, port);
        let why = match timeout(LOOKUP_TIME, found).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
            Ok(Ok(_)) => format!("{name} has no address"),
            Ok(Err(error)) => format!("{name}: {error}"),
            Err(_) => format!("{name}: no answer from the resolver"),
        };
        Err(why.into())
    }
}

/// How long one lookup may take: a resolver that tries two servers once each takes no longer by default.
const LOOKUP_TIME: Duration = Duration::from_secs(10);
/// Time between two lookups while nothing is known.
const EMPTY_PAUSE: Duration = Duration::from_secs(1);
