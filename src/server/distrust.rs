//! Takes rules out of force whose hits turn out to be wrong: by a switch like an operator's, which stands until it is undone.

use tracing::warn;

use super::build::Parts;
use crate::log::AUDIT;
use crate::rule::options::Mode;
use crate::switch::Switch;
use crate::switch::order::Order;
use crate::verification::{Fallen, Tally};

impl Parts {
    /// Has each rule observe that falls. Never ends.
    pub(super) async fn distrust(&self) {
        loop {
            let fallen = self.trust.fallen().await;
            if self.observe(&fallen) {
                self.rudder.keep().await;
            } else {
                self.trust.judge_anew(&fallen.rule);
            }
        }
    }

    /// Has a rule that has fallen observe, unless an operator has said its mode: he knows better.
    fn observe(&self, Fallen { rule, tally }: &Fallen) -> bool {
        let Tally { matches, changed, mismatches } = *tally;
        let mut layers = self.rudder.lock();
        let mut switches = layers.table.held().iter().map(|held| &held.switch);
        let is_said =
            switches.any(|switch| matches!(switch, Switch::Mode { rule: of, .. } if **of == **rule));
        if is_said {
            warn!(%rule, matches, changed, mismatches, "hits are wrong of a rule whose mode an operator has said: it stays");
            return false;
        }
        let switch = Switch::Mode { rule: rule.to_string(), mode: Mode::Observe };
        let why = format!("{mismatches} of its last {} hits that were verified are wrong", tally.verdicts());
        let order = Order { switch, lasts: None, why, who: String::new() };
        match layers.table.set(order, WHO.to_owned(), self.clock.now()) {
            Ok(held) => {
                warn!(target: AUDIT, by = WHO, id = held.id, what = held.says, why = held.why, "switch set");
                self.steer(&layers);
                true
            }
            Err(refusal) => {
                warn!(target: AUDIT, by = WHO, %rule, mismatches, %refusal, "switch refused");
                false
            }
        }
    }
}

/// Who says so.
const WHO: &str = "verification";
