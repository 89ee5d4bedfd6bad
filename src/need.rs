//! How much an answer is needed: where there is not enough for all, those give way first who need it least. And where it was sought last.

use crate::dial::Address;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// How much an answer is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// A stale entry has answered already, and nobody waits.
    Refresh,
    /// An old entry may answer instead.
    Spared,
    /// Nothing else answers.
    Bare,
}

/// The need of something under way, which others may come to wait for.
#[derive(Debug)]
pub(crate) struct Demand {
    need: AtomicU8,
    grown: Notify,
    endpoint: Mutex<Option<Address>>,
}

impl Demand {
    /// That of whoever began it.
    pub(crate) fn new(need: Need) -> Self {
        Self { need: AtomicU8::new(need as u8), grown: Notify::new(), endpoint: Mutex::default() }
    }

    /// What it is now.
    pub(crate) fn need(&self) -> Need {
        match self.need.load(Ordering::Acquire) {
            REFRESH => Need::Refresh,
            SPARED => Need::Spared,
            _ => Need::Bare,
        }
    }

    /// Somebody waits for it who needs it so much.
    pub(crate) fn grow(&self, need: Need) {
        if self.need.fetch_max(need as u8, Ordering::AcqRel) < need as u8 {
            self.grown.notify_waiters();
        }
    }

    /// Something was found by which all who wait need it no more than this.
    pub(crate) fn shrink(&self, need: Need) {
        self.need.fetch_min(need as u8, Ordering::AcqRel);
    }

    /// It is sought at this endpoint from here on.
    pub(crate) fn goes_to(&self, endpoint: &Address) {
        *self.endpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(endpoint.clone());
    }

    /// The endpoint where it was sought last, if at any.
    pub(crate) fn endpoint(&self) -> Option<Address> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it is more than `need`.
    pub(crate) async fn exceeds(&self, need: Need) {
        loop {
            let mut grown = pin!(self.grown.notified());
            grown.as_mut().enable();
            if self.need() > need {
                return;
            }
            grown.await;
        }
    }
}

const REFRESH: u8 = Need::Refresh as u8;
const SPARED: u8 = Need::Spared as u8;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_demand_grows_with_who_comes_to_wait_and_shrinks_with_what_is_found() {
        let demand = Demand::new(Need::Refresh);
        let more = demand.exceeds(Need::Refresh);
        tokio::pin!(more);
        assert!(futures_util::poll!(more.as_mut()).is_pending());
        demand.grow(Need::Bare);
        assert!(futures_util::poll!(more).is_ready());
        assert_eq!(demand.need(), Need::Bare);
        demand.grow(Need::Spared);
        assert_eq!(demand.need(), Need::Bare);
        demand.shrink(Need::Spared);
        assert_eq!(demand.need(), Need::Spared);
        let refresh = Demand::new(Need::Refresh);
        refresh.shrink(Need::Spared);
        assert_eq!(refresh.need(), Need::Refresh);
    }
}
