//! Keeps a backend's endpoints what its host names stand for.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Backend;
use super::deadline::{Deadline, within};
use crate::dial::Refusal;
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

/// The hosts of a backend.
#[derive(Debug, Default)]
pub(super) struct Names {
    hosts: Mutex<Vec<Host>>,
    /// Told when there are others.
    pub(super) changed: Notify,
}

/// A host and the addresses it stood for when it last had any.
#[derive(Debug)]
struct Host {
    name: String,
    port: u16,
    addresses: Vec<SocketAddr>,
    weight: u32,
}

impl Host {
    fn is_literal(&self) -> bool {
        self.name.parse::<IpAddr>().is_ok()
    }
}

impl Names {
    /// Whoever changes the endpoints holds this: the last to change the hosts is the last to change the endpoints.
    fn lock(&self) -> MutexGuard<'_, Vec<Host>> {
        // Each host's addresses are replaced as a whole.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are to be looked up.
    fn unresolved(&self) -> Vec<(String, u16)> {
        let hosts = self.lock();
        let names = hosts.iter().filter(|host| !host.is_literal());
        names.map(|host| (host.name.clone(), host.port)).collect()
    }
}

impl Backend {
    /// Makes the hosts those of the settings, and endpoints of the addresses that are known of them.
    pub(super) fn name_hosts(&self) {
        let mut hosts = self.names.lock();
        *hosts = self.hosts(&hosts);
        self.adopt(&hosts);
        if hosts.iter().all(|host| !host.addresses.is_empty()) {
            self.lookup.send_replace(Lookup::Over(None));
        } else if self.endpoints.is_empty() {
            self.lookup.send_replace(Lookup::Pending);
        }
    }

    /// Looks all host names up, again and again, and at once when there are others.
    pub(super) async fn look_up_forever(&self) {
        loop {
            tokio::select! {
                biased;
                () = self.names.changed.notified() => {}
                () = self.look_these_up(self.names.unresolved()) => {}
            }
        }
    }

    /// Looks names up, again and again.
    async fn look_these_up(&self, names: Vec<(String, u16)>) {
        if names.is_empty() {
            std::future::pending::<()>().await;
        }
        loop {
            let failed = self.look_all_up(&names).await;
            self.lookup.send_replace(Lookup::Over(failed));
            let interval = self.means.settings().resolve_interval;
            let pause = if self.endpoints.is_empty() { interval.min(EMPTY_PAUSE) } else { interval };
            sleep(pause).await;
        }
    }

    /// Looks all names up, and takes each one's addresses as soon as they are known: a name that nobody answers for keeps no other
    /// waiting. Says what failed last.
    async fn look_all_up(&self, names: &[(String, u16)]) -> Option<Arc<str>> {
        let lookups = names.iter().map(|(name, port)| async move {
            let found = self.look_up(name, *port).await;
            (name, *port, found)
        });
        let mut lookups: FuturesUnordered<_> = lookups.collect();
        let mut failed = None;
        while let Some((name, port, found)) = lookups.next().await {
            match found {
                Ok(addresses) => self.resolved(name, port, addresses),
                Err(why) => failed = Some(why),
            }
            // Whoever waits looks whether there is an endpoint now.
            self.lookup.send_modify(|_| ());
        }
        failed
    }

    /// Takes over what a name stands for, if it still is one of the backend's.
    fn resolved(&self, name: &str, port: u16, addresses: Vec<SocketAddr>) {
        let mut hosts = self.names.lock();
        let host = hosts.iter_mut().find(|host| host.name == name && host.port == port);
        if let Some(host) = host {
            host.addresses = addresses;
            self.adopt(&hosts);
        }
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
        tracing::warn!(backend = %self.name(), why, "lookup failed, the last addresses stay");
        Err(why.into())
    }

    fn adopt(&self, hosts: &[Host]) {
        let all = hosts.iter().flat_map(|host| host.addresses.iter().map(|&address| (address, host.weight)));
        self.endpoints.adopt(all);
    }

    /// The hosts of the settings, with the addresses that are known of them.
    fn hosts(&self, known: &[Host]) -> Vec<Host> {
        let settings = self.means.settings();
        let host = |endpoint: &(String, u16)| {
            let (name, port) = endpoint;
            let weight = settings.weights.get(endpoint).copied().unwrap_or(1);
            let literal = name.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, *port));
            let known = known.iter().find(|host| host.name == *name && host.port == *port);
            let addresses = match literal {
                Some(address) => vec![address],
                None => known.map(|host| host.addresses.clone()).unwrap_or_default(),
            };
            Host { name: name.clone(), port: *port, addresses, weight }
        };
        settings.endpoints.iter().map(host).collect()
    }
}

/// How long one lookup may take: a resolver that tries two servers once each takes no longer by default.
const LOOKUP_TIME: Duration = Duration::from_secs(10);
/// Time between two lookups while nothing is known.
const EMPTY_PAUSE: Duration = Duration::from_secs(1);
