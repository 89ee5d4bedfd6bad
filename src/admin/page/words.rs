//! Figures as the page's templates want them: by reference.

use std::time::Duration;

use crate::figures::{grouped, short_span};

/// A time in its two largest units.
pub(super) fn span(seconds: &f64) -> String {
    short_span(*seconds)
}

/// A moment of a day in UTC, such as `03:12:05`.
pub(super) fn clock(unix_seconds: f64) -> String {
    let moment = moment(&unix_seconds);
    moment.split_once(' ').map_or_else(|| moment.clone(), |(_, clock)| clock.to_owned())
}

/// A moment in UTC: its day and its time.
pub(super) fn moment(unix_seconds: &f64) -> String {
    let since = Duration::try_from_secs_f64(unix_seconds.max(0.0)).unwrap_or_default();
    let whole = Duration::from_secs(since.as_secs());
    let at = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + whole).to_string();
    at.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// A count.
pub(super) fn count(count: &u64) -> String {
    grouped(*count)
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
    }
}
