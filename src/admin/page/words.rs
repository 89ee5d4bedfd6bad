//! Figures as people read them.

use std::time::Duration;

/// A span in its two largest units: `2m 10s`, `3h 5m`.
pub(super) fn span(seconds: &f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX).as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut left = whole;
    let mut said = Vec::new();
    for (length, unit) in units {
        if left >= length {
            said.push(format!("{}{unit}", left / length));
            left %= length;
        } else if !said.is_empty() {
            // The next unit has nothing to add.
            break;
        }
    }
    said.truncate(2);
    if said.is_empty() { "0s".to_owned() } else { said.join(" ") }
}

/// A moment of a day in UTC, such as `03:12:05`.
pub(super) fn clock(unix_seconds: f64) -> String {
    let of_day = (unix_seconds.max(0.0) as u64) % 86_400;
    format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// A moment in UTC: its day and its time.
pub(super) fn moment(unix_seconds: &f64) -> String {
    let since = Duration::try_from_secs_f64(unix_seconds.max(0.0)).unwrap_or_default();
    let whole = Duration::from_secs(since.as_secs());
    let at = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + whole).to_string();
    at.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// A count with a space between thousands.
pub(super) fn count(count: &u64) -> String {
    let digits = count.to_string();
    let mut said = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            said.push('\u{202f}');
        }
        said.push(digit);
    }
    said
}

/// Bytes, such as `12.3 MiB`.
pub(super) fn bytes(bytes: &u64) -> String {
    bytesize::ByteSize::b(*bytes).display().iec().to_string()
}

/// A share such as `98.2 %`. Only nothing is 0 %, and only all is 100 %.
pub(super) fn percent(part: &u64, whole: &u64) -> String {
    if *whole == 0 {
        return "–".to_owned();
    }
    if part == whole {
        return "100\u{a0}%".to_owned();
    }
    let percent = *part as f64 * 100.0 / *whole as f64;
    match percent {
        0.0 => "0\u{a0}%".to_owned(),
        small if small < 0.1 => "<0.1\u{a0}%".to_owned(),
        large if large > 99.9 => ">99.9\u{a0}%".to_owned(),
        between => format!("{between:.1}\u{a0}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        let said = [0.2, 59.9, 60.0, 130.0, 3_600.0, 11_105.0, 90_061.0].each_ref().map(span);
        assert_eq!(said, ["0s", "59s", "1m", "2m 10s", "1h", "3h 5m", "1d 1h"]);
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(clock(1_772_334_725.9), "03:12:05");
        assert_eq!(moment(&1_772_334_725.9), "2026-03-01 03:12:05");
    }

    #[test]
    fn shares_are_never_rounded_to_nothing_or_to_all() {
        assert_eq!(percent(&0, &0), "–");
        let said =
            [(0, 10), (1, 100_000), (982, 1_000), (99_999, 100_000), (7, 7)].map(|(a, b)| percent(&a, &b));
        assert_eq!(said, ["0\u{a0}%", "<0.1\u{a0}%", "98.2\u{a0}%", ">99.9\u{a0}%", "100\u{a0}%"]);
        assert_eq!(count(&1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!([count(&0), count(&999)], ["0", "999"]);
    }
}
