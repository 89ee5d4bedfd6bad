//! Figures as people read them: the same on the page, in commands and in the demo.

use std::time::Duration;

/// A number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in whole seconds, such as `1h 5m 3s`.
pub(crate) fn span(seconds: f64) -> String {
    humantime::format_duration(Duration::from_secs(seconds.max(0.0).round() as u64)).to_string()
}

/// A time that has gone by, in its two largest units, such as `1h 5m`.
pub(crate) fn short_span(seconds: f64) -> String {
    let whole = span(seconds.floor());
    whole.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1_000, 1_234_567].map(grouped).each_ref().map(|s| s.as_str())
        );
    }

    #[test]
    fn short_spans_have_two_units_and_what_is_not_over_is_not_told() {
        let said = [0.2, 59.9, 60.0, 130.0, 3_600.0, 11_105.0, 90_061.0].map(short_span);
        assert_eq!(said, ["0s", "59s", "1m", "2m 10s", "1h", "3h 5m", "1day 1h"]);
        assert_eq!([59.9, -1.0, 3_905.0].map(span), ["1m", "0s", "1h 5m 5s"]);
    }
}
