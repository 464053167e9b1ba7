//! How much begins and runs at once in the next day, before and after.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use std::ops::ControlFlow;

use super::super::simulate::follow::follow;
use super::super::simulate::words::grouped;
use super::super::simulate::{self, Counted, RunTimes};
use super::{Change, Question};
use crate::decide::merge::InForce;
use crate::model::{Action, Definition, History, Job, Policy};

/// What a run takes when nobody knows.
const GUESS: Duration = Duration::from_secs(30);
/// So many fires of each side are led through the engine's own state.
const FOLLOWED: u64 = 100_000;
/// So many collisions are told, and so many names of each.
const COLLISIONS: usize = 5;
const NAMES: usize = 5;
/// Who fires more often a day says nothing about a minute.
const OFTEN: u64 = 288;

/// How much begins and runs at once in the next 24 hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// The minute in which most begins.
    pub busiest_minute: Change<Option<Busy>>,
    /// Minutes that gain fires beside others, those with most fires first. Jobs that fire more
    /// often than every five minutes are not counted: they are everywhere.
    pub collisions: Vec<Collision>,
    /// The most that run at once.
    pub peak: Change<Peak>,
    /// What a run is taken to last for that, in seconds.
    pub run_seconds: u64,
}

/// A minute in which much begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// When it begins.
    pub at: Timestamp,
    /// How many fires.
    pub fires: u64,
}

/// A minute that gains fires beside others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collision {
    /// When it begins.
    pub at: Timestamp,
    /// How many fires.
    pub fires: Change<u64>,
    /// Some of the new ones.
    pub jobs: Vec<String>,
    /// How many other new ones.
    pub more: usize,
}

impl Collision {
    /// Whose new fires they are: `a, b and 3 more`, each name as `name` writes it.
    pub(super) fn names(&self, name: impl Fn(&str) -> String) -> String {
        some_of(&self.jobs, self.more, name)
    }
}

/// Some names, and how many there are beside.
pub(super) fn some_of(names: &[String], more: usize, name: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = names.iter().map(|one| name(one)).collect();
    let names = names.join(", ");
    match more {
        0 => names,
        more => format!("{names} and {} more", grouped(more as u64)),
    }
}

/// The most that runs at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// How many.
    pub runs: u64,
    /// Since when.
    pub at: Option<Timestamp>,
}

/// What a plan touches of what is in force.
pub(super) struct Touched<'a> {
    /// Jobs that fire at other times, or not before.
    pub new: Vec<&'a Job>,
    /// Jobs that fire as before and are others, before and after.
    pub pairs: Vec<(&'a Job, &'a Job)>,
    /// Whether any job goes.
    pub is_any_gone: bool,
}

impl Touched<'_> {
    /// Whether both sides begin and run the same at the same times.
    fn loads_alike(&self) -> bool {
        let alike = |(before, after): &(&Job, &Job)| {
            let (before, after) = (&before.definition, &after.definition);
            let kind = |definition: &Definition| matches!(definition.action, Action::Process(_));
            kind(before) == kind(after) && of_load(&before.policy) == of_load(&after.policy)
        };
        self.new.is_empty() && !self.is_any_gone && self.pairs.iter().all(alike)
    }
}

/// A policy without what no fire and no run goes by.
fn of_load(policy: &Policy) -> Policy {
    Policy {
        audience: None,
        success_within: None,
        output_keep: 0,
        history: History::default(),
        ..policy.clone()
    }
}

/// Looks at both sides, or at one where the other is like it.
pub(super) fn of(question: &Question<'_>, touched: Touched<'_>) -> Load {
    let after = Side::of(question.after);
    let now = after.counted(question.now);
    if touched.loads_alike() {
        let (busiest, peak) = (busiest(&now), after.peak(question));
        return Load {
            busiest_minute: Change {
                before: busiest.clone(),
                after: busiest,
            },
            collisions: Vec::new(),
            peak: Change {
                before: peak.clone(),
                after: peak,
            },
            run_seconds: GUESS.as_secs(),
        };
    }
    let before = Side::of(question.before);
    let old = before.counted(question.now);
    let (calm_before, calm_after) = (before.calm(&old), after.calm(&now));
    Load {
        busiest_minute: Change {
            before: busiest(&old),
            after: busiest(&now),
        },
        collisions: collisions(&calm_before, &calm_after, touched.new.into_iter()),
        peak: Change {
            before: before.peak(question),
            after: after.peak(question),
        },
        run_seconds: GUESS.as_secs(),
    }
}

struct Side {
    jobs: Vec<Job>,
}

impl Side {
    fn of(in_force: &InForce) -> Self {
        let enabled = in_force.jobs().filter(|job| job.definition.enabled);
        Self {
            jobs: enabled.cloned().collect(),
        }
    }

    fn counted(&self, now: Timestamp) -> Counted<'_> {
        Counted::of(self.jobs.iter(), now, tomorrow(now))
    }

    /// The same of jobs that do not fire all the time.
    fn calm<'a>(&'a self, all: &Counted<'a>) -> Counted<'a> {
        let groups = all.groups.iter();
        let calm = groups.filter(|group| group.fires <= OFTEN);
        let jobs = calm.flat_map(|group| group.members.iter().copied());
        Counted::of(jobs, all.from, all.until)
    }

    fn peak(&self, question: &Question<'_>) -> Peak {
        let day = simulate::Question {
            jobs: &self.jobs,
            from: question.now,
            until: tomorrow(question.now),
            times: RunTimes {
                fallback: GUESS,
                fallback_is_guess: true,
                said: HashMap::new(),
                remembered: HashMap::new(),
            },
            settings: question.settings,
            follow: FOLLOWED,
            zones: question.zones,
            zone: ("UTC".to_owned(), TimeZone::UTC),
        };
        let followed = follow(&day, &mut |_| ControlFlow::Continue(()));
        Peak {
            runs: followed.peak.runs,
            at: followed.peak.at,
        }
    }
}

fn tomorrow(now: Timestamp) -> Timestamp {
    now.checked_add(Duration::from_secs(86_400))
        .unwrap_or(Timestamp::MAX)
}

fn busiest(counted: &Counted<'_>) -> Option<Busy> {
    let (index, fires) = counted
        .minutes
        .iter()
        .enumerate()
        .max_by_key(|(index, fires)| (**fires, std::cmp::Reverse(*index)))?;
    (*fires > 0).then(|| Busy {
        at: counted.minute(index),
        fires: *fires,
    })
}

fn collisions<'a>(
    before: &Counted<'_>,
    after: &Counted<'_>,
    new: impl Iterator<Item = &'a Job>,
) -> Vec<Collision> {
    let fires = |counted: &Counted<'_>, index: usize| {
        counted.minutes.get(index).copied().unwrap_or_default()
    };
    let mut found: BTreeMap<usize, Vec<&Job>> = BTreeMap::new();
    for job in new.filter(|job| job.definition.enabled) {
        let schedule = &job.definition.schedule;
        let first = schedule.next_after(after.from);
        let all = std::iter::successors(first, |fire| schedule.next_after(fire.scheduled));
        let within = all.take_while(|fire| fire.due < after.until);
        // One more says that there are too many.
        let within: Vec<_> = within
            .take(usize::try_from(OFTEN).unwrap_or(0) + 1)
            .collect();
        if within.len() as u64 > OFTEN {
            continue;
        }
        for fire in within {
            let minute = (fire.due.as_second() - after.start).div_euclid(60);
            let Ok(index) = usize::try_from(minute) else {
                continue;
            };
            // Alone in its minute, or in the place of another.
            if fires(after, index) < 2 || fires(after, index) <= fires(before, index) {
                continue;
            }
            let jobs = found.entry(index).or_default();
            if jobs.last().is_none_or(|last| last.name() != job.name()) {
                jobs.push(job);
            }
        }
    }
    let mut rows: Vec<_> = found.into_iter().collect();
    for (_, jobs) in &mut rows {
        jobs.sort_by_key(|job| job.name());
    }
    rows.sort_by_key(|(index, _)| (std::cmp::Reverse(fires(after, *index)), *index));
    rows.truncate(COLLISIONS);
    rows.into_iter()
        .map(|(index, jobs)| Collision {
            at: after.minute(index),
            fires: Change {
                before: fires(before, index),
                after: fires(after, index),
            },
            more: jobs.len().saturating_sub(NAMES),
            jobs: jobs
                .iter()
                .take(NAMES)
                .map(|job| job.name().to_string())
                .collect(),
        })
        .collect()
}
