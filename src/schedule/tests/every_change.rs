//! Each change of each clock from 1970 to 2037, beside a scan of the clock.
//!
//! The scan goes through the hours around the change in half minutes and knows
//! two things only: what the clock shows, and how far it has ever got. `witness`
//! scans longer spans, at changes drawn by chance.

use std::collections::{HashMap, HashSet};

use jiff::civil;

use super::super::zone::split;
use super::*;

/// No offset since 1970 has a smaller part than half a minute.
const STEP: i64 = 30;
const DAY: i64 = 86_400;

/// The clock of a zone around one of its changes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Around {
    /// Where the offset begins, and the offset; the first one begins long before.
    offsets: Vec<(i64, i64)>,
    change: i64,
}

impl Around {
    fn offset(&self, at: i64) -> i64 {
        let after = self.offsets.partition_point(|(from, _)| *from <= at);
        self.offsets[after - 1].1
    }

    /// The reading just before the change, as if it were UTC.
    fn reading(&self) -> i64 {
        self.change + self.offset(self.change - 1)
    }

    fn length(&self) -> i64 {
        (self.offset(self.change) - self.offset(self.change - 1)).abs()
    }

    /// Every instant with a fire, when `holds` says which readings are named.
    fn scan(&self, follows: bool, holds: &dyn Fn(i64) -> bool) -> Vec<Timestamp> {
        let (start, end) = self.span();
        // How far the clock got before: its offsets are constant between changes.
        let ends = self.offsets.windows(2).map(|pair| pair[1].0);
        let before = ends.filter(|end| *end < start).map(|end| end - STEP);
        let reached = before.chain([start - STEP]).map(|at| at + self.offset(at));
        let mut reached = reached.max().unwrap();
        let mut fires = Vec::new();
        for at in (start..end).step_by(STEP as usize) {
            let reading = at + self.offset(at);
            let mut fire = holds(reading) && (follows || reading > reached);
            let mut passed = reached + STEP;
            while !follows && passed < reading {
                fire |= holds(passed);
                passed += STEP;
            }
            reached = reached.max(reading);
            if fire {
                fires.push(Timestamp::from_second(at).unwrap());
            }
        }
        fires
    }

    fn span(&self) -> (i64, i64) {
        let around = self.length() + 5_400;
        (self.change - around, self.change + around)
    }
}

/// Every change of a zone, with the offsets of four days around it.
fn around(zone: &Zone) -> Vec<Around> {
    let first = instant("1969-12-20T00:00:00Z");
    let mut offsets = vec![(
        i64::MIN,
        i64::from(zone.timezone().to_offset(first).seconds()),
    )];
    for next in zone.timezone().following(first) {
        let (at, offset) = (split(next.timestamp()).0, next.offset().seconds().into());
        if at > instant("2038-01-05T00:00:00Z").as_second() {
            break;
        }
        if offsets.last().is_some_and(|(_, last)| *last != offset) {
            offsets.push((at, offset));
        }
    }
    let years = 0..instant("2038-01-01T00:00:00Z").as_second();
    let changes = offsets
        .iter()
        .map(|(at, _)| *at)
        .filter(|at| years.contains(at));
    let near = |change: i64| {
        let first = offsets.partition_point(|(at, _)| *at < change - 2 * DAY) - 1;
        let mut near: Vec<_> = offsets[first..].to_vec();
        near.retain(|(at, _)| *at < change + 2 * DAY);
        near[0].0 = i64::MIN;
        near
    };
    changes
        .map(|change| Around {
            offsets: near(change),
            change,
        })
        .collect()
}

/// A schedule, whether it follows the clock, and the readings that it names.
struct Shape {
    schedule: Schedule,
    follows: bool,
    holds: Box<dyn Fn(i64) -> bool>,
}

fn minute_of(reading: i64) -> i64 {
    reading.rem_euclid(3_600) / 60
}

fn hour_of(reading: i64) -> i64 {
    reading.rem_euclid(DAY) / 3_600
}

/// Monday is 0; the epoch was a Thursday.
fn weekday_of(reading: i64) -> i64 {
    (reading.div_euclid(DAY) + 3).rem_euclid(7)
}

fn time(second: i64) -> civil::Time {
    let part = |value: i64| i8::try_from(value).unwrap();
    let (hour, minute) = (second / 3_600, second % 3_600 / 60);
    civil::time(part(hour), part(minute), part(second % 60), 0)
}

/// Schedules whose times lie where the clock is changed.
fn shapes(zone: &Zone, around: &Around) -> Vec<Shape> {
    let reading = around.reading();
    let whole = |reading: i64| reading % 60 == 0;
    // From half an hour before until half an hour after what is skipped or comes twice.
    let low = reading - around.length() - 1_800;
    let times: Vec<i64> = (0..7)
        .map(|step| low + step * (2 * around.length() + 3_600) / 7)
        .map(|reading| reading.div_euclid(STEP) * STEP)
        .collect();
    let of_day: Vec<i64> = times.iter().map(|at| at.rem_euclid(DAY)).collect();
    let civil: Vec<_> = of_day.iter().map(|second| time(*second)).collect();
    let hours: HashSet<i64> = times.iter().map(|at| hour_of(*at)).collect();
    let listed = |values: &HashSet<i64>| {
        let values: Vec<_> = values.iter().map(i64::to_string).collect();
        values.join(",")
    };
    let line = |text: &str| Cron::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let day = weekday_of(reading);
    let days = [day, (day + 6) % 7];
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let weekly = names[usize::try_from(day).unwrap()];
    let fixed = format!("7,20,45 {} * * *", listed(&hours));
    let by_day = format!(
        "15,50 {} * * {},{}",
        listed(&hours),
        (days[0] + 1) % 7,
        (days[1] + 1) % 7
    );
    let shape = |item: Item, follows, holds: Box<dyn Fn(i64) -> bool>| Shape {
        schedule: Schedule::new(vec![item]),
        follows,
        holds,
    };
    let zoned = || zone.clone();
    let same_hours = hours.clone();
    vec![
        shape(
            Item::cron(line("*/20 * * * *"), zoned()),
            true,
            Box::new(move |at| whole(at) && minute_of(at) % 20 == 0),
        ),
        shape(
            Item::hourly(&[10, 55], zoned()).unwrap(),
            true,
            Box::new(move |at| whole(at) && matches!(minute_of(at), 10 | 55)),
        ),
        shape(
            Item::cron(line(&fixed), zoned()),
            false,
            Box::new(move |at| {
                whole(at) && matches!(minute_of(at), 7 | 20 | 45) && hours.contains(&hour_of(at))
            }),
        ),
        shape(
            Item::cron(line(&by_day), zoned()),
            false,
            Box::new(move |at| {
                whole(at)
                    && matches!(minute_of(at), 15 | 50)
                    && same_hours.contains(&hour_of(at))
                    && days.contains(&weekday_of(at))
            }),
        ),
        shape(
            Item::daily(&civil, zoned()).unwrap(),
            false,
            Box::new({
                let of_day = of_day.clone();
                move |at| of_day.contains(&at.rem_euclid(DAY))
            }),
        ),
        shape(
            Item::weekly(Days::parse(weekly).unwrap(), &civil, zoned()).unwrap(),
            false,
            Box::new(move |at| weekday_of(at) == day && of_day.contains(&at.rem_euclid(DAY))),
        ),
    ]
}

#[test]
fn at_every_change_of_every_zone_a_scan_of_the_clock_sees_the_same_fires() {
    // Zones share most of their changes, so one scan serves several.
    let mut scans: HashMap<Around, Vec<Vec<Timestamp>>> = HashMap::new();
    let mut changes = 0;
    for name in ZONES.names() {
        let zone = zone(&name);
        for around in around(&zone) {
            changes += 1;
            let (start, end) = around.span();
            let from = Timestamp::from_second(start - 1).unwrap();
            let until = Timestamp::from_second(end - 1).unwrap();
            let at = Timestamp::from_second(around.change).unwrap();
            let shapes = shapes(&zone, &around);
            let scans = scans.entry(around.clone()).or_insert_with(|| {
                let scans = shapes.iter();
                let scans = scans.map(|shape| around.scan(shape.follows, &*shape.holds));
                scans.collect()
            });
            for (shape, scanned) in shapes.iter().zip(scans) {
                let fires = walk_until(&shape.schedule, from, until);
                assert_eq!(fires, *scanned, "{:?} at {at}", shape.schedule);
                // Whoever asks from anywhere in between, such as after a restart, hears the same.
                for step in 1..8 {
                    let between = start + (end - start) * step / 8;
                    let between = Timestamp::from_second(between).unwrap();
                    let next = shape
                        .schedule
                        .next_after(between)
                        .map(|fire| fire.scheduled);
                    let later = scanned.iter().find(|at| **at > between).copied();
                    let known = next.filter(|next| *next <= until);
                    assert_eq!(known, later, "{:?} after {between}", shape.schedule);
                }
                let counted = shape.schedule.count_between(from, until);
                assert_eq!(counted, fires.len() as u64, "{:?} at {at}", shape.schedule);
            }
        }
    }
    let different = scans.len();
    assert!(
        changes > 20_000 && different > 3_000,
        "{changes} changes, {different} of them different"
    );
}
