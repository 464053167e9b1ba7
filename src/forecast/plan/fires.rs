//! Fires that come and go: instants of one schedule that the other does not have.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::next::shown;
use super::{Change, Question, zone};
use crate::model::Job;
use crate::schedule::Schedule;

const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// So many instants are compared one by one for each pair of schedules, and so many in all; what
/// is dearer is told by the difference of the counts.
const STEPS_OF_PAIR: u64 = 20_000;
const STEPS: u64 = 4_000_000;

/// So many fires of a job are looked at for the first that differs: those of a year of days.
const STEPS_TO_DIFFER: usize = 400;

/// Fires that come and go, over two spans from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fires {
    /// The next 24 hours.
    pub day: Span,
    /// The next 30 days.
    pub month: Span,
}

/// What a span gains and loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Fires that there were not.
    pub gained: u64,
    /// Fires that there are no more.
    pub lost: u64,
    /// Whether some schedules fire too often to be compared instant by instant: then at least so many.
    pub at_least: bool,
}

/// What these changes, from a job to a job, gain and lose. Disabled jobs have no fires.
pub(super) fn of<'a>(
    changes: impl Iterator<Item = (Option<&'a Job>, Option<&'a Job>)>,
    now: Timestamp,
) -> Fires {
    let schedule = |job: Option<&'a Job>| {
        job.filter(|job| job.definition.enabled)
            .map(|job| &*job.definition.schedule)
    };
    let mut pairs: HashMap<(Option<&Schedule>, Option<&Schedule>), u64> = HashMap::new();
    for (before, after) in changes {
        *pairs
            .entry((schedule(before), schedule(after)))
            .or_default() += 1;
    }
    Fires {
        day: span(&pairs, now, DAY),
        month: span(&pairs, now, MONTH),
    }
}

/// When a schedule fires from now on.
pub(super) fn dues(schedule: &Schedule, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let first = schedule.next_after(now);
    let fires = std::iter::successors(first, |fire| schedule.next_after(fire.scheduled));
    fires.map(|fire| fire.due)
}

/// The first fires of a job that are not the same before and after.
pub(super) fn first_change(
    question: &Question<'_>,
    before: &Job,
    after: &Job,
) -> Change<Option<String>> {
    let (mut old, mut new) = (fires(before, question.now), fires(after, question.now));
    for _ in 0..STEPS_TO_DIFFER {
        let (was, is) = (old.next(), new.next());
        if was != is {
            let told = |at: Option<Timestamp>, job| Some(shown(at?, &zone(question, job)));
            return Change {
                before: told(was, before),
                after: told(is, after),
            };
        }
        if was.is_none() {
            break;
        }
    }
    Change::default()
}

/// When a job fires from now on; never, where it is disabled.
fn fires(job: &Job, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let enabled = Some(&*job.definition.schedule).filter(|_| job.definition.enabled);
    enabled
        .into_iter()
        .flat_map(move |schedule| dues(schedule, now))
}

type Pairs<'a> = HashMap<(Option<&'a Schedule>, Option<&'a Schedule>), u64>;

fn span(pairs: &Pairs<'_>, now: Timestamp, length: Duration) -> Span {
    let until = now.checked_add(length).unwrap_or(Timestamp::MAX);
    let mut all = Span::default();
    // The cheap ones first, so that the same answer comes out whatever the order of the map.
    let mut rows: Vec<_> = pairs
        .iter()
        .map(|((before, after), weight)| {
            let count = |schedule: &Option<&Schedule>| {
                schedule.map_or(0, |schedule| schedule.count_between(now, until))
            };
            (count(before), count(after), *before, *after, *weight)
        })
        .collect();
    rows.sort_by_key(|(old, new, ..)| (old.saturating_add(*new), *old));
    let mut left = STEPS;
    for (old, new, before, after, weight) in rows {
        let cost = old.saturating_add(new);
        let (gained, lost) = match (before, after) {
            (Some(before), Some(after)) if cost <= STEPS_OF_PAIR.min(left) => {
                left -= cost;
                walk(before, after, now, until)
            }
            (Some(_), Some(_)) => {
                all.at_least = true;
                (new.saturating_sub(old), old.saturating_sub(new))
            }
            _ => (new, old),
        };
        all.gained = all.gained.saturating_add(gained.saturating_mul(weight));
        all.lost = all.lost.saturating_add(lost.saturating_mul(weight));
    }
    all
}

/// Instants of `after` alone, and of `before` alone.
fn walk(before: &Schedule, after: &Schedule, now: Timestamp, until: Timestamp) -> (u64, u64) {
    let next = |schedule: &Schedule, at| {
        let fire = schedule.next_after(at).map(|fire| fire.scheduled);
        fire.filter(|at| *at <= until)
    };
    let (mut gained, mut lost) = (0, 0);
    let (mut old, mut new) = (next(before, now), next(after, now));
    loop {
        match (old, new) {
            (None, None) => return (gained, lost),
            (Some(a), Some(b)) if a == b => {
                old = next(before, a);
                new = next(after, b);
            }
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                lost += 1;
                old = next(before, a);
            }
            (_, Some(b)) => {
                gained += 1;
                new = next(after, b);
            }
            // Without an instant of `after`, the arm before the last has it.
            (Some(_), None) => return (gained, lost),
        }
    }
}
