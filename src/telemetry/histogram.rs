//! How often something took how long.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::RunId;

/// Counts lengths of time by bucket.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    /// One for each bound and one for what is over the last.
    counts: Box<[AtomicU64]>,
    sum_nanos: AtomicU64,
    /// The newest of each bucket, where lengths are those of runs.
    examples: Box<[Mutex<Option<Example>>]>,
}

/// One length that was counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Example {
    /// Whose.
    pub(super) run: RunId,
    /// How long.
    pub(super) length: Duration,
    /// When it was counted.
    pub(super) at: Option<Timestamp>,
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
    /// As many as counts, or none.
    pub(super) examples: Vec<Option<Example>>,
}

impl Histogram {
    /// An empty one with these upper ends, in seconds and ascending.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            bounds,
            counts,
            sum_nanos: AtomicU64::new(0),
            examples: Box::default(),
        }
    }

    /// The same for the lengths of runs: each bucket remembers the newest.
    pub(super) fn of_runs(bounds: &'static [f64]) -> Self {
        let examples = (0..=bounds.len()).map(|_| Mutex::new(None)).collect();
        Self {
            examples,
            ..Self::new(bounds)
        }
    }

    /// Counts one of a run.
    pub(super) fn observe_run(&self, example: Example) {
        let index = self.observe(example.length);
        // A scrape that looks at it just now sees an older one.
        if let Some(place) = self.examples.get(index)
            && let Ok(mut newest) = place.try_lock()
        {
            *newest = Some(example);
        }
    }

    /// Counts one, and says in which bucket.
    pub(super) fn observe(&self, length: Duration) -> usize {
        let seconds = length.as_secs_f64();
        let index = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
        index
    }

    /// What it shows.
    pub(super) fn read(&self) -> Reading {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let newest = |place: &Mutex<Option<Example>>| place.try_lock().ok().and_then(|it| *it);
        Reading {
            bounds: self.bounds,
            counts: self.counts.iter().map(read).collect(),
            sum: Duration::from_nanos(read(&self.sum_nanos)),
            examples: self.examples.iter().map(newest).collect(),
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
        assert!(reading.examples.is_empty());
    }

    #[test]
    fn each_bucket_remembers_its_newest_run() {
        let histogram = Histogram::of_runs(&[0.001, 1.0]);
        let example = |name, millis| Example {
            run: crate::telemetry::example::run(name, 1).id,
            length: Duration::from_millis(millis),
            at: None,
        };
        let (old, new, long) = (example("a", 3), example("b", 2), example("c", 9_000));
        for example in [old, long, new] {
            histogram.observe_run(example);
        }
        let reading = histogram.read();
        assert_eq!(reading.counts, [0, 2, 1]);
        assert_eq!(reading.examples, [None, Some(new), Some(long)]);
    }
}
