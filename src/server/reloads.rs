//! The record of the configurations that were in force: since when, how each came, and what the last reload came to.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::admin::configuration::{Came, Configuration};
use crate::admin::status::ConfigStatus;
use crate::clock::{Clock, Millis};
use crate::config::{Change, Changes, Config};

/// What befell the configuration.
#[derive(Debug)]
pub(super) struct Reloads {
    clock: Clock,
    record: Mutex<Record>,
    counts: Family<Labels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

#[derive(Debug)]
struct Record {
    /// The latest first; never empty.
    in_force: VecDeque<InForce>,
    /// Why the last reload changed nothing.
    refusal: Option<String>,
}

/// A configuration that is, or was, in force.
#[derive(Debug)]
struct InForce {
    generation: u64,
    since: Millis,
    came: Came,
    changes: Changes,
    config: Config,
}

impl Reloads {
    /// The first configuration is in force as of now. What follows is counted where `registry` shows it.
    pub(super) fn new(config: Config, clock: Clock, registry: &mut Registry) -> Self {
        let counts = Family::<Labels, Counter>::default();
        let help = "Reloads and rollbacks that took effect, and reloads that were refused";
        registry.register("larder_config_reloads", help, Family::clone(&counts));
        for result in [APPLIED, REFUSED] {
            drop(counts.get_or_create(&Labels { result }));
        }
        let (since, changes) = (clock.now(), Changes::default());
        let first = InForce { generation: 1, since, came: Came::Start, changes, config };
        let record = Record { in_force: [first].into(), refusal: None };
        Self { clock, record: Mutex::new(record), counts }
    }

    /// A reload or rollback took effect. One that changes nothing begins no other generation: it would only have an earlier one forgotten.
    pub(super) fn applied(&self, config: Config, came: Came, changes: Changes) {
        let (since, mut record) = (self.clock.now(), self.record());
        let generation = record.generation() + 1;
        record.refusal = None;
        match record.in_force.front_mut().filter(|current| current.is_renewed(&config, came, &changes)) {
            Some(current) => current.changes.restart = changes.restart,
            None => record.in_force.push_front(InForce { generation, since, came, changes, config }),
        }
        record.in_force.truncate(REMEMBERED);
        self.counts.get_or_create(&Labels { result: APPLIED }).inc();
    }

    /// A reload changed nothing.
    pub(super) fn refused(&self, why: String) {
        self.record().refusal = Some(why);
        self.counts.get_or_create(&Labels { result: REFUSED }).inc();
    }

    /// The configuration that was in force as this generation, if it is remembered.
    pub(super) fn earlier(&self, generation: u64) -> Option<Config> {
        let record = self.record();
        let mut all = record.in_force.iter();
        all.find(|one| one.generation == generation).map(|one| one.config.clone())
    }

    /// The generations that are remembered, the first and the last.
    pub(super) fn remembered(&self) -> (u64, u64) {
        let record = self.record();
        let last = record.generation();
        (record.in_force.back().map_or(last, |first| first.generation), last)
    }

    /// How the configuration stands.
    pub(super) fn status(&self) -> ConfigStatus {
        let (record, now) = (self.record(), self.clock.now());
        let current = record.current();
        let refusal = record.refusal.clone();
        let restart = current.map(|current| Change::paths(&current.changes.restart)).unwrap_or_default();
        let rolled_back = current.is_some_and(|current| current.came.is_rollback());
        ConfigStatus {
            age_seconds: current.map_or(0.0, |current| now.since(current.since).as_secs_f64()),
            generation: record.generation(),
            file_differs: refusal.is_some() || rolled_back || !restart.is_empty(),
            needs_restart: restart,
            last_reload: refusal.unwrap_or_else(|| OK.to_owned()),
        }
    }

    /// The configuration in force and those before it that are remembered, the latest first.
    pub(super) fn all(&self) -> Vec<Configuration> {
        let now = self.clock.now();
        self.record().in_force.iter().map(|one| one.shown(now)).collect()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn current(&self) -> Option<&InForce> {
        self.in_force.front()
    }

    fn generation(&self) -> u64 {
        self.current().map_or(0, |current| current.generation)
    }
}

impl InForce {
    /// Whether this configuration comes once more. What is read in the file and what was rolled back to are two, whatever they say: the file may
    /// differ from the latter.
    fn is_renewed(&self, config: &Config, came: Came, changes: &Changes) -> bool {
        let comes_alike = self.came.is_rollback() == came.is_rollback();
        comes_alike && changes.applied.is_empty() && self.config.toml() == config.toml()
    }

    fn shown(&self, now: Millis) -> Configuration {
        let Self { generation, since, came, changes, config } = self;
        Configuration {
            generation: *generation,
            came: *came,
            file: config.file().display().to_string(),
            since: since.0,
            age_seconds: now.since(*since).as_secs_f64(),
            changes: Change::sayings(&changes.applied),
            needs_restart: Change::sayings(&changes.restart),
            toml: config.toml(),
        }
    }
}

/// What a reload or rollback came to.
const APPLIED: &str = "applied";
const REFUSED: &str = "refused";
/// Configurations that are remembered, the one in force included.
const REMEMBERED: usize = 6;
/// What the status says of a reload that took effect.
const OK: &str = "ok";

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn reloads() -> (Reloads, Config) {
        let config = Config::embedded().config.unwrap();
        (Reloads::new(config.clone(), Clock::system(), &mut Registry::default()), config)
    }

    /// What a reload changed.
    fn change() -> Changes {
        let (path, says) = ("log.level".to_owned(), "log.level info to warn".to_owned());
        Changes { applied: vec![Change { path, says }], restart: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_reload_leaves_age_and_generation() {
        let (reloads, config) = reloads();
        tokio::time::advance(Duration::from_secs(5)).await;
        reloads.refused("no such option".to_owned());
        let status = reloads.status();
        assert_eq!((status.generation, status.age_seconds, status.file_differs), (1, 5.0, true));
        assert_eq!(status.last_reload, "no such option");
        reloads.applied(config, Came::Reload, change());
        let status = reloads.status();
        assert_eq!((status.generation, status.age_seconds, status.file_differs), (2, 0.0, false));
        assert_eq!(status.last_reload, OK);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_ones_are_remembered() {
        let (reloads, config) = reloads();
        for _ in 0..9 {
            reloads.applied(config.clone(), Came::Reload, change());
        }
        assert_eq!(reloads.remembered(), (5, 10));
        assert!(reloads.earlier(5).is_some() && reloads.earlier(4).is_none());
        reloads.applied(config, Came::Rollback { to: 5 }, change());
        let (all, status) = (reloads.all(), reloads.status());
        assert_eq!((all[0].generation, all[0].came), (11, Came::Rollback { to: 5 }));
        assert!(status.file_differs, "nobody has read this in the file");
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_nothing_has_no_earlier_one_forgotten() {
        let (reloads, config) = reloads();
        reloads.applied(config.clone(), Came::Rollback { to: 1 }, change());
        for _ in 0..9 {
            reloads.refused("no such option".to_owned());
            reloads.applied(config.clone(), Came::Reload, Changes::default());
        }
        assert_eq!(reloads.remembered(), (1, 3), "that the file is read again is told once");
        let waiting = Changes { applied: Vec::new(), restart: change().applied };
        reloads.applied(config, Came::Reload, waiting);
        let status = reloads.status();
        assert_eq!((status.generation, status.last_reload.as_str()), (3, OK));
        assert_eq!((status.needs_restart, status.file_differs), (vec!["log.level".to_owned()], true));
        assert_eq!(reloads.counts.get_or_create(&Labels { result: APPLIED }).get(), 11);
    }
}
