//! An order to set a switch: which, for how long, and why.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Expiry, Switch};
use crate::log::directives;
use crate::setting::Period;

/// An order, as it is written in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// What is done otherwise.
    pub switch: Switch,
    /// For how long, from a second to 30 days. Only `mode`, `ramp` and `weight` need none: then it is until it is undone.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Period>,
    /// For whoever reads the log.
    #[serde(default)]
    pub why: String,
    /// Who says so, in his own words.
    #[serde(default)]
    pub who: String,
}

/// Why a text is no order.
#[derive(Debug, Error)]
pub(crate) enum OrderError {
    /// It is no JSON, or says something else.
    #[error("not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// It would be forgotten.
    #[error("for: missing: {0} must expire, in 1s to 30d")]
    Unlimited(&'static str),
    /// Too short, or too long.
    #[error("for: {0} is not in 1s to 30d")]
    Lasts(Period),
    /// Out of bounds.
    #[error("window: {0} is not in 1s to 30d")]
    Window(Period),
    /// Out of bounds.
    #[error("percent: {0} is not in 0 to 100")]
    Percent(u8),
    /// Out of bounds.
    #[error("weight: {0} is not in 1 to 1000")]
    Weight(u32),
    /// No directives.
    #[error(
        "level: {0:?} is no log filter ({1}); expected a level such as debug or directives such as info,larder::backend=debug"
    )]
    Level(String, String),
    /// A long text.
    #[error("{0}: {1} bytes are more than {TEXT_MAX}")]
    Long(&'static str, usize),
}

impl Order {
    /// Reads an order in JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, OrderError> {
        let order: Self = serde_json::from_slice(json)?;
        order.check()?;
        Ok(order)
    }

    /// Holds it against the bounds of what it says. Whether there is what it names is not known here.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self) -> Result<(), OrderError> {
        let is_sound = |period: Period| (SHORTEST..=LONGEST).contains(&period.duration());
        for (name, text) in [("why", &self.why), ("who", &self.who)] {
            if text.len() > TEXT_MAX {
                return Err(OrderError::Long(name, text.len()));
            }
        }
        match (self.lasts, self.switch.expiry()) {
            (Some(lasts), _) if !is_sound(lasts) => return Err(OrderError::Lasts(lasts)),
            (None, Expiry::Required) => return Err(OrderError::Unlimited(self.switch.kind())),
            (Some(_), _) | (None, Expiry::Optional) => {}
        }
        if let Switch::HoldStale { window, .. } = self.switch
            && !is_sound(window)
        {
            return Err(OrderError::Window(window));
        }
        if let Switch::Ramp { percent: percent @ 101.., .. } = self.switch {
            return Err(OrderError::Percent(percent));
        }
        if let Switch::Weight { weight: weight @ (0 | 1_001..), .. } = self.switch {
            return Err(OrderError::Weight(weight));
        }
        if let Switch::Log { level } = &self.switch
            && let Err(why) = directives(level)
        {
            return Err(OrderError::Level(level.clone(), why));
        }
        Ok(())
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// Bytes of a reason, or of a name.
const TEXT_MAX: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_forgotten_must_expire() {
        for (text, flaw) in [
            (r#"{"switch": {"kind": "mode", "rule": "S.*", "mode": "off"}}"#, ""),
            (r#"{"switch": {"kind": "bypass", "method": "S.m"}}"#, "for: missing: bypass must expire"),
            (r#"{"switch": {"kind": "bypass", "method": "S.m"}, "for": "10m"}"#, ""),
            (r#"{"switch": {"kind": "bypass", "method": "S.m"}, "for": "10ms"}"#, "for: 10ms is not in"),
            (r#"{"switch": {"kind": "stale_only", "of": "all"}, "for": "31d"}"#, "is not in 1s to 30d"),
            (r#"{"switch": {"kind": "stale_only", "of": {"backend": "b"}}, "for": "1h", "why": "x"}"#, ""),
            (r#"{"switch": {"kind": "ramp", "rule": "S.*", "percent": 101}}"#, "percent: 101"),
            (r#"{"switch": {"kind": "log", "level": "=="}, "for": "1m"}"#, "no log filter"),
            (r#"{"switch": {"kind": "bypass", "methd": "S.m"}, "for": "10m"}"#, "not understood"),
            (r#"{"switch": {"kind": "faster"}}"#, "not understood"),
        ] {
            let said =
                Order::parse(text.as_bytes()).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(if flaw.is_empty() { said.is_empty() } else { said.contains(flaw) }, "{text}: {said}");
        }
    }
}
