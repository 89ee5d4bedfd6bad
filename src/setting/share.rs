//! A part of a whole as a configuration file writes it: `"0.1%"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A share in percent, such as `"0.1%"`, to three decimals; a bare number is refused, because nobody knows whether it is of a hundred or of
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share {
    /// In thousandths of a percent, at most [`WHOLE`].
    thousandths: u32,
}

/// A text is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a share from 0% to 100% with at most three decimals, such as \"0.1%\"")]
pub(crate) struct ShareError;

impl Share {
    /// Whether one of many is in it: of evenly spread hashes it takes as large a part.
    #[inline]
    pub(crate) fn takes(self, hash: u64) -> bool {
        // The upper half alone, so that the product fits.
        ((hash >> 32) * u64::from(WHOLE)) >> 32 < u64::from(self.thousandths)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let number = text.strip_suffix('%').ok_or(ShareError)?.trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > DECIMALS {
            return Err(ShareError);
        }
        let thousandths: u32 = format!("{whole}{decimals:0<DECIMALS$}").parse().map_err(|_| ShareError)?;
        if thousandths <= WHOLE { Ok(Self { thousandths }) } else { Err(ShareError) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{}.{:03}", self.thousandths / 1_000, self.thousandths % 1_000);
        write!(f, "{}%", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Share {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "share" })
    }
}

/// All of it, in thousandths of a percent.
const WHOLE: u32 = 100_000;
/// Decimals of a percent.
const DECIMALS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_short_as_it_can_be() {
        for (text, written) in
            [("0.1%", "0.1%"), ("100%", "100%"), ("5.50 %", "5.5%"), ("0%", "0%"), ("0.001%", "0.001%")]
        {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn nonsense_is_no_share() {
        for text in ["", "%", "0.1", "101%", "-1%", "0.0001%", "1e1%", ".5%", "5.%", "99999999999%"] {
            assert_eq!(text.parse::<Share>(), Err(ShareError), "{text:?}");
        }
    }

    #[test]
    fn it_takes_its_part_of_what_is_evenly_spread() {
        let taken = |text: &str| {
            let share: Share = text.parse().unwrap();
            (0..10_000_u64).filter(|number| share.takes(((number << 32) / 10_000 + 1) << 32)).count()
        };
        assert_eq!(["0%", "0.1%", "25%", "100%"].map(taken), [0, 10, 2_500, 10_000]);
    }
}
