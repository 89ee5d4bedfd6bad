//! How long the calls of a method took that were not answered at once. Lock-free, because every call that waits is counted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Calls by how long they took. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Waits {
    /// One more.
    #[inline]
    pub(super) fn note(&self, took: Duration) {
        let at = BOUNDS.partition_point(|bound| took > *bound);
        if let Some(bucket) = self.0.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many took at most each of [`BOUNDS`], and not at most the one before; the last took longer than all.
    pub(crate) fn counts(&self) -> [u64; BOUNDS.len() + 1] {
        self.0.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed))
    }
}

impl EncodeMetric for Waits {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.counts();
        let bounds = BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let seconds = self.0.micros.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(seconds, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Waits {
    const TYPE: MetricType = MetricType::Histogram;
}

/// The bounds of the buckets: few, because each method of each listener has them all.
pub(crate) const BOUNDS: [Duration; 10] = [
    Duration::from_micros(500),
    Duration::from_micros(1_500),
    Duration::from_millis(5),
    Duration::from_millis(15),
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(500),
    Duration::from_millis(1_500),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::page;
    use prometheus_client::registry::Registry;

    #[test]
    fn each_call_is_in_the_first_bucket_that_is_long_enough() {
        let (waits, mut registry) = (Waits::default(), Registry::default());
        registry.register("waits", "How long", waits.clone());
        for took in [0, 500, 501, 15_000_000, 15_000_001] {
            waits.note(Duration::from_micros(took));
        }
        assert_eq!(waits.counts(), [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        let page = page(&registry);
        for line in [
            "# TYPE waits histogram",
            "waits_sum 30.001002",
            "waits_count 5",
            "waits_bucket{le=\"0.0005\"} 2",
            "waits_bucket{le=\"0.0015\"} 3",
            "waits_bucket{le=\"15.0\"} 4",
            "waits_bucket{le=\"+Inf\"} 5",
        ] {
            assert!(page.lines().any(|one| one == line), "{line}: {page}");
        }
    }
}
