//! What names give must never move: a new version that fails here would move the
//! times of every job with `random`, `jitter` or `spread`. The numbers come from
//! a program of its own that follows the recipe in `docs/schedules.md`.

use std::time::Duration;

use super::super::{Days, Fire, Item, Modifiers, Schedule, Seed, Spread, Window};
use super::{instant, walk, zone};

fn one(item: Item) -> Schedule {
    Schedule::new(vec![item])
}

fn daily() -> Item {
    Item::daily(&[jiff::civil::time(2, 0, 0, 0)], zone("UTC")).unwrap()
}

fn spread(item: Item, name: &str, spread: Spread) -> Schedule {
    let modifiers = Modifiers {
        spread: Some(spread),
        ..Modifiers::default()
    };
    one(item.modified(&modifiers, Seed::of(name)).unwrap())
}

#[test]
fn random_instants() {
    let window = Window {
        times: 3,
        opens: jiff::civil::time(22, 0, 0, 0),
        closes: jiff::civil::time(2, 0, 0, 0),
        gap: Duration::from_secs(1_200),
        days: Days::ALL,
    };
    for (name, date, fires) in [
        (
            "backup",
            "2027-03-01",
            ["01T23:41:18", "02T01:04:32", "02T01:46:18"],
        ),
        (
            "backup",
            "2027-03-02",
            ["02T22:02:39", "03T00:44:59", "03T01:08:18"],
        ),
        (
            "report",
            "2027-03-01",
            ["01T23:25:10", "01T23:58:41", "02T01:24:19"],
        ),
        (
            "report",
            "2027-03-02",
            ["02T23:03:29", "02T23:24:23", "03T00:37:41"],
        ),
        (
            "a",
            "2027-03-01",
            ["01T22:40:17", "01T23:54:42", "02T00:47:32"],
        ),
        (
            "a",
            "2027-03-02",
            ["02T22:03:26", "02T22:59:12", "03T01:05:56"],
        ),
    ] {
        let schedule = one(Item::random(window, Seed::of(name), zone("Asia/Tokyo")).unwrap());
        let want = fires.map(|fire| instant(&format!("2027-03-{fire}+09:00")));
        let opens = instant(&format!("{date}T22:00:00+09:00"));
        let before = opens - jiff::SignedDuration::from_nanos(1);
        assert_eq!(walk(&schedule, before, 3), want, "{name} on {date}");
    }
}

#[test]
fn phases() {
    for (name, seconds, of_five_minutes, millis) in [
        ("backup", 328, 164, 5_470),
        ("report", 247, 123, 4_120),
        ("a", 501, 250, 8_363),
    ] {
        let day = instant("2027-03-01T02:00:00Z");
        let before = day - jiff::SignedDuration::from_nanos(1);
        let ten = Spread::Within(Duration::from_secs(600));
        let fire = spread(daily(), name, ten).next_after(before).unwrap();
        assert_eq!(fire.scheduled, day + Duration::from_secs(seconds), "{name}");
        for (period, phase) in [(300, of_five_minutes * 1_000), (10, millis)] {
            let every = Item::every(Duration::from_secs(period)).unwrap();
            let fire = spread(every, name, Spread::Period).next_after(before);
            let want = day + Duration::from_millis(phase);
            assert_eq!(fire.unwrap().scheduled, want, "{name}");
        }
    }
}

#[test]
fn delays() {
    for (name, date, half_minute, hour) in [
        ("backup", "2027-03-01", 28_479, 3_417_466),
        ("backup", "2027-03-02", 2_873, 344_800),
        ("report", "2027-03-01", 23_915, 2_869_814),
        ("report", "2027-03-02", 14_680, 1_761_637),
        ("a", "2027-03-01", 12_426, 1_491_124),
        ("a", "2027-03-02", 124, 14_911),
    ] {
        for (most, delay) in [(30, half_minute), (3_600, hour)] {
            let modifiers = Modifiers {
                jitter: Some(Duration::from_secs(most)),
                ..Modifiers::default()
            };
            let item = daily().modified(&modifiers, Seed::of(name)).unwrap();
            let scheduled = instant(&format!("{date}T02:00:00Z"));
            let want = Fire {
                scheduled,
                due: scheduled + Duration::from_millis(delay),
            };
            assert_eq!(
                one(item).fire_at(scheduled),
                Some(want),
                "{name} {date} {most}"
            );
        }
    }
}
