//! What the switches in force make of the configuration: of a rule's options, of a method's rule, and of a backend's settings.

use std::borrow::Cow;

use super::table::{Held, Table};
use super::{Declared, Scope, Switch};
use crate::backend::{Ordered, Steer};
use crate::rule::method::{NotKept, Ruled};
use crate::rule::options::Options;
use crate::rule::pattern::Pattern;
use crate::rule::{Action, Caching};

/// A method, as switches speak of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// Its service and name, where it has a name here.
    pub method: Option<(&'a str, &'a str)>,
    /// The backend that its calls go to.
    pub backend: &'a str,
}

impl Table {
    /// What a rule's options are.
    pub(crate) fn options<'a>(&self, pattern: &Pattern, options: &'a Options) -> Cow<'a, Options> {
        let mut steered = Cow::Borrowed(options);
        let name = pattern.to_string();
        for Held { switch, .. } in self.held() {
            if let Switch::Mode { rule, mode } = switch
                && *rule == name
            {
                steered.to_mut().mode = *mode;
            }
            if let Switch::Ramp { rule, percent } = switch
                && *rule == name
            {
                steered.to_mut().ramp = *percent;
            }
        }
        steered
    }

    /// What holds for a method, out of `ruled`, which was made of the options above.
    pub(crate) fn ruled(&self, subject: Subject<'_>, ruled: &Ruled) -> Ruled {
        let mut steered = ruled.clone();
        for held in self.held().iter().filter(|held| held.is_of(subject, ruled)) {
            steered.steered.push(held.line());
            if let Switch::HoldStale { window, .. } = &held.switch
                && let Action::Cache(Caching { hold, .. }) = &mut steered.rule.action
            {
                *hold = (*hold).max(window.duration());
            }
            if let Switch::StaleOnly { .. } = &held.switch {
                steered.rule.spares = true;
            }
            if let Switch::Bypass { .. } = &held.switch {
                steered.rule.action = Action::Pass;
                steered.not_kept = Some(NotKept::Bypassed);
            }
        }
        // A method whose calls pass anyway has nothing kept that could answer instead.
        steered.rule.spares &= matches!(steered.rule.action, Action::Cache(_));
        steered
    }

    /// What is said of a backend.
    pub(crate) fn steer(&self, name: &str) -> Steer {
        let mut steer = Steer::default();
        for held in self.held().iter().filter(|held| held.switch.backend() == Some(name)) {
            if let Switch::Endpoint { endpoint, state, .. } = &held.switch {
                steer.endpoints.insert(endpoint.clone(), *state);
            }
            if let Switch::Weight { endpoint, weight, .. } = &held.switch {
                steer.weights.insert(endpoint.clone(), *weight);
            }
            if let Switch::Backend { state, .. } = held.switch {
                steer.declared = Some(match state {
                    Declared::Up => Ordered::In,
                    Declared::Down => Ordered::Out,
                });
            }
            steer.tries_deadly |= matches!(held.switch, Switch::TryAnyway { .. });
        }
        steer
    }

    /// The filter of the log, where one is said.
    pub(crate) fn level(&self) -> Option<&str> {
        self.held().iter().find_map(|Held { switch, .. }| {
            let Switch::Log { level } = switch else { return None };
            Some(level.as_str())
        })
    }
}

impl Held {
    /// Whether it changes anything for the calls of a method that `ruled` is for.
    fn is_of(&self, subject: Subject<'_>, ruled: &Ruled) -> bool {
        match &self.switch {
            Switch::HoldStale { of, .. } | Switch::StaleOnly { of } => {
                matches!(ruled.rule.action, Action::Cache(_)) && of.has(subject)
            }
            Switch::Bypass { method } => subject.is_method(method),
            Switch::Mode { rule, .. } | Switch::Ramp { rule, .. } => {
                ruled.governing.as_ref().is_some_and(|(pattern, _)| pattern.to_string() == *rule)
            }
            Switch::Endpoint { .. }
            | Switch::Weight { .. }
            | Switch::Backend { .. }
            | Switch::TryAnyway { .. } => self.switch.backend() == Some(subject.backend),
            Switch::Log { .. } => false,
        }
    }
}

impl Scope {
    fn has(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::Method(method) => subject.is_method(method),
            Self::Backend(backend) => backend == subject.backend,
            Self::All => true,
        }
    }
}

impl Subject<'_> {
    fn is_method(&self, name: &str) -> bool {
        self.method.is_some_and(|(service, method)| name == format!("{service}.{method}"))
    }
}

#[cfg(test)]
mod tests;
