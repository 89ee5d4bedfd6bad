//! What changes the configuration in force, or the switches on top of it. Either puts both in force, so that neither undoes the other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tracing::{info, warn};

use super::build::Parts;
use super::rudder::Layers;
use crate::accept::Asker;
use crate::admin::steering::Steering;
use crate::clock::Millis;
use crate::config::{Changes, Config};
use crate::log::AUDIT;
use crate::setting::Nearest;
use crate::switch::order::Order;
use crate::switch::table::{Held, InForce, Refusal};
use crate::switch::{Scope, Switch};

impl Parts {
    /// In what another configuration differs from the one in force.
    pub(super) fn changes(&self, next: &Config) -> Changes {
        self.rudder.lock().config.changes(next)
    }

    /// Puts another configuration in force, below the switches, and returns what it came to.
    pub(super) fn reconfigure(self: &Arc<Self>, next: Config) -> (Config, Changes) {
        let mut layers = self.rudder.lock();
        let changes = layers.config.reload(next);
        self.renew(&layers.steered());
        self.rudder.turned(&layers);
        (layers.config.clone(), changes)
    }

    /// Sets the switches that an earlier process had set, as far as they have not expired.
    pub(super) async fn recall_switches(&self) {
        let Some(mut table) = self.rudder.recall().await else { return };
        let expired = table.expire(self.clock.now());
        for Held { id, says, .. } in table.held() {
            info!(target: AUDIT, id, what = says, "switch is in force again");
        }
        expired.iter().for_each(tell_expired);
        let mut layers = self.rudder.lock();
        layers.table = table;
        self.steer(&layers);
    }

    /// Takes back the switches that expire, as they do. Never ends.
    pub(super) async fn expire_switches(&self) {
        loop {
            let next = self.rudder.lock().table.next_expiry();
            let left = next.map_or(Duration::MAX, |next| next.since(self.clock.now()));
            let changed = timeout(left, self.rudder.until_turned()).await;
            if changed.is_err() && self.expire(self.clock.now()) {
                self.rudder.keep().await;
            }
        }
    }

    /// Takes back those that have expired, and says whether there were any.
    fn expire(&self, now: Millis) -> bool {
        let mut layers = self.rudder.lock();
        let expired = layers.table.expire(now);
        if !expired.is_empty() {
            self.steer(&layers);
        }
        expired.iter().for_each(tell_expired);
        !expired.is_empty()
    }

    /// Puts in force what switches make of the configuration. It has the same backends, so there are none to attend to.
    pub(super) fn steer(&self, layers: &Layers) {
        self.reload(&layers.steered());
        self.rudder.turned(layers);
    }

    /// Has a rule judged anew once an operator has said its mode, or taken back what was said of it.
    fn trust_again(&self, switch: &Switch) {
        if let Switch::Mode { rule, .. } = switch {
            self.trust.judge_anew(rule);
        }
    }

    /// Why there is nothing that a switch could be said of.
    fn unknown(&self, config: &Config, switch: &Switch) -> Option<Refusal> {
        if let Some(backend) = switch.backend()
            && !config.backends.contains_key(backend)
        {
            return Some(unknown("backend", backend, config.backends.keys().map(String::as_str)));
        }
        match switch {
            Switch::HoldStale { of: Scope::Method(method), .. }
            | Switch::StaleOnly { of: Scope::Method(method) }
            | Switch::Bypass { method } => {
                let named = config.listeners.values().flat_map(|listener| listener.methods.named());
                let names: Vec<String> = named.map(|(of, name, _)| format!("{of}.{name}")).collect();
                missing("method", method, &names)
            }
            Switch::Mode { rule, .. } | Switch::Ramp { rule, .. } => {
                missing("rule", rule, &config.rules.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            Switch::Endpoint { backend, endpoint, .. } | Switch::Weight { backend, endpoint, .. } => {
                let all = self.backends.all();
                let endpoints = all.get(backend).into_iter().flat_map(|to| to.backend.endpoints());
                let addresses: Vec<String> = endpoints.map(|endpoint| endpoint.address.to_string()).collect();
                missing("endpoint", &endpoint.to_string(), &addresses)
            }
            Switch::HoldStale { of: Scope::Backend(_) | Scope::All, .. }
            | Switch::StaleOnly { of: Scope::Backend(_) | Scope::All }
            | Switch::Backend { .. }
            | Switch::TryAnyway { .. }
            | Switch::Log { .. } => None,
        }
    }
}

impl Steering for Parts {
    fn in_force(&self) -> Vec<InForce> {
        self.rudder.in_force()
    }

    fn set(&self, order: Order, from: Asker) -> Result<InForce, Refusal> {
        let now = self.clock.now();
        let who = if order.who.is_empty() { from.to_string() } else { format!("{} ({from})", order.who) };
        let mut layers = self.rudder.lock();
        let (what, why) = (order.switch.to_string(), order.why.clone());
        if let Some(refusal) = self.unknown(&layers.config, &order.switch) {
            warn!(target: AUDIT, by = "admin", %from, what, why, %refusal, "switch refused");
            return Err(refusal);
        }
        let held = layers.table.set(order, who, now)?;
        let lasts = held.expires.map(|expires| Millis(expires).since(now));
        let lasts = lasts.map(|lasts| humantime::format_duration(lasts).to_string());
        info!(target: AUDIT, by = "admin", from = held.who, id = held.id, what, why, lasts, "switch set");
        self.steer(&layers);
        self.trust_again(&held.switch);
        Ok(held.at(now))
    }

    fn undo(&self, id: u64, from: Asker, why: &str) -> Result<InForce, Refusal> {
        let mut layers = self.rudder.lock();
        let held = layers.table.undo(id)?;
        self.steer(&layers);
        self.trust_again(&held.switch);
        let why = if why.is_empty() { &held.why } else { why };
        info!(target: AUDIT, by = "admin", %from, id, what = held.says, why, "switch undone");
        Ok(held.at(self.clock.now()))
    }

    fn keep(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.rudder.keep())
    }
}

fn tell_expired(held: &Held) {
    let Held { id, says, why, .. } = held;
    info!(target: AUDIT, id, what = says, why, "switch has expired");
}

fn missing(what: &str, name: &str, known: &[String]) -> Option<Refusal> {
    let is_known = known.iter().any(|known| known == name);
    (!is_known).then(|| unknown(what, name, known.iter().map(String::as_str)))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Refusal {
    Refusal::Unknown(format!("unknown {what} {name}{}", Nearest::of(name, known)))
}
