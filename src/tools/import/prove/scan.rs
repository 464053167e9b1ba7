//! The fires of a source by its own rules: day by day, time by time, nothing clever.
//!
//! It knows civil dates, zones and the rule for changes of the clock, and nothing of
//! `crate::schedule`, so that the two sides can be wrong only independently.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::super::calendar::{Calendar, Fold, Gap, Rule, bits};
use super::Old;
use crate::schedule::Zones;

/// The fires of a source.
pub(super) struct Fires {
    pub instants: Vec<Timestamp>,
    /// Up to here the two sides can be compared.
    pub horizon: Timestamp,
}

/// What is asked for: so many fires after an instant, none after another.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub from: Timestamp,
    pub until: Timestamp,
    pub count: usize,
}

/// The next fires; under the source's rules, or under others.
pub(super) fn fires(
    items: &[&Old],
    rules: Option<&[Rule]>,
    wanted: Wanted,
    zones: &Zones,
) -> Fires {
    let count = wanted.count;
    let mut instants = Vec::new();
    let mut horizon = wanted.until;
    for (index, item) in items.iter().enumerate() {
        let rule = rules.and_then(|rules| rules.get(index).or_else(|| rules.first()).copied());
        let (found, end) = one(item, rule, wanted, zones);
        instants.extend(found);
        horizon = horizon.min(end);
    }
    instants.sort_unstable();
    instants.dedup();
    instants.retain(|at| *at <= horizon);
    if instants.len() > count {
        instants.truncate(count);
    }
    if instants.len() == count
        && let Some(last) = instants.last()
    {
        horizon = *last;
    }
    Fires { instants, horizon }
}

/// The next changes of the clock after `after`, within a bit more than a year from `from`.
pub(super) fn changes(
    items: &[&Old],
    after: Timestamp,
    from: Timestamp,
    zones: &Zones,
) -> Vec<Timestamp> {
    const YEAR: Duration = Duration::from_secs(400 * 86_400);
    let end = from.checked_add(YEAR).unwrap_or(Timestamp::MAX);
    let mut found = Vec::new();
    for item in items {
        let Old::Calendar { calendar, .. } = item else {
            continue;
        };
        let zone = named(&calendar.zone, zones);
        let next = zone.following(after).map(|change| change.timestamp());
        found.extend(next.take_while(|at| *at < end).take(2));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The zone that its instants are shown in.
pub(super) fn zone_of(items: &[Old], zones: &Zones) -> TimeZone {
    let mut found = items.iter().filter_map(|item| match item {
        Old::Calendar { calendar, .. } => Some(named(&calendar.zone, zones)),
        _ => None,
    });
    found.next().unwrap_or(TimeZone::UTC)
}

/// The fires of one item, and the end of what was looked at.
fn one(
    item: &Old,
    rule: Option<Rule>,
    wanted: Wanted,
    zones: &Zones,
) -> (Vec<Timestamp>, Timestamp) {
    let Wanted { from, count, .. } = wanted;
    match item {
        Old::Calendar {
            calendar,
            from: start,
            until,
        } => {
            let rule = rule.unwrap_or(calendar.rule);
            let zone = named(&calendar.zone, zones);
            let after = match start.and_then(|start| start.checked_sub(1.nanosecond()).ok()) {
                // A fire at the bound itself counts.
                Some(start) => start.max(from),
                None => from,
            };
            let (mut found, end) = of_calendar(
                calendar,
                rule,
                &zone,
                Wanted {
                    from: after,
                    ..wanted
                },
            );
            if let Some(until) = until {
                found.retain(|at| at <= until);
            }
            (found, end)
        }
        Old::Every {
            period,
            anchor,
            until,
        } => {
            let anchor = anchor.unwrap_or(Timestamp::UNIX_EPOCH);
            let mut found = Vec::new();
            let step = i128::try_from(period.as_nanos())
                .unwrap_or(i128::MAX)
                .max(1);
            let passed = from.as_nanosecond() - anchor.as_nanosecond();
            // The first fire is at the anchor itself.
            let mut k = if passed < 0 { 0 } else { passed / step + 1 };
            while found.len() < count {
                let nanos = step.checked_mul(k).map(|n| n + anchor.as_nanosecond());
                let Some(at) = nanos.and_then(|n| Timestamp::from_nanosecond(n).ok()) else {
                    break;
                };
                if at > wanted.until || until.is_some_and(|until| at > until) {
                    break;
                }
                found.push(at);
                k += 1;
            }
            (found, Timestamp::MAX)
        }
        Old::At(instants) => {
            let found = instants.iter().copied().filter(|at| *at > from);
            (found.collect(), Timestamp::MAX)
        }
        Old::Startup => (Vec::new(), Timestamp::MAX),
    }
}

fn of_calendar(
    calendar: &Calendar,
    rule: Rule,
    zone: &TimeZone,
    wanted: Wanted,
) -> (Vec<Timestamp>, Timestamp) {
    let Wanted {
        from: after,
        until,
        count,
    } = wanted;
    let last_day = zone
        .to_datetime(until)
        .date()
        .checked_add(2.days())
        .unwrap_or(Date::MAX);
    let times = times(calendar);
    let mut found: Vec<Timestamp> = Vec::new();
    let mut date = zone.to_datetime(after).date();
    date = date.checked_sub(2.days()).unwrap_or(date);
    let last_year = calendar.last_year.min(LAST_YEAR);
    // The fires of a later day can come before those of this one, in a fold at midnight.
    let mut spare = 3;
    let mut end = Timestamp::MAX;
    while spare > 0 {
        if date.year() > last_year {
            let last = zone.to_timestamp(date.at(0, 0, 0, 0));
            end = last.map_or(Timestamp::MAX, |at| at - 1.second());
            break;
        }
        if date > last_day {
            break;
        }
        if calendar.contains(date) {
            for time in &times {
                push(&mut found, date.to_datetime(*time), rule, zone, after);
            }
        }
        if found.len() > count {
            // A gap may have moved several times onto one instant.
            found.sort_unstable();
            found.dedup();
        }
        if found.len() > count {
            spare -= 1;
        }
        let Ok(next) = date.tomorrow() else {
            break;
        };
        date = next;
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(count);
    (found, end)
}

/// Where the search ends when little or nothing fires.
const LAST_YEAR: i16 = 4_000;

/// A zone that the import has found; UTC for one that it has not, whose job is a comment.
fn named(name: &str, zones: &Zones) -> TimeZone {
    let zone = zones.get(name);
    zone.map_or(TimeZone::UTC, |zone| zone.timezone().clone())
}

/// The times of day of a calendar, in order.
fn times(calendar: &Calendar) -> Vec<Time> {
    let mut times = Vec::new();
    let small = |value: u32| i8::try_from(value).unwrap_or(0);
    for hour in bits(calendar.hours) {
        for minute in bits(calendar.minutes) {
            for second in bits(calendar.seconds) {
                let time = Time::new(small(hour), small(minute), small(second), 0);
                times.extend(time);
            }
        }
    }
    times
}

/// What becomes of one reading of the clock, if that is after `after`.
fn push(
    found: &mut Vec<Timestamp>,
    reading: DateTime,
    rule: Rule,
    zone: &TimeZone,
    after: Timestamp,
) {
    let (first, second) = match zone.to_ambiguous_timestamp(reading).offset() {
        AmbiguousOffset::Unambiguous { offset } => (offset.to_timestamp(reading).ok(), None),
        AmbiguousOffset::Gap { before, .. } => {
            let shifted = before.to_timestamp(reading).ok();
            let at = match rule.gap {
                Gap::Skip => None,
                Gap::Shift => shifted,
                Gap::After => shifted.and_then(|shifted| {
                    let mut changes = zone.preceding(shifted + 1.second());
                    changes.next().map(|change| change.timestamp())
                }),
            };
            (at, None)
        }
        AmbiguousOffset::Fold {
            before,
            after: second,
        } => {
            let again = second.to_timestamp(reading).ok();
            let again = again.filter(|_| rule.fold == Fold::Both);
            (before.to_timestamp(reading).ok(), again)
        }
    };
    let fires = first.into_iter().chain(second);
    found.extend(fires.filter(|at| *at > after));
}

/// The local date of an instant, for the report.
pub(super) fn date_of(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at).date()
}
