//! What goes wrong in a history: each part breaks and is mended again and again, in an order that a seed decides.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use super::history::Life;
use super::record::{Record, Site};
use crate::harness::*;

/// Something that breaks. Another form of Redis is another part.
pub(super) trait Part: Send {
    /// Breaks it in one way of several, and says which.
    fn breaks(&mut self, chance: &mut StdRng) -> String;
    /// Mends what is broken.
    fn mends(&mut self);
}

/// Breaks and mends a part until the time is over; gives what was done.
pub(super) fn harass(
    part: &mut dyn Part,
    record: &Record,
    chance: &mut StdRng,
    end: Duration,
) -> Vec<String> {
    let mut done = Vec::new();
    loop {
        pass(ms(chance.random_range(300..1_500)));
        if record.now() >= end {
            return done;
        }
        let at = record.now();
        let what = part.breaks(chance);
        let lasts = ms(chance.random_range(30..1_800));
        done.push(format!("{at:?}: {what} for {lasts:?}"));
        pass(lasts);
        part.mends();
    }
}

/// One Redis server.
pub(super) struct Server {
    pub(super) redis: Redis,
    pub(super) dead: bool,
}

impl Part for Server {
    fn breaks(&mut self, chance: &mut StdRng) -> String {
        match chance.random_range(0..3) {
            0 => {
                self.redis.kill();
                self.dead = true;
                "redis killed".to_owned()
            }
            1 => {
                self.redis.stop();
                "redis stopped".to_owned()
            }
            _ => {
                self.redis.flush();
                "redis emptied".to_owned()
            }
        }
    }

    fn mends(&mut self) {
        if std::mem::take(&mut self.dead) {
            self.redis.restart();
        } else {
            self.redis.cont();
        }
    }
}

/// The gateways: one at a time is killed or stopped.
pub(super) struct Gateways {
    pub(super) builder: Builder,
    pub(super) gateways: Vec<Gateway>,
    pub(super) sites: Vec<Site>,
    pub(super) broken: Option<(usize, bool)>,
}

impl Part for Gateways {
    fn breaks(&mut self, chance: &mut StdRng) -> String {
        let (which, dies) = (chance.random_range(0..self.gateways.len()), chance.random_ratio(1, 3));
        self.broken = Some((which, dies));
        if dies {
            self.gateways[which].kill();
            return format!("gateway {which} killed");
        }
        self.gateways[which].pause();
        format!("gateway {which} stopped")
    }

    fn mends(&mut self) {
        match self.broken.take() {
            Some((which, true)) => {
                self.gateways[which] = self.builder.start();
                let mut site = self.sites[which].lock().unwrap();
                let Life(_, lives) = site.0;
                *site = (Life(which, lives + 1), self.gateways[which].address());
            }
            Some((which, false)) => self.gateways[which].resume(),
            None => {}
        }
    }
}

/// The backends: one at a time is killed or stalls, and sometimes all are.
pub(super) struct Backends {
    pub(super) backends: Vec<Backend>,
}

impl Part for Backends {
    fn breaks(&mut self, chance: &mut StdRng) -> String {
        let which = chance.random_range(0..=self.backends.len());
        let all = which == self.backends.len();
        let dies = chance.random();
        for (_, backend) in self.backends.iter_mut().enumerate().filter(|(each, _)| all || *each == which) {
            if dies { backend.kill() } else { backend.stall() }
        }
        let whose = if all { "all backends".to_owned() } else { format!("backend {which}") };
        format!("{whose} {}", if dies { "killed" } else { "stalled" })
    }

    fn mends(&mut self) {
        for backend in &mut self.backends {
            backend.resume();
            backend.kill();
            backend.revive();
        }
    }
}
