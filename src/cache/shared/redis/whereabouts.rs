//! Where the server that a supervisor looks after is to be found.

use super::door::Unreachable;
use super::place::Place;
use super::sentinel::Sentinels;

/// Where a server is.
#[derive(Debug)]
pub(super) enum Whereabouts {
    /// Always there.
    Fixed(Place),
    /// Where sentinels say.
    Told(Sentinels),
}

impl Whereabouts {
    /// Where it is now.
    pub(super) async fn find(&self) -> Result<Place, Unreachable> {
        match self {
            Self::Fixed(place) => Ok(place.clone()),
            Self::Told(sentinels) => sentinels.primary().await,
        }
    }

    /// Whether it is still at `place`, as far as anybody can tell.
    pub(super) async fn is_at(&self, place: &Place) -> bool {
        match self {
            Self::Fixed(fixed) => fixed == place,
            // Sentinels that are gone are no reason to leave a server that is well.
            Self::Told(sentinels) => sentinels.primary().await.map_or(true, |primary| primary == *place),
        }
    }
}
