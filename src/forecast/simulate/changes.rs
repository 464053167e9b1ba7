//! What changes of clocks do to fires.
//!
//! Judged by what the schedules do and not by how they are written: the hours around a change are
//! held against the same hours a week earlier and a week later.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::count::{Counted, Group};
use super::just_before;
use crate::model::Job;
use crate::schedule::{Item, Schedule, Zones};

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;

/// A change of a clock that touches jobs.
pub struct Change<'a> {
    /// The zone.
    pub zone: &'a str,
    /// The first instant with the new offset.
    pub at: Timestamp,
    /// The offset before.
    pub before: Offset,
    /// The offset from then on.
    pub after: Offset,
    /// Jobs whose fires are others than on the days around, by effect.
    pub touched: Vec<(Effect, Vec<&'a Job>)>,
}

/// What a change does to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Its time does not exist that day; it fires at the end of the gap.
    Moved,
    /// So many fires fewer.
    Fewer(u64),
    /// So many fires more: both passes of the hour that comes twice.
    More(u64),
}

/// All changes within the span, in every zone that a job is in; also those that touch none.
pub(super) fn of<'a>(counted: &Counted<'a>, zones: &Zones) -> Vec<Change<'a>> {
    let mut by_zone: BTreeMap<&'a str, Vec<&Group<'a>>> = BTreeMap::new();
    for group in counted
        .groups
        .iter()
        .filter(|group| follows_a_clock(group.schedule))
    {
        if let Some(first) = group.members.first() {
            let zone = &*first.definition.timezone;
            by_zone.entry(zone).or_default().push(group);
        }
    }
    let mut found = Vec::new();
    for (zone, groups) in by_zone {
        let Ok(known) = zones.get(zone) else { continue };
        let timezone = known.timezone();
        for (at, before, after) in changes(timezone, counted.from, counted.until) {
            let mut touched: BTreeMap<Effect, Vec<&'a Job>> = BTreeMap::new();
            for group in &groups {
                if let Some(effect) = effect(group.schedule, timezone, at, before, after) {
                    touched.entry(effect).or_default().extend(&group.members);
                }
            }
            found.push(Change {
                zone,
                at,
                before,
                after,
                touched: touched.into_iter().collect(),
            });
        }
    }
    found.sort_by_key(|change| (change.at, change.zone));
    found
}

fn follows_a_clock(schedule: &Schedule) -> bool {
    let elapsed = |item: &Item| {
        matches!(
            item,
            Item::Every { .. } | Item::At(_) | Item::Startup | Item::Manual
        )
    };
    !schedule.items().iter().all(elapsed)
}

fn changes(
    timezone: &TimeZone,
    from: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, Offset, Offset)> {
    let mut last = timezone.to_offset(just_before(from));
    let mut found = Vec::new();
    for next in timezone.following(just_before(from)) {
        if next.timestamp() >= until {
            break;
        }
        if next.offset() != last {
            found.push((next.timestamp(), last, next.offset()));
        }
        last = next.offset();
    }
    found
}

fn effect(
    schedule: &Schedule,
    timezone: &TimeZone,
    at: Timestamp,
    before: Offset,
    after: Offset,
) -> Option<Effect> {
    let change = at.as_second();
    let length = i64::from(after.seconds() - before.seconds());
    if length < 0 {
        let pass = -length;
        let first = fires(schedule, change - pass, change);
        let second = fires(schedule, change, change + pass);
        return (first > 0 && second > 0).then_some(Effect::More(second));
    }
    // The hours that the gap passes over, a week earlier by the old offset, a week later by the new.
    let usual = fires(schedule, change - WEEK, change - WEEK + length).max(fires(
        schedule,
        change + WEEK - length,
        change + WEEK,
    ));
    let at_end = fires(schedule, change, change + 1) > 0;
    let usually_at_end = fires(schedule, change - WEEK + length, change - WEEK + length + 1) > 0
        || fires(schedule, change + WEEK, change + WEEK + 1) > 0;
    if at_end
        && !usually_at_end
        && (usual > 0 || comes_in_gap(schedule, timezone, at, before, after))
    {
        return if usual > 1 {
            Some(Effect::Fewer(usual - 1))
        } else {
            Some(Effect::Moved)
        };
    }
    (usual > 0).then_some(Effect::Fewer(usual))
}

/// Whether the fire after the change is at a time of day that the gap passes over: this tells
/// jobs that fire once a month or a year.
fn comes_in_gap(
    schedule: &Schedule,
    timezone: &TimeZone,
    at: Timestamp,
    before: Offset,
    after: Offset,
) -> bool {
    let Some(next) = schedule.next_after(at) else {
        return false;
    };
    let of_day = |at: Timestamp, offset: Offset| {
        (at.as_second() + i64::from(offset.seconds())).rem_euclid(DAY)
    };
    let (first, end) = (of_day(at, before), of_day(at, after));
    let time = of_day(next.scheduled, timezone.to_offset(next.scheduled));
    if first <= end {
        (first..end).contains(&time)
    } else {
        time >= first || time < end
    }
}

/// How many fires there are from second `first` on and before `end`.
fn fires(schedule: &Schedule, first: i64, end: i64) -> u64 {
    let instant = |second: i64| Timestamp::from_second(second).map(just_before);
    match (instant(first), instant(end)) {
        (Ok(first), Ok(end)) => schedule.count_between(first, end),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse_schedule;

    fn effect_of(schedule: &str, at: &str) -> Option<Effect> {
        let zones = Zones::bundled();
        let parsed = parse_schedule(schedule, "Europe/Berlin", &zones, "a").unwrap();
        let at: Timestamp = at.parse().unwrap();
        let timezone = parsed.zone.timezone();
        let (change, before, after) =
            changes(timezone, at, at + std::time::Duration::from_secs(1))[0];
        assert_eq!(change, at);
        effect(&parsed.schedule, timezone, at, before, after)
    }

    #[test]
    fn the_spring_gap_moves_fixed_times_and_swallows_those_that_follow_the_clock() {
        for (schedule, want) in [
            ("daily: \"02:30\"", Some(Effect::Moved)),
            ("daily: [\"02:30\", \"04:00\"]", Some(Effect::Moved)),
            ("daily: [\"02:10\", \"02:40\"]", Some(Effect::Fewer(1))),
            ("daily: [\"02:30\", \"03:00\"]", Some(Effect::Fewer(1))),
            ("weekly: { days: sun, at: \"02:30\" }", Some(Effect::Moved)),
            ("weekly: { days: mon, at: \"02:30\" }", None),
            ("30 2 28 * *", Some(Effect::Moved)),
            ("daily: \"03:00\"", None),
            ("daily: \"01:59\"", None),
            ("0 * * * *", Some(Effect::Fewer(1))),
            ("*/15 * * * *", Some(Effect::Fewer(4))),
            ("hourly: 30", Some(Effect::Fewer(1))),
            ("0 3 28 3 *", None),
        ] {
            assert_eq!(
                effect_of(schedule, "2027-03-28T01:00:00Z"),
                want,
                "{schedule}"
            );
        }
    }

    #[test]
    fn the_autumn_hour_comes_twice_for_those_that_follow_the_clock() {
        for (schedule, want) in [
            ("daily: \"02:30\"", None),
            ("0 * * * *", Some(Effect::More(1))),
            ("*/15 * * * *", Some(Effect::More(4))),
            ("daily: \"03:00\"", None),
        ] {
            assert_eq!(
                effect_of(schedule, "2027-10-31T01:00:00Z"),
                want,
                "{schedule}"
            );
        }
    }
}
