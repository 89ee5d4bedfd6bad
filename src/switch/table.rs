//! The switches that are in force: one table, kept for the next start.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Switch;
use super::order::Order;
use crate::clock::Millis;

/// The switches in force. The smallest numbers were set first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// The number of the last one.
    last: u64,
    held: Vec<Held>,
}

/// A switch in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Held {
    /// Its number, by which it is undone.
    pub id: u64,
    /// What is done otherwise.
    pub switch: Switch,
    /// The same as a sentence.
    pub says: String,
    /// Who said so.
    pub who: String,
    /// Why.
    pub why: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: u64,
    /// Until when; until it is undone without.
    #[serde(default)]
    pub expires: Option<u64>,
}

/// A switch in force, as whoever looks sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct InForce {
    /// The switch.
    #[serde(flatten)]
    pub held: Held,
    /// Seconds since it was set.
    pub age_seconds: f64,
    /// Seconds until it expires.
    #[serde(default)]
    pub left_seconds: Option<f64>,
}

/// Why a switch is not set, or not undone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// It names what there is not.
    #[error("{0}")]
    Unknown(String),
    /// There are too many.
    #[error("{MOST} switches are in force: undo some")]
    Full,
    /// There is none with this number.
    #[error("no switch {0} is in force")]
    Gone(u64),
}

impl Table {
    /// Those in force.
    pub(crate) fn held(&self) -> &[Held] {
        &self.held
    }

    /// Sets one as of `now`, in place of one of the same kind and subject.
    ///
    /// # Errors
    /// If there are too many.
    pub(crate) fn set(&mut self, order: Order, who: String, now: Millis) -> Result<Held, Refusal> {
        let Order { switch, lasts, why, .. } = order;
        let is_same =
            |held: &Held| (held.switch.kind(), held.switch.subject()) == (switch.kind(), switch.subject());
        let room = self.held.iter().filter(|held| !is_same(held)).count() < MOST;
        if !room {
            return Err(Refusal::Full);
        }
        self.held.retain(|held| !is_same(held));
        self.last += 1;
        let expires = lasts.map(|lasts| now.plus(lasts.duration()).0);
        let says = switch.to_string();
        let held = Held { id: self.last, switch, says, who, why, since: now.0, expires };
        self.held.push(held.clone());
        Ok(held)
    }

    /// Takes one back.
    ///
    /// # Errors
    /// If there is none with this number.
    pub(crate) fn undo(&mut self, id: u64) -> Result<Held, Refusal> {
        let at = self.held.iter().position(|held| held.id == id).ok_or(Refusal::Gone(id))?;
        Ok(self.held.remove(at))
    }

    /// Takes back all that have expired by `now`.
    pub(crate) fn expire(&mut self, now: Millis) -> Vec<Held> {
        let has_expired = |held: &mut Held| held.expires.is_some_and(|expires| expires <= now.0);
        self.held.extract_if(.., has_expired).collect()
    }

    /// When the next one expires.
    pub(crate) fn next_expiry(&self) -> Option<Millis> {
        self.held.iter().filter_map(|held| held.expires).min().map(Millis)
    }
}

impl Held {
    /// The switch as it is at `now`.
    pub(crate) fn at(&self, now: Millis) -> InForce {
        let left = self.expires.map(|expires| Millis(expires).since(now).as_secs_f64());
        let age_seconds = now.since(Millis(self.since)).as_secs_f64();
        InForce { held: self.clone(), age_seconds, left_seconds: left }
    }

    /// What it says of something, for whoever asks why that is so.
    pub(crate) fn line(&self) -> Arc<str> {
        format!("switch {}: {}", self.id, self.says).into()
    }
}

/// Switches at one time: each is looked at when the configuration is compiled.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::Period;

    fn bypass(method: &str, seconds: u64) -> Order {
        let switch = Switch::Bypass { method: method.to_owned() };
        let lasts = Some(Period::from_secs(seconds));
        Order { switch, lasts, why: "a test".to_owned(), who: String::new() }
    }

    fn set(table: &mut Table, order: Order, at: u64) -> u64 {
        table.set(order, "me".to_owned(), Millis(at)).unwrap().id
    }

    #[test]
    fn one_takes_the_place_of_another_of_its_kind_and_subject() {
        let mut table = Table::default();
        assert_eq!([set(&mut table, bypass("S.a", 1), 0), set(&mut table, bypass("S.b", 1), 0)], [1, 2]);
        assert_eq!(set(&mut table, bypass("S.a", 60), 0), 3);
        assert_eq!(table.held().iter().map(|held| held.id).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn they_end_when_they_expire_or_are_undone() {
        let mut table = Table::default();
        let (short, long) = (set(&mut table, bypass("S.a", 1), 500), set(&mut table, bypass("S.b", 60), 500));
        assert_eq!(table.next_expiry(), Some(Millis(1_500)));
        assert_eq!(table.expire(Millis(1_499)), []);
        assert_eq!(table.expire(Millis(1_500)).iter().map(|held| held.id).collect::<Vec<_>>(), [short]);
        assert_eq!(table.undo(long).unwrap().switch, Switch::Bypass { method: "S.b".to_owned() });
        assert_eq!(table.undo(long), Err(Refusal::Gone(long)));
        assert_eq!(table.next_expiry(), None);
    }

    #[test]
    fn there_are_no_more_than_can_be_looked_through() {
        let mut table = Table::default();
        for number in 0..MOST {
            set(&mut table, bypass(&format!("S.m{number}"), 60), 0);
        }
        assert_eq!(table.set(bypass("S.more", 60), String::new(), Millis(0)), Err(Refusal::Full));
        // One that takes another's place takes no room.
        set(&mut table, bypass("S.m0", 60), 0);
    }

    #[test]
    fn the_table_is_the_same_after_a_start() {
        let mut table = Table::default();
        set(&mut table, bypass("S.a", 60), 0);
        let kept = serde_json::to_vec(&table).unwrap();
        assert_eq!(serde_json::from_slice::<Table>(&kept).unwrap(), table);
    }
}
