//! What a state behind a lock comes to, for calls that only want to go on: they read one atomic and take no lock.

use std::sync::atomic::{AtomicU8, Ordering};

/// What a state comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mood {
    /// It takes calls, and nothing was seen.
    Calm,
    /// It takes calls, and something was seen.
    Uneasy,
    /// It takes calls for one to find out whether it is back.
    Tried,
    /// It takes none, but those that find out and those that have nothing else to answer with.
    Out,
}

/// A mood that many look at.
#[derive(Debug)]
pub(super) struct AtomicMood(AtomicU8);

impl AtomicMood {
    pub(super) fn new(mood: Mood) -> Self {
        Self(AtomicU8::new(mood as u8))
    }

    pub(super) fn set(&self, mood: Mood) {
        self.0.store(mood as u8, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.0.load(Ordering::Acquire) == Mood::Calm as u8
    }

    /// Whether it takes calls, and not only for one to find out.
    pub(super) fn is_in(&self) -> bool {
        self.0.load(Ordering::Acquire) <= Mood::Uneasy as u8
    }

    #[inline]
    pub(super) fn is_out(&self) -> bool {
        self.0.load(Ordering::Acquire) == Mood::Out as u8
    }
}
