//! How schedules are built, compared, described, and how large they are.

use std::time::Duration;

use jiff::civil::time;

use super::super::{BadSchedule, Days};
use super::*;

#[test]
fn values_that_make_no_schedule_are_refused() {
    let utc = Zone::utc;
    let noon = time(12, 0, 0, 0);
    for (built, want) in [
        (
            Item::every(Duration::from_millis(99)),
            BadSchedule::TooOften,
        ),
        (Item::every(Duration::ZERO), BadSchedule::TooOften),
        (Item::hourly(&[], utc()), BadSchedule::NoTime),
        (Item::hourly(&[60], utc()), BadSchedule::BadMinute(60)),
        (Item::daily(&[], utc()), BadSchedule::NoTime),
        (
            Item::daily(&[time(12, 0, 0, 5)], utc()),
            BadSchedule::Fraction,
        ),
        (Item::weekly(Days::NONE, &[noon], utc()), BadSchedule::NoDay),
    ] {
        assert_eq!(built, Err(want));
    }
}

#[test]
fn hourly_follows_the_clock_and_daily_and_weekly_are_fixed() {
    let place = zone("America/New_York");
    let fires = |item: Item, after: &str| -> Vec<String> {
        walk(&Schedule::new(vec![item]), instant(after), 3)
            .into_iter()
            .map(|at| shown(at, &place))
            .collect()
    };
    assert_eq!(
        fires(
            Item::hourly(&[30], place.clone()).unwrap(),
            "2027-11-07T01:00:00-04:00"
        ),
        [
            "2027-11-07T01:30:00-04:00",
            "2027-11-07T01:30:00-05:00",
            "2027-11-07T02:30:00-05:00"
        ]
    );
    let times = [time(2, 30, 0, 0), time(20, 0, 30, 0)];
    assert_eq!(
        fires(
            Item::daily(&times, place.clone()).unwrap(),
            "2027-03-14T01:00:00-05:00"
        ),
        [
            "2027-03-14T03:00:00-04:00",
            "2027-03-14T20:00:30-04:00",
            "2027-03-15T02:30:00-04:00"
        ]
    );
    let weekend = Days::parse("weekends").unwrap();
    assert_eq!(
        fires(
            Item::weekly(weekend, &times[..1], place.clone()).unwrap(),
            "2027-11-06T12:00:00-04:00"
        ),
        [
            "2027-11-07T02:30:00-05:00",
            "2027-11-13T02:30:00-05:00",
            "2027-11-14T02:30:00-05:00"
        ]
    );
}

#[test]
fn every_is_aligned_to_the_epoch_or_its_anchor_and_never_divides_by_nothing() {
    let six = Schedule::new(vec![Item::every(Duration::from_secs(6 * 3600)).unwrap()]);
    let fires = walk(&six, instant("2027-01-01T05:00:00Z"), 2);
    assert_eq!(
        fires,
        [
            instant("2027-01-01T06:00:00Z"),
            instant("2027-01-01T12:00:00Z")
        ]
    );
    let before = walk(&six, instant("1960-01-01T00:00:00.5Z"), 1);
    assert_eq!(before, [instant("1960-01-01T06:00:00Z")]);
    for period in [Duration::ZERO, Duration::MAX, Duration::from_nanos(1)] {
        let odd = Schedule::new(vec![Item::Every {
            period,
            anchor: Timestamp::MAX,
        }]);
        let _ = odd.next_after(Timestamp::MIN);
        let _ = odd.next_after(Timestamp::MAX);
        let _ = odd.count_between(Timestamp::MIN, Timestamp::MAX);
        assert!(odd.newest(Timestamp::MIN, Timestamp::MAX, 2).len() <= 2);
    }
}

#[test]
fn a_union_is_sorted_fires_once_and_keeps_no_copies() {
    let at = Item::At(vec![
        instant("2027-01-02T00:00:00Z"),
        instant("2027-01-01T00:00:00Z"),
    ]);
    let daily = Item::daily(&[time(0, 0, 0, 0)], Zone::utc()).unwrap();
    let union = Schedule::new(vec![at, daily.clone(), daily.clone(), Item::Startup]);
    assert_eq!(union.items().len(), 3);
    assert!(union.fires_at_startup());
    let fires = walk(&union, instant("2026-12-31T12:00:00Z"), 3);
    let want = [
        "2027-01-01T00:00:00Z",
        "2027-01-02T00:00:00Z",
        "2027-01-03T00:00:00Z",
    ];
    assert_eq!(fires, want.map(instant));
    // A cron line and a daily time that say the same are the same schedule.
    let line = Item::cron(Cron::parse("0 0 * * *").unwrap(), Zone::utc());
    assert_eq!(Schedule::new(vec![line]), Schedule::new(vec![daily]));
    assert_eq!(Schedule::new(vec![]).next_after(Timestamp::MIN), None);
}

#[test]
fn a_million_schedules_fit() {
    assert!(
        size_of::<Schedule>() <= 72,
        "{} bytes",
        size_of::<Schedule>()
    );
}

#[test]
fn words_say_what_the_schedule_does() {
    let words = |line: &str| cron(line, "Asia/Tokyo").describe();
    for (line, want) in [
        ("30 3 * * 1-5", "at 03:30 on Monday to Friday"),
        ("0 2 * * *", "at 02:00 every day"),
        ("0 10,15,20 * * *", "at 10:00, 15:00 and 20:00 every day"),
        ("0 22 * * sat", "at 22:00 on Saturday"),
        ("0 9 * * 1,5", "at 09:00 on Monday and Friday"),
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        (
            "*/5 9-17 * * 1-5",
            "every 5 minutes from 09:00 to 17:59 on Monday to Friday",
        ),
        (
            "*/7 * * * *",
            "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour",
        ),
        ("0 * * * *", "at minute 00 of every hour"),
        ("15,45 * * * *", "at minutes 15 and 45 of every hour"),
        ("30 */2 * * *", "at minute 30 of every 2nd hour"),
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("*/10 */5 * * * *", "every 10 seconds, every 5 minutes"),
        ("15 30 3 * * *", "at 03:30:15 every day"),
        ("0 0 1 * *", "at 00:00 on day 1 of the month"),
        ("0 0 13 * 5", "at 00:00 on day 13 of the month or on Friday"),
        (
            "0 0 */2 * 1",
            "at 00:00 on days 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 31 of the month that is also Monday",
        ),
        (
            "0 0 L 2,6-8 *",
            "at 00:00 on the last day of the month in February and June to August",
        ),
        ("0 0 LW * *", "at 00:00 on the last weekday of the month"),
        (
            "0 0 15W * *",
            "at 00:00 on the weekday nearest to day 15 of the month",
        ),
        ("0 0 * * fri#2", "at 00:00 on the 2nd Friday of the month"),
        ("0 0 * * monL", "at 00:00 on the last Monday of the month"),
        ("0 0-23 * 12 *", "at minute 00 of every hour in December"),
    ] {
        assert_eq!(words(line), format!("{want}, Asia/Tokyo time"), "{line}");
    }
    let one = |item: Item| Schedule::new(vec![item]).describe();
    assert_eq!(
        one(Item::every(Duration::from_secs(5400)).unwrap()),
        "every 1h30m"
    );
    assert_eq!(one(Item::Startup), "once at each start of the daemon");
    assert_eq!(one(Item::Manual), "only by hand");
    let at = instant("2027-09-20T06:00:00Z");
    assert_eq!(one(Item::At(vec![at])), "once, at 2027-09-20T06:00:00Z");
    let both = Schedule::new(vec![
        Item::Manual,
        Item::every(Duration::from_secs(60)).unwrap(),
    ]);
    assert_eq!(both.describe(), "only by hand; and every 1m");
}
