//! Notes on what the next changes of the clock do to jobs, before they do it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::CheckedFile;
use crate::finding::{Code, Excerpt, Finding};
use crate::schedule::{Effect, Schedule, Touch};

/// Changes that are further away are next year's business.
const HORIZON: SignedDuration = SignedDuration::from_hours(366 * 24);
/// So many changes are named for one job: usually the next in spring and the next in autumn.
const NAMED: usize = 2;
/// So many jobs that the same changes touch have a note each; more of them share one.
const ALONE: usize = 3;

/// What touches a schedule and the number of the group that its jobs belong to, if anything does.
type Known = Option<(usize, Arc<[Touch]>)>;

/// A note for each job whose fixed times are touched by a change of the clock within a year,
/// or one for many that the same changes touch in the same way.
#[must_use]
pub fn clock_changes<'a>(
    files: impl IntoIterator<Item = &'a CheckedFile>,
    now: Timestamp,
) -> Vec<Finding> {
    // The jobs of a load share equal schedules, so each is asked about once.
    let mut known: HashMap<*const Schedule, Known> = HashMap::new();
    let mut groups = Groups::default();
    for file in files {
        for job in file.jobs.iter().filter(|job| job.definition.enabled) {
            let schedule = &job.definition.schedule;
            let touched = known.entry(Arc::as_ptr(schedule)).or_insert_with(|| {
                let touches = touches(schedule, now);
                (!touches.is_empty()).then(|| (groups.of(&touches), touches))
            });
            if let Some((group, touches)) = touched {
                groups.add(*group, touches, file, job.name().as_str());
            }
        }
    }
    groups.notes()
}

/// The next changes that touch a schedule, each once.
fn touches(schedule: &Schedule, now: Timestamp) -> Arc<[Touch]> {
    let until = now.saturating_add(HORIZON).unwrap_or(Timestamp::MAX);
    let mut touches = schedule.touches(now, until);
    touches.dedup_by(|one, other| one.at == other.at && one.zone == other.zone);
    touches.truncate(NAMED);
    touches.into()
}

/// Jobs by what touches them, in the order in which they were met.
#[derive(Default)]
struct Groups<'a> {
    by_changes: HashMap<Vec<(String, Timestamp, Effect)>, usize>,
    groups: Vec<Group<'a>>,
}

#[derive(Default)]
struct Group<'a> {
    first: Vec<Touched<'a>>,
    count: usize,
}

/// A job and what touches it.
struct Touched<'a> {
    touches: Arc<[Touch]>,
    file: &'a CheckedFile,
    name: &'a str,
}

impl<'a> Groups<'a> {
    /// The group of these changes.
    fn of(&mut self, touches: &[Touch]) -> usize {
        let changes = touches
            .iter()
            .map(|touch| (touch.zone.name().to_owned(), touch.at, touch.effect))
            .collect();
        *self.by_changes.entry(changes).or_insert_with(|| {
            self.groups.push(Group::default());
            self.groups.len() - 1
        })
    }

    fn add(&mut self, group: usize, touches: &Arc<[Touch]>, file: &'a CheckedFile, name: &'a str) {
        let Some(group) = self.groups.get_mut(group) else {
            return;
        };
        group.count += 1;
        if group.first.len() < ALONE {
            group.first.push(Touched {
                touches: touches.clone(),
                file,
                name,
            });
        }
    }

    fn notes(self) -> Vec<Finding> {
        let mut places = Places::default();
        let mut notes = Vec::new();
        for group in &self.groups {
            if group.count <= ALONE {
                notes.extend(group.first.iter().filter_map(|job| {
                    let sentences: Vec<_> = job.touches.iter().map(Touch::describe).collect();
                    let message = format!("`{}`: {}", job.name, sentences.join("; "));
                    Some(note(places.of(job)?, message))
                }));
            } else if let Some(first) = group.first.first()
                && let Some(at) = places.of(first)
            {
                notes.push(note(at, group.message(first)));
            }
        }
        notes
    }
}

impl Group<'_> {
    /// One message for all.
    fn message(&self, first: &Touched<'_>) -> String {
        let sentences: Vec<_> = first.touches.iter().map(Touch::describe_for_many).collect();
        let names: Vec<_> = self
            .first
            .iter()
            .map(|job| format!("`{}`", job.name))
            .collect();
        format!(
            "{} jobs ({} and {} more): {}",
            self.count,
            names.join(", "),
            self.count - names.len(),
            sentences.join("; ")
        )
    }
}

/// Where the names of jobs stand, looked up for the few files that need it.
#[derive(Default)]
struct Places<'a> {
    by_file: HashMap<*const CheckedFile, HashMap<&'a str, &'a Excerpt>>,
}

impl<'a> Places<'a> {
    fn of(&mut self, job: &Touched<'a>) -> Option<&'a Excerpt> {
        let file = job.file;
        let places = self
            .by_file
            .entry(std::ptr::from_ref(file))
            .or_insert_with(|| {
                let names = file.names.iter();
                names.map(|place| (&*place.name, &place.at)).collect()
            });
        places.get(job.name).copied()
    }
}

fn note(at: &Excerpt, message: String) -> Finding {
    Finding {
        code: Code::ClockChange,
        severity: Code::ClockChange.severity(),
        at: at.clone(),
        also: None,
        message,
        help: "nothing to do if that is right; else choose another time, or say it with `dst`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes, file};
    use super::*;

    fn notes(text: &str, now: &str) -> Vec<(u32, String)> {
        let file = file(text);
        assert!(codes(&file).is_empty(), "{:?}", file.findings);
        clock_changes([&*file], now.parse().unwrap())
            .into_iter()
            .map(|note| (note.at.place.line, note.message))
            .collect()
    }

    #[test]
    fn each_touched_job_is_told_the_next_two_dates_and_what_happens() {
        let text = "defaults: { timezone: Europe/Berlin }
jobs:
  night: { run: x, schedule: { daily: \"02:30\" } }
  noon: { run: x, schedule: { daily: \"12:00\" } }
  often: { run: x, schedule: \"*/5 * * * *\" }
  skip: { run: x, schedule: { daily: [\"02:00\", \"02:15\"], dst: { gap: skip, fold: both } } }
  week: { run: x, schedule: { weekly: { days: mon, at: \"02:30\" } } }
  off: { run: x, enabled: false, schedule: { daily: \"02:30\" } }
  over: { run: x, schedule: { daily: \"02:30\", until: 2027-01-01 } }
  east: { run: x, schedule: { daily: \"02:30\", timezone: Asia/Tokyo } }
  at: { run: x, schedule: { yearly: { date: 10-31, at: \"02:59:59\" }, dst: { fold: second } } }
";
        let found = notes(text, "2026-11-22T00:00:00Z");
        let want = [
            (
                3,
                "`night`: 2027-03-28: 02:30 does not exist in Europe/Berlin: fires at 03:00; 2027-10-31: 02:30 comes twice in Europe/Berlin: fires the first time only",
            ),
            (
                6,
                "`skip`: 2027-03-28: 02:00 and 1 more do not exist in Europe/Berlin: does not fire; 2027-10-31: 02:00 and 1 more come twice in Europe/Berlin: fires both times",
            ),
            (
                11,
                "`at`: 2027-10-31: 02:59:59 comes twice in Europe/Berlin: fires the second time only",
            ),
        ];
        assert_eq!(found, want.map(|(line, text)| (line, text.to_owned())));
        // In the year after, the change in autumn comes first.
        let later = notes(text, "2027-04-01T00:00:00Z");
        assert!(
            later[0].1.starts_with("`night`: 2027-10-31: 02:30 comes"),
            "{later:?}"
        );
    }

    #[test]
    fn dates_that_a_calendar_leaves_out_are_not_named() {
        let beside = |what: &str| {
            let text = format!(
                "calendars: {{ we: {{ weekdays: [sat, sun] }} }}
defaults: {{ timezone: Europe/Berlin }}
jobs:
  a: {{ run: x, schedule: {{ daily: \"02:30\", {what} }} }}
"
            );
            notes(&text, "2026-11-22T00:00:00Z").len()
        };
        for dst in ["", ", dst: { gap: skip }", ", dst: { fold: second }"] {
            assert_eq!(beside(&format!("except: we{dst}")), 0, "{dst}");
            assert_eq!(beside(&format!("only: we{dst}")), 1, "{dst}");
        }
    }

    #[test]
    fn many_jobs_of_one_zone_share_a_note() {
        let mut text = "defaults: { timezone: America/New_York }\njobs:\n".to_owned();
        for n in 0..5_000 {
            text.push_str(&format!(
                "  job-{n}: {{ run: x, schedule: {{ daily: \"02:{:02}\" }} }}\n",
                n % 60
            ));
        }
        for n in 0..3 {
            text.push_str(&format!(
                "  other-{n}: {{ run: x, schedule: {{ daily: \"02:30\", timezone: Europe/Paris }} }}\n"
            ));
        }
        let found = notes(&text, "2026-11-22T00:00:00Z");
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], (3, "5000 jobs (`job-0`, `job-1`, `job-2` and 4997 more): 2027-03-14: 02:00 to 03:00 does not exist in America/New_York: they fire at 03:00".to_owned()));
        assert_eq!(found[1].0, 5_003);
    }
}
