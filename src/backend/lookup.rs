//! Keeps a backend's endpoints what its host names stand for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

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

/// A host and the addresses it stood for when it last had any.
struct Host {
    name: String,
    port: u16,
    addresses: Vec<SocketAddr>,
    weight: u32,
}

impl Backend {
    /// Makes endpoints of the literal addresses.
    pub(super) fn begin(&self) {
        let hosts = self.hosts();
        self.adopt(&hosts);
        if hosts.iter().all(|host| !host.addresses.is_empty()) {
            self.lookup.send_replace(Lookup::Over(None));
        }
    }

    /// Looks all host names up, again and again. Returns where there are none.
    pub(super) async fn look_up_forever(&self) {
        let mut hosts = self.hosts();
        if hosts.iter().all(|host| !host.addresses.is_empty()) {
            return;
        }
        loop {
            let failed = self.look_all_up(&mut hosts).await;
            self.lookup.send_replace(Lookup::Over(failed));
            let interval = self.means.settings.resolve_interval;
            let pause = if self.endpoints.is_empty() { interval.min(EMPTY_PAUSE) } else { interval };
            tokio::time::sleep(pause).await;
        }
    }

    /// Looks all names up, and takes each one's addresses as soon as they are known: a name that nobody answers for keeps no other
    /// waiting. Says what failed last.
    async fn look_all_up(&self, hosts: &mut [Host]) -> Option<Arc<str>> {
        let lookups = hosts.iter().enumerate().filter(|(_, host)| host.name.parse::<IpAddr>().is_err());
        let mut lookups: FuturesUnordered<_> = lookups
            .map(|(at, Host { name, port, .. })| {
                let (name, port) = (name.clone(), *port);
                async move { (at, self.look_up(&name, port).await) }
            })
            .collect();
        let mut failed = None;
        while let Some((at, found)) = lookups.next().await {
            match (found, hosts.get_mut(at)) {
                (Ok(addresses), Some(host)) => host.addresses = addresses,
                (Ok(_), None) => {}
                (Err(why), _) => failed = Some(why),
            }
            self.adopt(hosts);
            // Whoever waits looks whether there is an endpoint now.
            self.lookup.send_modify(|_| ());
        }
        failed
    }

    /// Waits until a name has an address, as long as opening a connection may take. A deadline that passes before is the call's
    /// own end, and says nothing of the names.
    pub(super) async fn wait_for_lookup(&self, deadline: Option<Deadline>) -> Result<(), Fault> {
        let bound = Instant::now() + self.means.settings.connect_timeout;
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
        let why = match tokio::time::timeout(LOOKUP_TIME, found).await {
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

    fn hosts(&self) -> Vec<Host> {
        let settings = &self.means.settings;
        let host = |endpoint: &(String, u16)| {
            let (name, port) = endpoint;
            let weight = settings.weights.get(endpoint).copied().unwrap_or(1);
            let literal = name.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, *port));
            Host { name: name.clone(), port: *port, addresses: literal.into_iter().collect(), weight }
        };
        settings.endpoints.iter().map(host).collect()
    }
}

/// How long one lookup may take: a resolver that tries two servers once each takes no longer by default.
const LOOKUP_TIME: Duration = Duration::from_secs(10);
/// Time between two lookups while nothing is known.
const EMPTY_PAUSE: Duration = Duration::from_secs(1);
