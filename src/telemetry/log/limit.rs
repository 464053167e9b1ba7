//! Lines that repeat are left out and counted.
//!
//! Of lines with the same message about the same job, ten a second are written;
//! of all lines below `warn`, two thousand a second. What was left out is said
//! with the next line after that second. The memory of keys is bounded: beyond
//! it, lines share the keys of their messages.

use std::collections::HashMap;
use std::time::Duration;

use tracing::Level;

/// Lines of one key in one window.
const PER_KEY: u32 = 10;

/// Lines below `warn` in one window.
const ALL: u32 = 2000;

/// Keys that are remembered.
const KEYS: usize = 4096;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts lines by key.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    begun: Duration,
    keys: HashMap<(String, String), Count>,
    all: u32,
    /// Lines that only the bound over all kept back.
    crowded: u64,
}

#[derive(Debug)]
struct Count {
    written: u32,
    left_out: u64,
    level: Level,
}

/// Whether a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is.
    Write,
    /// It is counted.
    LeaveOut,
}

/// Lines that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Their message.
    pub(super) message: String,
    /// Their job; empty for none.
    pub(super) job: String,
    /// How severe they were.
    pub(super) level: Level,
    /// How many.
    pub(super) count: u64,
}

/// What becomes of a line.
#[derive(Debug)]
pub(super) struct Verdicts {
    /// Of the line itself.
    pub(super) verdict: Verdict,
    /// What to say first.
    pub(super) summaries: Vec<LeftOut>,
}

impl Limiter {
    /// Asks for a line.
    pub(super) fn ask(&mut self, key: (&str, &str), now: Duration, level: Level) -> Verdicts {
        let summaries = match now.saturating_sub(self.begun) >= WINDOW {
            true => self.next_window(now),
            false => Vec::new(),
        };
        let (message, mut job) = key;
        let mut key = (message.to_owned(), job.to_owned());
        if self.keys.len() >= KEYS && !self.keys.contains_key(&key) {
            job = "";
            key = (message.to_owned(), job.to_owned());
        }
        // Messages are the program's own, but for findings: full is full.
        if self.keys.len() >= 2 * KEYS && !self.keys.contains_key(&key) {
            self.crowded += 1;
            return Verdicts {
                verdict: Verdict::LeaveOut,
                summaries,
            };
        }
        let count = self.keys.entry(key).or_insert(Count {
            written: 0,
            left_out: 0,
            level,
        });
        let quiet = level > Level::WARN;
        let verdict = if count.written >= PER_KEY {
            count.left_out += 1;
            Verdict::LeaveOut
        } else if quiet && self.all >= ALL {
            self.crowded += 1;
            Verdict::LeaveOut
        } else {
            count.written += 1;
            self.all += u32::from(quiet);
            Verdict::Write
        };
        Verdicts { verdict, summaries }
    }

    fn next_window(&mut self, now: Duration) -> Vec<LeftOut> {
        self.begun = now;
        self.all = 0;
        let mut summaries: Vec<_> = self
            .keys
            .drain()
            .filter(|(_, count)| count.left_out > 0)
            .map(|((message, job), count)| LeftOut {
                message,
                job,
                level: count.level,
                count: count.left_out,
            })
            .collect();
        summaries.sort_by(|a, b| (&a.message, &a.job).cmp(&(&b.message, &b.job)));
        // A flood from many jobs must not become a flood of counts.
        if let Some(rest) = summaries.get(PER_KEY as usize..) {
            self.crowded += rest.iter().map(|left_out| left_out.count).sum::<u64>();
            summaries.truncate(PER_KEY as usize);
        }
        let crowded = std::mem::take(&mut self.crowded);
        if crowded > 0 {
            summaries.push(LeftOut {
                message: "more lines than the log takes".to_owned(),
                job: String::new(),
                level: Level::WARN,
                count: crowded,
            });
        }
        summaries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_from_many_jobs_is_bounded_and_counted() {
        let mut limiter = Limiter::default();
        let mut written = 0;
        for job in 0..10_000 {
            let job = format!("job-{job}");
            let answer = limiter.ask(("run succeeded", &job), Duration::ZERO, Level::INFO);
            written += u32::from(answer.verdict == Verdict::Write);
            assert!(answer.summaries.is_empty());
        }
        assert_eq!(written, ALL);
        assert!(limiter.keys.len() <= 2 * KEYS);
        let next = limiter.ask(("x", ""), Duration::from_secs(1), Level::INFO);
        assert_eq!(next.verdict, Verdict::Write);
        let counted: u64 = next.summaries.iter().map(|left_out| left_out.count).sum();
        assert_eq!(counted, 10_000 - u64::from(ALL));
    }

    #[test]
    fn warnings_are_never_crowded_out_by_information() {
        let mut limiter = Limiter::default();
        for line in 0..5000 {
            limiter.ask((&format!("line {line}"), ""), Duration::ZERO, Level::INFO);
        }
        let answer = limiter.ask(("run failed", "billing"), Duration::ZERO, Level::WARN);
        assert_eq!(answer.verdict, Verdict::Write);
    }

    #[test]
    fn memory_stays_bounded_whatever_is_logged() {
        let mut limiter = Limiter::default();
        for line in 0..30_000 {
            limiter.ask((&format!("line {line}"), "a"), Duration::ZERO, Level::WARN);
        }
        assert_eq!(limiter.keys.len(), 2 * KEYS);
        let next = limiter.ask(("x", ""), Duration::from_secs(1), Level::INFO);
        let counted: u64 = next.summaries.iter().map(|left_out| left_out.count).sum();
        assert_eq!(counted, 30_000 - 2 * KEYS as u64);
    }
}
