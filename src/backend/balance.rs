//! Picks the endpoint for a call: the less loaded of two.

use std::sync::Arc;

use tokio::time::Instant;

use super::chance::Chance;
use super::endpoint::Endpoint;

/// The less loaded of two of `endpoints`, each as likely to be one of the two as its share of the calls is large.
pub(super) fn less_loaded<'a>(
    endpoints: impl Iterator<Item = &'a Arc<Endpoint>> + Clone,
    now: Instant,
    chance: &Chance,
) -> Option<&'a Arc<Endpoint>> {
    let shares = endpoints.map(|one| (one, one.share.at(now) * one.load.trust(now)));
    let load = |one: &'a Arc<Endpoint>, share: f32, more: usize| one.load.with(more, share, now);
    let same = |one: &'a Arc<Endpoint>, other: &'a Arc<Endpoint>| Arc::ptr_eq(one, other);
    pick(shares, load, same, chance)
}

/// The better of two that chance names, where each is as likely to be named as its share of the calls is large. `shares` are those
/// that may be picked and their shares, `load` how much one has to do with so many calls more.
///
/// The second is better if it has no more to do with the call than the first without it: where none has anything to do, each
/// gets what its share is. And it is compared the more rarely the smaller its share is: else whoever has least to do would
/// have the calls of all others, even if that is because it fails all of them at once.
fn pick<T: Copy>(
    shares: impl Iterator<Item = (T, f32)> + Clone,
    load: impl Fn(T, f32, usize) -> f32,
    same: impl Fn(T, T) -> bool,
    chance: &Chance,
) -> Option<T> {
    let mut ahead = shares.clone();
    let (only, _) = ahead.next()?;
    if ahead.next().is_none() {
        return Some(only);
    }
    let all: f32 = shares.clone().map(|(_, share)| share).sum();
    let (one, share) = named(shares.clone(), all * chance.share() as f32)?;
    let others = shares.filter(|(other, _)| !same(one, *other));
    let Some((other, other_share)) = named(others, (all - share) * chance.share() as f32) else {
        return Some(one);
    };
    let is_compared = other_share >= share || (chance.share() as f32) < other_share / share;
    let is_better = || load(other, other_share, 1) <= load(one, share, 0);
    Some(if is_compared && is_better() { other } else { one })
}

/// The one in whose share a point lies, of shares that lie side by side.
fn named<T>(shares: impl Iterator<Item = (T, f32)>, mut point: f32) -> Option<(T, f32)> {
    let mut last = None;
    for (one, share) in shares {
        last = Some((one, share));
        point -= share;
        if point < 0.0 {
            break;
        }
    }
    // What rounding leaves over is the last one's.
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// How often each is picked of a thousand times, by its share and its calls in flight.
    fn picked(all: &[(f32, f32)]) -> Vec<usize> {
        let chance = Chance::new(Seed::new(3));
        let mut times = vec![0; all.len()];
        for _ in 0..1_000 {
            let shares = all.iter().enumerate().map(|(index, (share, _))| (index, *share));
            let load = |index: usize, share: f32, more: usize| (all[index].1 + more as f32) / share;
            times[pick(shares, load, |one, other| one == other, &chance).unwrap()] += 1;
        }
        times
    }

    #[test]
    fn where_none_has_anything_to_do_each_gets_its_share() {
        let [one, other, third] = picked(&[(3.0, 0.0), (1.0, 0.0), (1.0, 0.0)])[..] else { panic!() };
        assert!((550..650).contains(&one) && (150..250).contains(&other), "{one} {other} {third}");
        let new = picked(&[(1.0, 0.0), (0.1, 0.0)])[1];
        assert!((60..120).contains(&new), "{new}");
    }

    #[test]
    fn of_two_the_one_with_less_to_do_gets_all_and_the_busiest_gets_nothing() {
        assert_eq!(picked(&[(1.0, 1.0), (1.0, 0.0)]), [0, 1_000]);
        let as_if_idle = picked(&[(2.0, 0.0), (1.0, 0.0)]);
        assert_eq!(
            picked(&[(2.0, 3.0), (1.0, 1.0)]),
            as_if_idle,
            "each has what its share is, within one call"
        );
        let three = picked(&[(1.0, 0.0), (1.0, 5.0), (1.0, 9.0)]);
        assert!(three[2] == 0 && three[0] > three[1], "{three:?}");
    }

    #[test]
    fn whoever_is_to_have_little_gets_little_however_much_the_others_have_to_do() {
        let few = picked(&[(1.0, 1_000.0), (0.1, 0.0)])[1];
        assert!((120..250).contains(&few), "{few}");
        let few = picked(&[(1.0, 1_000.0), (1.0, 1_000.0), (1.0, 1_000.0), (0.1, 0.0)])[3];
        assert!(few < 100, "{few}");
    }

    #[test]
    fn there_may_be_one_or_none() {
        assert_eq!(picked(&[(0.1, 7.0)]), [1_000]);
        let none = std::iter::empty::<(usize, f32)>();
        assert_eq!(pick(none, |_, _, _| 0.0, |_, _| false, &Chance::new(Seed::new(1))), None);
    }
}
