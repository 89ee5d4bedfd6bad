//! What an operator says of where an endpoint stands, whatever is seen of it.

use tokio::time::Instant;

use super::Position;
use crate::backend::standing::Effect;
use crate::backend::steer::Ordered;

/// An operator's word, and since when it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) ordered: Ordered,
    pub(super) since: Instant,
}

impl Position {
    /// Has it stand as an operator says from `now` on, or again as what was seen of it does.
    pub(in crate::backend) fn order(&self, ordered: Option<Ordered>, now: Instant) -> Effect {
        let mut inner = self.lock();
        let before = inner.out();
        if inner.ordered.map(|word| word.ordered) != ordered {
            inner.ordered = ordered.map(|ordered| Word { ordered, since: now });
        }
        self.mood.set(inner.mood());
        match (before, inner.out()) {
            (None, Some((why, _))) => Effect::Ejected(why),
            (Some((why, since)), None) => Effect::Returned(why, now.saturating_duration_since(since)),
            (None, None) | (Some(_), Some(_)) => Effect::Unchanged,
        }
    }

    /// Whether it takes calls because an operator says so.
    pub(in crate::backend) fn is_kept_in(&self) -> bool {
        self.lock().ordered.is_some_and(|word| word.ordered == Ordered::In)
    }
}
