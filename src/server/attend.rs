//! What backends and the cache do by themselves, and the watches for lost tiers, for outages and for what answers: from when they are in force until nobody may ask them any more.

use std::sync::Arc;

use super::build::Parts;
use super::outages::Watch;
use super::tiers::TierWatch;
use crate::config::Config;
use crate::files::Files;
use crate::gateway::destination::Destination;

impl Parts {
    /// Attends to all backends, to the cache, and to what `files` hold of certificates.
    pub(super) fn start(self: &Arc<Self>, files: Arc<dyn Files>) {
        self.backends.all().values().for_each(|destination| self.attend(destination));
        let (cache, stop) = (Arc::clone(&self.cache), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(cache.attend()).await });
        let (parts, stop) = (Arc::clone(self), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(parts.make_room()).await });
        let (parts, stop) = (Arc::clone(self), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(parts.expire_switches()).await });
        let (parts, stop) = (Arc::clone(self), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(parts.distrust()).await });
        let (parts, stop) = (Arc::clone(self), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(parts.watch_answers()).await });
        let (parts, stop) = (Arc::clone(self), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(parts.renew_certificates(files)).await });
        // Who drains may have a successor, whose files they are then.
        let (parts, stop) = (Arc::clone(self), self.commons.stop.clone());
        self.tasks
            .spawn(async move { stop.run_until_cancelled(parts.snapshot.save_each(&parts.cache)).await });
        let (parts, stop) = (Arc::clone(self), self.commons.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(parts.untold.keep_each(&parts.cache)).await });
    }

    /// Puts another configuration in force, and attends to the backends that are new.
    pub(super) fn renew(self: &Arc<Self>, config: &Config) {
        self.reload(config).iter().for_each(|destination| self.attend(destination));
    }

    fn attend(self: &Arc<Self>, destination: &Destination) {
        let Destination { backend, traffic, stop, .. } = destination;
        let (running, ends) = (Arc::clone(backend), stop.clone());
        self.tasks.spawn(async move {
            Arc::clone(&running).run(ends).await;
            running.settled().await;
        });
        let tiers = TierWatch::new(&self.cache, backend, traffic);
        let ends = stop.clone();
        self.tasks.spawn(async move { ends.run_until_cancelled(tiers.forever()).await });
        let (parts, backend, traffic) = (Arc::clone(self), Arc::clone(backend), Arc::clone(traffic));
        let watch = Watch { parts, backend, traffic, clock: self.clock.clone() };
        let (ends, all) = (stop.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            ends.run_until_cancelled(watch.forever()).await;
            if !all.is_cancelled() {
                watch.leave().await;
            }
        });
    }
}
