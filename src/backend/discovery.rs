//! Keeps a backend's endpoints what its settings, its file and its host names say they are.

use crate::dial::Address;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::endpoint::EndpointStatus;
use super::finding::Kind;
use super::lookup::Lookup;
use super::options::Listing;
use super::roster::{Host, Roster};
use super::standing::Standing;
use super::{Backend, Outside, Settings};
use crate::files::Files;
use crate::state::State;

/// Where a backend's endpoints come from, and what came from there.
#[derive(Debug)]
pub(super) struct Discovery {
    files: Arc<dyn Files>,
    state: Arc<State>,
    roster: Mutex<Roster>,
    /// Why the file of endpoints is not obeyed.
    flaw: Mutex<Option<Arc<str>>>,
    /// Told when there may be other names to look up.
    pub(super) renamed: Notify,
    /// Told when another file may list the endpoints.
    refiled: Notify,
    /// Told when something is known that should outlive the process.
    learnt: Notify,
}

impl Discovery {
    pub(super) fn new(outside: &Outside) -> Self {
        Self {
            files: Arc::clone(&outside.files),
            state: Arc::clone(&outside.state),
            roster: Mutex::default(),
            flaw: Mutex::default(),
            renamed: Notify::new(),
            refiled: Notify::new(),
            learnt: Notify::new(),
        }
    }

    /// Whoever changes the endpoints holds this: the last to change the roster is the last to change the endpoints.
    pub(super) fn roster(&self) -> MutexGuard<'_, Roster> {
        // Each host's addresses are replaced as a whole.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the file of endpoints is not obeyed.
    pub(super) fn flaw(&self) -> Option<Arc<str>> {
        self.flaw.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find_flaw(&self, why: Option<Arc<str>>) {
        *self.flaw.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

impl Backend {
    /// Makes the endpoints those of the settings, where they list them: that is an operator's word, and nothing is held that is not
    /// among them.
    pub(super) fn obey_list(&self, before: Option<&Settings>) {
        let (settings, mut roster) = (self.means.settings(), self.discovery.roster());
        if settings.endpoints_file.is_none() {
            self.discovery.find_flaw(None);
            if before.is_none_or(|before| !before.lists_as(&settings)) {
                roster.release_all();
            }
            roster.list(&settings.endpoints, &settings.weights);
        }
        self.adopt(&mut roster);
        self.await_names(&roster);
    }

    /// Tells whoever waits for endpoints whether there are some to come.
    fn await_names(&self, roster: &Roster) {
        let known = |host: &Host| !host.addresses.is_empty();
        if !roster.hosts().is_empty() && roster.hosts().iter().all(known) {
            self.lookup.send_replace(Lookup::Over(None));
        } else if self.endpoints.is_empty() {
            self.lookup.send_replace(Lookup::Pending);
        }
    }

    /// Has everything looked at again that other settings may have changed.
    pub(super) fn discover_anew(&self) {
        self.discovery.renamed.notify_one();
        self.discovery.refiled.notify_one();
    }

    /// Makes the members of the roster the endpoints.
    pub(super) fn adopt(&self, roster: &mut Roster) {
        if self.means.settings().check == Kind::Off {
            // Nothing could tell when one that is held is gone.
            roster.release_all();
        }
        self.endpoints.adopt(roster.members().into_iter());
        self.endpoints.hold(&roster.held().collect::<Vec<_>>());
        self.discovery.learnt.notify_one();
    }

    /// Takes over what a name stands for, if it still is one of the backend's.
    pub(super) fn resolved(&self, name: &str, port: u16, addresses: Vec<Address>) {
        let mut roster = self.discovery.roster();
        roster.resolve(name, port, addresses);
        self.hold(&mut roster);
    }

    /// Takes over what was found, and holds what has gone at once with more than half of the others.
    fn hold(&self, roster: &mut Roster) {
        let held = roster.held().count();
        roster.hold();
        self.adopt(roster);
        let now: Vec<String> = roster.held().map(|address| address.to_string()).collect();
        if now.len() > held {
            let (backend, endpoints) = (self.name(), now.join(", "));
            warn!(%backend, endpoints, "most endpoints are gone at once: these are held while they answer checks");
        }
    }

    /// Leaves those alone that are held and answer no more.
    pub(super) fn release_lost(&self) {
        let mut roster = self.discovery.roster();
        let held: Vec<Address> = roster.held().collect();
        if held.is_empty() {
            return;
        }
        let endpoints = self.endpoints.all();
        let lost =
            |address: &Address| endpoints.iter().any(|one| one.address == *address && !one.answers_checks());
        let lost: Vec<Address> = held.into_iter().filter(lost).collect();
        for address in lost.iter().filter(|address| roster.release(address)) {
            info!(backend = %self.name(), endpoint = %address, "endpoint was held, answers no more, and is gone");
        }
        if !lost.is_empty() {
            self.adopt(&mut roster);
        }
    }

    /// Reads the file of endpoints again and again, where there is one, and at once when it is another.
    pub(super) async fn read_file_forever(&self) {
        loop {
            tokio::select! {
                biased;
                () = self.discovery.refiled.notified() => {}
                () = self.read_file_until_told() => {}
            }
        }
    }

    async fn read_file_until_told(&self) {
        let path = self.means.settings().endpoints_file.clone();
        let Some(path) = path else { return std::future::pending().await };
        let mut last = None;
        loop {
            // All of it: a name that leads to another file now, and a file that is replaced twice in the same moment, have the same times.
            let read = self.discovery.files.read(&path).await.map_err(|error| error.to_string());
            if last.as_ref() != Some(&read) {
                self.take_over(&path, &read);
                last = Some(read);
            }
            sleep(FILE_INTERVAL).await;
        }
    }

    /// Takes over what the file of endpoints says, or says why not; then those that it listed before stay.
    fn take_over(&self, path: &Path, read: &Result<Vec<u8>, String>) {
        let (backend, file) = (self.name(), path.display());
        // A reload may have named another source while this one was read.
        let is_named = || self.means.settings().endpoints_file.as_deref() == Some(path);
        match read.as_ref().map_err(String::clone).and_then(|content| Listing::parse(content)) {
            Ok(listing) => {
                let (endpoints, weights) = listing.pairs();
                let mut roster = self.discovery.roster();
                if !is_named() {
                    return;
                }
                self.discovery.find_flaw(None);
                roster.begin_update();
                roster.list(&endpoints, &weights);
                self.hold(&mut roster);
                self.await_names(&roster);
                info!(%backend, %file, endpoints = endpoints.len(), "endpoints are read");
            }
            Err(_) if !is_named() => return,
            Err(why) => {
                warn!(%backend, %file, why, "endpoints cannot be read, the last ones stay");
                let why: Arc<str> = format!("{file}: {why}").into();
                self.discovery.find_flaw(Some(Arc::clone(&why)));
                self.stand_in();
                if self.endpoints.is_empty() {
                    self.lookup.send_replace(Lookup::Over(Some(why)));
                }
            }
        }
        self.discovery.renamed.notify_one();
    }

    /// Lets what the last run knew stand in for what nothing is known of.
    pub(super) fn stand_in(&self) {
        let mut roster = self.discovery.roster();
        let filled = roster.fill();
        if filled.is_empty() {
            return;
        }
        self.adopt(&mut roster);
        // Whoever waits looks whether there is an endpoint now.
        self.lookup.send_modify(|_| ());
        drop(roster);
        warn!(backend = %self.name(), hosts = filled.join(", "), "endpoints of the last run stand in until they are known");
    }

    /// Remembers what the last run knew. A disk that hangs is not waited for.
    pub(super) async fn remember(&self) {
        let (state, name) = (&self.discovery.state, self.state_name());
        if self.is_discovered()
            && let Ok(Some(hosts)) = timeout(PATIENCE, state.load::<Vec<Host>>(&name)).await
        {
            self.discovery.roster().remember(hosts);
        }
    }

    /// Lets what was remembered stand in if nothing else is known soon.
    pub(super) async fn stand_in_soon(&self) {
        sleep(PATIENCE).await;
        self.stand_in();
    }

    /// Keeps what is known for the next run.
    pub(super) async fn keep_forever(&self) {
        let mut kept = Vec::new();
        loop {
            self.discovery.learnt.notified().await;
            let known = self.discovery.roster().to_keep();
            let worth = self.is_discovered() && known.iter().any(|host| !host.addresses.is_empty());
            if worth && known != kept {
                self.discovery.state.keep(&self.state_name(), &known).await;
                kept = known;
            }
        }
    }

    /// Marks those that never gave a sign of life and stand beside another address of their name that has: a name may well have an address
    /// at which nothing listens, and nobody is to be told of it for ever.
    pub(super) fn mark_idle_addresses(&self, endpoints: &mut [EndpointStatus]) {
        let roster = self.discovery.roster();
        for host in roster.hosts().iter().filter(|host| !host.is_literal()) {
            let is_its = |one: &EndpointStatus| host.addresses.contains(&one.address);
            let answers = |one: &EndpointStatus| is_its(one) && one.standing == Standing::Rotating;
            if !endpoints.iter().any(answers) {
                continue;
            }
            for one in endpoints.iter_mut().filter(|one| is_its(one) && !one.heard) {
                one.idle = one.standing != Standing::Rotating;
            }
        }
    }

    /// Whether its endpoints are found by other means than its settings.
    fn is_discovered(&self) -> bool {
        self.means.settings().endpoints_file.is_some()
            || self.discovery.roster().hosts().iter().any(|host| !host.is_literal())
    }

    fn state_name(&self) -> String {
        format!("endpoints-{}", self.name())
    }
}

/// How often a file of endpoints is read: small, and as good as a notice of the system, which does not come from every file system.
const FILE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a start waits for names and files before the last run's endpoints stand in: below the time for which calls wait.
const PATIENCE: Duration = Duration::from_millis(200);
