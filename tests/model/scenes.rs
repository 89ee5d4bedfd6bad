//! What is looked at: small worlds in which few things may happen, each in every order.

use crate::world::{Bounds, Fault};

/// A world and what may happen in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    /// What it is about.
    pub name: &'static str,
    /// The one fault of Redis that may happen.
    pub fault: Option<Fault>,
    /// How often each thing may happen.
    pub bounds: Bounds,
}

impl Scene {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [LEASES, FILLS, FAILOVER, JOINING, MARKS, FLUSH, REPLIES, EMPTY];

    /// The same with `more` of what happens in it.
    pub(crate) fn deeper(self, more: u8) -> Self {
        let Bounds { ticks, marks, fetches, reads, restarts, losses, replications, faults } = self.bounds;
        let add = |times: u8| if times == 0 { 0 } else { times + more };
        let bounds = Bounds {
            ticks: add(ticks),
            marks: add(marks),
            fetches: add(fetches),
            reads: add(reads),
            restarts: add(restarts),
            losses: add(losses),
            replications: add(replications),
            faults,
        };
        Self { bounds, ..self }
    }
}

/// Who is cut off loses its lease before the others stop waiting.
pub(crate) const LEASES: Scene =
    Scene { name: "leases", fault: None, bounds: Bounds { ticks: 3, marks: 1, losses: 1, ..NOTHING } };

/// Replies come late, here and in the shared tier.
pub(crate) const FILLS: Scene =
    Scene { name: "fills", fault: None, bounds: Bounds { marks: 1, fetches: 2, reads: 1, ..NOTHING } };

/// A replica takes over while leases run.
pub(crate) const FAILOVER: Scene = Scene {
    name: "failover",
    fault: Some(Fault::Failover),
    bounds: Bounds { ticks: 2, marks: 1, faults: 1, ..NOTHING },
};

/// A gateway starts beside a failover, and knows nothing of what it lost.
pub(crate) const JOINING: Scene = Scene {
    name: "joining",
    fault: Some(Fault::Failover),
    bounds: Bounds { marks: 1, reads: 1, restarts: 1, faults: 1, ..NOTHING },
};

/// Marks come into the places of marks that a failover lost.
pub(crate) const MARKS: Scene = Scene {
    name: "marks",
    fault: Some(Fault::Failover),
    bounds: Bounds { marks: 2, replications: 1, faults: 1, ..NOTHING },
};

/// All keys are dropped while a gateway starts.
pub(crate) const FLUSH: Scene = Scene {
    name: "flush",
    fault: Some(Fault::Flush),
    bounds: Bounds { marks: 1, reads: 1, restarts: 1, faults: 1, ..NOTHING },
};

/// All keys are dropped while a reply is under way.
pub(crate) const REPLIES: Scene = Scene {
    name: "replies",
    fault: Some(Fault::Flush),
    bounds: Bounds { marks: 1, fetches: 1, faults: 1, ..NOTHING },
};

/// Redis starts again with nothing while leases run.
pub(crate) const EMPTY: Scene = Scene {
    name: "empty",
    fault: Some(Fault::Empty),
    bounds: Bounds { ticks: 2, marks: 1, faults: 1, ..NOTHING },
};

const NOTHING: Bounds =
    Bounds { ticks: 0, marks: 0, fetches: 0, reads: 0, restarts: 0, losses: 0, replications: 0, faults: 0 };
