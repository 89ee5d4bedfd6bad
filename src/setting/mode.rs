//! The mode of a file, as people write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Who may do what with a file, in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Mode(u32);

/// Why a text is no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("invalid mode: expected octal digits up to 0777")]
pub(crate) struct ModeError;

impl Mode {
    /// Nobody but the owner may use it.
    pub(crate) const OWN_USER: Self = Self(0o600);

    /// As the system has it.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777);
        bits.map(Self).ok_or(ModeError)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl TryFrom<String> for Mode {
    type Error = ModeError;

    fn try_from(text: String) -> Result<Self, ModeError> {
        text.parse()
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        mode.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_octal() {
        assert_eq!("0660".parse::<Mode>().map(Mode::bits), Ok(0o660));
        assert_eq!("666".parse::<Mode>().map(|mode| mode.to_string()).as_deref(), Ok("0666"));
        for text in ["", "0888", "1777", "rw-rw----"] {
            assert_eq!(text.parse::<Mode>(), Err(ModeError), "{text}");
        }
    }
}
