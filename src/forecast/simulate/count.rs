//! How many fires, and in which minutes: over the whole span, equal schedules once.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::just_before;
use crate::ids::JobName;
use crate::model::Job;
use crate::schedule::Schedule;

/// So many steps are taken to put fires into minutes; what would cost more is spread evenly.
const STEPS: u64 = 20_000_000;

/// So many of the busiest minutes are told, and so many names of each.
const BUSIEST: usize = 10;
const NAMES: usize = 5;

/// Jobs that share a schedule.
pub struct Group<'a> {
    /// When.
    pub schedule: &'a Arc<Schedule>,
    /// Who.
    pub members: Vec<&'a Job>,
    /// How many fires each of them has in the span.
    pub fires: u64,
}

/// Sums and minutes of a span.
pub struct Counted<'a> {
    /// The first instant.
    pub from: Timestamp,
    /// The instant after the last.
    pub until: Timestamp,
    /// Jobs by schedule, in the order of the jobs.
    pub groups: Vec<Group<'a>>,
    /// All fires of all jobs.
    pub fires: u64,
    /// The second at which the first minute begins: a whole minute.
    pub start: i64,
    /// How many runs are due in each minute.
    pub minutes: Vec<u64>,
    /// Jobs whose fires were too many to be put into their minutes one by one.
    pub spread: usize,
}

/// A minute in which much begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Busy<'a> {
    /// When it begins.
    pub at: Timestamp,
    /// How many fires.
    pub fires: u64,
    /// A few of the jobs.
    pub names: Vec<&'a JobName>,
    /// How many other jobs.
    pub more: usize,
}

impl<'a> Counted<'a> {
    /// The fires of `jobs` from `from` on and before `until`.
    pub fn of(jobs: impl Iterator<Item = &'a Job>, from: Timestamp, until: Timestamp) -> Self {
        let start = from.as_second().div_euclid(60) * 60;
        let last = just_before(until);
        let length = (last.as_second() - start).div_euclid(60) + 1;
        let mut counted = Self {
            from,
            until,
            groups: groups(jobs),
            fires: 0,
            start,
            minutes: vec![0; usize::try_from(length).unwrap_or(0)],
            spread: 0,
        };
        let before = just_before(from);
        for group in &mut counted.groups {
            group.fires = group.schedule.count_between(before, last);
            let fires = group.fires.saturating_mul(group.members.len() as u64);
            counted.fires = counted.fires.saturating_add(fires);
        }
        counted.fill();
        counted
    }

    /// The last instant of the span.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        just_before(self.until)
    }

    /// Puts the fires into their minutes, the cheap groups first.
    fn fill(&mut self) {
        let length = self.minutes.len() as u64;
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_key(|index| self.groups[*index].fires.min(length));
        let mut left = STEPS;
        for index in order {
            let group = &self.groups[index];
            let weight = group.members.len() as u64;
            let cost = group.fires.min(length);
            if cost > left {
                spread(&mut self.minutes, group.fires.saturating_mul(weight));
                self.spread += group.members.len();
                continue;
            }
            left -= cost;
            if group.fires > length {
                by_arithmetic(
                    &mut self.minutes,
                    group.schedule,
                    weight,
                    self.start,
                    self.from,
                    self.until,
                );
            } else {
                by_walk(
                    &mut self.minutes,
                    group.schedule,
                    weight,
                    self.start,
                    self.from,
                    self.until,
                );
            }
        }
    }

    /// The minute at an index.
    #[must_use]
    pub fn minute(&self, index: usize) -> Timestamp {
        let second = self.start + i64::try_from(index).unwrap_or(0) * 60;
        Timestamp::from_second(second).unwrap_or(self.from)
    }

    /// The busiest minutes, the worst first; of equal ones the earliest.
    #[must_use]
    pub fn busiest(&self) -> Vec<Busy<'a>> {
        let mut order: Vec<usize> = (0..self.minutes.len())
            .filter(|i| self.minutes[*i] > 0)
            .collect();
        let rank = |index: &usize| (std::cmp::Reverse(self.minutes[*index]), *index);
        if order.len() > BUSIEST {
            order.select_nth_unstable_by_key(BUSIEST, rank);
            order.truncate(BUSIEST);
        }
        order.sort_by_key(rank);
        order.into_iter().map(|index| self.busy(index)).collect()
    }

    fn busy(&self, index: usize) -> Busy<'a> {
        let at = self.minute(index);
        let end = self.minute(index + 1);
        let before = just_before(at.max(self.from));
        let fires_here = |group: &&Group<'a>| {
            let fire = group.schedule.next_after(before);
            fire.is_some_and(|fire| fire.scheduled < end.min(self.until))
        };
        let mut names = Vec::new();
        let mut more = 0;
        let mut groups: Vec<&Group<'a>> = self.groups.iter().filter(fires_here).collect();
        // A job that fires all the time says nothing about this minute.
        groups.sort_by_key(|group| group.fires);
        for group in groups {
            let room = NAMES - names.len();
            names.extend(group.members.iter().take(room).map(|job| job.name()));
            more += group.members.len().saturating_sub(room);
        }
        Busy {
            at,
            fires: self.minutes[index],
            names,
            more,
        }
    }

    /// The first fires of all, by instant and name.
    #[must_use]
    pub fn first(&self, limit: usize) -> Vec<(Timestamp, &'a JobName)> {
        let mut queue = std::collections::BTreeSet::new();
        for (index, group) in self.groups.iter().enumerate() {
            let fire = group.schedule.next_after(just_before(self.from));
            queue.extend(fire.map(|fire| (fire.scheduled, index)));
        }
        let mut found = Vec::new();
        while let Some((at, index)) = queue.pop_first() {
            if at >= self.until
                || found.len() >= limit && found.last().is_some_and(|(last, _)| *last < at)
            {
                break;
            }
            let group = &self.groups[index];
            found.extend(group.members.iter().map(|job| (at, job.name())));
            let next = group.schedule.next_after(at);
            queue.extend(next.map(|fire| (fire.scheduled, index)));
        }
        found.sort_unstable();
        found.truncate(limit);
        found
    }
}

fn groups<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<Group<'a>> {
    let mut places: HashMap<&Schedule, usize> = HashMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for job in jobs {
        let schedule = &job.definition.schedule;
        let place = *places.entry(schedule).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                schedule,
                members: Vec::new(),
                fires: 0,
            });
        }
        groups[place].members.push(job);
    }
    groups
}

fn add(minutes: &mut [u64], second: i64, start: i64, count: u64) {
    let index = usize::try_from((second - start).div_euclid(60));
    if let Some(minute) = index.ok().and_then(|index| minutes.get_mut(index)) {
        *minute = minute.saturating_add(count);
    }
}

/// By when the runs are due: with jitter, that is later than the instant.
fn by_walk(
    minutes: &mut [u64],
    schedule: &Schedule,
    weight: u64,
    start: i64,
    from: Timestamp,
    until: Timestamp,
) {
    let mut at = just_before(from);
    while let Some(fire) = schedule
        .next_after(at)
        .filter(|fire| fire.scheduled < until)
    {
        add(minutes, fire.due.as_second(), start, weight);
        at = fire.scheduled;
    }
}

fn by_arithmetic(
    minutes: &mut [u64],
    schedule: &Schedule,
    weight: u64,
    start: i64,
    from: Timestamp,
    until: Timestamp,
) {
    let mut before = just_before(from);
    let mut second = start;
    let last = just_before(until);
    while before < last {
        let end = Timestamp::from_second(second + 60)
            .map_or(last, just_before)
            .min(last);
        let count = schedule.count_between(before, end);
        add(minutes, second, start, count.saturating_mul(weight));
        before = end;
        second += 60;
    }
}

/// So many fires, as even as whole numbers are.
fn spread(minutes: &mut [u64], fires: u64) {
    let length = minutes.len() as u128;
    let mut given = 0u128;
    for (index, minute) in minutes.iter_mut().enumerate() {
        let until_here = u128::from(fires) * (index as u128 + 1) / length;
        let share = u64::try_from(until_here - given).unwrap_or(u64::MAX);
        *minute = minute.saturating_add(share);
        given = until_here;
    }
}
