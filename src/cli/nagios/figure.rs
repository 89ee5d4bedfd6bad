//! One thing that the check judges, and how it is written for people and for graphs.

use super::State;
use super::range::Range;

/// A value beside the ranges it should lie in.
pub(super) struct Figure<'a> {
    /// Its name in the performance data.
    pub(super) label: &'static str,
    /// What people read.
    pub(super) says: String,
    pub(super) value: f64,
    pub(super) unit: Unit,
    pub(super) warning: Option<&'a Range>,
    pub(super) critical: Option<&'a Range>,
}

/// What a value counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    /// 0 to 100.
    Percent,
    Seconds,
    Days,
}

impl Figure<'_> {
    /// The worse of what the ranges say.
    pub(super) fn state(&self) -> State {
        if self.critical.is_some_and(|range| range.alerts(self.value)) {
            State::Critical
        } else if self.warning.is_some_and(|range| range.alerts(self.value)) {
            State::Warning
        } else {
            State::Ok
        }
    }

    /// What people read, with the state where it is a bad one.
    pub(super) fn text(&self) -> String {
        match self.state() {
            State::Ok | State::Unknown => self.says.clone(),
            State::Warning => format!("{} (warning)", self.says),
            State::Critical => format!("{} (critical)", self.says),
        }
    }

    /// Performance data: `'label'=value[unit];warning;critical;least;most`.
    pub(super) fn measure(&self) -> String {
        let range = |range: Option<&Range>| range.map(ToString::to_string).unwrap_or_default();
        let value = (self.value * 1000.0).round() / 1000.0;
        let (unit, bounds) = match self.unit {
            Unit::Percent => ("%", "0;100"),
            Unit::Seconds => ("s", "0"),
            // Nagios has no unit for them, and they go below 0.
            Unit::Days => ("", ""),
        };
        format!("'{}'={value}{unit};{};{};{bounds}", self.label, range(self.warning), range(self.critical))
    }
}
