//! Rules for changes of the clock, days of the month and dates of the year, worked by hand.

use jiff::civil::time;
use proptest::prelude::*;

use super::super::{Days, Effect, Fold, Gap, MonthDay, YearDay};
use super::*;

fn with(line: &str, name: &str, gap: Option<Gap>, fold: Option<Fold>) -> Schedule {
    let item = Item::cron(Cron::parse(line).unwrap(), zone(name));
    Schedule::new(vec![item.at_changes(gap, fold)])
}

fn shown_after(schedule: &Schedule, name: &str, after: &str, n: usize) -> Vec<String> {
    let zone = zone(name);
    let fires = walk(schedule, instant(after), n);
    fires.into_iter().map(|at| shown(at, &zone)).collect()
}

#[test]
fn a_time_in_a_gap_fires_after_it_or_not_at_all() {
    let (name, before) = ("Europe/Berlin", "2027-03-26T12:00:00Z");
    for (line, gap, want) in [
        (
            "30 2 * * *",
            None,
            [
                "2027-03-27T02:30:00+01:00",
                "2027-03-28T03:00:00+02:00",
                "2027-03-29T02:30:00+02:00",
            ],
        ),
        (
            "30 2 * * *",
            Some(Gap::Skip),
            [
                "2027-03-27T02:30:00+01:00",
                "2027-03-29T02:30:00+02:00",
                "2027-03-30T02:30:00+02:00",
            ],
        ),
        (
            "*/31 2 * * *",
            None,
            [
                "2027-03-27T02:00:00+01:00",
                "2027-03-29T02:00:00+02:00",
                "2027-03-30T02:00:00+02:00",
            ],
        ),
        (
            "*/31 2 * * *",
            Some(Gap::After),
            [
                "2027-03-27T02:00:00+01:00",
                "2027-03-28T03:00:00+02:00",
                "2027-03-29T02:00:00+02:00",
            ],
        ),
        // The end of the gap is a time of its own: one fire either way.
        (
            "0 2,3 28 * *",
            None,
            [
                "2027-03-28T03:00:00+02:00",
                "2027-04-28T02:00:00+02:00",
                "2027-04-28T03:00:00+02:00",
            ],
        ),
        (
            "0 2,3 28 * *",
            Some(Gap::Skip),
            [
                "2027-03-28T03:00:00+02:00",
                "2027-04-28T02:00:00+02:00",
                "2027-04-28T03:00:00+02:00",
            ],
        ),
    ] {
        let schedule = with(line, name, gap, None);
        let found = shown_after(&schedule, name, before, 6);
        // A line that follows the clock has a second time in the hour.
        let found: Vec<_> = found
            .iter()
            .filter(|at| !at.contains(":31:"))
            .take(3)
            .collect();
        assert_eq!(found, want.each_ref(), "{line} {gap:?}");
    }
}

#[test]
fn a_time_that_comes_twice_fires_the_first_the_second_or_both_times() {
    let (name, before) = ("America/New_York", "2027-11-06T12:00:00Z");
    let (first, second) = ("2027-11-07T01:30:00-04:00", "2027-11-07T01:30:00-05:00");
    let next_day = "2027-11-08T01:30:00-05:00";
    for line in ["30 1 * * *", "*/30 1 * * *"] {
        for (fold, want) in [
            (Fold::First, vec![first, next_day]),
            (Fold::Second, vec![second, next_day]),
            (Fold::Both, vec![first, second, next_day]),
        ] {
            let schedule = with(line, name, None, Some(fold));
            let found = shown_after(&schedule, name, before, 6);
            let found: Vec<_> = found.iter().filter(|at| at.contains(":30:")).collect();
            assert_eq!(
                found[..want.len()],
                want.iter().collect::<Vec<_>>(),
                "{line} {fold:?}"
            );
        }
    }
}

#[test]
fn a_lost_day_a_half_hour_and_midnight_are_changes_like_any_other() {
    let skip = Some(Gap::Skip);
    // Apia went from the 29th to the 31st.
    let lost = with("0 12 * * *", "Pacific/Apia", skip, None);
    assert_eq!(
        shown_after(&lost, "Pacific/Apia", "2011-12-29T00:00:00Z", 2),
        ["2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"]
    );
    let half = with("45 1 * * *", "Australia/Lord_Howe", None, Some(Fold::Both));
    assert_eq!(
        shown_after(&half, "Australia/Lord_Howe", "2027-04-03T00:00:00Z", 3),
        [
            "2027-04-04T01:45:00+11:00",
            "2027-04-04T01:45:00+10:30",
            "2027-04-05T01:45:00+10:30"
        ]
    );
    let two = with("30 1,2 * * *", "Antarctica/Troll", skip, Some(Fold::Second));
    assert_eq!(
        shown_after(&two, "Antarctica/Troll", "2027-03-27T12:00:00Z", 2),
        ["2027-03-29T01:30:00+02:00", "2027-03-29T02:30:00+02:00"]
    );
    // Santiago's day begins at one in the morning in September.
    let midnight = with("0 0 * * *", "America/Santiago", skip, None);
    assert_eq!(
        shown_after(&midnight, "America/Santiago", "2027-09-04T12:00:00Z", 1),
        ["2027-09-06T00:00:00-03:00"]
    );
}

#[test]
fn what_the_clock_never_shows_is_known_at_once() {
    let skip = Some(Gap::Skip);
    let never = |line: &str, gap| {
        let item = Item::cron(Cron::parse(line).unwrap(), zone("America/New_York"));
        item.at_changes(gap, None).is_never_shown()
    };
    // On the second Sunday of March 02:00 to 03:00 is skipped, since 2007 and as far as the rules go.
    assert!(never("30 2 * 3 sun#2", skip));
    assert!(never("*/10 2 * 3 sun#2", None));
    assert!(!never("30 2 * 3 sun#2", None));
    assert!(!never("*/10 2 * 3 sun#2", Some(Gap::After)));
    assert!(!never("30 2,3 * 3 sun#2", skip));
    assert!(!never("30 2 * * *", skip));
}

#[test]
fn an_instant_without_offset_goes_by_the_same_rules() {
    let zone = zone("Europe/Berlin");
    let at = |reading: &str, gap, fold| {
        let found = zone
            .instants_of(reading.parse().unwrap(), gap, fold)
            .unwrap();
        found
            .into_iter()
            .map(|at| shown(at, &zone))
            .collect::<Vec<_>>()
    };
    let (first, second) = ("2027-10-31T02:30:00.5+02:00", "2027-10-31T02:30:00.5+01:00");
    let twice = "2027-10-31T02:30:00.5";
    assert_eq!(at(twice, Gap::Skip, Fold::First), [first]);
    assert_eq!(at(twice, Gap::Skip, Fold::Second), [second]);
    assert_eq!(at(twice, Gap::After, Fold::Both), [first, second]);
    assert_eq!(
        at("2027-03-28T02:30:00", Gap::After, Fold::Both),
        ["2027-03-28T03:00:00+02:00"]
    );
    assert!(at("2027-03-28T02:30:00", Gap::Skip, Fold::Both).is_empty());
    for fold in [Fold::First, Fold::Second, Fold::Both] {
        assert_eq!(
            at("2027-06-01T02:30:00", Gap::Skip, fold),
            ["2027-06-01T02:30:00+02:00"]
        );
    }
}

fn monthly(days: &[&str], name: &str) -> Schedule {
    let days: Vec<_> = days
        .iter()
        .map(|day| MonthDay::parse(day).unwrap())
        .collect();
    Schedule::new(vec![
        Item::monthly(&days, &[time(9, 0, 0, 0)], zone(name)).unwrap(),
    ])
}

fn yearly(dates: &[&str], name: &str) -> Schedule {
    let dates: Vec<_> = dates
        .iter()
        .map(|date| YearDay::parse(date).unwrap())
        .collect();
    Schedule::new(vec![
        Item::yearly(&dates, &[time(23, 0, 0, 0)], zone(name)).unwrap(),
    ])
}

#[test]
fn days_of_the_month_are_the_ones_on_the_calendar() {
    for (days, want) in [
        (&["31"][..], ["01-31", "03-31", "05-31", "07-31"]),
        (&["last"], ["01-31", "02-28", "03-31", "04-30"]),
        (&["2nd tue"], ["01-12", "02-09", "03-09", "04-13"]),
        (&["last fri"], ["01-29", "02-26", "03-26", "04-30"]),
        (&["5th fri"], ["01-29", "04-30", "07-30", "10-29"]),
        (&["first weekday"], ["01-01", "02-01", "03-01", "04-01"]),
        (&["2nd weekday"], ["01-04", "02-02", "03-02", "04-02"]),
        (&["last weekday"], ["01-29", "02-26", "03-31", "04-30"]),
        (
            &["1", "last fri", "2nd weekday"],
            ["01-01", "01-04", "01-29", "02-01"],
        ),
    ] {
        let found = shown_after(&monthly(days, "UTC"), "UTC", "2027-01-01T00:00:00Z", 4);
        assert_eq!(
            found,
            want.map(|date| format!("2027-{date}T09:00:00+00:00")),
            "{days:?}"
        );
    }
    for (dates, want) in [
        (&["03-31"][..], ["2027-03-31", "2028-03-31", "2029-03-31"]),
        (&["02-29"], ["2028-02-29", "2032-02-29", "2036-02-29"]),
        // No product: 31 March and 24 December, and neither 24 March nor 31 December.
        (
            &["12-24", "03-31"],
            ["2027-03-31", "2027-12-24", "2028-03-31"],
        ),
        (
            &["12-24", "02-29"],
            ["2027-12-24", "2028-02-29", "2028-12-24"],
        ),
    ] {
        let found = shown_after(&yearly(dates, "UTC"), "UTC", "2027-01-01T00:00:00Z", 3);
        assert_eq!(
            found,
            want.map(|date| format!("{date}T23:00:00+00:00")),
            "{dates:?}"
        );
    }
}

#[test]
fn the_same_dates_are_the_same_schedule_however_they_are_written() {
    assert_eq!(monthly(&["15"], "UTC").items()[0], same("0 9 15 * *"));
    assert_eq!(
        monthly(&["last weekday"], "UTC").items()[0],
        same("0 9 LW * *")
    );
    assert_eq!(
        monthly(&["2nd tue"], "UTC").items()[0],
        same("0 9 * * tue#2")
    );
    assert_eq!(
        yearly(&["03-31", "05-31"], "UTC").items()[0],
        same("0 23 31 3,5 *")
    );
    fn same(line: &str) -> Item {
        Item::cron(Cron::parse(line).unwrap(), Zone::utc())
    }
}

#[test]
fn words_name_days_dates_and_rules() {
    let berlin = "Europe/Berlin";
    for (schedule, want) in [
        (
            monthly(&["last fri"], "Asia/Tokyo"),
            "at 09:00 on the last Friday of the month, Asia/Tokyo time",
        ),
        (
            monthly(&["first weekday"], "UTC"),
            "at 09:00 on the first weekday of the month, UTC time",
        ),
        (
            monthly(&["1", "last", "2nd tue", "3rd weekday"], "UTC"),
            "at 09:00 on day 1 of the month or the last day of the month or on the 2nd Tuesday of the month or the 3rd weekday of the month, UTC time",
        ),
        (
            yearly(&["03-31"], "UTC"),
            "at 23:00 on 31 March each year, UTC time",
        ),
        (
            yearly(&["12-24", "03-31"], "UTC"),
            "at 23:00 on 31 March and 24 December each year, UTC time",
        ),
        (
            cron("0 0 1,2 1 *", "UTC"),
            "at 00:00 on 1 January and 2 January each year, UTC time",
        ),
        (
            with("30 2 * * *", berlin, Some(Gap::Skip), Some(Fold::Both)),
            "at 02:30 every day, Europe/Berlin time (when the clock changes: a time in a gap does not fire, a time that comes twice fires both times)",
        ),
        (
            with("30 2 * * *", berlin, Some(Gap::After), Some(Fold::First)),
            "at 02:30 every day, Europe/Berlin time",
        ),
        (
            with("*/5 * * * *", berlin, None, Some(Fold::Second)),
            "every 5 minutes, Europe/Berlin time (when the clock changes: a time that comes twice fires the second time only)",
        ),
        (
            with("*/5 * * * *", berlin, Some(Gap::After), None),
            "every 5 minutes, Europe/Berlin time (when the clock changes: once after a gap that holds such a time)",
        ),
    ] {
        assert_eq!(schedule.describe(), want);
    }
    let many: Vec<_> = (1..=12)
        .map(|month| format!("{month:02}-{month:02}"))
        .collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(
        yearly(&many, "UTC").describe(),
        "at 23:00 on 12 dates from 1 January to 12 December each year, UTC time"
    );
}

#[test]
fn touched_fires_are_told_apart_from_the_others() {
    let remark = |schedule: &Schedule, at: &str| schedule.remark(instant(at));
    let nightly = with("30 2 * * *", "Europe/Berlin", None, Some(Fold::Both));
    for (at, want) in [
        (
            "2027-03-28T03:00:00+02:00",
            Some("02:30 does not exist: the clock is put forward"),
        ),
        (
            "2027-10-31T02:30:00+02:00",
            Some("02:30 comes twice: the clock is put back, and this is the first"),
        ),
        (
            "2027-10-31T02:30:00+01:00",
            Some("02:30 comes twice: the clock is put back, and this is the second"),
        ),
        ("2027-03-29T02:30:00+02:00", None),
        // No fire at all.
        ("2027-10-31T02:45:00+02:00", None),
    ] {
        assert_eq!(remark(&nightly, at).as_deref(), want, "{at}");
    }
    let several = cron("0,15,30 2,3 * * *", "Europe/Berlin");
    assert_eq!(
        remark(&several, "2027-03-28T03:00:00+02:00").as_deref(),
        Some("02:00 and 2 more do not exist: the clock is put forward")
    );
    // The time after the gap is no stranger to one that follows the clock.
    let often = cron("*/30 * * * *", "Europe/Berlin");
    assert_eq!(remark(&often, "2027-03-28T03:00:00+02:00"), None);
    let minute = Item::every(std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(
        Schedule::new(vec![minute]).remark(instant("2027-03-28T03:00:00+02:00")),
        None
    );
}

#[test]
fn changes_that_touch_a_schedule_are_named_in_order() {
    let touches = |schedule: &Schedule| {
        let (after, until) = (
            instant("2027-01-01T00:00:00Z"),
            instant("2028-01-01T00:00:00Z"),
        );
        let found = schedule.touches(after, until);
        found
            .iter()
            .map(|touch| (touch.describe(), touch.times, touch.effect))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        touches(&cron("0,30 1,2 * * *", "America/New_York")),
        [
            ("2027-03-14: 02:00 and 1 more do not exist in America/New_York: fires at 03:00".to_owned(), 2, Effect::After),
            ("2027-11-07: 01:00 and 1 more come twice in America/New_York: fires the first time only".to_owned(), 2, Effect::Twice(Fold::First)),
        ]
    );
    assert_eq!(touches(&cron("*/5 * * * *", "America/New_York")), []);
    assert_eq!(touches(&cron("30 2 * * *", "Asia/Tokyo")), []);
    assert_eq!(touches(&cron("30 2 1 1 *", "America/New_York")), []);
    // A phase moves what fires, and not what the clock skips.
    let spread = Item::daily(&[time(2, 30, 0, 0)], zone("Europe/Berlin")).unwrap();
    let Item::Wall(mut wall) = spread else {
        panic!("a wall")
    };
    wall.phase = 240;
    let spread = Schedule::new(vec![Item::Wall(wall)]);
    let words = touches(&spread)
        .into_iter()
        .map(|(words, _, _)| words)
        .collect::<Vec<_>>();
    assert_eq!(
        words,
        [
            "2027-03-28: 02:30 does not exist in Europe/Berlin: fires at 03:04",
            "2027-10-31: 02:30 comes twice in Europe/Berlin: fires the first time only",
        ]
    );
    let moved = spread.remark(instant("2027-03-28T03:04:00+02:00"));
    assert_eq!(
        moved.as_deref(),
        Some("02:30 does not exist: the clock is put forward")
    );
    let apia = Item::daily(&[time(12, 0, 0, 0)], zone("Pacific/Apia")).unwrap();
    let lost = Schedule::new(vec![apia]);
    let found = lost.touches(
        instant("2011-12-01T00:00:00Z"),
        instant("2012-01-10T00:00:00Z"),
    );
    let words: Vec<_> = found.iter().map(|touch| touch.describe()).collect();
    assert_eq!(
        words,
        ["2011-12-30: 12:00 does not exist in Pacific/Apia: fires at 00:00 on 2011-12-31"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The same as asking each fire: what is told of a year is what the fires of the year say.
    #[test]
    fn what_is_told_of_a_change_is_what_the_fires_do(
        second in 0u32..86_400, pick: prop::sample::Index, year in 2026i16..2037, skip: bool,
        fold in prop::sample::select(vec![Fold::First, Fold::Second, Fold::Both]),
    ) {
        let names = ZONES.names();
        let name: &String = pick.get(&names);
        let zone = zone(name);
        let at = time(0, 0, 0, 0) + jiff::SignedDuration::from_secs(second.into());
        let gap = if skip { Gap::Skip } else { Gap::After };
        let item = Item::weekly(Days::ALL, &[at], zone.clone()).unwrap().at_changes(Some(gap), Some(fold));
        let schedule = Schedule::new(vec![item]);
        let start = jiff::civil::date(year, 1, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        let end = start + jiff::SignedDuration::from_hours(365 * 24);
        let touched = schedule.touches(start, end);
        let fires = walk_until(&schedule, start, end);
        let remarks = fires.iter().filter_map(|at| schedule.remark(*at)).count();
        // A gap that is skipped leaves no fire to remark on; a time that fires twice leaves two.
        let want: usize = touched.iter().map(|touch| match touch.effect {
            Effect::Skipped => 0,
            Effect::Twice(Fold::Both) => 2,
            _ => 1,
        }).sum();
        prop_assert_eq!(remarks, want, "{} at {}: {:?}", zone, at, touched);
        // Days without a touch have their fire at that time.
        let odd = fires.iter().filter(|fire| zone.timezone().to_datetime(**fire).time() != at).count();
        let after = touched.iter().filter(|touch| touch.effect == Effect::After).count();
        prop_assert_eq!(odd, after);
    }
}
