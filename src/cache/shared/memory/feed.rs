//! The marks that gateways share, inside one process.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Memory, State};
use crate::cache::shared::feed::{
    Announcement, EPOCH_SKIP, Evicts, Exact, Feed, HEARD_MAX, Heard, Hello, KEPT, Origin, Unheard,
};
use crate::clock::Millis;
use crate::mark::{Cover, Kind, Mark, Version};

/// The log, and who has come how far with it.
#[derive(Debug, Default)]
pub(super) struct Log {
    marks: VecDeque<(Version, Announcement)>,
    /// Until when each gateway may be waited for, in which history it was heard, and how far it had come there.
    gateways: BTreeMap<u64, (Millis, u64, Version)>,
    /// How often marks were lost.
    history: u64,
    /// In which history a gateway was heard last.
    heard: Option<u64>,
    exact: BTreeMap<Cover, Exact>,
}

impl Log {
    /// Loses the last marks, as a replica does that was not told of them before it takes over.
    pub(super) fn lose(&mut self, count: usize) {
        self.history += 1;
        self.marks.truncate(self.marks.len().saturating_sub(count));
        let kept = std::mem::take(&mut self.marks);
        self.exact.clear();
        for (version, said) in kept {
            self.enter(version, said);
        }
    }

    fn last(&self) -> Version {
        self.marks.back().map(|(version, _)| *version).unwrap_or_default()
    }

    fn enter(&mut self, version: Version, said: Announcement) {
        for cover in &said.mark.covers {
            let (exact, place) = (self.exact.entry(*cover).or_default(), said.again.unwrap_or(version));
            exact.any = exact.any.max(place);
            if said.mark.kind == Kind::Hard {
                exact.hard = exact.hard.max(place);
            }
        }
        self.marks.push_back((version, said));
        if self.marks.len() > KEPT {
            self.marks.pop_front();
        }
    }

    fn announce(&mut self, said: &[Announcement]) -> Result<(), Unheard> {
        // Who appends must have heard of the epoch, so there is one.
        if self.marks.is_empty() {
            return Err(Unheard);
        }
        for said in said {
            if said.again.is_some_and(|place| self.knows(&said.mark, place)) {
                continue;
            }
            let last = self.last();
            self.enter(Version::new(last.epoch(), last.sequence() + 1), said.clone());
        }
        Ok(())
    }

    fn listen(&mut self, hello: &Hello, now: Millis) -> Heard {
        let (last, goes_on) = (self.last(), self.goes_on_from(hello.applied, hello.there));
        let is_new = self.heard.replace(self.history) != Some(self.history);
        // Who is of an older epoch learns that there is a new one all the same.
        if is_new || !goes_on && last.epoch() <= hello.applied.epoch() {
            self.open(hello, last);
        }
        if is_new {
            // Who held a lease before may not be listed.
            self.gateways.insert(GRACE, (now.plus(hello.lease), self.history, Version::default()));
        }
        let applied = if goes_on { hello.applied } else { Version::default() };
        self.gateways.insert(hello.gateway, (now.plus(hello.lease), self.history, applied));
        self.gateways.retain(|_, (until, ..)| *until > now);
        let come = self.gateways.values().map(|(_, history, applied)| match *history == self.history {
            true => *applied,
            false => Version::default(),
        });
        let fleet = come.min().unwrap_or_default();
        let gateways = self.gateways.keys().filter(|gateway| **gateway != GRACE).count();
        let first = self.marks.front().map(|(version, _)| *version).unwrap_or_default();
        let after = self.marks.iter().filter(|(version, _)| goes_on && *version > hello.applied);
        let marks = after.take(HEARD_MAX).cloned().collect();
        Heard {
            goes_on,
            evicts: hello.asks.then_some(Evicts::Nothing),
            first,
            last: self.last(),
            now,
            gateways,
            fleet,
            marks,
        }
    }

    /// Whether what a mark covers was marked so at `place` or later.
    fn knows(&self, mark: &Mark, place: Version) -> bool {
        mark.covers.iter().all(|cover| {
            let exact = self.exact.get(cover).copied().unwrap_or_default();
            match mark.kind {
                Kind::Soft => exact.any >= place,
                Kind::Hard => exact.hard >= place,
            }
        })
    }

    fn open(&mut self, hello: &Hello, last: Version) {
        let applied = hello.applied;
        let epoch = last.epoch().max(applied.epoch()) + 1 + hello.gateway % EPOCH_SKIP;
        let version = Version::new(epoch, last.sequence().max(applied.sequence()) + 1);
        let mark = Mark { covers: [].into(), kind: Kind::Soft, settle: Duration::ZERO };
        self.enter(version, Announcement { origin: hello.opens, mark, again: None });
    }

    /// Whether the log is the one in which `there` lay at `applied`, as far as it can be told.
    fn goes_on_from(&self, applied: Version, there: Origin) -> bool {
        let Some((first, _)) = self.marks.front() else { return false };
        let begins = applied == Version::default();
        if begins || applied < *first && applied.epoch() == first.epoch() {
            return true;
        }
        self.marks.iter().any(|(version, said)| (*version, said.origin) == (applied, there))
    }
}

/// Nobody: it stands for those that hold a lease and are not listed.
const GRACE: u64 = 0;

impl Feed for Memory {
    fn announce<'a>(
        &'a self,
        said: &'a [Announcement],
        _keep: Duration,
    ) -> BoxFuture<'a, Result<(), Unheard>> {
        async move {
            self.reaches().await?;
            self.shelf().log.announce(said)
        }
        .boxed()
    }

    fn listen<'a>(&'a self, hello: &'a Hello) -> BoxFuture<'a, Result<Heard, Unheard>> {
        async move {
            self.reaches().await?;
            let now = self.clock.now();
            Ok(self.shelf().log.listen(hello, now))
        }
        .boxed()
    }

    fn exact<'a>(&'a self, covers: &'a [Cover]) -> BoxFuture<'a, Result<Vec<Exact>, Unheard>> {
        async move {
            self.reaches().await?;
            let shelf = self.shelf();
            Ok(covers.iter().map(|cover| shelf.log.exact.get(cover).copied().unwrap_or_default()).collect())
        }
        .boxed()
    }
}

impl Memory {
    /// Loses the last marks that it was told, as a failover may.
    pub fn lose_marks(&self, count: usize) {
        self.shelf().log.lose(count);
    }

    pub(super) async fn reaches(&self) -> Result<(), Unheard> {
        match self.state() {
            State::Down => Err(Unheard),
            State::Up(delay) if delay > self.read_timeout => {
                tokio::time::sleep(self.read_timeout).await;
                Err(Unheard)
            }
            State::Up(delay) => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
        }
    }
}
