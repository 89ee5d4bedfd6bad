//! The geometry of charts: bars of a slot each, one source upon another.

use std::fmt::Write;

use crate::metrics::{History, Source, Sources};

/// A chart of the last hour.
#[derive(Debug, PartialEq)]
pub(super) struct Chart {
    /// What is drawn of each source that answered any.
    pub(super) areas: Vec<Area>,
    /// The calls of its highest bar.
    pub(super) highest: u64,
}

/// What one source answered.
#[derive(Debug, PartialEq)]
pub(super) struct Area {
    /// The source's word.
    pub(super) source: &'static str,
    /// Its bars, as an SVG path.
    pub(super) path: String,
}

/// A bar of shares that lies down.
#[derive(Debug, PartialEq)]
pub(super) struct Share {
    /// The source's word.
    pub(super) source: &'static str,
    /// Where it begins, of [`WIDTH`].
    pub(super) x: f64,
    /// How long it is.
    pub(super) width: f64,
    /// The calls.
    pub(super) calls: u64,
}

impl Chart {
    /// Of these slots, the oldest first. What is good lies at the bottom.
    pub(super) fn new(slots: &[Sources]) -> Self {
        let highest = slots.iter().map(|sources| sources.iter().sum::<u64>()).max().unwrap_or_default();
        let area = |source: Source| {
            let mut path = String::new();
            for (slot, sources) in slots.iter().enumerate() {
                bar(&mut path, (slot, source as usize), sources, highest);
            }
            Area { source: source.as_str(), path }
        };
        let areas = Source::ALL.into_iter().map(area).filter(|area| !area.path.is_empty()).collect();
        Self { areas, highest }
    }
}

/// Draws one source's part of one bar, where it is high enough to be seen.
fn bar(path: &mut String, (slot, source): (usize, usize), sources: &Sources, highest: u64) {
    let height = |calls: u64| calls as f64 * HEIGHT / highest.max(1) as f64;
    let calls = sources.get(source).copied().unwrap_or_default();
    if calls == 0 {
        return;
    }
    let below: u64 = sources.iter().take(source).sum();
    let (x, y) = (slot as f64 * STEP, HEIGHT - height(below));
    // A failure must be seen, however few there are.
    let tall = height(calls).max(1.0);
    // Writing to a text does not fail.
    let _ = write!(path, "M{x} {y:.1}v-{tall:.1}h{}v{tall:.1}z", STEP - GAP);
}

/// The shares of all sources that answered any.
pub(super) fn shares(sums: &Sources) -> Vec<Share> {
    let whole = sums.iter().sum::<u64>().max(1) as f64;
    let mut x = 0.0;
    let share = |(source, calls): (Source, u64)| {
        let width = calls as f64 * WIDTH / whole;
        let share = Share { source: source.as_str(), x, width, calls };
        x += width;
        share
    };
    Source::ALL.into_iter().zip(*sums).filter(|(_, calls)| *calls > 0).map(share).collect()
}

/// The width of a chart.
pub(super) const WIDTH: f64 = 720.0;
/// The height of its highest bar.
pub(super) const HEIGHT: f64 = 120.0;
const STEP: f64 = WIDTH / History::SLOTS as f64;
const GAP: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_upon_each_other_and_a_single_failure_is_seen() {
        let mut slots = vec![Sources::default(); History::SLOTS];
        (slots[0][Source::Fresh as usize], slots[0][Source::Stale as usize]) = (30, 10);
        (slots[119][Source::Fresh as usize], slots[119][Source::Failed as usize]) = (9_999, 1);
        let chart = Chart::new(&slots);
        assert_eq!(chart.highest, 10_000);
        let drawn: Vec<_> = chart.areas.iter().map(|area| (area.source, area.path.as_str())).collect();
        let fresh = "M0 120.0v-1.0h5v1.0zM714 120.0v-120.0h5v120.0z";
        let expected =
            [("fresh", fresh), ("stale", "M0 119.6v-1.0h5v1.0z"), ("failed", "M714 0.0v-1.0h5v1.0z")];
        assert_eq!(drawn, expected);
        assert_eq!(Chart::new(&[Sources::default()]), Chart { areas: Vec::new(), highest: 0 });
    }

    #[test]
    fn shares_fill_the_bar() {
        let mut sums = Sources::default();
        (sums[Source::Fresh as usize], sums[Source::Backend as usize]) = (3, 1);
        let drawn = shares(&sums);
        let told: Vec<_> = drawn.iter().map(|share| (share.source, share.x, share.width)).collect();
        assert_eq!(told, [("fresh", 0.0, 540.0), ("backend", 540.0, 180.0)]);
        assert_eq!(shares(&Sources::default()), []);
    }
}
