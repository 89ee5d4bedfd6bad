//! Misses, the calls that come because nothing is kept which answers them: how many there are, and few at first when what was kept is lost.

use tokio::time::Instant;

use super::Backend;

/// What shows that a tier was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// A server of the shared tier is not reached any more.
    Away,
    /// Of a sudden far fewer calls are answered by what is kept.
    Fallen,
}

/// What a backend is asked because nothing is kept which answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Misses {
    /// Calls so far.
    pub begun: u64,
    /// Those that are at its endpoints.
    pub out: usize,
}

impl Loss {
    pub(super) const ALL: [Self; 2] = [Self::Away, Self::Fallen];

    /// The word for it in metrics and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Fallen => "fallen",
        }
    }
}

impl Backend {
    /// Its misses.
    pub(crate) fn misses(&self) -> Misses {
        let out = self.endpoints.all().iter().map(|one| one.pool.permits.misses().1).sum();
        Misses { begun: self.means.tally.misses(), out }
    }

    /// What was kept is lost that spared it calls: as many misses may be out as were `before`, and then more and more.
    pub(crate) fn begin_misses_anew(&self, loss: Loss, before: usize) {
        self.means.tally.lost(loss);
        let (endpoints, now) = (self.endpoints.all(), Instant::now());
        let each = before.div_ceil(endpoints.len().max(1));
        endpoints.iter().for_each(|one| one.pool.permits.ramp_misses(each, now));
    }

    /// Whether what limits misses stays for the time being, because a tier is away: then it grows only where it is used up.
    pub(crate) fn hold_misses(&self, hold: bool) {
        self.endpoints.all().iter().for_each(|one| one.pool.permits.hold_misses(hold));
    }
}
