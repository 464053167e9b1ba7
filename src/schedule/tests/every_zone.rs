//! What must hold in every zone of the database.

use super::super::zone::{FAR, split};
use super::super::{Fold, Gap, MonthDay};
use super::*;

/// A cheap sequence of numbers that looks random and is the same each time.
fn scattered(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

#[test]
fn the_table_of_each_zone_says_what_jiff_says() {
    let (low, high) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    for (name, seed) in ZONES.names().iter().zip(1..) {
        let zone = zone(name);
        let timezone = zone.timezone();
        let some = scattered(seed).take(60).map(|n| {
            // Half of them in the years that people plan for, half anywhere.
            if n % 2 == 0 {
                (n << 31 | n) as i64 % (high - low) + low
            } else {
                (n * 3) as i64 % 8_000_000_000
            }
        });
        let changes = timezone
            .following(instant("1900-01-01T00:00:00Z"))
            .take(60)
            .chain(timezone.following(instant("2098-01-01T00:00:00Z")).take(12))
            .chain(timezone.following(instant("2500-01-01T00:00:00Z")).take(8))
            .chain(timezone.following(instant("9990-01-01T00:00:00Z")).take(40))
            .flat_map(|change| {
                let at = split(change.timestamp()).0;
                [at - 1, at]
            });
        for second in some.chain(changes).chain([low, high]) {
            let at = Timestamp::from_second(second).unwrap();
            let offset = i64::from(timezone.to_offset(at).seconds());
            let span = zone.span_at(second);
            assert_eq!(span.offset, offset, "{name} at {at}");
            assert!(span.from <= second && second < span.until, "{name} at {at}");
            // Reach and first_at are inverse: the clock first reads so far at its first instant.
            let reach = zone.reach(second);
            let first = zone.first_at(reach);
            assert!(
                first <= second && zone.reach(first) >= reach,
                "{name} at {at}"
            );
            assert!(
                zone.reach(first - 1) < reach || first <= -FAR,
                "{name} at {at}"
            );
            // The same from the other end: what is settled is over, and the next reading is not.
            let settled = zone.settled(second);
            assert!(
                zone.last_at(settled) <= second && zone.last_at(settled + 1) > second,
                "{name} at {at}"
            );
            assert!(settled <= reach, "{name} at {at}");
        }
    }
}

#[test]
fn at_every_change_since_1970_each_kind_of_schedule_goes_forward() {
    let lines = [
        "30 2 * * *",
        "*/30 * * * *",
        "0,30 0,1,2,3,23 * * *",
        "15 */2 * * *",
    ];
    for name in ZONES.names() {
        let zone = zone(&name);
        let rules = [None, Some(Gap::After), Some(Gap::Skip)]
            .into_iter()
            .flat_map(|gap| {
                let folds = [
                    None,
                    Some(Fold::First),
                    Some(Fold::Second),
                    Some(Fold::Both),
                ];
                folds.map(|fold| (gap, fold))
            });
        // The last day of a month and the first weekday, at times at which clocks are changed.
        let days = ["last", "1", "4th sun", "last sun", "31", "first weekday"];
        let days = days.map(|day| MonthDay::parse(day).unwrap());
        let times = [0, 1, 2, 23].map(|hour| jiff::civil::time(hour, 30, 0, 0));
        let mut items: Vec<Item> = lines
            .iter()
            .map(|line| Item::cron(Cron::parse(line).unwrap(), zone.clone()))
            .collect();
        items.push(Item::monthly(&days, &times, zone.clone()).unwrap());
        let schedules: Vec<Schedule> = rules
            .zip(items.iter().cycle())
            .map(|((gap, fold), item)| Schedule::new(vec![item.clone().at_changes(gap, fold)]))
            .collect();
        let changes = zone
            .timezone()
            .following(instant("1970-01-01T00:00:00Z"))
            .map(|change| change.timestamp())
            .take_while(|at| *at < instant("2038-01-01T00:00:00Z"));
        for (change, schedule) in changes.zip(schedules.iter().cycle()) {
            // The walk itself asserts that each fire is later than the one before.
            let before = change - jiff::SignedDuration::from_hours(3);
            let fires = walk(schedule, before, 9);
            assert_eq!(fires.len(), 9, "{name} at {change}");
            let counted = schedule.count_between(before, fires[8]);
            assert_eq!(counted, 9, "{name} at {change}: {schedule:?}");
            // Asking from anywhere in between gives the same next fire.
            for pair in fires.windows(2) {
                let middle = pair[0] + pair[0].duration_until(pair[1]) / 2;
                let next = schedule.next_after(middle).map(|fire| fire.scheduled);
                assert_eq!(next, Some(pair[1]), "{name} at {middle}");
            }
        }
    }
}

#[test]
fn a_reading_without_offset_is_the_instant_that_the_rule_names() {
    for (name, reading, want) in [
        (
            "Asia/Tokyo",
            "2027-09-20T15:00:00",
            "2027-09-20T15:00:00+09:00",
        ),
        (
            "Asia/Tokyo",
            "2027-09-20T15:00:00.25",
            "2027-09-20T15:00:00.25+09:00",
        ),
        (
            "America/New_York",
            "2027-03-14T02:30:00",
            "2027-03-14T03:00:00-04:00",
        ),
        (
            "America/New_York",
            "2027-03-14T02:30:00.5",
            "2027-03-14T03:00:00-04:00",
        ),
        (
            "America/New_York",
            "2027-11-07T01:30:00",
            "2027-11-07T01:30:00-04:00",
        ),
        (
            "Pacific/Apia",
            "2011-12-30T12:00:00",
            "2011-12-31T00:00:00+14:00",
        ),
    ] {
        let zone = zone(name);
        let at = zone.instant_of(reading.parse().unwrap()).unwrap();
        assert_eq!(shown(at, &zone), want, "{name} {reading}");
    }
    let end = jiff::civil::DateTime::MAX;
    assert_eq!(zone("America/New_York").instant_of(end), None);
}
