//! A Nagios threshold: the range a value should lie in, as the plugin guidelines write it.

use std::fmt;
use std::str::FromStr;

/// A range `[@]start:end`, ends included. A value outside it alerts; with `@`, one inside it.
///
/// `10` is `0:10`, `10:` has no upper end, `~:10` no lower one. Source: the Monitoring Plugins Development Guidelines,
/// "Threshold and Ranges".
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    text: String,
    start: f64,
    end: f64,
    alert: Alert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alert {
    Outside,
    Inside,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// An end is no number.
    #[error("{0:?} is no number; expected [@]start:end, such as 5, 100: or ~:0.5")]
    Number(String),
    /// The range has no inside.
    #[error("{0:?} ends before it starts")]
    Backwards(String),
}

impl Range {
    /// Whether `value` alerts.
    pub fn alerts(&self, value: f64) -> bool {
        let inside = self.start <= value && value <= self.end;
        match self.alert {
            Alert::Outside => !inside,
            Alert::Inside => inside,
        }
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (alert, ends) = match text.strip_prefix('@') {
            Some(ends) => (Alert::Inside, ends),
            None => (Alert::Outside, text),
        };
        let (start, end) = match ends.split_once(':') {
            None => (0.0, number(ends)?),
            Some((start, end)) => (lower(start)?, upper(end)?),
        };
        if start > end {
            return Err(RangeError::Backwards(text.to_owned()));
        }
        Ok(Self { text: text.to_owned(), start, end, alert })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn lower(text: &str) -> Result<f64, RangeError> {
    match text {
        "~" => Ok(f64::NEG_INFINITY),
        "" => Ok(0.0),
        number_text => number(number_text),
    }
}

fn upper(text: &str) -> Result<f64, RangeError> {
    if text.is_empty() { Ok(f64::INFINITY) } else { number(text) }
}

fn number(text: &str) -> Result<f64, RangeError> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) | Err(_) => Err(RangeError::Number(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_alerts_as_the_guidelines_table_says() {
        let table: [(&str, &[f64], &[f64]); 8] = [
            ("10", &[-0.1, 10.1], &[0.0, 5.0, 10.0]),
            ("10:", &[9.9, -10.0], &[10.0, 1e12]),
            ("~:10", &[10.1], &[-1e12, 0.0, 10.0]),
            ("10:20", &[9.9, 20.1], &[10.0, 15.0, 20.0]),
            ("@10:20", &[10.0, 15.0, 20.0], &[9.9, 20.1]),
            ("@10", &[0.0, 10.0], &[-0.1, 10.1]),
            (":5", &[-1.0, 5.5], &[0.0, 5.0]),
            ("-5:-1.5", &[-5.1, 0.0], &[-5.0, -1.5]),
        ];
        for (text, alerting, quiet) in table {
            let range: Range = text.parse().unwrap();
            assert_eq!(range.to_string(), text);
            for value in alerting {
                assert!(range.alerts(*value), "{text} should alert at {value}");
            }
            for value in quiet {
                assert!(!range.alerts(*value), "{text} should not alert at {value}");
            }
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "@", "~", "a", "1:b", "10%", "5s", "nan", "inf", "1:2:3", "@@1"] {
            assert!(matches!(text.parse::<Range>(), Err(RangeError::Number(_))), "{text:?}");
        }
        assert_eq!("20:10".parse::<Range>(), Err(RangeError::Backwards("20:10".to_owned())));
    }
}
