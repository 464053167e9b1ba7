//! How the jobs did in a span: the daemon's sums as a table.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::render::amount;
use crate::model::Outcome;

/// What the daemon says about a span.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Report {
    /// Where the span begins.
    pub since: String,
    /// Where it ends.
    pub until: String,
    /// Each job with a fire in it.
    pub jobs: Vec<Row>,
    /// Jobs whose last runs failed, the first ones by name.
    #[serde(default)]
    pub failing: Vec<Failing>,
}

/// A job whose last runs failed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Failing {
    /// Its name.
    pub job_id: String,
    /// Since when.
    pub failing_since: Since,
}

/// Since when a job fails.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Since {
    /// The end of the first run that failed after the last success.
    pub at: String,
    /// What came before, in words.
    pub text: String,
}

/// One job in a span.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Row {
    /// Its name.
    pub job_id: String,
    /// How many fires came to which end, by the words of the API.
    pub outcomes: BTreeMap<String, u64>,
    /// All run times together.
    #[serde(default)]
    pub total_duration_seconds: f64,
    /// The longest of them.
    #[serde(default)]
    pub longest_duration_seconds: f64,
}

impl Row {
    /// How many fires came to that end.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome.as_str()).copied().unwrap_or(0)
    }

    /// Runs that did what they should not.
    #[must_use]
    pub fn bad(&self) -> u64 {
        [Outcome::Failed, Outcome::TimedOut, Outcome::Interrupted]
            .map(|outcome| self.count(outcome))
            .iter()
            .sum()
    }

    /// Runs that ended after at least one attempt.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.count(Outcome::Success) + self.bad() + self.count(Outcome::Cancelled)
    }
}

impl Report {
    /// A table for people: what needs somebody's eyes stands first.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows: Vec<&Row> = self.jobs.iter().collect();
        rows.sort_by(|a, b| {
            let trouble = |row: &Row| {
                let missed = row.count(Outcome::Missed);
                (row.bad(), missed, row.count(Outcome::Skipped))
            };
            trouble(b)
                .cmp(&trouble(a))
                .then_with(|| a.job_id.cmp(&b.job_id))
        });
        let mut text = format!("{} to {}\n", whole(&self.since), whole(&self.until));
        let failing: String = self.failing.iter().map(Failing::line).collect();
        if rows.is_empty() {
            text.push_str("no job fired\n");
            return text + &failing;
        }
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(rows.iter().map(|row| cells(row)));
        text.push_str(&aligned(&lines));
        let sum = |of: fn(&Row) -> u64| rows.iter().map(|row| of(row)).sum::<u64>();
        text.push_str(&format!(
            "{}, {}, {} failed, {} missed, {} skipped\n",
            amount(rows.len() as u64, "job"),
            amount(sum(Row::runs), "run"),
            sum(Row::bad),
            sum(|row| row.count(Outcome::Missed)),
            sum(|row| row.count(Outcome::Skipped))
        ));
        text + &failing
    }
}

impl Failing {
    fn line(&self) -> String {
        let Since { at, text } = &self.failing_since;
        format!("{} fails since {}: {text}\n", self.job_id, whole(at))
    }
}

const HEAD: [&str; 8] = [
    "JOB", "RUNS", "SUCCESS", "FAILED", "MISSED", "SKIPPED", "MEAN", "LONGEST",
];

fn cells(row: &Row) -> [String; 8] {
    let mean = match row.runs() {
        0 => None,
        // A mean of more runs than a float counts exactly is as good as exact.
        #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
        runs => Some(row.total_duration_seconds / runs as f64),
    };
    let longest = (row.runs() > 0).then_some(row.longest_duration_seconds);
    [
        row.job_id.clone(),
        row.runs().to_string(),
        row.count(Outcome::Success).to_string(),
        row.bad().to_string(),
        row.count(Outcome::Missed).to_string(),
        row.count(Outcome::Skipped).to_string(),
        seconds(mean),
        seconds(longest),
    ]
}

/// An instant without its fraction: nobody reads nanoseconds in a report.
fn whole(instant: &str) -> String {
    let parsed: Option<jiff::Timestamp> = instant.parse().ok();
    let seconds = parsed.and_then(|at| jiff::Timestamp::from_second(at.as_second()).ok());
    seconds.map_or_else(|| instant.to_owned(), |at| at.to_string())
}

fn seconds(length: Option<f64>) -> String {
    match length {
        None => "-".to_owned(),
        Some(length) if length < 1.0 => format!("{:.0} ms", length * 1000.0),
        Some(length) if length < 60.0 => format!("{length:.1} s"),
        Some(length) if length < 3600.0 => format!("{:.1} m", length / 60.0),
        Some(length) => format!("{:.1} h", length / 3600.0),
    }
}

/// The first column to the left, all others to the right.
fn aligned(lines: &[[String; 8]]) -> String {
    let mut widths = [0; 8];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        for (index, (width, cell)) in widths.into_iter().zip(line).enumerate() {
            if index == 0 {
                text.push_str(&format!("{cell:<width$}"));
            } else {
                text.push_str(&format!("  {cell:>width$}"));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_stands_first_and_the_sums_last() {
        let row = |job: &str, success: u64, failed: u64, missed: u64| Row {
            job_id: job.to_owned(),
            outcomes: [("success", success), ("failed", failed), ("missed", missed)]
                .map(|(outcome, count)| (outcome.to_owned(), count))
                .into(),
            total_duration_seconds: 90.0,
            longest_duration_seconds: 80.0,
        };
        let report = Report {
            since: "2027-01-01T00:00:00Z".to_owned(),
            until: "2027-01-02T00:00:00Z".to_owned(),
            jobs: vec![
                row("a-fine-job", 24, 0, 0),
                row("late", 1, 0, 7),
                row("broken", 1, 2, 0),
                row("only-missed", 0, 0, 1),
            ],
            failing: vec![Failing {
                job_id: "broken".to_owned(),
                failing_since: Since {
                    at: "2027-01-01T05:00:00.25Z".to_owned(),
                    text: "revision 3f2a91c by Ada, which changed run".to_owned(),
                },
            }],
        };
        insta::assert_snapshot!(report.table(), @r#"
        2027-01-01T00:00:00Z to 2027-01-02T00:00:00Z
        JOB          RUNS  SUCCESS  FAILED  MISSED  SKIPPED    MEAN  LONGEST
        broken          3        1       2       0        0  30.0 s    1.3 m
        late            1        1       0       7        0   1.5 m    1.3 m
        only-missed     0        0       0       1        0       -        -
        a-fine-job     24       24       0       0        0   3.8 s    1.3 m
        4 jobs, 28 runs, 2 failed, 8 missed, 0 skipped
        broken fails since 2027-01-01T05:00:00Z: revision 3f2a91c by Ada, which changed run
        "#);
    }

    #[test]
    fn a_span_without_a_fire_says_so() {
        let report: Report =
            serde_json::from_str(r#"{"since": "a", "until": "b", "jobs": []}"#).unwrap();
        assert_eq!(report.table(), "a to b\nno job fired\n");
    }
}
