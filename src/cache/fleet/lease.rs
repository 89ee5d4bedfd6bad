//! Tells in the log when this gateway loses its lease, and when it has one again.

use tokio::time::Instant;
use tracing::{info, warn};

/// The lease as it was told last.
#[derive(Debug, Default)]
pub(super) enum Lease {
    /// There was none yet, which is how each gateway begins.
    #[default]
    None,
    Held,
    /// Since then.
    Lost(Instant),
}

impl Lease {
    /// Tells whether it is held, if that is news, and how many marks wait to be told to others.
    pub(super) fn look(&mut self, is_held: bool, untold: usize) {
        match (&*self, is_held) {
            (Self::None | Self::Lost(_), false) | (Self::Held, true) => return,
            (Self::None, true) => info!("coherence lease is held: other gateways' marks are heard"),
            (Self::Held, false) => warn!(
                untold,
                "coherence lease is lost: other gateways' marks are not heard, and on_coherence_loss says what entries with tags may do"
            ),
            (Self::Lost(since), true) => {
                let out_ms = since.elapsed().as_millis();
                info!(out_ms, untold, "coherence lease is held again");
            }
        }
        *self = if is_held { Self::Held } else { Self::Lost(Instant::now()) };
    }
}
