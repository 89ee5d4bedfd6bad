//! The shared tier's time. Births are told by it there, so that gateways whose clocks differ agree on ages.
//!
//! Each look at the others' marks brings the tier's time along, which lies between the moments at which it was asked for and heard. What is sure
//! of it grows old slowly, for clocks drift; what contradicts it (a clock was set, another server took over, this host slept) replaces it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Millis};
use crate::entry::Slot;

/// What a gateway knows of the tier's time.
#[derive(Debug)]
pub struct TierTime {
    clock: Clock,
    heard: Mutex<Option<Heard>>,
    /// By how many milliseconds the tier's clock is ahead of ours.
    ahead: AtomicI64,
    /// By how many that may be wrong.
    unsure: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Instant,
    ahead: i64,
    unsure: u64,
}

impl TierTime {
    /// As long as nothing is heard, it is the time of `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, heard: Mutex::default(), ahead: AtomicI64::new(0), unsure: AtomicU64::new(0) }
    }

    /// The tier's time was `theirs` at some moment between two of ours.
    pub fn hear(&self, asked: Instant, answered: Instant, theirs: Millis) {
        let unsure = (answered.saturating_duration_since(asked) / 2).as_millis() as u64 + ROUNDING;
        let middle = self.clock.at(asked).plus(answered.saturating_duration_since(asked) / 2);
        let ahead = signed(theirs).saturating_sub(signed(middle));
        let new = Heard { at: answered, ahead, unsure };
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.is_none_or(|old| old.gives_way_to(&new)) {
            *heard = Some(new);
            self.ahead.store(ahead, Ordering::Release);
            self.unsure.store(unsure, Ordering::Release);
        }
    }

    /// The tier's time now.
    pub fn now(&self) -> Millis {
        moved(self.clock.now(), self.ahead())
    }

    /// By how much the tier's clock is ahead of ours, and by how much that may be wrong.
    pub fn offset(&self) -> (i64, Duration) {
        (self.ahead(), Duration::from_millis(self.unsure.load(Ordering::Acquire)))
    }

    /// What is born by our time, as it is told in the tier. An entry is told to be older rather than younger, and a tombstone the other way.
    pub fn told(&self, slot: &Slot) -> Slot {
        self.moved(slot.clone(), self.ahead())
    }

    /// What is told in the tier, as it is born by our time; again rather older, or younger.
    pub fn ours(&self, slot: Slot) -> Slot {
        self.moved(slot, self.ahead().saturating_neg())
    }

    fn moved(&self, slot: Slot, by: i64) -> Slot {
        let unsure = self.unsure();
        match slot {
            Slot::Entry(mut entry) => {
                let born = moved(entry.born, by.saturating_sub(unsure));
                // One that has just been read is nobody else's, and is not copied.
                Arc::make_mut(&mut entry).born = born;
                Slot::Entry(entry)
            }
            Slot::Tombstone(born) => Slot::Tombstone(moved(born, by.saturating_add(unsure))),
        }
    }

    fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Acquire)
    }

    fn unsure(&self) -> i64 {
        i64::try_from(self.unsure.load(Ordering::Acquire)).unwrap_or(i64::MAX)
    }
}

impl Heard {
    fn gives_way_to(&self, new: &Self) -> bool {
        let drift = new.at.saturating_duration_since(self.at).as_millis() as u64 / DRIFT;
        let unsure = self.unsure.saturating_add(drift);
        new.unsure <= unsure || new.ahead.abs_diff(self.ahead) > unsure.saturating_add(new.unsure)
    }
}

fn moved(moment: Millis, by: i64) -> Millis {
    Millis(moment.0.saturating_add_signed(by))
}

fn signed(moment: Millis) -> i64 {
    i64::try_from(moment.0).unwrap_or(i64::MAX)
}

/// Milliseconds by which two times in whole milliseconds may be wrong.
const ROUNDING: u64 = 1;
/// Of so many milliseconds, clocks may drift apart by one.
const DRIFT: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Ending, Entry};
    use crate::wire::Protocol;
    use bytes::Bytes;

    fn time() -> TierTime {
        TierTime::new(Clock::starting_at(Millis(1_000_000)))
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn the_tiers_time_lies_between_asking_and_hearing() {
        let (time, began) = (time(), Instant::now());
        assert_eq!((time.now(), time.offset()), (Millis(1_000_000), (0, Duration::ZERO)));
        time.hear(began, began + ms(40), Millis(1_005_020));
        assert_eq!((time.now(), time.offset()), (Millis(1_005_000), (5_000, ms(21))));
        let told = time.told(&Slot::Tombstone(Millis(1_000_000)));
        assert_eq!(told, Slot::Tombstone(Millis(1_005_021)));
        assert_eq!(time.ours(told), Slot::Tombstone(Millis(1_000_042)));
        let entry = Entry::new(Millis(1_005_000), Ending::Result, Protocol::Binary, Bytes::new());
        assert_eq!(time.ours(Slot::Entry(entry.into())).born(), Millis(999_979));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_surer_stays_until_it_has_grown_old_or_is_contradicted() {
        let (time, began) = (time(), Instant::now());
        time.hear(began, began + ms(2), Millis(1_000_001));
        time.hear(began, began + ms(100), Millis(1_000_080));
        assert_eq!(time.offset(), (0, ms(2)), "it may be so, and is less sure");
        let late = began + Duration::from_secs(600);
        time.hear(late, late + ms(100), Millis(1_600_080));
        assert_eq!(time.offset(), (30, ms(51)));
        time.hear(late, late + ms(100), Millis(2_600_050));
        assert_eq!(time.offset(), (1_000_000, ms(51)), "it was set");
    }
}
