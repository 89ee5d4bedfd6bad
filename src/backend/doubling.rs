//! A time that is twice as long each time in a row, within a bound.

use std::time::Duration;

/// A time that doubles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubling {
    /// How long the first time.
    pub(super) first: Duration,
    /// The longest.
    pub(super) most: Duration,
}

impl Doubling {
    /// All of it, after so many times in a row.
    pub(super) fn whole(self, times: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(times)).min(self.most)
    }

    /// Half of it for sure, and of the other half a share in 0..=1: what began together does not end together (known as equal jitter).
    pub(super) fn time(self, times: u32, share: f64) -> Duration {
        let half = self.whole(times) / 2;
        half + half.mul_f64(share.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_bound_and_a_share_places_it_in_the_second_half() {
        let doubling = Doubling { first: Duration::from_secs(1), most: Duration::from_secs(5) };
        let wholes = [0, 1, 2, 3, 31, 32, u32::MAX].map(|times| doubling.whole(times).as_secs());
        assert_eq!(wholes, [1, 2, 4, 5, 5, 5, 5]);
        let times = [-1.0, 0.0, 0.5, 1.0, 2.0].map(|share| doubling.time(2, share).as_secs());
        assert_eq!(times, [2, 2, 3, 4, 4]);
    }
}
