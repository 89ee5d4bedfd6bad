//! The world of the model: two gateways, a Redis and its replica, a backend whose answer each mark changes; and what may happen next.

use larder::clock::Millis;
use larder::mark::Version;

use crate::explore::System;
use crate::gateway::{Exchange, Gateway};
use crate::plants::Plant;
use crate::redis::Redis;
use crate::sentences::{Judged, broken};

/// What happens. `0` is the gateway at which marks are made, `1` the other.
///
/// That a gateway sends something is no step of its own: what it sends cannot change on the way, and the later it is served the sooner
/// its lease ends. Nor is that what it sent is lost: it may as well not have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Half of a second passes.
    Tick,
    /// A write changes what the backend answers, and a hard mark is made.
    Mark,
    /// Marks that a gateway has sent are appended to the log.
    TellIsServed(usize),
    /// Marks that the log may have lost are appended where it lacks them.
    TellsAgain(usize),
    /// The log is listened to.
    ListenIsServed(usize),
    /// The answer to either comes.
    IsAnswered(usize),
    /// The answer to either is lost.
    AnswerIsLost(usize),
    /// A backend call is sent.
    Fetch(usize),
    /// Its reply comes, and is sent to the shared tier.
    Land(usize),
    FillIsServed(usize),
    FillIsLost(usize),
    /// The shared tier is read.
    Read(usize),
    /// What it had comes.
    ReadIsAnswered(usize),
    /// A gateway ends, and another process takes its place.
    Restart(usize),
    /// The replica hears all that its primary knows.
    Replicate,
    Fault(Fault),
}

/// What may become of Redis. While it is away nothing is served, which needs no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// The replica takes over, with what it had heard.
    Failover,
    /// All keys are dropped.
    Flush,
    /// It starts again with nothing.
    Empty,
}

/// How often each may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    pub ticks: u8,
    pub marks: u8,
    pub fetches: u8,
    pub reads: u8,
    pub restarts: u8,
    pub losses: u8,
    pub replications: u8,
    pub faults: u8,
}

/// What is explored: all that may happen within some bounds, with a mistake or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub bounds: Bounds,
    /// The one fault of Redis that may happen.
    pub fault: Option<Fault>,
    pub plant: Option<Plant>,
}

/// A state.
#[derive(Clone, Debug, Hash)]
pub(crate) struct World {
    pub gateways: [Gateway; 2],
    pub redis: Redis,
    /// What may still happen.
    left: Bounds,
    ticks: u8,
    /// How many marks were made: what the backend answers.
    pub made: u8,
    /// The last mark that was acknowledged as known to the fleet.
    pub known: u8,
    /// Backend calls that were sent.
    births: u8,
    /// Processes that were started.
    started: u64,
    pub judged: Judged,
}

impl World {
    fn new(bounds: Bounds) -> Self {
        Self {
            gateways: [1, 2].map(Gateway::new),
            redis: Redis::default(),
            left: bounds,
            ticks: 0,
            made: 0,
            known: 0,
            births: 0,
            started: 2,
            judged: Judged::default(),
        }
    }

    /// What the time is at a gateway. The clock of the second is slow, by more than clocks may be.
    pub(crate) fn now(&self, who: usize) -> Millis {
        let tick = if who == 0 { TICK } else { TICK - TICK / 25 };
        Millis(u64::from(self.ticks) * tick)
    }

    fn may_happen(&self, who: usize, all: &mut Vec<Step>) {
        let (gateway, left) = (&self.gateways[who], &self.left);
        let mut may = |is: bool, step: Step| all.extend(is.then_some(step));
        match gateway.exchange {
            Exchange::None => {
                may(!gateway.tells().is_empty(), Step::TellIsServed(who));
                may(!gateway.tells_again().is_empty(), Step::TellsAgain(who));
                may(true, Step::ListenIsServed(who));
            }
            Exchange::Told(..) | Exchange::Answered(..) => {
                may(true, Step::IsAnswered(who));
                may(left.losses > 0, Step::AnswerIsLost(who));
            }
        }
        may(left.fetches > 0 && gateway.fetch.is_none() && gateway.fill.is_none(), Step::Fetch(who));
        may(gateway.fetch.is_some(), Step::Land(who));
        may(gateway.fill.is_some(), Step::FillIsServed(who));
        may(left.losses > 0 && gateway.fill.is_some(), Step::FillIsLost(who));
        may(left.reads > 0 && gateway.read.is_none(), Step::Read(who));
        may(gateway.read.is_some(), Step::ReadIsAnswered(who));
        may(left.restarts > 0, Step::Restart(who));
    }

    fn happens(&mut self, step: Step, plant: Option<Plant>) {
        match step {
            Step::Tick => (self.ticks, self.left.ticks) = (self.ticks + 1, self.left.ticks - 1),
            Step::Mark => {
                (self.made, self.left.marks) = (self.made + 1, self.left.marks - 1);
                let (mark, now) = (self.made, self.now(0));
                self.gateways[0].mark(mark, now);
            }
            Step::TellIsServed(who) => self.tell(who),
            Step::TellsAgain(who) => {
                let again = self.gateways[who].tells_again();
                if plant == Some(Plant::NotToldAgain) || self.redis.announce(&again) {
                    self.gateways[who].has_told_again();
                }
            }
            Step::ListenIsServed(who) => self.listen(who, plant),
            Step::IsAnswered(who) => self.answer(who, plant),
            Step::AnswerIsLost(who) => {
                self.left.losses -= 1;
                self.gateways[who].exchange = Exchange::None;
            }
            Step::Fetch(_) | Step::Land(_) | Step::FillIsServed(_) | Step::FillIsLost(_) => {
                self.fetches(step, plant)
            }
            Step::Read(who) => {
                self.left.reads -= 1;
                self.gateways[who].read = Some(self.redis.slot());
            }
            Step::ReadIsAnswered(who) => {
                if let Some(far) = self.gateways[who].read.take().flatten() {
                    self.gateways[who].take(far, &self.redis, plant);
                }
            }
            Step::Restart(who) => self.restart(who),
            Step::Replicate => {
                self.left.replications -= 1;
                self.redis.replicate();
            }
            Step::Fault(fault) => self.fails(fault),
        }
    }

    fn tell(&mut self, who: usize) {
        let said = self.gateways[who].tells();
        if self.redis.announce(&said) {
            self.gateways[who].exchange = Exchange::Told(said, self.redis.last());
        }
    }

    fn listen(&mut self, who: usize, plant: Option<Plant>) {
        let (sent, time) = (self.now(who), Millis(u64::from(self.ticks) * TICK));
        let hello = self.gateways[who].hello();
        let before = self.redis.last();
        let heard = self.redis.listen(&hello, time, plant);
        if before.epoch() != self.redis.last().epoch() {
            self.gateways[who].opened();
        }
        self.gateways[who].exchange = Exchange::Answered(hello, sent, heard);
    }

    fn answer(&mut self, who: usize, plant: Option<Plant>) {
        let now = self.now(who);
        let gateway = &mut self.gateways[who];
        match std::mem::replace(&mut gateway.exchange, Exchange::None) {
            Exchange::Told(said, last) => gateway.was_told(&said, last, plant),
            Exchange::Answered(hello, sent, heard) => gateway.hear((&hello, sent), &heard, now, plant),
            Exchange::None => {}
        }
        if let Some((mark, place)) = gateway.known_to_the_fleet(plant) {
            self.acknowledge(mark, place);
        }
    }

    fn acknowledge(&mut self, mark: u8, place: Version) {
        self.known = self.known.max(mark);
        let unheard = [0, 1].iter().any(|who| self.gateways[*who].has_not_heard(mark, place, self.now(*who)));
        self.judged.told_too_early |= unheard;
    }

    fn fetches(&mut self, step: Step, plant: Option<Plant>) {
        match step {
            Step::Fetch(who) => {
                (self.births, self.left.fetches) = (self.births + 1, self.left.fetches - 1);
                self.gateways[who].fetch(self.births, self.made);
            }
            Step::Land(who) => {
                if let Some(fetch) = self.gateways[who].fetch.take() {
                    self.gateways[who].land(fetch, plant);
                }
            }
            Step::FillIsServed(who) => {
                if let Some(far) = self.gateways[who].fill.take() {
                    let before = self.redis.slot();
                    self.redis.replace(far, plant);
                    let after = self.redis.slot();
                    self.judged.went_back |= before.map(|far| far.born) > after.map(|far| far.born);
                }
            }
            Step::FillIsLost(who) => {
                self.left.losses -= 1;
                self.gateways[who].fill = None;
            }
            _ => {}
        }
    }

    fn restart(&mut self, who: usize) {
        self.left.restarts -= 1;
        self.started += 1;
        let before = std::mem::replace(&mut self.gateways[who], Gateway::new(self.started));
        // What it had sent may land yet.
        self.gateways[who].fill = before.fill;
    }

    fn fails(&mut self, fault: Fault) {
        self.left.faults -= 1;
        match fault {
            Fault::Failover => self.redis.fail_over(),
            Fault::Flush => self.redis.flush(),
            Fault::Empty => self.redis.restart(),
        }
    }
}

impl Model {
    /// Two gateways that hold their leases and have one reply, in both tiers.
    fn settled(&self) -> World {
        let mut world = World::new(Bounds { ticks: 6, fetches: 1, ..NOTHING });
        let exchange = |world: &mut World, times: usize| {
            for who in [0, 1, 0, 1].into_iter().take(times) {
                [Step::ListenIsServed(who), Step::IsAnswered(who)]
                    .into_iter()
                    .for_each(|step| world.happens(step, None));
            }
        };
        for _ in 0..4 {
            exchange(&mut world, 4);
            (0..3).for_each(|_| world.happens(Step::Tick, None));
            world.left.ticks = 6;
        }
        exchange(&mut world, 4);
        [Step::Fetch(1), Step::Land(1), Step::FillIsServed(1)]
            .into_iter()
            .for_each(|step| world.happens(step, None));
        world.redis.replicate();
        world.left = self.bounds;
        world
    }
}

impl System for Model {
    type State = World;
    type Step = Step;

    fn first(&self) -> World {
        self.settled()
    }

    fn steps(&self, world: &World) -> Vec<Step> {
        let (mut all, left) = (Vec::new(), &world.left);
        let mut may = |is: bool, step: Step| all.extend(is.then_some(step));
        may(left.ticks > 0, Step::Tick);
        may(left.marks > 0, Step::Mark);
        if let Some(fault) = self.fault.filter(|_| left.faults > 0) {
            may(true, Step::Fault(fault));
            may(left.replications > 0 && !world.redis.is_replicated(), Step::Replicate);
        }
        (0..2).for_each(|who| world.may_happen(who, &mut all));
        all
    }

    fn after(&self, world: &World, step: Step) -> World {
        let mut world = world.clone();
        world.happens(step, self.plant);
        world
    }

    fn broken(&self, world: &World) -> Option<&'static str> {
        broken(world)
    }
}

/// Milliseconds of a tick.
const TICK: u64 = 500;
/// Nothing may happen.
const NOTHING: Bounds =
    Bounds { ticks: 0, marks: 0, fetches: 0, reads: 0, restarts: 0, losses: 0, replications: 0, faults: 0 };
