//! Counts and newest fires, against walking them one by one.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::super::{Days, Fold, Gap, Modifiers, MonthDay, Seed, Spread, Window};
use super::*;

/// Any plain item, and any with a phase or within bounds.
pub(super) fn item() -> impl Strategy<Value = Item> {
    let bounds = (0i64..400_000_000, 0i64..300_000_000);
    let start = instant("2027-03-12T00:00:00Z");
    let ms = SignedDuration::from_millis;
    prop_oneof![
        3 => plain(),
        1 => (plain(), 1u64..100_000).prop_map(|(item, seconds)| {
            let length = match &item {
                Item::Every { period, .. } => *period,
                _ => Duration::from_secs(seconds),
            };
            let modifiers = Modifiers {
                spread: Some(Spread::Within(length)),
                ..Modifiers::default()
            };
            item.clone().modified(&modifiers, Seed::of("job")).unwrap_or(item)
        }),
        1 => (plain(), bounds, any::<bool>(), any::<bool>()).prop_map(move |(item, (from, length), first, last)| {
            let from = start + ms(from);
            let modifiers = Modifiers {
                from: first.then_some(from),
                until: last.then_some(from + ms(length)),
                ..Modifiers::default()
            };
            item.clone().modified(&modifiers, Seed::of("job")).unwrap_or(item)
        }),
    ]
}

fn plain() -> impl Strategy<Value = Item> {
    let zone_name = prop::sample::select(vec![
        "UTC",
        "America/New_York",
        "Asia/Tokyo",
        "Australia/Lord_Howe",
        "Europe/London",
        "Asia/Kathmandu",
    ]);
    let line = prop::sample::select(vec![
        "* * * * *",
        "*/15 * * * *",
        "30 2 * * *",
        "0,30 1,2 * * *",
        "*/7 1-3 * * *",
        "5-50/9 */3 * * 1-5",
        "0 0 1,15 * 5",
        "*/20 30 2 * * *",
        "*/45 */10 * * * *",
        "0 12 L * *",
    ]);
    let times = prop::collection::vec(0i64..86_400, 1..5);
    let start = instant("2027-03-12T00:00:00Z");
    let days = prop::sample::select(vec![Days::ALL, Days::WEEKDAYS, Days::WEEKENDS]);
    let gap = prop::sample::select(vec![None, Some(Gap::After), Some(Gap::Skip)]);
    let fold = prop::sample::select(vec![
        None,
        Some(Fold::First),
        Some(Fold::Second),
        Some(Fold::Both),
    ]);
    let words = prop::sample::select(vec![
        "1",
        "last",
        "2nd sun",
        "3rd weekday",
        "14",
        "28",
        "31",
    ]);
    let month_days = prop::collection::vec(words, 1..4);
    prop_oneof![
        4 => (line, zone_name.clone(), gap.clone(), fold.clone()).prop_map(|(line, name, gap, fold)| {
            Item::cron(Cron::parse(line).unwrap(), zone(name)).at_changes(gap, fold)
        }),
        2 => (month_days, times.clone(), zone_name.clone(), gap, fold).prop_map(|(days, times, name, gap, fold)| {
            let times: Vec<_> = times
                .into_iter()
                .map(|second| jiff::civil::Time::midnight() + SignedDuration::from_secs(second))
                .collect();
            let days: Vec<_> = days.into_iter().map(|day| MonthDay::parse(day).unwrap()).collect();
            Item::monthly(&days, &times, zone(name)).unwrap().at_changes(gap, fold)
        }),
        2 => (days, times, zone_name).prop_map(|(days, times, name)| {
            let times: Vec<_> = times
                .into_iter()
                .map(|second| jiff::civil::Time::midnight() + SignedDuration::from_secs(second))
                .collect();
            Item::weekly(days, &times, zone(name)).unwrap()
        }),
        3 => (1u64..2_000, 0i64..5_000).prop_map(move |(tenths, anchor)| Item::Every {
            period: Duration::from_millis(tenths * 100 + 1_000),
            anchor: start + SignedDuration::from_millis(anchor * 100),
        }),
        2 => (1u8..30, 0i64..86_400, 60i64..86_400, 0u64..100, any::<bool>()).prop_map(|(times, opens, length, gap, weekdays)| {
            let at = |second| jiff::civil::Time::midnight() + SignedDuration::from_secs(second % 86_400);
            let window = Window {
                times,
                opens: at(opens),
                closes: at(opens + length),
                gap: Duration::from_secs(gap),
                days: if weekdays { Days::WEEKDAYS } else { Days::ALL },
            };
            let random = |window| Item::random(window, Seed::of("job"), zone("Europe/London"));
            random(window).unwrap_or_else(|_| random(Window { times: 1, ..window }).unwrap())
        }),
        1 => prop::collection::vec(0i64..864_000, 1..20).prop_map(move |instants| {
            Item::At(instants.into_iter().map(|tenth| start + SignedDuration::from_millis(tenth * 100)).collect())
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn counting_is_what_walking_counts(
        items in prop::collection::vec(item(), 1..5),
        from in 0i64..300_000_000, length in 0i64..200_000_000,
        autumn: bool, limit in 0usize..40,
    ) {
        // Over a change of the clock in New York, London or Lord Howe, or none.
        let base = instant(if autumn { "2027-10-29T00:00:00Z" } else { "2027-03-12T00:00:00Z" });
        let after = base + SignedDuration::from_millis(from);
        let until = after + SignedDuration::from_millis(length);
        let schedule = Schedule::new(items);
        let walked = walk_until(&schedule, after, until);
        prop_assert_eq!(schedule.count_between(after, until), walked.len() as u64);
        let newest: Vec<_> = schedule.newest(after, until, limit).into_iter().map(|fire| fire.scheduled).collect();
        prop_assert_eq!(&newest[..], &walked[walked.len().saturating_sub(limit)..]);
    }

    #[test]
    fn a_count_over_centuries_is_the_sum_of_its_parts(
        line in prop::sample::select(vec!["30 2 * * *", "*/15 * * * *", "0 0 29 2 *", "0,30 1,2 * * *"]),
        from in 0i64..4_000_000_000, length in 0i64..60_000_000_000, cut in 0.0f64..1.0,
    ) {
        let schedule = cron(line, "America/New_York");
        let after = Timestamp::from_second(from).unwrap();
        let until = after + SignedDuration::from_secs(length);
        let middle = after + SignedDuration::from_secs((length as f64 * cut) as i64);
        let parts = schedule.count_between(after, middle) + schedule.count_between(middle, until);
        prop_assert_eq!(schedule.count_between(after, until), parts);
    }
}

#[test]
fn a_count_over_years_does_not_walk() {
    let (after, until) = (
        instant("1970-01-01T00:00:00Z"),
        instant("9999-12-30T00:00:00Z"),
    );
    let every = Schedule::new(vec![Item::every(Duration::from_millis(100)).unwrap()]);
    let seconds = after.duration_until(until).as_secs() as u64;
    assert_eq!(every.count_between(after, until), seconds * 10);
    let minutes = cron("* * * * *", "Asia/Tokyo");
    assert_eq!(minutes.count_between(after, until), seconds / 60);
    // One fewer for the minute in the gap of each spring is one more for that of each autumn.
    let days = cron("30 2 * * *", "America/New_York");
    let until = instant("2027-01-01T05:00:00Z");
    let after = instant("2000-01-01T05:00:00Z");
    assert_eq!(days.count_between(after, until), 27 * 365 + 7);
    let newest = every.newest(Timestamp::MIN, until, 3);
    assert_eq!(newest.last().map(|fire| fire.scheduled), Some(until));
    assert_eq!(newest.len(), 3);
}

#[test]
fn a_union_counts_what_its_items_share_once() {
    let every = |millis| Item::every(Duration::from_millis(millis)).unwrap();
    let after = instant("2027-01-01T00:00:00Z");
    let until = instant("2037-01-01T00:00:00Z");
    let seconds = after.duration_until(until).as_secs() as u64;
    for (items, want) in [
        (vec![every(2_000), every(3_000)], seconds * 2 / 3),
        (vec![every(100), every(1_000)], seconds * 10),
        (vec![every(200), every(300)], seconds * 10 * 2 / 3),
        (
            vec![every(2_000), every(3_000), every(5_000)],
            seconds * 22 / 30,
        ),
        (
            vec![
                every(60_000),
                Item::cron(Cron::parse("* * * * *").unwrap(), zone("Asia/Tokyo")),
            ],
            seconds / 60,
        ),
        (
            vec![
                every(500),
                Item::cron(Cron::parse("0 3 * * *").unwrap(), zone("Europe/London")),
            ],
            seconds * 2,
        ),
        (vec![Item::Manual, Item::Startup], 0),
    ] {
        let schedule = Schedule::new(items);
        assert_eq!(schedule.count_between(after, until), want, "{schedule:?}");
    }
}

#[test]
fn a_union_of_very_many_periods_is_counted_in_bounded_time() {
    let periods = (0..400).map(|n| Duration::from_millis(100 * (600 + 7 * n)));
    let items: Vec<Item> = periods.map(|period| Item::every(period).unwrap()).collect();
    let after = instant("2027-01-01T00:00:00Z");
    let until = instant("2037-01-01T00:00:00Z");
    let single = |item: &Item| Schedule::new(vec![item.clone()]).count_between(after, until);
    let sum: u64 = items.iter().map(single).sum();
    let most = items.iter().map(single).max().unwrap();
    let count = Schedule::new(items).count_between(after, until);
    assert!((most..=sum).contains(&count), "{count} of {most} to {sum}");
}

#[test]
fn spans_without_room_count_nothing() {
    let schedule = cron("* * * * *", "UTC");
    let at = instant("2027-01-01T00:00:00Z");
    let earlier = instant("2026-01-01T00:00:00Z");
    assert_eq!(schedule.count_between(at, at), 0);
    assert_eq!(schedule.count_between(at, earlier), 0);
    assert_eq!(schedule.newest(at, earlier, 5), []);
    assert_eq!(schedule.newest(earlier, at, 0), []);
    let whole = Schedule::new(vec![Item::Manual]);
    assert_eq!(whole.newest(Timestamp::MIN, Timestamp::MAX, 5), []);
}
