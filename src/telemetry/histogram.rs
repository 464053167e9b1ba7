//! How often something took how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts lengths of time by bucket.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    /// One for each bound and one for what is over the last.
    counts: Box<[AtomicU64]>,
    sum_nanos: AtomicU64,
}

/// What a histogram showed at one moment; the counts are each bucket's own.
#[derive(Debug)]
pub(super) struct Reading {
    /// Upper ends in seconds.
    pub(super) bounds: &'static [f64],
    /// One more than bounds.
    pub(super) counts: Vec<u64>,
    /// Of all lengths.
    pub(super) sum: Duration,
}

impl Histogram {
    /// An empty one with these upper ends, in seconds and ascending.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            bounds,
            counts,
            sum_nanos: AtomicU64::new(0),
        }
    }

    /// Counts one.
    pub(super) fn observe(&self, length: Duration) {
        let seconds = length.as_secs_f64();
        let index = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What it shows.
    pub(super) fn read(&self) -> Reading {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Reading {
            bounds: self.bounds,
            counts: self.counts.iter().map(read).collect(),
            sum: Duration::from_nanos(read(&self.sum_nanos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_counts_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(&[0.001, 1.0]);
        for millis in [0, 1, 2, 1000, 1001] {
            histogram.observe(Duration::from_millis(millis));
        }
        let reading = histogram.read();
        assert_eq!(reading.counts, [2, 2, 1]);
        assert_eq!(reading.sum, Duration::from_millis(2004));
    }
}
