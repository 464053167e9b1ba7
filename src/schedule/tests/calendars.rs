//! `only`, `except` and `shift` against a witness that asks day by day, and by hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::{self, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{walk_until, zone};
use crate::schedule::calendar::{self, number};
use crate::schedule::{
    Allowed, BadSchedule, Calendar, Cron, Days, Fold, Gap, Item, Modifiers, Named, OnDates,
    Schedule, Seed, Shift, Spread, Window, Zone,
};

fn named(dates: Calendar) -> Named {
    Named::new(vec![(Arc::from("a-calendar"), Arc::new(dates))])
}

fn only(dates: Calendar) -> Allowed {
    Allowed {
        only: Some(named(dates)),
        except: None,
    }
}

fn except(dates: Calendar) -> Allowed {
    Allowed {
        only: None,
        except: Some(named(dates)),
    }
}

fn on(item: Item, allowed: Allowed, zone: &Zone, shift: Shift) -> Result<Schedule, BadSchedule> {
    let modifiers = Modifiers {
        dates: Some(OnDates::new(allowed, zone.clone())),
        shift,
        ..Modifiers::default()
    };
    Ok(Schedule::new(vec![
        item.modified(&modifiers, Seed::of("job"))?,
    ]))
}

/// When a time of a date fires, by jiff; `None` when the clock skips it and it is not to fire.
fn fires_at(
    timezone: &TimeZone,
    reading: civil::DateTime,
    (gap, fold): (Gap, Fold),
) -> Option<Timestamp> {
    let ambiguous = timezone.to_ambiguous_timestamp(reading);
    match (ambiguous.offset(), gap, fold) {
        (AmbiguousOffset::Gap { .. }, Gap::Skip, _) => None,
        (AmbiguousOffset::Gap { .. }, Gap::After, _) => {
            let before = ambiguous.earlier().ok()?;
            timezone
                .following(before)
                .next()
                .map(|next| next.timestamp())
        }
        (_, _, Fold::Second) => ambiguous.later().ok(),
        _ => ambiguous.earlier().ok(),
    }
}

fn first_at(timezone: &TimeZone, reading: civil::DateTime) -> Timestamp {
    fires_at(timezone, reading, (Gap::After, Fold::First)).unwrap()
}

/// Every fire of fixed times, day by day and time by time.
fn witness(
    timezone: &TimeZone,
    days: &dyn Fn(civil::Date) -> bool,
    times: &[civil::Time],
    allowed: &dyn Fn(civil::Date) -> bool,
    (shift, rule): (Shift, (Gap, Fold)),
    span: (civil::Date, civil::Date),
) -> BTreeSet<Timestamp> {
    let mut fires = BTreeSet::new();
    let step = match shift {
        Shift::Previous => -1,
        _ => 1,
    };
    let furthest = if shift == Shift::Skip { 0 } else { 31 };
    let (mut day, last) = span;
    while day <= last {
        for time in times.iter().filter(|_| days(day)) {
            let at = |days: i64| fires_at(timezone, later(day, days).to_datetime(*time), rule);
            let date = |at: Timestamp| at.to_zoned(timezone.clone()).date();
            // What does not fire does not move.
            if at(0).is_some() {
                let mut moved = (0..=furthest).filter_map(|distance| at(step * distance));
                fires.extend(moved.find(|at| allowed(date(*at))));
            }
        }
        day = day.tomorrow().unwrap();
    }
    fires
}

/// Zones and the year in which something happens at their midnight, or not.
const PLACES: [(&str, i16, i8); 10] = [
    ("Pacific/Apia", 2011, 12),
    ("Pacific/Kiritimati", 1994, 12),
    ("America/Nuuk", 2025, 3),
    ("America/Sao_Paulo", 2016, 10),
    ("America/Goose_Bay", 2010, 11),
    ("America/Toronto", 1919, 3),
    ("Asia/Beirut", 2021, 3),
    ("Europe/Berlin", 2027, 3),
    ("Australia/Lord_Howe", 2027, 10),
    ("UTC", 2027, 2),
];

fn time() -> impl Strategy<Value = civil::Time> {
    prop_oneof![
        Just(civil::time(0, 0, 0, 0)),
        Just(civil::time(23, 59, 59, 0)),
        (0i8..24, 0i8..60).prop_map(|(hour, minute)| civil::time(hour, minute, 0, 0)),
    ]
}

/// A calendar whose dates count from a day that is not known yet.
#[derive(Clone, Debug)]
struct Plan {
    week: u8,
    yearly: Vec<(u8, u8)>,
    spans: Vec<(i64, i64)>,
}

impl Plan {
    fn from(&self, start: civil::Date) -> Calendar {
        let spans = self.spans.iter();
        let spans =
            spans.map(|(first, length)| (later(start, *first), later(start, first + length)));
        let mut parts = vec![
            Calendar::dates(spans),
            Calendar::weekly(Days::of_bits(self.week)),
        ];
        let yearly = self.yearly.iter();
        parts.extend(yearly.map(|(month, day)| Calendar::yearly(*month, *day)));
        Calendar::union(&parts)
    }
}

fn later(day: civil::Date, days: i64) -> civil::Date {
    day.checked_add(SignedDuration::from_hours(24 * days))
        .unwrap()
}

fn plan() -> impl Strategy<Value = Plan> {
    let week = prop_oneof![Just(0), Just(0b100_0001), 0u8..128];
    let spans = prop::collection::vec((-60i64..90, 0i64..45), 0..4);
    let yearly = prop::collection::vec((1u8..13, 1u8..32), 0..3);
    (week, spans, yearly).prop_map(|(week, spans, yearly)| Plan {
        week,
        yearly,
        spans,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn fixed_times_fire_as_a_witness_says_that_asks_day_by_day(
        place in 0usize..PLACES.len(),
        week in 1u8..128,
        times in prop::collection::vec(time(), 1..4),
        (only, except) in (prop::option::of(plan()), prop::option::of(plan())),
        shift in prop_oneof![Just(Shift::Skip), Just(Shift::Next), Just(Shift::Previous)],
        cut in 0i64..120,
        rule in prop_oneof![
            3 => Just((Gap::After, Fold::First)),
            1 => Just((Gap::Skip, Fold::First)),
            1 => Just((Gap::After, Fold::Second)),
            1 => Just((Gap::Skip, Fold::Second)),
        ],
    ) {
        let (name, year, month) = PLACES[place];
        let zone = zone(name);
        let timezone = zone.timezone().clone();
        let middle = date(year, month, 1);
        let allowed = Allowed {
            only: only.map(|plan| named(plan.from(middle))),
            except: except.map(|plan| named(plan.from(middle))),
        };
        let days = Days::of_bits(week);
        let item = Item::weekly(days, &times, zone.clone()).unwrap();
        let item = item.at_changes(Some(rule.0), Some(rule.1));
        let is_allowed = |day: civil::Date| {
            allowed.only.as_ref().is_none_or(|named| named.dates().contains(day))
                && !allowed.except.as_ref().is_some_and(|named| named.dates().contains(day))
        };
        let span = (later(middle, -100), later(middle, 160));
        let on_days = |day: civil::Date| {
            days.bits() & (1 << day.weekday().to_sunday_zero_offset()) != 0
        };
        let expected = witness(&timezone, &on_days, &times, &is_allowed, (shift, rule), span);
        let midnight = |day: civil::Date| first_at(&timezone, day.to_datetime(civil::Time::midnight()));
        let (after, until) = (midnight(later(middle, -60)), midnight(later(middle, cut)));
        let expected: Vec<_> = expected.into_iter().filter(|at| *at > after && *at <= until).collect();
        let schedule = match on(item, allowed.clone(), &zone, shift) {
            Ok(schedule) => schedule,
            Err(error) => {
                prop_assert_eq!(error, BadSchedule::NoDate);
                prop_assert!(expected.is_empty());
                return Ok(());
            }
        };
        prop_assert_eq!(walk_until(&schedule, after, until), expected.clone(), "{:?} {}", schedule, name);
        prop_assert_eq!(schedule.count_between(after, until), expected.len() as u64);
        let newest: Vec<_> = schedule.newest(after, until, 3).iter().map(|f| f.scheduled).collect();
        prop_assert_eq!(newest, expected[expected.len().saturating_sub(3)..].to_vec());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn elapsed_time_and_what_follows_the_clock_fire_on_allowed_dates_only(
        place in 0usize..PLACES.len(),
        period in 600u64..200_000,
        line in prop_oneof![Just("*/20 * * * *"), Just("7 * * * *"), Just("* */9 * * *")],
        week in 0u8..128,
        excepted in any::<bool>(),
    ) {
        let (name, year, month) = PLACES[place];
        let zone = zone(name);
        let calendar = Calendar::union(&[
            Calendar::weekly(Days::of_bits(week)),
            Calendar::dates([(date(year, month, 20), date(year, month, 28))]),
        ]);
        let allowed = if excepted { except(calendar.clone()) } else { only(calendar.clone()) };
        let middle = first_at(zone.timezone(), date(year, month, 15).to_datetime(civil::Time::midnight()));
        let (after, until) = (middle - SignedDuration::from_hours(24 * 30), middle + SignedDuration::from_hours(24 * 60));
        let every = Item::every(std::time::Duration::from_secs(period)).unwrap();
        let cron = Item::cron(Cron::parse(line).unwrap(), zone.clone());
        let mut together = Vec::new();
        let mut both = Vec::new();
        for item in [every, cron] {
            let all = Schedule::new(vec![item.clone()]);
            let is_allowed = |at: &Timestamp| {
                calendar.contains(at.to_zoned(zone.timezone().clone()).date()) != excepted
            };
            let expected: Vec<_> = walk_until(&all, after, until).into_iter().filter(is_allowed).collect();
            let Ok(schedule) = on(item, allowed.clone(), &zone, Shift::Skip) else {
                prop_assert!(expected.is_empty());
                return Ok(());
            };
            prop_assert_eq!(walk_until(&schedule, after, until), expected.clone());
            prop_assert_eq!(schedule.count_between(after, until), expected.len() as u64);
            together.extend(expected);
            both.extend(schedule.items().to_vec());
        }
        // A union of both, beside something that knows no calendar.
        let daily = Item::daily(&[civil::time(12, 0, 0, 0)], zone.clone()).unwrap();
        together.extend(walk_until(&Schedule::new(vec![daily.clone()]), after, until));
        both.push(daily);
        together.sort_unstable();
        together.dedup();
        let union = Schedule::new(both);
        prop_assert_eq!(union.count_between(after, until), together.len() as u64);
        prop_assert_eq!(walk_until(&union, after, until), together);
    }

    #[test]
    fn a_calendar_answers_like_its_parts(
        a in plan(), b in plan(), from in -200i64..400,
    ) {
        let (a, b) = (a.from(date(2027, 2, 1)), b.from(date(2027, 2, 1)));
        let union = Calendar::union([&a, &b]);
        let allowed = Allowed { only: Some(named(union.clone())), except: Some(named(b.clone())) };
        let start = number(date(2027, 2, 1)) + from;
        let day = |number| calendar::date(number).unwrap();
        for number in start..start + 120 {
            prop_assert_eq!(union.contains(day(number)), a.contains(day(number)) || b.contains(day(number)));
            prop_assert_eq!(allowed.contains(number), a.contains(day(number)) && !b.contains(day(number)));
        }
        let walk = |wanted: bool| (start..start + 4_000).find(|day| allowed.contains(*day) == wanted);
        let near = |found: Option<i64>| found.filter(|day| *day < start + 4_000);
        prop_assert_eq!(near(allowed.next(start)), walk(true));
        prop_assert_eq!(near(allowed.next_forbidden(start)), walk(false));
        let again = Calendar::union([
            &Calendar::weekly(union.weekdays()),
            &Calendar::dates(union.ranges()),
            &Calendar::union(&union.days_of_the_year().map(|(m, d)| Calendar::yearly(m, d)).collect::<Vec<_>>()),
        ]);
        prop_assert_eq!(again, union);
    }
}

/// The local fires of a job at 02:00, or another time, in a month.
fn local(schedule: &Schedule, zone: &Zone, from: &str, until: &str) -> Vec<String> {
    let instant = |text: &str| {
        let reading: civil::DateTime = text.parse().unwrap();
        zone.instant_of(reading).unwrap()
    };
    let before = instant(from) - SignedDuration::from_nanos(1);
    walk_until(schedule, before, instant(until))
        .into_iter()
        .map(|at| at.to_zoned(zone.timezone().clone()).datetime().to_string())
        .collect()
}

#[test]
fn shift_goes_to_the_next_or_the_previous_day_that_is_open() {
    let berlin = zone("Europe/Berlin");
    // The first of the month, closed on weekends and on 1 January.
    let closed = Calendar::union(&[Calendar::weekly(Days::WEEKENDS), Calendar::yearly(1, 1)]);
    let first = || Item::cron(Cron::parse("0 9 1 * *").unwrap(), berlin.clone());
    for (shift, want) in [
        (Shift::Skip, vec!["2027-02-01", "2027-03-01", "2027-04-01"]),
        (
            Shift::Next,
            vec![
                "2027-01-04",
                "2027-02-01",
                "2027-03-01",
                "2027-04-01",
                "2027-05-03",
            ],
        ),
        (
            Shift::Previous,
            vec!["2027-02-01", "2027-03-01", "2027-04-01", "2027-04-30"],
        ),
    ] {
        let schedule = on(first(), except(closed.clone()), &berlin, shift).unwrap();
        let fires = local(&schedule, &berlin, "2027-01-01T00:00", "2027-05-31T00:00");
        let want: Vec<_> = want.iter().map(|day| format!("{day}T09:00:00")).collect();
        assert_eq!(fires, want, "{shift:?}");
    }
}

#[test]
fn a_lost_day_is_asked_about_as_the_day_that_the_clock_shows() {
    // 30 December 2011 did not happen in Apia: its fire comes as the 31st begins.
    let apia = zone("Pacific/Apia");
    let daily = || Item::daily(&[civil::time(2, 0, 0, 0)], apia.clone()).unwrap();
    let lost = || Calendar::dates([(date(2011, 12, 30), date(2011, 12, 30))]);
    let next = || Calendar::dates([(date(2011, 12, 31), date(2011, 12, 31))]);
    let at = |allowed, shift| {
        let schedule = on(daily(), allowed, &apia, shift).unwrap();
        local(&schedule, &apia, "2011-12-29T00:00", "2012-01-02T00:00")
    };
    let all = [
        "2011-12-29T02:00:00",
        "2011-12-31T00:00:00",
        "2011-12-31T02:00:00",
        "2012-01-01T02:00:00",
    ];
    assert_eq!(at(except(lost()), Shift::Skip), all);
    assert_eq!(at(except(next()), Shift::Skip), [all[0], all[3]]);
    assert_eq!(at(except(next()), Shift::Next), [all[0], all[3]]);
    assert_eq!(at(only(next()), Shift::Skip), [all[1], all[2]]);
}

#[test]
fn two_that_meet_are_one_and_further_than_31_days_is_too_far() {
    let utc = Zone::utc();
    let daily = || Item::daily(&[civil::time(9, 0, 0, 0)], utc.clone()).unwrap();
    let only_first = || {
        let firsts: Vec<_> = (1..=12).map(|month| Calendar::yearly(month, 1)).collect();
        only(Calendar::union(&firsts))
    };
    let schedule = on(daily(), only_first(), &utc, Shift::Next).unwrap();
    let fires = local(&schedule, &utc, "2027-01-01T00:00", "2027-04-02T00:00");
    assert_eq!(
        fires,
        [
            "2027-01-01T09:00:00",
            "2027-02-01T09:00:00",
            "2027-03-01T09:00:00",
            "2027-04-01T09:00:00"
        ]
    );
    let yearly = |line: &str| Item::cron(Cron::parse(line).unwrap(), utc.clone());
    let march = || only(Calendar::yearly(3, 31));
    let far = on(yearly("0 9 27 2 *"), march(), &utc, Shift::Next);
    assert_eq!(far, Err(BadSchedule::NoDate), "32 days");
    let near = on(yearly("0 9 28 2 *"), march(), &utc, Shift::Next).unwrap();
    assert_eq!(
        local(&near, &utc, "2027-01-01T00:00", "2027-12-31T00:00"),
        ["2027-03-31T09:00:00"]
    );
}

#[test]
fn a_spread_fire_is_asked_about_where_it_has_come_to() {
    // 23:55 and up to ten minutes more: half of the jobs fire on the day after.
    let tokyo = zone("Asia/Tokyo");
    let late = Item::daily(&[civil::time(23, 55, 0, 0)], tokyo.clone()).unwrap();
    let spread = |name: &str, dates, shift| {
        let modifiers = Modifiers {
            spread: Some(Spread::Within(std::time::Duration::from_secs(600))),
            dates,
            shift,
            ..Modifiers::default()
        };
        let item = late.clone().modified(&modifiers, Seed::of(name)).unwrap();
        Schedule::new(vec![item])
    };
    let calendar = Calendar::weekly(Days::WEEKENDS);
    let closed = || Some(OnDates::new(except(calendar.clone()), tokyo.clone()));
    let (after, until) = ("2027-03-01T12:00:00Z", "2027-06-01T00:00:00Z");
    let (after, until) = (after.parse().unwrap(), until.parse().unwrap());
    let date = |at: &Timestamp| at.to_zoned(tokyo.timezone().clone()).date();
    let mut moved = 0;
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let all = walk_until(&spread(name, None, Shift::Skip), after, until);
        let open = all.iter().filter(|at| !calendar.contains(date(at)));
        let skipped = spread(name, closed(), Shift::Skip);
        assert_eq!(
            walk_until(&skipped, after, until),
            open.copied().collect::<Vec<_>>()
        );
        let shifted = spread(name, closed(), Shift::Next);
        // Daily: whatever moves meets what is there.
        assert_eq!(
            walk_until(&shifted, after, until),
            walk_until(&skipped, after, until)
        );
        let monday = |at: &&Timestamp| date(at).weekday() == civil::Weekday::Monday;
        moved += usize::from(
            all.iter()
                .find(monday)
                .is_some_and(|at| at.to_zoned(tokyo.timezone().clone()).hour() == 0),
        );
        let count = shifted.count_between(after, until);
        assert_eq!(count, walk_until(&shifted, after, until).len() as u64);
    }
    assert!((1..8).contains(&moved), "{moved} of 8 fire after midnight");
}

#[test]
fn a_random_window_belongs_to_the_day_on_which_it_opens() {
    let berlin = zone("Europe/Berlin");
    let window = Window {
        times: 4,
        opens: civil::time(22, 0, 0, 0),
        closes: civil::time(3, 0, 0, 0),
        gap: std::time::Duration::from_secs(1),
        days: Days::ALL,
    };
    let item = || Item::random(window, Seed::of("job"), berlin.clone()).unwrap();
    // Both changes of the clock lie in a window that opens on a Saturday.
    let calendar = Calendar::weekly(Days::parse("sat").unwrap());
    let (after, until) = ("2027-03-01T12:00:00Z", "2027-12-01T12:00:00Z");
    let (after, until) = (after.parse().unwrap(), until.parse().unwrap());
    let all = walk_until(&Schedule::new(vec![item()]), after, until);
    let opens_on_saturday = |at: &&Timestamp| {
        let opened = at.to_zoned(berlin.timezone().clone()).datetime();
        let opened = opened.checked_sub(SignedDuration::from_hours(12)).unwrap();
        calendar.contains(opened.date())
    };
    let saturdays: Vec<_> = all.iter().filter(opens_on_saturday).copied().collect();
    assert_eq!(saturdays.len(), 39 * 4);
    let only = on(item(), only(calendar.clone()), &berlin, Shift::Skip).unwrap();
    assert_eq!(walk_until(&only, after, until), saturdays);
    assert_eq!(only.count_between(after, until), saturdays.len() as u64);
    let except = on(item(), except(calendar.clone()), &berlin, Shift::Skip).unwrap();
    let rest: Vec<_> = all
        .iter()
        .filter(|at| !opens_on_saturday(at))
        .copied()
        .collect();
    assert_eq!(walk_until(&except, after, until), rest);
    assert_eq!(except.count_between(after, until), rest.len() as u64);
}

#[test]
fn what_has_no_fixed_times_cannot_be_shifted() {
    let utc = Zone::utc();
    let cron = |line: &str| Item::cron(Cron::parse(line).unwrap(), utc.clone());
    for item in [
        Item::every(std::time::Duration::from_secs(60)).unwrap(),
        Item::hourly(&[15], utc.clone()).unwrap(),
        cron("*/5 * * * *"),
        cron("0 * * * *"),
        Item::At(vec![Timestamp::UNIX_EPOCH]),
    ] {
        let shifted = on(
            item,
            except(Calendar::weekly(Days::WEEKENDS)),
            &utc,
            Shift::Next,
        );
        assert_eq!(shifted, Err(BadSchedule::NoFixedTimes));
    }
}

#[test]
fn what_can_never_fire_is_refused_and_what_is_over_ends() {
    let utc = Zone::utc();
    let monday = || {
        Item::weekly(
            Days::parse("mon").unwrap(),
            &[civil::time(9, 0, 0, 0)],
            utc.clone(),
        )
        .unwrap()
    };
    for allowed in [
        only(Calendar::default()),
        only(Calendar::weekly(Days::WEEKENDS)),
        except(Calendar::weekly(Days::WEEKDAYS)),
        except(Calendar::dates([(civil::Date::MIN, civil::Date::MAX)])),
    ] {
        assert_eq!(
            on(monday(), allowed, &utc, Shift::Skip),
            Err(BadSchedule::NoDate)
        );
    }
    let once = || only(Calendar::dates([(date(2027, 1, 4), date(2027, 1, 4))]));
    let schedule = on(monday(), once(), &utc, Shift::Skip).unwrap();
    let fires = walk_until(&schedule, Timestamp::MIN, Timestamp::MAX);
    assert_eq!(fires.len(), 1);
    assert_eq!(schedule.count_between(Timestamp::MIN, Timestamp::MAX), 1);
    // The search before, between and behind far dates does not take long either.
    let far = only(Calendar::dates([(date(9000, 1, 6), date(9000, 1, 6))]));
    let schedule = on(monday(), far, &utc, Shift::Next).unwrap();
    assert_eq!(schedule.count_between(Timestamp::MIN, Timestamp::MAX), 1);
}

#[test]
fn equal_dates_make_equal_schedules_and_others_do_not() {
    let utc = Zone::utc();
    let daily = || Item::daily(&[civil::time(9, 0, 0, 0)], utc.clone()).unwrap();
    let range = |last| Calendar::dates([(date(2027, 1, 1), date(2027, 1, last))]);
    let days = Calendar::dates((1..4).map(|day| (date(2027, 1, day), date(2027, 1, day))));
    let one = on(daily(), except(range(3)), &utc, Shift::Skip).unwrap();
    assert_eq!(one, on(daily(), except(days), &utc, Shift::Skip).unwrap());
    assert_ne!(
        one,
        on(daily(), except(range(4)), &utc, Shift::Skip).unwrap()
    );
    assert_ne!(
        one,
        on(daily(), except(range(3)), &utc, Shift::Next).unwrap()
    );
}
