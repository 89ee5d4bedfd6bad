//! What one client connection has of its own at the gateway.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::Gateway;
use crate::backend::{Backend, Place, Session};
use crate::call::ClientId;
use crate::key::canonical::Canonical;

/// A client connection as the gateway knows it.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Memory that it lends to its calls, one after the other.
    pub(super) scratch: Scratch,
    /// What it has of its own at backends.
    pub(super) sessions: Sessions,
    client: ClientId,
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

/// What a client connection has of its own at each backend that its calls were for.
#[derive(Debug, Default)]
pub(super) struct Sessions(Vec<Held>);

/// A session, and the backend that it is at: known by its place alone, and not kept by who once called it.
#[derive(Debug)]
struct Held {
    backend: Weak<Backend>,
    session: Arc<Session>,
}

impl Gateway {
    /// A client connection whose calls have at most `depth_max` levels.
    pub(crate) fn caller(&self, depth_max: usize) -> Caller {
        Caller {
            scratch: Scratch { key: Vec::new(), canonical: Canonical::new(depth_max) },
            sessions: Sessions::default(),
            client: ClientId(self.clients.fetch_add(1, Ordering::Relaxed)),
            place: Place::default(),
        }
    }
}

impl Caller {
    /// What tells it from other clients.
    #[inline]
    pub(crate) fn client(&self) -> ClientId {
        self.client
    }

    /// Whether it has a connection of its own at this backend, on which something may be remembered of it.
    #[inline]
    pub(crate) fn is_private_at(&self, backend: &Arc<Backend>) -> bool {
        self.sessions.0.iter().any(|held| held.is_at(backend) && held.session.is_private())
    }

    /// Gives it a connection of its own at this backend from the next call on. To be asked for while none of its calls is under way.
    pub(crate) fn become_private_at(&mut self, backend: &Arc<Backend>) {
        let session = self.sessions.slot(backend);
        *session = Arc::new(session.own());
    }

    /// Its calls at this backend belong to another session from the next one on. To be asked for while no other of its calls is under way.
    pub(super) fn identify_at(&mut self, backend: &Arc<Backend>, session: &Arc<Session>) {
        *self.sessions.slot(backend) = Arc::clone(session);
    }

    /// Whether a backend connection of its own has ended, or nobody knows who it is.
    pub(crate) fn is_session_lost(&self) -> bool {
        self.sessions.0.iter().any(|held| held.session.is_lost())
    }

    /// Whether something may be remembered of it at a backend that no call may go to any more: another would not know it.
    #[inline]
    pub(crate) fn is_stranded(&self, may_go_to: impl Fn(*const Backend) -> bool) -> bool {
        let mut held = self.sessions.0.iter();
        held.any(|held| held.session.is_bound() && !may_go_to(held.backend.as_ptr()))
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

impl Sessions {
    /// What the client has at this backend.
    #[inline]
    pub(super) fn at(&mut self, backend: &Arc<Backend>) -> &Arc<Session> {
        self.slot(backend)
    }

    #[inline]
    fn slot(&mut self, backend: &Arc<Backend>) -> &mut Arc<Session> {
        let known = self.0.iter().position(|held| held.is_at(backend));
        let at = known.unwrap_or_else(|| self.open(backend));
        let held = self.0.get_mut(at).expect("it was found there, or put there");
        &mut held.session
    }

    /// Where a session is put that begins now. Those at backends that a reload has taken away end.
    #[cold]
    fn open(&mut self, backend: &Arc<Backend>) -> usize {
        self.0.retain(|held| held.backend.strong_count() > 0);
        self.0.push(Held { backend: Arc::downgrade(backend), session: Arc::new(backend.session()) });
        self.0.len() - 1
    }
}

impl Held {
    #[inline]
    fn is_at(&self, backend: &Arc<Backend>) -> bool {
        self.backend.as_ptr() == Arc::as_ptr(backend)
    }
}

/// Capacity of a key that is kept from call to call.
const KEY_KEPT: usize = 4 << 10;
