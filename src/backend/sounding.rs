//! Whether a backend gives a sign of life at this moment, for whoever is about to take away what answers in its place.

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

use super::Backend;
use super::endpoint::Endpoint;
use super::finding::Finding;

impl Backend {
    /// Whether any endpoint gives a sign of life now. What died while nobody called is not known to be down yet: so all that are in
    /// rotation are checked, at once, and again where a check brought none, for two times `check_timeout` at most.
    pub(crate) async fn gives_sign_of_life(&self) -> bool {
        let endpoints = self.endpoints.all();
        let rotating = endpoints.iter().filter(|one| one.position.is_rotating());
        let mut sounded: FuturesUnordered<_> = rotating.map(|one| self.sound(one)).collect();
        while let Some(lives) = sounded.next().await {
            if lives {
                return true;
            }
        }
        false
    }

    /// Checks an endpoint twice at most. What shows no life is looked into as ever.
    async fn sound(&self, endpoint: &Endpoint) -> bool {
        for _ in 0..2 {
            let finding = endpoint.check().await;
            self.means.tally.checked(finding);
            // Of one that closes on checks and answers calls, no check can tell.
            let is_habit = finding == Finding::Closed && endpoint.position.closes_on_checks();
            if is_habit || endpoint.is_sign_of_life(finding) {
                return true;
            }
        }
        endpoint.position.suspect(Instant::now());
        self.means.alarm.notify_one();
        false
    }
}
