//! The configuration in force and the switches on top of it, and what both come to.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::{Config, Listener};
use crate::log::Filter;
use crate::rule::method::Governed;
use crate::state::State;
use crate::switch::effect::Subject;
use crate::switch::table::{InForce, Table};

/// What is in force.
#[derive(Debug)]
pub(super) struct Rudder {
    layers: Mutex<Layers>,
    state: Arc<State>,
    clock: Clock,
    filter: OnceLock<Filter>,
    /// Told when another switch is the next to expire.
    changed: Notify,
}

/// A configuration, and the switches on top of it.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) config: Config,
    pub(super) table: Table,
}

impl Rudder {
    /// A configuration without switches.
    pub(super) fn new(config: Config, state: Arc<State>, clock: Clock) -> Self {
        let layers = Mutex::new(Layers { config, table: Table::default() });
        Self { layers, state, clock, filter: OnceLock::new(), changed: Notify::new() }
    }

    /// The switches in force.
    pub(super) fn in_force(&self) -> Vec<InForce> {
        let (layers, now) = (self.lock(), self.clock.now());
        layers.table.held().iter().map(|held| held.at(now)).collect()
    }

    /// What changes what is logged.
    pub(super) fn log_by(&self, filter: Filter) {
        let layers = self.lock();
        filter.set(layers.table.level(), &layers.config.log.filter);
        // There is one log, and it is started once.
        let _ = self.filter.set(filter);
    }

    /// What an earlier process has left.
    pub(super) async fn recall(&self) -> Option<Table> {
        self.state.load(FILE).await
    }

    /// Keeps the switches for the next start.
    pub(super) async fn keep(&self) {
        let table = self.lock().table.clone();
        self.state.keep(FILE, &table).await;
    }

    /// Does what is not part of any rule or backend, once another configuration or other switches are in force.
    pub(super) fn turned(&self, layers: &Layers) {
        if let Some(filter) = self.filter.get() {
            filter.set(layers.table.level(), &layers.config.log.filter);
        }
        self.changed.notify_one();
    }

    /// Waits until other switches are in force.
    pub(super) async fn until_turned(&self) {
        self.changed.notified().await;
    }

    /// What is in force, which nobody else changes as long as this is held.
    pub(super) fn lock(&self) -> MutexGuard<'_, Layers> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Layers {
    /// The configuration as the switches have it.
    pub(super) fn steered(&self) -> Config {
        let mut steered = self.config.clone();
        if self.table.held().is_empty() {
            return steered;
        }
        for listener in steered.listeners.values_mut() {
            listener.methods = self.governed(listener);
        }
        for (name, settings) in &mut steered.backends {
            settings.steer = self.table.steer(name);
        }
        steered
    }

    fn governed(&self, listener: &Listener) -> Governed {
        let rules: Vec<_> = listener
            .rules
            .iter()
            .map(|rule| (rule, self.table.options(&rule.pattern, &rule.options)))
            .collect();
        let rules = rules.iter().map(|(rule, options)| rule.saying(options));
        Governed::new(rules, listener.methods.schema()).steered(|method, ruled| {
            let backend = ruled.rule.backend.as_deref().unwrap_or(&listener.backend);
            self.table.ruled(Subject { method, backend }, ruled)
        })
    }
}

/// What the switches are called where they are kept.
const FILE: &str = "switches";
