//! What only the date makes true: notes that come and go without an edit.

use std::collections::HashSet;

use jiff::Timestamp;

use super::CheckedFile;
use crate::finding::{Code, Finding};
use crate::schedule::Item;

/// A note for each job whose dates are all past: those of `at`, or its `until`. Such a job is good
/// and never fires again.
#[must_use]
pub fn past_dates(file: &CheckedFile, now: Timestamp) -> Vec<Finding> {
    let past = file.jobs.iter().filter(|job| {
        let schedule = &job.definition.schedule;
        let mut items = schedule.items().iter();
        items.all(Item::ends) && schedule.next_due_after(now).is_none()
    });
    let past: HashSet<&str> = past.map(|job| job.name().as_str()).collect();
    file.names
        .iter()
        .filter(|place| past.contains(&*place.name))
        .map(|place| Finding {
            code: Code::PastDate,
            severity: Code::PastDate.severity(),
            at: place.at.clone(),
            also: None,
            message: format!("every date of `{}` is past", place.name),
            help: "remove the job, or give it a date to come in `at` or `until`".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes, file};
    use super::*;

    #[test]
    fn a_job_whose_dates_are_all_past_gets_a_note_at_its_name() {
        let text = "jobs:
  past: { run: x, schedule: { at: 2027-01-01T00:00:00Z } }
  half: { run: x, schedule: { at: [2027-01-01T00:00:00Z, 2029-01-01T00:00:00Z] } }
  both: { run: x, schedule: [{ at: 2027-01-01T00:00:00Z }, \"@daily\"] }
  hand: { run: x, schedule: manual }
  over: { run: x, schedule: { daily: \"09:00\", until: 2027-12-31 } }
  open: { run: x, schedule: { daily: \"09:00\", from: 2027-12-31 } }
  one: { run: x, schedule: [{ every: 1h, until: 2026-12-31 }, { at: 2029-01-01T00:00:00Z, jitter: 1h }] }
";
        let file = file(text);
        assert!(codes(&file).is_empty());
        let notes = |now: &str| {
            let notes = past_dates(&file, now.parse().unwrap());
            let lines = notes.iter().map(|note| note.at.place.line);
            lines.collect::<Vec<_>>()
        };
        assert!(notes("2026-01-01T00:00:00Z").is_empty());
        assert_eq!(notes("2027-12-31T10:00:00Z"), [2, 6]);
        assert_eq!(notes("2029-01-01T00:00:00Z"), [2, 3, 6]);
        assert_eq!(notes("2030-01-01T00:00:00Z"), [2, 3, 6, 8]);
    }
}
