//! An independent witness: it walks the clock in half minutes, notes each
//! reading that it has seen, and knows nothing of tables, sets or searches.

use std::collections::HashSet;

use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::*;

/// No offset since 1970 has a smaller part than half a minute.
const STEP: i64 = 30;
const DAY: i64 = 86_400;

/// Whether a plain cron field (numbers, lists, ranges, steps, `*`) holds a value.
fn holds(field: &str, value: i8, low: i8, high: i8) -> bool {
    field.split(',').any(|item| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        let step: i8 = step.parse().unwrap();
        value >= first && value <= last && (value - first) % step == 0
    })
}

fn matches(line: &str, at: DateTime) -> bool {
    let fields: Vec<&str> = line.split(' ').collect();
    let [minute, hour, day, month, week] = fields[..] else {
        panic!("{line}")
    };
    let weekday = at.weekday().to_sunday_zero_offset();
    let day_matches = holds(day, at.day(), 1, 31);
    let week_matches = holds(week, weekday, 0, 7) || weekday == 0 && holds(week, 7, 0, 7);
    let date = if day.starts_with('*') || week.starts_with('*') {
        day_matches && week_matches
    } else {
        day_matches || week_matches
    };
    at.second() == 0
        && holds(minute, at.minute(), 0, 59)
        && holds(hour, at.hour(), 0, 23)
        && holds(month, at.month(), 1, 12)
        && date
}

/// All fires of the middle of a span, which has two days at its beginning to warm up.
fn scan(line: &str, zone: &Zone, start: i64, end: i64) -> Vec<Timestamp> {
    let fields: Vec<&str> = line.split(' ').collect();
    let follows = fields[0].starts_with('*') || fields[1].starts_with('*');
    let mut seen: HashSet<DateTime> = HashSet::new();
    let mut before: Option<DateTime> = None;
    let mut fires = Vec::new();
    for second in (start..end).step_by(STEP as usize) {
        let at = Timestamp::from_second(second).unwrap();
        let reading = zone.timezone().to_datetime(at);
        let mut fire = matches(line, reading) && (follows || !seen.contains(&reading));
        if let Some(before) = before {
            // What the clock passed over, reading by reading.
            let mut passed = before + STEP.seconds();
            while passed < reading {
                if passed.second() == 0 && seen.insert(passed) {
                    fire |= !follows && matches(line, passed);
                }
                passed += STEP.seconds();
            }
        }
        seen.insert(reading);
        before = Some(reading);
        if fire && second >= start + 2 * DAY {
            fires.push(at);
        }
    }
    fires
}

fn assert_agree(line: &str, zone: &Zone, change: i64) {
    // On the grid of half minutes that transitions are on, too.
    let start = change.div_euclid(STEP) * STEP - 3 * DAY;
    let end = change + 2 * DAY;
    let from = Timestamp::from_second(start + 2 * DAY - 1).unwrap();
    let until = Timestamp::from_second(end - 1).unwrap();
    let schedule = cron(line, zone.name());
    let scanned = scan(line, zone, start, end);
    let fires = walk_until(&schedule, from, until);
    let (only_here, only_there): (Vec<_>, Vec<_>) = (
        fires.iter().filter(|at| !scanned.contains(at)).collect(),
        scanned.iter().filter(|at| !fires.contains(at)).collect(),
    );
    assert!(
        fires == scanned,
        "{line} in {zone} at {}: too many {only_here:?}, too few {only_there:?}",
        Timestamp::from_second(change).unwrap(),
    );
    assert_eq!(
        schedule.count_between(from, until),
        fires.len() as u64,
        "{line} in {zone}"
    );
}

fn changes(zone: &Zone) -> Vec<i64> {
    let (first, last) = (
        instant("1970-01-05T00:00:00Z"),
        instant("2037-12-31T00:00:00Z"),
    );
    zone.timezone()
        .following(first)
        .map(|change| change.timestamp())
        .take_while(|at| *at < last)
        .map(Timestamp::as_second)
        .collect()
}

fn minute() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..60i8).prop_map(|m| m.to_string()),
        (0..60i8, 0..60i8).prop_map(|(a, b)| format!("{a},{b}")),
        prop_oneof![Just(5), Just(15), Just(30), Just(45), Just(7)].prop_map(|k| format!("*/{k}")),
        (0..30i8, 30..60i8, 1..20i8).prop_map(|(a, b, k)| format!("{a}-{b}/{k}")),
        Just("*".to_owned()),
    ]
}

fn hour() -> impl Strategy<Value = String> {
    prop_oneof![
        // The night is where clocks are changed.
        (0..4i8).prop_map(|h| h.to_string()),
        Just("23".to_owned()),
        (0..3i8, 3..24i8).prop_map(|(a, b)| format!("{a}-{b}")),
        (0..24i8, 0..4i8).prop_map(|(a, b)| format!("{a},{b}")),
        (1..5i8).prop_map(|k| format!("*/{k}")),
        Just("*".to_owned()),
    ]
}

fn date() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("* * *"),
        1 => Just("*/2 * *"),
        1 => Just("* * 0,6"),
        1 => Just("1-15 * 1-5"),
        1 => Just("*/3 * */2"),
        1 => Just("* 3,10 7"),
        1 => Just("25-31 * */7"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn around_any_change_of_any_zone_the_witness_sees_the_same_fires(
        pick: prop::sample::Index, at: prop::sample::Index,
        minute in minute(), hour in hour(), date in date(),
    ) {
        let names = ZONES.names();
        let name: &String = pick.get(&names);
        let zone = zone(name);
        let changes = changes(&zone);
        prop_assume!(!changes.is_empty());
        assert_agree(&format!("{minute} {hour} {date}"), &zone, *at.get(changes.as_slice()));
    }
}

#[test]
fn in_the_oddest_places_the_witness_sees_the_same_fires() {
    let places = [
        ("Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),
        ("Pacific/Enderbury", "1994-12-31T11:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        ("America/Sao_Paulo", "2019-02-17T02:00:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
        ("Australia/Lord_Howe", "2027-10-02T15:30:00Z"),
        ("Antarctica/Troll", "2027-03-28T01:00:00Z"),
        ("Africa/Monrovia", "1972-01-07T00:44:30Z"),
        ("Asia/Pyongyang", "2018-05-04T15:00:00Z"),
        ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
        ("Antarctica/Casey", "2010-03-04T15:00:00Z"),
    ];
    let lines = [
        "30 2 * * *",
        "0 0 * * *",
        "0,30 0-4 * * *",
        "*/10 * * * *",
        "15 * * * *",
        "*/20 1-3 * * *",
        "59 23 * * *",
    ];
    for (name, change) in places {
        for line in lines {
            assert_agree(line, &zone(name), instant(change).as_second());
        }
    }
}
