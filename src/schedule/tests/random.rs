//! `random`: in the window, the gap kept, and any placement as likely as any other.

use std::collections::HashMap;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::{Time, time};
use proptest::prelude::*;

use super::super::{BadSchedule, Days, Random, Seed, Window};
use super::*;

fn window(times: u8, opens: (i8, i8), closes: (i8, i8), gap: u64) -> Window {
    Window {
        times,
        opens: time(opens.0, opens.1, 0, 0),
        closes: time(closes.0, closes.1, 0, 0),
        gap: Duration::from_secs(gap),
        days: Days::ALL,
    }
}

fn item(window: Window, name: &str, zone_name: &str) -> Result<Item, BadSchedule> {
    Item::random(window, Seed::of(name), zone(zone_name))
}

fn inner(item: &Item) -> &Random {
    let Item::Random(random) = item else {
        panic!("{item:?}")
    };
    random
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
    let fridays = Window {
        days: Days::parse("fri").unwrap(),
        ..window(40, (22, 0), (2, 0), 60)
    };
    let schedule = Schedule::new(vec![item(fridays, "job", "Asia/Tokyo").unwrap()]);
    // 1 January 2027 is a Friday.
    let opens = instant("2027-01-01T22:00:00+09:00");
    let fires = walk(&schedule, instant("2027-01-01T00:00:00Z"), 40);
    assert!(fires[0] >= opens && fires[39] < opens + SignedDuration::from_hours(4));
    assert!(
        fires
            .iter()
            .any(|at| *at >= instant("2027-01-02T00:00:00+09:00"))
    );
    let next = walk(&schedule, fires[39], 1)[0];
    assert!(next >= opens + SignedDuration::from_hours(7 * 24));
    // Asked after midnight, it is still Friday's window.
    let midnight = instant("2027-01-02T00:00:00+09:00");
    let rest = walk(&schedule, midnight, 1)[0];
    assert!(fires.contains(&rest) && rest > midnight);
}

#[test]
fn every_placement_is_as_likely_as_any_other() {
    // Four seconds, two fires: with no gap 6 placements, with 2 s three, with 3 s one.
    for (gap, placements) in [(0, 6), (1, 6), (2, 3), (3, 1)] {
        let window = Window {
            closes: time(12, 0, 4, 0),
            ..window(2, (12, 0), (12, 0), gap)
        };
        let item = item(window, "uniform", "UTC").unwrap();
        let mut counts: HashMap<Vec<i64>, u32> = HashMap::new();
        for day in 0..6_000 {
            let placed = inner(&item).placed(day);
            let start = day * 86_400 + 43_200;
            let seconds = placed.all().iter().map(|at| at - start).collect();
            *counts.entry(seconds).or_default() += 1;
        }
        assert_eq!(counts.len(), placements, "{counts:?}");
        // Five standard deviations, and more.
        let mean = 6_000 / u32::try_from(placements).unwrap();
        let near = mean - mean / 5..=mean + mean / 5;
        assert!(counts.values().all(|n| near.contains(n)), "{counts:?}");
    }
}

#[test]
fn what_cannot_fit_is_refused_with_the_largest_gap() {
    let hour = |times, gap| item(window(times, (9, 0), (10, 0), gap), "job", "UTC");
    // 0, 1799 and 3598 lie in 3,600 seconds.
    assert!(hour(3, 1_799).is_ok());
    let largest = 1_799;
    assert_eq!(hour(3, 1_800), Err(BadSchedule::GapTooLong { largest }));
    assert!(hour(1, 86_400).is_ok());
    // Over a whole day, the gap is kept to the next day as well.
    let day = |times, gap| item(window(times, (6, 0), (6, 0), gap), "job", "UTC");
    assert!(day(4, 21_600).is_ok());
    let largest = 21_600;
    assert_eq!(day(4, 21_601), Err(BadSchedule::GapTooLong { largest }));
    let short = Window {
        closes: time(9, 0, 5, 0),
        ..window(6, (9, 0), (9, 0), 0)
    };
    assert_eq!(
        item(short, "job", "UTC"),
        Err(BadSchedule::NoRoom { most: 5 })
    );
    assert_eq!(hour(0, 0), Err(BadSchedule::NoTime));
    assert_eq!(hour(101, 0), Err(BadSchedule::TooManyTimes));
    let text = hour(3, 1_800).unwrap_err().to_string();
    assert!(text.ends_with("the largest possible is 29m59s"), "{text}");
}

#[test]
fn a_window_that_a_clock_change_shortens_places_what_fits() {
    // 02:00 to 03:00 does not exist in New York on 14 March 2027.
    let swallowed = item(window(3, (2, 10), (2, 50), 60), "job", "America/New_York").unwrap();
    let half = item(
        window(3, (1, 30), (2, 45), 1_500),
        "job",
        "America/New_York",
    )
    .unwrap();
    let span = |from: &str, to: &str| (instant(from), instant(to));
    let (after, until) = span("2027-03-14T00:00:00-05:00", "2027-03-15T00:00:00-04:00");
    let fires = |item: &Item| walk_until(&Schedule::new(vec![item.clone()]), after, until);
    assert_eq!(fires(&swallowed), []);
    // From 01:30 to 03:00 by the clock are 30 minutes: two fires 25 minutes apart.
    let placed = fires(&half);
    assert_eq!(placed.len(), 2);
    assert!(placed[0] >= instant("2027-03-14T01:30:00-05:00"));
    assert!(placed[1] < instant("2027-03-14T03:00:00-04:00"));
    assert!(placed[0].duration_until(placed[1]).as_secs() >= 1_500);
    for item in [swallowed, half] {
        let schedule = Schedule::new(vec![item]);
        let (after, until) = span("2027-03-10T05:00:00Z", "2027-03-20T05:00:00Z");
        let walked = walk_until(&schedule, after, until).len() as u64;
        assert_eq!(schedule.count_between(after, until), walked);
    }
    // In autumn the window is an hour longer, and its fires may be anywhere in it.
    let long = item(window(100, (0, 30), (3, 0), 0), "job", "America/New_York").unwrap();
    let opens = instant("2027-11-07T00:30:00-04:00");
    let fires = walk(&Schedule::new(vec![long]), opens, 100);
    let closes = opens + SignedDuration::from_mins(210);
    assert!(fires[99] < closes && fires[99] > closes - SignedDuration::from_mins(20));
}

#[test]
fn two_names_and_two_days_differ() {
    let at = |name: &str| {
        let item = item(window(1, (0, 0), (0, 0), 0), name, "UTC").unwrap();
        walk(
            &Schedule::new(vec![item]),
            instant("2027-01-01T00:00:00Z"),
            30,
        )
    };
    let (a, b) = (at("a"), at("b"));
    assert!(a.iter().all(|fire| !b.contains(fire)));
    let seconds: std::collections::HashSet<_> =
        a.iter().map(|fire| fire.as_second() % 86_400).collect();
    assert!(seconds.len() > 25, "{seconds:?}");
}

/// Checks a schedule of one window from `after` on, day by day, against its promises.
fn keeps_its_promises(item: &Item, window: &Window, zone_name: &str, after: Timestamp) {
    let tz = zone(zone_name);
    let schedule = Schedule::new(vec![item.clone()]);
    let until = after + SignedDuration::from_hours(9 * 24);
    let fires = walk_until(&schedule, after, until);
    let context = || format!("{zone_name} {window:?} after {after}");
    assert_eq!(
        schedule.count_between(after, until),
        fires.len() as u64,
        "{}",
        context()
    );
    let gap = window.gap.as_secs().max(1).cast_signed();
    for pair in fires.windows(2) {
        let apart = pair[0].duration_until(pair[1]).as_secs();
        assert!(apart >= gap, "{}: {pair:?}", context());
        let middle = pair[0] + pair[0].duration_until(pair[1]) / 2;
        let next = schedule.next_after(middle).map(|fire| fire.scheduled);
        assert_eq!(next, Some(pair[1]), "{}", context());
    }
    for at in fires {
        let date = at.to_zoned(tz.timezone().clone()).date();
        let held = [date.yesterday().unwrap(), date, date.tomorrow().unwrap()]
            .into_iter()
            .any(|date| {
                let opens = date.to_datetime(window.opens);
                let ends = match window.closes > window.opens {
                    true => date,
                    false => date.tomorrow().unwrap(),
                };
                let closes = ends.to_datetime(window.closes);
                let (opens, closes) = (tz.instant_of(opens), tz.instant_of(closes));
                let weekday = 1 << date.weekday().to_sunday_zero_offset();
                window.days.bits() & weekday != 0
                    && opens.is_some_and(|opens| opens <= at)
                    && closes.is_some_and(|closes| at < closes)
            });
        assert!(held, "{}: {at}", context());
    }
}

fn any_window() -> impl Strategy<Value = Window> {
    let days = prop::sample::select(vec![Days::ALL, Days::WEEKDAYS, Days::WEEKENDS]);
    (1u8..=12, 0i64..86_400, 0i64..86_400, 0u64..7_200, days).prop_map(
        |(times, opens, closes, gap, days)| {
            let at = |second| Time::midnight() + SignedDuration::from_secs(second);
            let mut window = Window {
                times,
                opens: at(opens),
                closes: at(closes),
                gap: Duration::from_secs(gap),
                days,
            };
            match Item::random(window, Seed::of("a"), Zone::utc()) {
                Err(BadSchedule::GapTooLong { largest }) => {
                    window.gap = Duration::from_secs(largest.into());
                }
                Err(BadSchedule::NoRoom { .. }) => window.times = 1,
                _ => {}
            }
            window
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn window_and_gap_are_kept_around_every_kind_of_change(
        window in any_window(),
        which in any::<prop::sample::Index>(),
        change in any::<prop::sample::Index>(),
        before in 0i64..8 * 86_400,
        name in "[a-z]{1,8}",
    ) {
        let names = ZONES.names();
        let zone_name = which.get(&names);
        let from = instant("1970-01-01T00:00:00Z");
        let changes: Vec<_> = zone(zone_name)
            .timezone()
            .following(from)
            .map(|change| change.timestamp())
            .take_while(|at| *at < instant("2038-01-01T00:00:00Z"))
            .chain([instant("2027-06-01T00:00:00Z")])
            .collect();
        let after = *change.get(&changes) - SignedDuration::from_secs(before);
        let item = item(window, &name, zone_name);
        prop_assume!(item.is_ok());
        keeps_its_promises(&item.unwrap(), &window, zone_name, after);
    }

    #[test]
    fn no_instant_of_time_is_too_early_or_too_late_to_ask(window in any_window(), second in any::<i64>()) {
        let item = item(window, "job", "Europe/Berlin").unwrap();
        let schedule = Schedule::new(vec![item]);
        let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let at = Timestamp::from_second(first + second.rem_euclid(last - first)).unwrap();
        let next = schedule.next_after(at);
        prop_assert!(next.is_none_or(|next| next.scheduled > at));
        for edge in [Timestamp::MIN, Timestamp::MAX] {
            let _ = (schedule.next_after(edge), schedule.pending_at(edge));
        }
    }
}

/// Days on which the calendar itself was changed, and changes of every length.
#[test]
fn the_hard_days_of_history_keep_the_promises() {
    for (zone_name, after) in [
        ("Pacific/Apia", "2011-12-26T00:00:00Z"),
        ("Pacific/Kwajalein", "1993-08-18T00:00:00Z"),
        ("Antarctica/Troll", "2027-03-25T00:00:00Z"),
        ("Australia/Lord_Howe", "2027-04-01T00:00:00Z"),
        ("America/St_Johns", "2007-10-31T00:00:00Z"),
        ("Africa/Casablanca", "2027-02-04T00:00:00Z"),
        ("America/Scoresbysund", "2024-03-28T00:00:00Z"),
    ] {
        for window in [
            window(3, (22, 0), (2, 0), 1_200),
            window(24, (0, 0), (0, 0), 3_600),
            window(5, (23, 30), (0, 30), 700),
            window(100, (1, 0), (4, 0), 0),
        ] {
            let item = item(window, "job", zone_name).unwrap();
            keeps_its_promises(&item, &window, zone_name, instant(after));
        }
    }
}
