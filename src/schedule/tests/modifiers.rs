//! `from` and `until`: both ends are in, and nothing else changes.

use jiff::Timestamp;

use super::super::{BadSchedule, Item, Modifiers, Schedule, Seed};
use super::{cron, instant, walk, walk_until, zone};

fn bounded(item: Item, from: Option<&str>, until: Option<&str>) -> Result<Item, BadSchedule> {
    let modifiers = Modifiers {
        from: from.map(instant),
        until: until.map(instant),
        ..Modifiers::default()
    };
    item.modified(&modifiers, Seed::of("job"))
}

fn daily() -> Item {
    let at = [jiff::civil::time(9, 0, 0, 0)];
    Item::daily(&at, zone("Asia/Tokyo")).unwrap()
}

#[test]
fn both_ends_are_in() {
    let (from, until) = ("2027-01-02T00:00:00Z", "2027-01-04T00:00:00Z");
    let item = bounded(daily(), Some(from), Some(until)).unwrap();
    let schedule = Schedule::new(vec![item]);
    let fires = walk(&schedule, Timestamp::MIN, 10);
    let expected = [from, "2027-01-03T00:00:00Z", until].map(instant);
    assert_eq!(fires, expected);
    assert_eq!(
        schedule.count_between(Timestamp::MIN, Timestamp::MAX),
        expected.len() as u64
    );
    let newest = schedule.newest(Timestamp::MIN, Timestamp::MAX, 2);
    assert_eq!(newest[1].scheduled, expected[2]);
}

#[test]
fn for_elapsed_time_from_is_the_first_fire() {
    let from = "2027-01-02T00:00:07.5Z";
    let every = Item::every(std::time::Duration::from_secs(60)).unwrap();
    let schedule = Schedule::new(vec![bounded(every, Some(from), None).unwrap()]);
    let fires = walk(&schedule, Timestamp::MIN, 2);
    assert_eq!(fires, [from, "2027-01-02T00:01:07.5Z"].map(instant));
}

#[test]
fn what_can_never_fire_is_refused() {
    let (early, late) = ("2027-01-01T00:00:01Z", "2027-01-01T23:59:59Z");
    assert_eq!(
        bounded(daily(), Some(late), Some(early)),
        Err(BadSchedule::EndsFirst)
    );
    assert_eq!(
        bounded(daily(), Some(early), Some(late)),
        Err(BadSchedule::Outside)
    );
}

#[test]
fn a_union_of_spans_is_counted_as_it_is_walked() {
    let every = |seconds| Item::every(std::time::Duration::from_secs(seconds)).unwrap();
    let line = cron("*/7 * * * *", "Europe/Berlin").items()[0].clone();
    let a = bounded(
        every(60),
        Some("2027-03-27T12:00:30Z"),
        Some("2027-03-28T02:00:30Z"),
    );
    let b = bounded(line, Some("2027-03-28T00:00:00Z"), None);
    let c = bounded(every(90), None, Some("2027-03-28T20:00:00Z"));
    let union = Schedule::new(vec![a.unwrap(), b.unwrap(), c.unwrap(), daily()]);
    for (after, until) in [
        ("2027-03-26T00:00:00Z", "2027-03-30T00:00:00Z"),
        ("2027-03-27T12:00:30Z", "2027-03-28T02:00:30Z"),
        ("2027-03-27T12:00:29Z", "2027-03-28T20:00:00Z"),
        ("2027-03-28T20:00:00Z", "2027-03-30T20:00:00Z"),
    ] {
        let (after, until) = (instant(after), instant(until));
        let walked = walk_until(&union, after, until);
        assert_eq!(union.count_between(after, until), walked.len() as u64);
        let newest = union.newest(after, until, 3);
        let newest: Vec<_> = newest.iter().map(|fire| fire.scheduled).collect();
        assert!(walked.ends_with(&newest), "{newest:?}");
    }
}
