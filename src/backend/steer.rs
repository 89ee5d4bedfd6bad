//! What an operator says of a backend for a while, in place of what is configured or was seen.

use crate::dial::Address;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::standing::Why;

/// What an operator says of a backend. By default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steer {
    /// Of all endpoints of which nothing else is said.
    pub declared: Option<Ordered>,
    /// Of some endpoints.
    pub endpoints: BTreeMap<Address, Ordered>,
    /// The weights of some endpoints.
    pub weights: BTreeMap<Address, u32>,
    /// Whether calls that endpoints died of are sent all the same.
    pub tries_deadly: bool,
}

/// Where an endpoint stands by an operator's word, whatever is seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ordered {
    /// It gets no calls but those that have nothing else to answer with; those under way and in line end there.
    Drained,
    /// It gets no calls at all.
    Out,
    /// It gets calls.
    In,
}

impl Steer {
    /// What is said of an endpoint.
    pub(super) fn of(&self, endpoint: &Address) -> Option<Ordered> {
        self.endpoints.get(endpoint).copied().or(self.declared)
    }

    /// The weight that an endpoint is given.
    pub(super) fn weight(&self, endpoint: &Address) -> Option<u32> {
        self.weights.get(endpoint).copied()
    }
}

impl Ordered {
    /// Why an endpoint that stands so takes no calls.
    pub(super) fn why(self) -> Option<Why> {
        match self {
            Self::Drained => Some(Why::Drained),
            Self::Out => Some(Why::Ordered),
            Self::In => None,
        }
    }
}
