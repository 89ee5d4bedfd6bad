//! The shared tier of a world: what it does, what befalls it, and who is cut off from it.

pub(crate) mod life;

use std::ops::Range;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::features::Feature;
use crate::rules::Ms;
use crate::world::has;

/// What the shared tier does, and when.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    pub(crate) changes: Vec<(Ms, TierState)>,
    /// By how much each gateway's clock is ahead.
    pub(crate) skews: Vec<Ms>,
    /// Which gateways are cut off from it, and when.
    pub(crate) severed: Vec<(usize, Range<Ms>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TierState {
    Up(Ms),
    Down,
    Emptied,
    Foreign,
    /// So many of the marks that it was told last are lost, as where one takes over that was not told of them.
    Lost(usize),
}

impl Tier {
    /// Whether whoever asks it is answered at any time, and nothing that it was told is ever lost.
    pub(crate) fn is_steady(&self) -> bool {
        self.severed.is_empty() && self.changes.iter().all(|(_, state)| state.answers())
    }

    /// Whether a gateway is answered at any moment from `from` to `until`, and nothing is lost then.
    pub(crate) fn is_steady_for(&self, gateway: usize, from: Ms, until: Ms) -> bool {
        let severed =
            |(other, time): &(usize, Range<Ms>)| *other == gateway && time.start <= until && time.end >= from;
        let lasts = |state: &TierState| matches!(state, TierState::Up(_) | TierState::Down);
        let before = self.changes.iter().rfind(|(at, state)| *at < from && lasts(state));
        let mut during = self.changes.iter().filter(|(at, _)| (from..=until).contains(at));
        !self.severed.iter().any(severed)
            && before.is_none_or(|(_, state)| state.answers())
            && during.all(|(_, state)| state.answers() || *state == TierState::Foreign)
    }
}

impl TierState {
    /// Whether whoever looks finds something in his time.
    pub(crate) fn answers(&self) -> bool {
        matches!(self, Self::Up(delay) if *delay < LOOK)
    }
}

pub(crate) fn draw(random: &mut StdRng, length: Ms, gateways: usize) -> Tier {
    let states = [
        TierState::Up(0),
        TierState::Up(5),
        TierState::Up(45),
        TierState::Up(80),
        TierState::Down,
        TierState::Emptied,
        TierState::Foreign,
    ];
    let count = random.random_range(0..5);
    let mut changes: Vec<(Ms, TierState)> =
        (0..count).map(|_| (random.random_range(0..length), *states.choose(random).unwrap())).collect();
    changes.sort_by_key(|(at, _)| *at);
    let skewed = has(random, Feature::Skew, 30);
    let skews = (0..gateways).map(|_| if skewed { random.random_range(0..2_000) } else { 0 }).collect();
    Tier { changes, skews, severed: Vec::new() }
}

/// Lets what befalls only who hears of marks befall a tier: marks are lost, and gateways are cut off.
pub(crate) fn trouble(random: &mut StdRng, length: Ms, tier: &mut Tier) {
    if has(random, Feature::LostMarks, 25) {
        for _ in 0..random.random_range(1..=2) {
            let lost = TierState::Lost(random.random_range(1..=5));
            tier.changes.push((random.random_range(0..length), lost));
        }
        tier.changes.sort_by_key(|(at, _)| *at);
    }
    if has(random, Feature::Severed, 50) {
        for _ in 0..random.random_range(1..=3) {
            let (gateway, from) = (random.random_range(0..tier.skews.len()), random.random_range(0..length));
            tier.severed.push((gateway, from..from + random.random_range(100..8_000)));
        }
    }
}

/// How long a look into the shared tier may take.
pub(crate) const LOOK: Ms = 50;
