//! Which addresses a backend has: those that its hosts stand for, those that are held although they have gone, and
//! those that stand in at a start.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dial::{Address, UNIX};

/// A host and the addresses it stood for when it last had any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) weight: u32,
    pub(super) addresses: Vec<Address>,
}

/// An address, its weight, and the host that stands for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    pub(super) address: Address,
    pub(super) weight: u32,
    pub(super) host: Arc<str>,
}

/// The hosts of a backend and what is known of them.
#[derive(Debug, Default)]
pub(super) struct Roster {
    hosts: Vec<Host>,
    /// What the hosts stood for when the update under way began.
    before: Vec<Member>,
    /// Gone with more than half of the others, and still there.
    held: Vec<Member>,
    /// How many addresses there were when the first of them went.
    whole: usize,
    /// What the last run of the process knew.
    remembered: Vec<Host>,
}

impl Host {
    /// Whether it stands for the one address that it is: a socket in the file system does.
    pub(super) fn is_literal(&self) -> bool {
        self.literal().is_some()
    }

    fn literal(&self) -> Option<Address> {
        if self.name.starts_with(UNIX) {
            return self.name.parse().ok();
        }
        self.name.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, self.port).into())
    }
}

impl Roster {
    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// All addresses with their weights. Some may stand there twice: the first counts.
    pub(super) fn members(&self) -> Vec<Member> {
        let mut members = self.named();
        members.extend(self.held.iter().cloned());
        members
    }

    /// The addresses that are held.
    pub(super) fn held(&self) -> impl Iterator<Item = Address> {
        self.held.iter().map(|member| member.address.clone())
    }

    /// Makes these the hosts. A name that stays is what it was.
    pub(super) fn list(&mut self, endpoints: &[(String, u16)], weights: &BTreeMap<(String, u16), u32>) {
        let known = std::mem::take(&mut self.hosts);
        self.hosts.extend(endpoints.iter().map(|endpoint| {
            let (name, port) = endpoint.clone();
            let weight = weights.get(endpoint).copied().unwrap_or(1);
            let known = known.iter().find(|host| host.name == name && host.port == port);
            let addresses = known.map(|host| host.addresses.clone()).unwrap_or_default();
            let mut host = Host { name, port, weight, addresses };
            host.addresses = host.literal().map_or(host.addresses, |address| vec![address]);
            host
        }));
    }

    /// What is found from here on is one update with what was found since.
    pub(super) fn begin_update(&mut self) {
        self.before = self.named();
    }

    /// Makes a name stand for other addresses, if it is one of the hosts.
    pub(super) fn resolve(&mut self, name: &str, port: u16, addresses: Vec<Address>) {
        let host = self.hosts.iter_mut().find(|host| host.name == name && host.port == port);
        if let Some(host) = host {
            host.addresses = addresses;
        }
    }

    /// Holds what has gone since the update began, if the backend has shrunk to less than half by it, until it is half as large again.
    /// One of which others took the place has moved, and nothing of it is held.
    pub(super) fn hold(&mut self) {
        let now = self.named();
        if now.len() * 2 < self.before.len() {
            self.whole = if self.held.is_empty() { self.before.len() } else { self.whole };
            self.held.extend(self.before.iter().cloned());
        } else if now.len() * 2 >= self.whole {
            self.held.clear();
        }
        self.held.retain(|held| now.iter().all(|member| member.address != held.address));
        self.held.sort_unstable();
        self.held.dedup_by(|one, other| one.address == other.address);
    }

    /// Holds an address no more. Whether it was held.
    pub(super) fn release(&mut self, gone: &Address) -> bool {
        let held = self.held.len();
        self.held.retain(|member| member.address != *gone);
        self.held.len() < held
    }

    /// Holds nothing any more.
    pub(super) fn release_all(&mut self) {
        self.held.clear();
    }

    /// Remembers what the last run knew.
    pub(super) fn remember(&mut self, hosts: Vec<Host>) {
        self.remembered = hosts;
    }

    /// Lets names that nothing is known of stand for what they stood for in the last run; says which. Where no hosts are known, they are those
    /// of the last run.
    pub(super) fn fill(&mut self) -> Vec<String> {
        let mut filled = Vec::new();
        if self.hosts.is_empty() {
            self.hosts.clone_from(&self.remembered);
            return self.hosts.iter().map(|host| host.name.clone()).collect();
        }
        for host in self.hosts.iter_mut().filter(|host| host.addresses.is_empty()) {
            let same = |one: &&Host| one.name == host.name && one.port == host.port;
            if let Some(known) = self.remembered.iter().find(same).filter(|one| !one.addresses.is_empty()) {
                host.addresses.clone_from(&known.addresses);
                filled.push(host.name.clone());
            }
        }
        filled
    }

    /// What the next run may remember.
    pub(super) fn to_keep(&self) -> Vec<Host> {
        let mut next =
            Self { hosts: self.hosts.clone(), remembered: self.remembered.clone(), ..Self::default() };
        next.fill();
        next.hosts
    }

    /// The addresses that the hosts stand for, each once.
    fn named(&self) -> Vec<Member> {
        let mut named: Vec<Member> = Vec::new();
        for host in &self.hosts {
            let name: Arc<str> = host.name.as_str().into();
            for address in &host.addresses {
                if named.iter().all(|one| one.address != *address) {
                    let (address, host_name) = (address.clone(), Arc::clone(&name));
                    named.push(Member { address, weight: host.weight, host: host_name });
                }
            }
        }
        named
    }
}
