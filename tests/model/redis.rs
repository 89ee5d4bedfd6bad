//! The Redis of the model: what a script does in one step there, it does in one step here.

use larder::clock::Millis;
use larder::mark::Version;

use crate::gateway::{Far, LEASE};
use crate::plants::Plant;

/// A mark, or what opens an epoch, as the log holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Said {
    /// Who said it, and which of his it is.
    pub gateway: u64,
    pub number: u64,
    /// The mark; none opens an epoch.
    pub mark: Option<u8>,
    /// Where it lay, if it is told again.
    pub again: Option<Version>,
}

/// What a gateway says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hello {
    pub gateway: u64,
    pub applied: Version,
    pub there: (u64, u64),
    /// The number of what opens an epoch.
    pub opens: u64,
}

/// What a gateway hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Heard {
    pub goes_on: bool,
    pub first: Version,
    pub last: Version,
    pub fleet: Version,
    pub marks: Vec<(Version, Said)>,
}

/// A gateway as it is listed: until when it may be waited for, in which history it was heard, and how far it had come there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Listed {
    gateway: u64,
    until: Millis,
    history: u8,
    applied: Version,
}

/// What a failover loses the end of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Data {
    log: Vec<(Version, Said)>,
    gateways: Vec<Listed>,
    /// The history that was seen last.
    history: Option<u8>,
    /// The last mark on the one cover that there is.
    exact: Version,
    slot: Option<Far>,
}

/// A primary and its replica.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Redis {
    data: Data,
    /// What has reached the replica.
    replica: Data,
    /// The replication id.
    history: u8,
}

impl Redis {
    /// The entry that it holds.
    pub(crate) fn slot(&self) -> Option<Far> {
        self.data.slot
    }

    /// The place of the last mark that covers the entry.
    pub(crate) fn exact(&self) -> Version {
        self.data.exact
    }

    /// Where the log ends.
    pub(crate) fn last(&self) -> Version {
        self.data.log.last().map(|(version, _)| *version).unwrap_or_default()
    }

    fn first(&self) -> Version {
        self.data.log.first().map(|(version, _)| *version).unwrap_or_default()
    }

    fn enter(&mut self, version: Version, said: Said) {
        if said.mark.is_some() {
            self.data.exact = self.data.exact.max(said.again.unwrap_or(version));
        }
        self.data.log.push((version, said));
    }

    /// The script that appends marks.
    pub(crate) fn announce(&mut self, said: &[Said]) -> bool {
        if self.data.log.is_empty() {
            return false;
        }
        for said in said {
            if said.again.is_some_and(|place| self.data.exact >= place) {
                continue;
            }
            let last = self.last();
            self.enter(Version::new(last.epoch(), last.sequence() + 1), *said);
        }
        true
    }

    /// The script that renews a lease and tells what came.
    pub(crate) fn listen(&mut self, hello: &Hello, now: Millis, plant: Option<Plant>) -> Heard {
        let goes_on = self.goes_on_from(hello);
        let is_new = self.data.history != Some(self.history);
        let is_broken = !goes_on && self.last().epoch() <= hello.applied.epoch();
        if self.data.log.is_empty() || is_broken || is_new && plant != Some(Plant::HistoryOpensNoEpoch) {
            self.open(hello, plant);
        }
        if is_new && plant != Some(Plant::NoGrace) {
            self.list(Listed {
                gateway: GRACE,
                until: now.plus(LEASE),
                history: self.history,
                applied: Version::default(),
            });
        }
        self.data.history = Some(self.history);
        let applied = if goes_on { hello.applied } else { Version::default() };
        self.list(Listed { gateway: hello.gateway, until: now.plus(LEASE), history: self.history, applied });
        self.data.gateways.retain(|listed| listed.until > now);
        let after = self.data.log.iter().filter(|(version, _)| goes_on && *version > hello.applied);
        let marks = after.copied().collect();
        Heard { goes_on, first: self.first(), last: self.last(), fleet: self.fleet(), marks }
    }

    fn goes_on_from(&self, Hello { applied, there, .. }: &Hello) -> bool {
        if self.data.log.is_empty() {
            return false;
        }
        if *applied == Version::default()
            || *applied < self.first() && applied.epoch() == self.first().epoch()
        {
            return true;
        }
        let lies =
            |(version, said): &(Version, Said)| version == applied && (said.gateway, said.number) == *there;
        self.data.log.iter().any(lies)
    }

    fn open(&mut self, hello: &Hello, plant: Option<Plant>) {
        let before = self.last().max(hello.applied);
        let sequence = self.last().sequence().max(hello.applied.sequence()) + 1;
        let by_chance = if plant == Some(Plant::EpochsAreCounted) { 0 } else { 100 * hello.gateway };
        let said = Said { gateway: hello.gateway, number: hello.opens, mark: None, again: None };
        self.enter(Version::new(before.epoch() + 1 + by_chance, sequence), said);
    }

    fn list(&mut self, listed: Listed) {
        self.data.gateways.retain(|other| other.gateway != listed.gateway);
        self.data.gateways.push(listed);
        self.data.gateways.sort_by_key(|listed| listed.gateway);
    }

    fn fleet(&self) -> Version {
        let come = self.data.gateways.iter().map(|listed| match listed.history == self.history {
            true => listed.applied,
            false => Version::default(),
        });
        come.min().unwrap_or_default()
    }

    /// The script that lets the younger stay.
    pub(crate) fn replace(&mut self, entry: Far, plant: Option<Plant>) {
        if plant == Some(Plant::OlderReplaces) || self.data.slot.is_none_or(|there| entry.born >= there.born)
        {
            self.data.slot = Some(entry);
        }
    }

    /// The replica has heard all there is.
    pub(crate) fn replicate(&mut self) {
        self.replica = self.data.clone();
    }

    /// Whether it has.
    pub(crate) fn is_replicated(&self) -> bool {
        self.replica == self.data
    }

    /// The replica takes over.
    pub(crate) fn fail_over(&mut self) {
        self.data = self.replica.clone();
        self.history += 1;
    }

    /// All keys are dropped.
    pub(crate) fn flush(&mut self) {
        self.data = Data::default();
    }

    /// It begins again, with nothing.
    pub(crate) fn restart(&mut self) {
        self.flush();
        self.history += 1;
    }
}

/// Nobody: it stands for those that hold a lease and are not listed.
const GRACE: u64 = 0;
