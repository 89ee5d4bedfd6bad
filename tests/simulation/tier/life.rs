//! The shared tier as it runs.

use std::sync::Arc;
use std::time::Duration;

use larder::cache::shared::{Memory, State};
use tokio::task::JoinSet;

use super::TierState;
use crate::history::What;
use crate::stage::Stage;

/// Lets happen what happens to a tier, which each gateway sees by its own link.
pub(crate) async fn live(stage: Arc<Stage>, links: Vec<Memory>) {
    let mut severing = JoinSet::new();
    for (gateway, time) in stage.world.tier.iter().flat_map(|tier| tier.severed.clone()) {
        let (stage, link) = (Arc::clone(&stage), links[gateway].clone());
        severing.spawn(async move {
            for (at, severed) in [(time.start, true), (time.end, false)] {
                stage.until(at).await;
                stage.note(What::Tier { what: format!("Severed({gateway}, {severed})") });
                link.sever(severed);
            }
        });
    }
    for (at, state) in stage.world.tier.iter().flat_map(|tier| tier.changes.clone()) {
        stage.until(at).await;
        stage.note(What::Tier { what: format!("{state:?}") });
        let Some(memory) = links.first() else { continue };
        match state {
            TierState::Up(delay) => memory.set(State::Up(Duration::from_millis(delay))),
            TierState::Down => memory.set(State::Down),
            TierState::Emptied => memory.empty(),
            TierState::Foreign => memory.spoil(b"somebody else's bytes"),
            TierState::Lost(count) => memory.lose_marks(count),
        }
    }
    while severing.join_next().await.is_some() {}
}
