//! What goes wrong in a history: each part breaks and is mended again and again, in an order that a seed decides.

use std::ops::Range;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use super::history::Life;
use super::record::{Reached, Record, Site};
use crate::harness::*;

/// Something that breaks.
pub(super) trait Part: Send {
    /// Breaks it in one way of several, and says which.
    fn breaks(&mut self, chance: &mut StdRng) -> String;
    /// Mends what is broken.
    fn mends(&mut self);
    /// For how many milliseconds it is broken.
    fn lasts(&self) -> Range<u64> {
        30..1_800
    }
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
        let lasts = ms(chance.random_range(part.lasts()));
        done.push(format!("{at:?}: {what} for {lasts:?}"));
        pass(lasts);
        part.mends();
    }
}

/// The gateways: one at a time is killed or stopped.
pub(super) struct Gateways {
    /// How each is started again.
    pub(super) builders: Vec<Builder>,
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
                self.gateways[which] = self.builders[which].start();
                let mut site = self.sites[which].lock().unwrap();
                let Life(_, lives) = site.life;
                *site = Reached::new(Life(which, lives + 1), &self.gateways[which]);
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
