//! What a span of time will bring: how many fires and when, what runs at once, what is skipped,
//! what a change of a clock does.
//!
//! Three parts, dear and cheap ones: [`count`] is arithmetic over the whole span, jobs with
//! equal schedules once; [`follow`] leads the first fires through the engine's own state, with
//! made-up lengths of runs; [`changes`] looks at the hours around changes of clocks. The answer
//! says how far each of them went.

pub mod changes;
pub mod count;
pub mod follow;
pub mod json;
pub mod svg;
pub mod table;
pub(super) mod words;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::engine;
use crate::ids::JobName;
use crate::model::Job;
use crate::schedule::{Item, Schedule, Zones};

pub use changes::{Change, Effect};
pub use count::{Busy, Counted};
pub use follow::{Decided, Fate, Followed, PoolUse, Unrun};

/// The longest span, in days: a leap year.
pub const LONGEST_DAYS: i64 = 366;

/// A span to look at.
pub struct Question<'a> {
    /// All good jobs of the tree.
    pub jobs: &'a [Job],
    /// The first instant.
    pub from: Timestamp,
    /// The instant after the last.
    pub until: Timestamp,
    /// How long runs take.
    pub times: RunTimes,
    /// How many run at once.
    pub settings: engine::Settings,
    /// So many fires are followed.
    pub follow: u64,
    /// Whose clocks.
    pub zones: &'a Zones,
    /// The zone to show instants in, with its name.
    pub zone: (String, TimeZone),
}

/// How long runs take, as far as anybody knows.
#[derive(Clone, Debug)]
pub struct RunTimes {
    /// For jobs of which nothing is known.
    pub fallback: Duration,
    /// Whether somebody said so, or it is a guess.
    pub fallback_is_guess: bool,
    /// Said for one job.
    pub said: HashMap<JobName, Duration>,
    /// Remembered by the store.
    pub remembered: HashMap<JobName, Duration>,
}

/// Where the lengths of runs came from, in numbers of jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// Said for the job.
    pub said: usize,
    /// Remembered by the store.
    pub remembered: usize,
    /// Neither.
    pub fallback: usize,
    /// Cut at the job's own timeout.
    pub cut: usize,
}

impl RunTimes {
    /// How long a run of this job takes: no longer than its timeout lets it.
    #[must_use]
    pub fn of(&self, job: &Job) -> Duration {
        let (time, _) = self.uncut(job.name());
        job.definition
            .policy
            .timeout
            .map_or(time, |timeout| time.min(timeout))
    }

    fn uncut(&self, name: &JobName) -> (Duration, fn(&mut Origins) -> &mut usize) {
        if let Some(said) = self.said.get(name) {
            return (*said, |origins| &mut origins.said);
        }
        if let Some(remembered) = self.remembered.get(name) {
            return (*remembered, |origins| &mut origins.remembered);
        }
        (self.fallback, |origins| &mut origins.fallback)
    }

    fn origins<'j>(&self, jobs: impl Iterator<Item = &'j Job>) -> Origins {
        let mut origins = Origins::default();
        for job in jobs {
            let (time, place) = self.uncut(job.name());
            *place(&mut origins) += 1;
            origins.cut += usize::from(time > self.of(job));
        }
        origins
    }
}

/// Why a job has no fire in the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing but `manual` and `startup`.
    NotByClock,
    /// `enabled: false`
    Disabled,
    /// Its next fire is at or after the end of the span; `None` when there is none any more.
    Later(Option<Timestamp>),
}

/// What the span will bring.
pub struct Answer<'a> {
    /// The first instant.
    pub from: Timestamp,
    /// The instant after the last.
    pub until: Timestamp,
    /// The zone to show instants in, with its name.
    pub zone: (String, TimeZone),
    /// How many jobs are enabled.
    pub jobs: usize,
    /// Sums and minutes.
    pub counted: Counted<'a>,
    /// Overlaps and pools.
    pub followed: Followed,
    /// Clock changes that touch a job.
    pub changes: Vec<Change<'a>>,
    /// Jobs without a fire, by name.
    pub silent: Vec<(&'a Job, Silence)>,
    /// The first fires.
    pub first: Vec<(Timestamp, &'a JobName)>,
    /// How the lengths of runs are known.
    pub origins: Origins,
    /// For jobs of which nothing is known.
    pub fallback: Duration,
    /// Whether that is a guess of ours.
    pub fallback_is_guess: bool,
}

/// Looks at the span; so many of its `first` fires are listed. [`follow::each`] tells every one.
#[must_use]
pub fn simulate<'a>(question: &Question<'a>, first: usize) -> Answer<'a> {
    let enabled = || question.jobs.iter().filter(|job| job.definition.enabled);
    let counted = Counted::of(enabled(), question.from, question.until);
    let changes = changes::of(&counted, question.zones);
    Answer {
        from: question.from,
        until: question.until,
        zone: question.zone.clone(),
        jobs: enabled().count(),
        silent: silent(question, &counted),
        first: counted.first(first),
        followed: follow::follow(question, &mut |_| ControlFlow::Continue(())),
        origins: question.times.origins(enabled()),
        fallback: question.times.fallback,
        fallback_is_guess: question.times.fallback_is_guess,
        counted,
        changes,
    }
}

fn silent<'a>(question: &Question<'a>, counted: &Counted<'a>) -> Vec<(&'a Job, Silence)> {
    let mut silent = Vec::new();
    for job in question.jobs.iter().filter(|job| !job.definition.enabled) {
        silent.push((job, Silence::Disabled));
    }
    for group in counted.groups.iter().filter(|group| group.fires == 0) {
        let why = if is_by_clock(group.schedule) {
            let next = group.schedule.next_after(counted.last());
            Silence::Later(next.map(|fire| fire.scheduled))
        } else {
            Silence::NotByClock
        };
        silent.extend(group.members.iter().map(|job| (*job, why)));
    }
    silent.sort_by_key(|(job, _)| job.name());
    silent
}

fn is_by_clock(schedule: &Schedule) -> bool {
    let mut items = schedule.items().iter();
    items.any(|item| !matches!(item, Item::Startup | Item::Manual))
}

/// The last instant before `instant`.
pub(super) fn just_before(instant: Timestamp) -> Timestamp {
    instant
        .saturating_sub(Duration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
