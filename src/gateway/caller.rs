//! What one client connection has of its own at the gateway.

use std::sync::Arc;

use super::Gateway;
use crate::backend::{Place, Session};
use crate::call::ClientId;
use crate::key::canonical::Canonical;

/// A client connection as the gateway knows it.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Memory that it lends to its calls, one after the other.
    pub(super) scratch: Scratch,
    /// What it has of its own at the backend.
    pub(super) session: Arc<Session>,
    /// Where its next call stands among its others.
    pub(crate) place: Place,
}

/// Memory for what is made of a call.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// The key of the call at hand.
    pub(super) key: Vec<u8>,
    /// Where its arguments are put in order.
    pub(super) canonical: Canonical,
}

impl Gateway {
    /// A client connection whose calls have at most `depth_max` levels.
    pub(crate) fn caller(&self, depth_max: usize) -> Caller {
        Caller {
            scratch: Scratch { key: Vec::new(), canonical: Canonical::new(depth_max) },
            session: Arc::new(self.backend.session()),
            place: Place::default(),
        }
    }
}

impl Caller {
    /// What tells it from other clients of its backend.
    #[inline]
    pub(crate) fn client(&self) -> ClientId {
        self.session.client
    }

    /// Whether it has a backend connection of its own, on which something may be remembered of it.
    #[inline]
    pub(crate) fn is_private(&self) -> bool {
        self.session.is_private()
    }

    /// Gives it a backend connection of its own from the next call on. To be asked for while none of its calls is under way.
    pub(crate) fn become_private(&mut self) {
        self.session = Arc::new(self.session.own());
    }

    /// Whether the backend connection of its own has ended.
    pub(crate) fn is_session_lost(&self) -> bool {
        self.session.is_lost()
    }

    /// Gives back the memory that one long call took.
    #[inline]
    pub(crate) fn shrink(&mut self) {
        let Scratch { key, canonical } = &mut self.scratch;
        if key.capacity() > KEY_KEPT {
            *key = Vec::new();
        }
        canonical.shrink();
    }
}

/// Capacity of a key that is kept from call to call.
const KEY_KEPT: usize = 4 << 10;
