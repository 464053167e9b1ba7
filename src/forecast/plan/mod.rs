//! What a change of job files would change: the diff of a sync, told in fires.
//!
//! [`plan`] compares what is in force with what a sync would put in force. Its answer is plain
//! data: programs get it as JSON, people as [`human`] text or [`markdown`].

mod fires;
pub mod human;
mod lend;
mod load;
pub mod markdown;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::next::shown;
use super::trial::{Files, trial};
use crate::decide::diff::{Diff, diff};
use crate::decide::fields;
use crate::decide::loses_today;
use crate::decide::merge::{HoldCause, InForce, Rules};
use crate::decide::rename::renames;
use crate::engine;
use crate::finding::{Finding, Severity};
use crate::ids::JobName;
use crate::model::Job;
use crate::schedule::{Schedule, Zone, Zones};
use crate::spec;

pub use crate::decide::fields::Field;
pub use fires::{Fires, Span};
pub use load::{Busy, Collision, Load, Peak};
pub use shared::{Fate, Shared};

/// So many of the next fires are told of each schedule.
const NEXT: usize = 3;

/// What a plan depends on beside the files and what is in force.
pub struct Terms {
    /// How files are checked.
    pub options: spec::Options,
    /// tzdata.
    pub zones: Zones,
    /// When removals are held.
    pub rules: Rules,
    /// How many may run at once.
    pub settings: engine::Settings,
}

/// Two sets of jobs to compare.
pub struct Question<'a> {
    /// What is in force.
    pub before: &'a InForce,
    /// What a sync would put in force.
    pub after: &'a InForce,
    /// What was found in the new files.
    pub findings: &'a [Finding],
    /// What `before` is, in words: `git:main (1a2b3c4)`.
    pub against: String,
    /// From when on.
    pub now: Timestamp,
    /// How many may run at once.
    pub settings: engine::Settings,
    /// tzdata.
    pub zones: &'a Zones,
}

/// What would change. Instants are RFC 3339; those of a job's fires have its zone's offset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the files were compared with.
    pub against: String,
    /// From when on fires are counted.
    pub at: Timestamp,
    /// How many jobs there are before and after.
    pub jobs: Change<usize>,
    /// Jobs that are gone, by name.
    pub removed: Vec<Removed>,
    /// Jobs that fire at other times, by name.
    pub rescheduled: Vec<Rescheduled>,
    /// Jobs that do something else or otherwise, at the same times, by name.
    pub changed: Vec<Changed>,
    /// New jobs, by name.
    pub added: Vec<Added>,
    /// Jobs that go on under another name, by the new one. What else changes of them is told by that.
    #[serde(default)]
    pub renamed: Vec<RenamedJob>,
    /// Sages, calendars and pools that come, go, or are others.
    #[serde(default)]
    pub shared: Vec<Shared>,
    /// How many jobs stand elsewhere and are the same.
    pub moved: usize,
    /// Fires that come and go.
    pub fires: Fires,
    /// How much begins and runs at once.
    pub load: Load,
    /// What is wrong with the new files; what they last defined rightly goes on.
    pub errors: Vec<Error>,
}

/// Before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<T> {
    /// What is in force.
    pub before: T,
    /// What would be.
    pub after: T,
}

/// A job as far as the plan tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The schedule in the words of the job file.
    pub schedule: String,
    /// The zone.
    pub timezone: String,
    /// In plain words.
    pub description: String,
    /// Whether it fires at all.
    pub enabled: bool,
    /// The next fires.
    pub next: Vec<String>,
}

/// A job under another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenamedJob {
    /// Its name.
    pub job_id: String,
    /// Its name before.
    pub was: String,
}

/// A new job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// Its name.
    pub job_id: String,
    /// `FILE:LINE`
    pub source: String,
    /// When it fires.
    #[serde(flatten)]
    pub times: Times,
}

/// A job that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Its name.
    pub job_id: String,
    /// Where it was.
    pub source: String,
    /// Why the removal would wait for a confirmation, if it would: `too_many` or `unsettled`.
    pub held: Option<String>,
    /// When it fired.
    #[serde(flatten)]
    pub times: Times,
}

/// A job that fires at other times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescheduled {
    /// Its name.
    pub job_id: String,
    /// `FILE:LINE`
    pub source: String,
    /// When it fired.
    pub before: Times,
    /// When it will.
    pub after: Times,
    /// The first fires that differ; two nothings where they are far away, and of a plan that does
    /// not tell.
    #[serde(default)]
    pub first_change: Change<Option<String>>,
    /// Whether it would still have fired today, and will not: its time moved from after now to before.
    pub will_not_fire_today: bool,
    /// What else is another.
    pub fields: Vec<Field>,
}

/// A job that does something else, or otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its name.
    pub job_id: String,
    /// `FILE:LINE`
    pub source: String,
    /// What is another.
    pub fields: Vec<Field>,
}

/// Something wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The file.
    pub file: String,
    /// From 1; 0 when it concerns the whole file.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// `E012`
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The mend.
    pub help: String,
}

impl Plan {
    /// Whether anything would run at another time or otherwise; a moved line is no change.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let lists = [
            self.removed.len(),
            self.rescheduled.len(),
            self.changed.len(),
            self.added.len(),
            self.renamed.len(),
            self.shared.len(),
        ];
        lists.iter().any(|count| *count > 0)
    }

    /// How many removals would wait for a confirmation.
    #[must_use]
    pub fn held(&self) -> usize {
        let held = self.removed.iter();
        held.filter(|removed| removed.held.is_some()).count()
    }

    /// `2 added, 1 removed (1 held)`.
    #[must_use]
    pub fn counts(&self) -> String {
        let mut parts = Vec::new();
        let mut part = |count: usize, word: &str| {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        };
        part(self.removed.len(), "removed");
        part(self.renamed.len(), "renamed");
        part(self.rescheduled.len(), "rescheduled");
        part(self.changed.len(), "changed");
        part(self.added.len(), "added");
        for change in [Fate::Removed, Fate::Changed, Fate::Added] {
            for kind in ["sage", "calendar", "pool"] {
                let all = self.shared.iter();
                let all = all.filter(|one| one.change == change && one.kind == kind);
                let count = all.count();
                let plural = if count == 1 { "" } else { "s" };
                part(count, &format!("{kind}{plural} {}", change.word()));
            }
        }
        part(self.held(), "held until confirmed");
        part(self.errors.len(), "to mend");
        if parts.is_empty() {
            return "no change".to_owned();
        }
        parts.join(", ")
    }
}

/// What a sync of these files would change of what is in force.
#[must_use]
pub fn of_files(
    files: &Files<'_>,
    in_force: &InForce,
    terms: &Terms,
    against: String,
    now: Timestamp,
) -> Plan {
    let trial = trial(files, in_force, &terms.rules, &terms.options, &terms.zones);
    plan(&Question {
        before: in_force,
        after: &trial.merged.in_force,
        findings: &trial.findings(),
        against,
        now,
        settings: terms.settings,
        zones: &terms.zones,
    })
}

/// Compares.
#[must_use]
pub fn plan(question: &Question<'_>) -> Plan {
    let Some(renames) = renames(question.before, question.after) else {
        return compare(question);
    };
    // As a sync does it: first the names, then all else.
    let plan = compare(&Question {
        before: &renames.in_force,
        after: question.after,
        findings: question.findings,
        against: question.against.clone(),
        now: question.now,
        settings: question.settings,
        zones: question.zones,
    });
    let renamed = renames.renamed.iter();
    let mut renamed: Vec<RenamedJob> = renamed
        .map(|(was, job)| RenamedJob {
            job_id: job.to_string(),
            was: was.to_string(),
        })
        .collect();
    renamed.sort_by(|a, b| a.job_id.cmp(&b.job_id));
    Plan { renamed, ..plan }
}

/// The same without a look at names of before.
fn compare(question: &Question<'_>) -> Plan {
    let Diff {
        mut added,
        mut rescheduled,
        mut changed,
        moved,
        mut removed,
        // These are among the changed and rescheduled, or what they were.
        kept: _,
        before: _,
    } = diff(question.before, question.after);
    for jobs in [&mut added, &mut rescheduled, &mut changed] {
        jobs.sort_by(|a, b| a.name().cmp(b.name()));
    }
    let causes: HashMap<&JobName, HoldCause> = question
        .after
        .roots
        .iter()
        .flat_map(|root| &root.held)
        .map(|held| (held.job.name(), held.cause))
        .collect();
    // What is held goes on, and is told all the same: somebody took it out of the files.
    removed.extend(causes.keys().map(|name| (*name).clone()));
    removed.sort();
    removed.dedup();
    let wanted = rescheduled.iter().chain(&changed).map(Job::name);
    let old = by_name(question.before, wanted.chain(&removed));
    let pairs = || {
        let pairs = rescheduled.iter();
        pairs.filter_map(|job| old.get(job.name()).map(|before| (*before, job)))
    };
    let fires = fires::of(
        removed
            .iter()
            .filter(|name| !causes.contains_key(name))
            .filter_map(|name| old.get(name).map(|before| (Some(*before), None)))
            .chain(pairs().map(|(before, after)| (Some(before), Some(after))))
            .chain(added.iter().map(|after| (None, Some(after)))),
        question.now,
    );
    Plan {
        against: question.against.clone(),
        at: question.now,
        jobs: Change {
            before: question.before.job_count(),
            after: question.after.job_count(),
        },
        fires,
        load: load::of(
            question,
            load::Touched {
                new: added.iter().chain(&rescheduled).collect(),
                pairs: changed
                    .iter()
                    .filter_map(|job| Some((*old.get(job.name())?, job)))
                    .collect(),
                is_any_gone: removed.iter().any(|name| !causes.contains_key(name)),
            },
        ),
        renamed: Vec::new(),
        shared: shared::of(question.before, question.after),
        moved: moved.len(),
        removed: removed
            .iter()
            .filter_map(|name| old.get(name))
            .map(|job| removal(question, job, causes.get(job.name()).copied()))
            .collect(),
        rescheduled: pairs()
            .map(|(before, after)| Rescheduled {
                job_id: after.name().to_string(),
                source: source(after),
                before: times(question, before),
                after: times(question, after),
                first_change: fires::first_change(question, before, after),
                will_not_fire_today: before.definition.enabled
                    && after.definition.enabled
                    && loses_today(
                        &before.definition.schedule,
                        &after.definition.schedule,
                        question.now,
                    ),
                fields: fields::changed(&before.definition, &after.definition),
            })
            .collect(),
        changed: changed
            .iter()
            .filter_map(|after| Some((*old.get(after.name())?, after)))
            .map(|(before, after)| Changed {
                job_id: after.name().to_string(),
                source: source(after),
                fields: fields::changed(&before.definition, &after.definition),
            })
            .collect(),
        added: added
            .iter()
            .map(|job| Added {
                job_id: job.name().to_string(),
                source: source(job),
                times: times(question, job),
            })
            .collect(),
        errors: errors(question.findings),
    }
}

fn by_name<'a, 'n>(
    in_force: &'a InForce,
    wanted: impl Iterator<Item = &'n JobName>,
) -> HashMap<&'n JobName, &'a Job> {
    let wanted: HashMap<&JobName, &JobName> = wanted.map(|name| (name, name)).collect();
    let jobs = in_force.jobs();
    jobs.filter_map(|job| Some((*wanted.get(job.name())?, job)))
        .collect()
}

fn removal(question: &Question<'_>, job: &Job, cause: Option<HoldCause>) -> Removed {
    let cause = cause.map(|cause| match cause {
        HoldCause::Guard => "too_many",
        HoldCause::Unsettled => "unsettled",
    });
    Removed {
        job_id: job.name().to_string(),
        source: source(job),
        held: cause.map(str::to_owned),
        times: times(question, job),
    }
}

fn times(question: &Question<'_>, job: &Job) -> Times {
    let definition = &*job.definition;
    let zone = zone(question, job);
    let next = match definition.enabled {
        true => next(&definition.schedule, question.now),
        false => Vec::new(),
    };
    Times {
        schedule: definition.schedule_text.to_string(),
        timezone: definition.timezone.to_string(),
        description: definition.schedule.describe(),
        enabled: definition.enabled,
        next: next.into_iter().map(|at| shown(at, &zone)).collect(),
    }
}

fn zone(question: &Question<'_>, job: &Job) -> Zone {
    let zone = question.zones.get(&job.definition.timezone);
    zone.unwrap_or_else(|_| Zone::utc())
}

fn next(schedule: &Schedule, now: Timestamp) -> Vec<Timestamp> {
    fires::dues(schedule, now).take(NEXT).collect()
}

fn source(job: &Job) -> String {
    format!("{}:{}", job.origin.file, job.origin.line)
}

/// By file and place.
fn errors(findings: &[Finding]) -> Vec<Error> {
    let mut errors: Vec<Error> = findings.iter().filter_map(error).collect();
    errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    errors
}

fn error(finding: &Finding) -> Option<Error> {
    let place = &finding.at.place;
    (finding.severity == Severity::Error).then(|| Error {
        file: place.file.to_string(),
        line: place.line,
        column: place.column,
        code: finding.code.as_str().to_owned(),
        message: finding.message.clone(),
        help: finding.help.clone(),
    })
}
