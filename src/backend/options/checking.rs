//! How the settings of a backend have its endpoints checked.

use bytes::Bytes;

use super::Settings;
use crate::backend::doubling::Doubling;
use crate::backend::finding::{self, Asked};
use crate::backend::position::Pace;

impl Settings {
    /// The method that may be called, without arguments, to find out whether an endpoint speaks as told; none where nothing may be.
    pub(crate) fn harmless_method(&self) -> Option<&str> {
        match self.check {
            finding::Kind::Call => Some(&self.check_method),
            finding::Kind::Fb303 => Some(finding::STATUS),
            finding::Kind::Tcp | finding::Kind::Off => None,
        }
    }

    /// What an endpoint is asked for a sign of life.
    pub(in crate::backend) fn check(&self) -> Asked {
        Asked {
            kind: self.check,
            method: Bytes::copy_from_slice(self.check_method.as_bytes()),
            expects: self.check_expects,
            timeout: self.check_timeout,
        }
    }

    /// How often an endpoint is checked.
    pub(in crate::backend) fn check_pace(&self) -> Pace {
        Pace {
            kind: self.check,
            interval: self.check_interval,
            always: self.check_always,
            rest: self.ejection(),
        }
    }

    /// How long what has failed is out.
    pub(in crate::backend) fn ejection(&self) -> Doubling {
        Doubling { first: self.ejection_time, most: self.ejection_time_max }
    }
}
