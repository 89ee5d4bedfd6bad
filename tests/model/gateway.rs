//! A gateway of the model: what it knows, says, hears and keeps. Its table of marks and its seals are the product's own.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use larder::clock::Millis;
use larder::mark::{Audience, Cover, Covers, Kind, Mark, Marks, Seal, Standing, Version, Vetted};

use crate::plants::Plant;
use crate::redis::{Heard, Hello, Redis, Said};

/// For how long the others wait for a gateway that is not heard of.
pub(crate) const LEASE: Duration = Duration::from_secs(1);
/// For how long a gateway holds its lease, from when it asked for it.
const LEASE_HELD: Duration = Duration::from_millis(900);

/// An entry of the shared tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Far {
    /// Its place among all backend calls, by when they were sent.
    pub born: u8,
    /// What the backend had then: how many marks had been made.
    pub value: u8,
    pub version: Version,
}

/// An entry of the local tier.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Near {
    pub far: Far,
    seal: Sealed,
}

/// What Redis answers, on its way to a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Exchange {
    None,
    /// Redis has taken these, and the last of them lies there.
    Told(Vec<Said>, Version),
    /// Redis has answered this, which was asked then.
    Answered(Hello, Millis, Heard),
}

/// One process.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Gateway {
    /// A number that no other process has.
    pub number: u64,
    pub marks: Marks,
    pub exchange: Exchange,
    /// A backend call under way.
    pub fetch: Option<Fetch>,
    /// A reply on its way to the shared tier.
    pub fill: Option<Far>,
    /// What the shared tier had, on its way here.
    pub read: Option<Option<Far>>,
    pub local: Option<Near>,
    /// The greatest mark that this process has made or heard.
    pub heard: u8,
    there: (u64, u64),
    fleet: Version,
    /// Nobody can tell whether the log still holds what lay before there.
    unsure: Version,
    untold: Vec<u8>,
    /// Those of them that lie in the log, as Redis says.
    said: Vec<u8>,
    /// Those that were heard there.
    told: Vec<(u8, Version)>,
    opens: u64,
    told_again: u64,
}

/// A backend call, by what was noted before it was sent.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Fetch {
    far: Far,
    seal: Sealed,
}

impl Gateway {
    /// One that has just started.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            marks: Marks::shared(),
            exchange: Exchange::None,
            fetch: None,
            fill: None,
            read: None,
            local: None,
            heard: 0,
            there: (0, 0),
            fleet: Version::default(),
            unsure: Version::default(),
            untold: Vec::new(),
            said: Vec::new(),
            told: Vec::new(),
            opens: OPENS,
            told_again: 0,
        }
    }

    /// A mark is made here, and waits to be told.
    pub(crate) fn mark(&mut self, mark: u8, now: Millis) {
        self.marks.mark(&hard(), now, Audience::Fleet);
        self.untold.push(mark);
        self.heard = mark;
    }

    /// What is to be told next.
    pub(crate) fn tells(&self) -> Vec<Said> {
        let next = self.untold.iter().filter(|mark| !self.said.contains(mark));
        next.map(|mark| Said {
            gateway: self.number,
            number: u64::from(*mark),
            mark: Some(*mark),
            again: None,
        })
        .collect()
    }

    /// What the log may have lost and is not told again in this epoch.
    pub(crate) fn tells_again(&self) -> Vec<Said> {
        let epoch = self.marks.applied().epoch();
        let lost = if self.told_again == epoch { Vec::new() } else { self.marks.before(epoch, 1) };
        let again = lost.into_iter().map(|(_, place)| Said {
            gateway: self.number,
            number: AGAIN + self.opens,
            mark: Some(self.heard),
            again: Some(place),
        });
        again.collect()
    }

    /// It has told them.
    pub(crate) fn has_told_again(&mut self) {
        self.opens += 1;
        self.told_again = self.marks.applied().epoch();
    }

    /// Whether it has heard all up to `last`, and has nothing to tell.
    pub(crate) fn is_quiet(&self, last: Version) -> bool {
        let is_idle = self.exchange == Exchange::None && self.untold.is_empty();
        is_idle && self.marks.applied() == last && self.tells_again().is_empty()
    }

    /// Redis says that it has taken these.
    pub(crate) fn was_told(&mut self, said: &[Said], last: Version, plant: Option<Plant>) {
        for mark in said.iter().filter_map(|said| said.mark) {
            if plant == Some(Plant::TakenIsTold) {
                self.told_at(mark, last);
            } else if self.untold.contains(&mark) {
                self.said.push(mark);
            }
        }
    }

    /// What it says of itself.
    pub(crate) fn hello(&self) -> Hello {
        let applied = self.marks.applied();
        Hello { gateway: self.number, applied, there: self.there, opens: self.opens }
    }

    /// It has opened an epoch: the next one that it opens is another.
    pub(crate) fn opened(&mut self) {
        self.opens += 1;
    }

    /// Hears what Redis answered to what was asked at `sent`.
    pub(crate) fn hear(
        &mut self,
        (hello, sent): (&Hello, Millis),
        heard: &Heard,
        now: Millis,
        plant: Option<Plant>,
    ) {
        self.fleet = heard.fleet;
        self.marks.go_on(heard.first, hello.applied, heard.last);
        if !heard.goes_on {
            self.marks.begin_again();
            self.unsure = heard.last;
            return;
        }
        for (version, said) in &heard.marks {
            self.hear_one(*version, *said, now, plant);
        }
        self.said.clear();
        let from = if plant == Some(Plant::LeaseFromTheReply) { now } else { sent };
        let until = match plant {
            Some(Plant::LeaseWithoutEnd) => Millis(u64::MAX - 1),
            Some(Plant::LeaseWithoutMargin) => from.plus(LEASE),
            _ => from.plus(LEASE_HELD),
        };
        self.marks.lease(until);
    }

    fn hear_one(&mut self, version: Version, said: Said, now: Millis, plant: Option<Plant>) {
        if let (Some(mark), Some(place)) = (said.mark, said.again) {
            self.marks.apply_again(&hard(), place, now);
            self.heard = self.heard.max(mark);
        } else if let Some(mark) = said.mark {
            if said.gateway == self.number {
                self.told_at(mark, version);
            } else if plant != Some(Plant::HeardAndForgotten) {
                self.marks.apply(&hard(), version, now);
                self.heard = self.heard.max(mark);
            }
        }
        self.marks.advance(version);
        self.there = (said.gateway, said.number);
    }

    fn told_at(&mut self, mark: u8, version: Version) {
        self.said.retain(|said| *said != mark);
        let waited = self.untold.len();
        self.untold.retain(|untold| *untold != mark);
        let is_news = self.untold.len() < waited;
        if is_news {
            self.told.push((mark, version));
        }
        self.marks.announced(&hard(), version, is_news);
    }

    /// The greatest mark of which it can say that the fleet knows it, and its place. What it has said is forgotten.
    pub(crate) fn known_to_the_fleet(&mut self, plant: Option<Plant>) -> Option<(u8, Version)> {
        let is_known =
            |(_, place): &&(u8, Version)| *place <= self.fleet || plant == Some(Plant::SaidIsKnown);
        let known = self.told.iter().filter(is_known).max().copied();
        self.told.retain(|told| known.is_none_or(|known| *told > known));
        known
    }

    /// Whether it may answer with what was asked before a mark that lies at `place`, for all it knows.
    pub(crate) fn has_not_heard(&self, mark: u8, place: Version, now: Millis) -> bool {
        self.is_leased(now) && self.heard < mark && self.marks.applied().epoch() == place.epoch()
    }

    /// Whether it holds a lease.
    pub(crate) fn is_leased(&self, now: Millis) -> bool {
        self.marks.is_leased(now)
    }

    /// Sends a backend call, which finds `value` there.
    pub(crate) fn fetch(&mut self, born: u8, value: u8) {
        let far = Far { born, value, version: self.marks.applied() };
        self.fetch = Some(Fetch { far, seal: Sealed(Seal::new(self.marks.latest())) });
    }

    /// The reply has come: it is kept here, and on its way to the shared tier.
    pub(crate) fn land(&mut self, Fetch { mut far, mut seal }: Fetch, plant: Option<Plant>) {
        if plant == Some(Plant::NotedWhenLanding) {
            (far.version, seal) = (self.marks.applied(), Sealed(Seal::new(self.marks.latest())));
        }
        self.keep(Near { far, seal });
        self.fill = Some(far);
    }

    /// An entry of the shared tier has come; `redis` is asked for the last mark on it if it is older than what is known.
    pub(crate) fn take(&mut self, far: Far, redis: &Redis, plant: Option<Plant>) {
        let (standing, tick) = match self.marks.vet(far.version, covers()) {
            Vetted::Standing(standing, tick) => (standing, tick),
            Vetted::TooOld(_, tick) if redis.exact() > far.version => (Standing::Hard, tick),
            Vetted::TooOld(_, tick) if plant == Some(Plant::OldIsAskedForAlone) => (Standing::Clear, tick),
            Vetted::TooOld(known, tick) => (known, tick),
        };
        if standing != Standing::Hard || plant == Some(Plant::TakenUnjudged) {
            self.keep(Near { far, seal: Sealed(Seal::held(tick, standing)) });
        }
    }

    fn keep(&mut self, near: Near) {
        if self.local.as_ref().is_none_or(|there| near.far.born >= there.far.born) {
            self.local = Some(near);
        }
    }

    /// What is left of what it holds, under a rule that leaves an entry for an outage where nobody can tell.
    pub(crate) fn standing(&self, near: &Near, now: Millis) -> Standing {
        let standing = self.marks.standing(&near.seal.0, covers());
        match self.marks.vouch(near.far.version, now) {
            true => standing,
            false => standing.max(Standing::Soft),
        }
    }
}

/// The one cover that there is.
const COVER: [Cover; 1] = [Cover(1)];
/// The number of what opens a gateway's first epoch; those of marks are less.
const OPENS: u64 = 100;
/// The number of the first mark that is told again.
const AGAIN: u64 = 1_000;

/// A seal that is told apart by what it was held against.
#[derive(Clone, Debug)]
struct Sealed(Seal);

impl Hash for Sealed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.read().hash(state);
    }
}

fn hard() -> Mark {
    Mark { covers: COVER.into(), kind: Kind::Hard, settle: Duration::ZERO }
}

fn covers() -> Covers<'static> {
    Covers { place: &[], tags: &COVER, key: b"key" }
}
