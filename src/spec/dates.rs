//! What only the date makes true: notes that come and go without an edit.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::CheckedFile;
use super::commons::Use;
use crate::finding::{Code, Finding};
use crate::model::NameKind;
use crate::schedule::Item;

/// A note for each job whose dates are all past: those of `at`, of `only`, or its `until`. Such a job is good
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
        .filter(|place| place.kind == NameKind::Job && past.contains(&*place.name))
        .map(|place| Finding {
            code: Code::PastDate,
            severity: Code::PastDate.severity(),
            at: place.at.clone(),
            also: None,
            message: format!("every date of `{}` is past", place.name),
            help: "remove the job, or give it a date to come in `at`, `until` or its calendar"
                .to_owned(),
        })
        .collect()
}

/// A calendar whose last date is nearer than this is told of, in days.
const SOON: i64 = 60;

/// Notes on calendars and pools: those that nothing uses, and calendars that jobs use and whose last
/// date is past or near. One list for each of `files`. While one of these is bad, nobody knows what it uses.
#[must_use]
pub fn name_notes(files: &[Arc<CheckedFile>], now: Timestamp) -> Vec<Vec<Finding>> {
    let mut used: HashSet<(NameKind, &str)> = HashSet::new();
    for file in files {
        used.extend(file.uses.iter().filter_map(|one| match one {
            Use::Name(kind, name) => Some((*kind, &**name)),
            Use::Ics(_) => None,
        }));
        let schedules = file.jobs.iter().map(|job| &job.definition.schedule);
        let named = schedules.flat_map(|schedule| schedule.calendars());
        used.extend(named.map(|(name, _)| (NameKind::Calendar, &**name)));
        let policies = file.jobs.iter().map(|job| &job.definition.policy);
        let pools = policies.filter_map(|policy| policy.pool.as_ref());
        used.extend(pools.map(|pool| (NameKind::Pool, pool.name.as_str())));
        let audiences = file
            .jobs
            .iter()
            .filter_map(|job| job.definition.policy.audience.as_ref());
        let told = audiences.flat_map(|audience| audience.all());
        let told = told.flat_map(|(_, names)| names);
        used.extend(told.map(|name| (NameKind::Sage, name.as_str())));
        // A sage may hear of elder's own troubles alone.
        let sages = file.commons.sages.iter();
        let hears = sages.filter(|sage| !sage.value.events.is_empty());
        used.extend(hears.map(|sage| (NameKind::Sage, sage.value.name.as_str())));
    }
    let all_good = files.iter().all(|file| !file.is_bad());
    let today = now.to_zoned(TimeZone::UTC).date();
    let soon = today.saturating_add(SOON.days());
    let notes = |file: &CheckedFile| {
        let last_date = |kind: NameKind, name: &str| {
            let mut calendars = file.commons.calendars.iter();
            let calendar =
                calendars.find(|one| kind == NameKind::Calendar && *one.name.as_str() == *name)?;
            calendar.dates.last_date().filter(|last| *last <= soon)
        };
        let notes = file.commons.names().filter_map(|(kind, name, _)| {
            let is_used = used.contains(&(kind, name.as_str()));
            let (code, message, help) = match (is_used, last_date(kind, name.as_str())) {
                (false, _) if all_good => (
                    Code::UnusedName,
                    format!("nothing uses the {} `{name}`", kind.word()),
                    match kind {
                        NameKind::Calendar => "name it in `only` or `except`, or remove it",
                        NameKind::Sage => {
                            "name it in `on_failure` or the like of a job, give it `events`, or remove it"
                        }
                        NameKind::Pool | NameKind::Job => {
                            "name it in `pool` of a job, or remove it"
                        }
                    }
                    .to_owned(),
                ),
                (true, Some(last)) => {
                    let when = if last < today { "was" } else { "is" };
                    (
                        Code::CalendarEnds,
                        format!("the last date of the calendar `{name}` {when} {last}"),
                        "add the dates to come".to_owned(),
                    )
                }
                _ => return None,
            };
            let mut places = file.names.iter();
            let place = places.find(|place| place.kind == kind && *place.name == *name.as_str())?;
            Some(Finding {
                code,
                severity: code.severity(),
                at: place.at.clone(),
                also: None,
                message,
                help,
            })
        });
        notes.collect()
    };
    files.iter().map(|file| notes(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes, file, options, tree_with};
    use super::*;

    #[test]
    fn calendars_that_end_soon_or_serve_nobody_get_a_note() {
        let calendars = "calendars:
  weekend: { weekdays: weekends }
  closed: { include: weekend, dates: [01-01, 2027-05-03] }
  alone: { dates: 2020-01-01 }
";
        let job = "jobs: { a: { run: x, schedule: { daily: \"09:00\", except: closed } } }";
        let notes = |jobs: &str, now: &str| {
            let files = [("c.yaml", calendars), ("j.yaml", jobs)];
            let tree = tree_with(&files, &options(&[]));
            let notes = name_notes(&tree.files, now.parse().unwrap());
            let shown = notes.into_iter().flatten();
            shown
                .map(|note| format!("{} {} {}", note.code, note.at.place.line, note.message))
                .collect::<Vec<_>>()
        };
        let alone = "N021 4 nothing uses the calendar `alone`";
        assert_eq!(notes(job, "2027-03-01T00:00:00Z"), [alone]);
        assert_eq!(
            notes(job, "2027-03-05T00:00:00Z"),
            [
                "N020 3 the last date of the calendar `closed` is 2027-05-03",
                alone
            ]
        );
        assert_eq!(
            notes(job, "2028-03-05T00:00:00Z"),
            [
                "N020 3 the last date of the calendar `closed` was 2027-05-03",
                alone
            ]
        );
        // A bad file may use it.
        assert_eq!(
            notes("jobs: { a: { run: x } }", "2027-03-01T00:00:00Z"),
            [""; 0]
        );
        let unused = notes(
            "jobs: { a: { run: x, schedule: manual } }",
            "2028-03-01T00:00:00Z",
        );
        assert_eq!(unused.len(), 2, "weekend is part of closed: {unused:?}");
    }

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
  only: { run: x, schedule: { daily: \"09:00\", only: dates } }
  also: { run: x, schedule: { daily: \"09:00\", only: weekend, except: dates } }
calendars: { dates: { dates: 2029-06-01 }, weekend: { weekdays: weekends, dates: 2020-01-01 } }
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
        assert_eq!(notes("2030-01-01T00:00:00Z"), [2, 3, 6, 8, 9]);
    }
}
