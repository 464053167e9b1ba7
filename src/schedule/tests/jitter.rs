//! `jitter` and `spread`: when a fire is due, and what of it is still to come.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::super::{BadSchedule, Days, Fire, Modifiers, Seed, Spread, Window};
use super::*;

fn every(seconds: u64) -> Item {
    Item::every(Duration::from_secs(seconds)).unwrap()
}

fn jittered(item: Item, millis: u64, name: &str) -> Item {
    let modifiers = Modifiers {
        jitter: Some(Duration::from_millis(millis)),
        ..Modifiers::default()
    };
    item.modified(&modifiers, Seed::of(name)).unwrap()
}

fn spread(item: Item, spread: Spread, name: &str) -> Result<Item, BadSchedule> {
    let modifiers = Modifiers {
        spread: Some(spread),
        ..Modifiers::default()
    };
    item.modified(&modifiers, Seed::of(name))
}

fn within(seconds: u64) -> Spread {
    Spread::Within(Duration::from_secs(seconds))
}

fn fires(schedule: &Schedule, after: Timestamp, until: Timestamp) -> Vec<Fire> {
    let mut fires = Vec::new();
    let mut at = after;
    while let Some(fire) = schedule
        .next_after(at)
        .filter(|fire| fire.scheduled <= until)
    {
        at = fire.scheduled;
        fires.push(fire);
    }
    fires
}

#[test]
fn of_equal_instants_the_earliest_is_due() {
    let start = instant("2027-01-01T00:00:00Z");
    let until = start + SignedDuration::from_hours(3);
    let hourly = jittered(every(3_600), 600_000, "job");
    let alone = Schedule::new(vec![hourly.clone()]);
    assert!(
        fires(&alone, start, until)
            .iter()
            .all(|fire| fire.due > fire.scheduled)
    );
    // Every half hour without jitter: on the full hour both name the instant.
    let both = Schedule::new(vec![hourly, every(1_800)]);
    let both = fires(&both, start, until);
    assert_eq!(both.len(), 6);
    assert!(both.iter().all(|fire| fire.due == fire.scheduled));
}

#[test]
fn the_last_fire_of_all_has_its_whole_jitter() {
    let at = instant("2027-01-01T00:00:00Z");
    let delays = (0..50).map(|n| {
        let item = jittered(Item::At(vec![at]), 3_600_000, &format!("job-{n}"));
        let fire = Schedule::new(vec![item]).fire_at(at).unwrap();
        fire.scheduled.duration_until(fire.due).as_secs()
    });
    let late = delays.filter(|seconds| *seconds > 1_800).count();
    assert!((10..40).contains(&late), "{late} of 50 in the second half");
}

#[test]
fn what_is_out_of_bounds_or_says_nothing_is_refused() {
    let jitter = |length: Duration| {
        let modifiers = Modifiers {
            jitter: Some(length),
            ..Modifiers::default()
        };
        every(60).modified(&modifiers, Seed::of("job"))
    };
    assert_eq!(jitter(Duration::ZERO), Err(BadSchedule::BadJitter));
    let week = Duration::from_secs(7 * 86_400);
    assert!(jitter(week).is_ok());
    let more = week + Duration::from_millis(1);
    assert_eq!(jitter(more), Err(BadSchedule::BadJitter));
    let daily = || Item::daily(&[jiff::civil::time(2, 0, 0, 0)], Zone::utc()).unwrap();
    for (item, length, want) in [
        (every(60), within(61), BadSchedule::SpreadTooLong),
        (every(60), within(0), BadSchedule::BadSpread),
        (daily(), Spread::Period, BadSchedule::NoPeriod),
        (daily(), within(31 * 86_400 + 1), BadSchedule::BadSpread),
        (
            daily(),
            Spread::Within(Duration::from_millis(1_500)),
            BadSchedule::BadSpread,
        ),
        (Item::Startup, within(60), BadSchedule::NoPeriod),
    ] {
        assert_eq!(spread(item, length, "job"), Err(want));
    }
    let window = Window {
        times: 1,
        opens: jiff::civil::time(9, 0, 0, 0),
        closes: jiff::civil::time(10, 0, 0, 0),
        gap: Duration::ZERO,
        days: Days::ALL,
    };
    let random = Item::random(window, Seed::of("job"), Zone::utc()).unwrap();
    assert_eq!(
        spread(random, within(60), "job"),
        Err(BadSchedule::SpreadTwice)
    );
}

#[test]
fn a_spread_moves_each_fire_by_one_phase() {
    let zone_name = "America/New_York";
    let line = cron("30 2 * * *", zone_name).items()[0].clone();
    let plain = Schedule::new(vec![line.clone()]);
    let put_off = Schedule::new(vec![spread(line, within(7_200), "job").unwrap()]);
    let start = instant("2027-03-10T00:00:00Z");
    let (before, after) = (walk(&plain, start, 300), walk(&put_off, start, 300));
    let phase = before[0].duration_until(after[0]);
    assert!(phase > SignedDuration::ZERO && phase < SignedDuration::from_hours(2));
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(a, b)| a.duration_until(*b) == phase)
    );
    // Many names spread over the whole of it.
    let phases: Vec<u64> = (0..500)
        .map(|n| {
            let item = spread(every(300), Spread::Period, &format!("job-{n}")).unwrap();
            let next = Schedule::new(vec![item]).next_after(Timestamp::UNIX_EPOCH);
            next.unwrap().scheduled.as_second().cast_unsigned()
        })
        .collect();
    for tenth in 0..10 {
        let here = phases.iter().filter(|at| **at / 30 == tenth).count();
        assert!((20..85).contains(&here), "{here} of 500 in tenth {tenth}");
    }
}

#[test]
fn random_is_due_inside_its_window() {
    let window = Window {
        times: 20,
        opens: jiff::civil::time(9, 0, 0, 0),
        closes: jiff::civil::time(9, 10, 0, 0),
        gap: Duration::ZERO,
        days: Days::ALL,
    };
    let random = Item::random(window, Seed::of("job"), zone("Asia/Tokyo")).unwrap();
    let schedule = Schedule::new(vec![jittered(random, 3_600_000, "job")]);
    let start = instant("2027-01-01T00:00:00Z");
    for fire in fires(&schedule, start, start + SignedDuration::from_hours(240)) {
        let closes = schedule.closes_at(fire.scheduled).unwrap();
        assert!(fire.due < closes, "{fire:?} {closes}");
        assert_eq!(closes.as_second() % 86_400, 10 * 60);
    }
    // What another item names as well may be later than the window.
    let both = Schedule::new(vec![schedule.items()[0].clone(), every(1)]);
    let first = schedule.next_after(start).unwrap();
    assert_eq!(both.closes_at(first.scheduled), None);
    assert_eq!(Schedule::new(vec![every(1)]).closes_at(start), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_delay_stays_before_half_the_way_and_what_is_pending_is_found(
        items in prop::collection::vec(super::counts::item(), 1..4),
        millis in prop::collection::vec(prop_oneof![0u64..2_000, 0u64..90_000_000], 4),
        from in 0i64..300_000_000, length in 0i64..30_000_000, asked in 0.0f64..1.0,
    ) {
        let after = instant("2027-03-12T00:00:00Z") + SignedDuration::from_millis(from);
        let until = after + SignedDuration::from_millis(length);
        let plain = Schedule::new(items.clone());
        let items = items.into_iter().zip(&millis).map(|(item, millis)| match (*millis, &item) {
            (0, _) | (_, Item::Modified(_)) => item,
            (millis, _) => jittered(item, millis, "job"),
        });
        let items: Vec<_> = items.collect();
        let schedule = Schedule::new(items);
        let all = fires(&schedule, after, until);
        let scheduled: Vec<_> = all.iter().map(|fire| fire.scheduled).collect();
        prop_assert_eq!(&scheduled, &walk_until(&plain, after, until));
        let most = Duration::from_millis(millis.iter().copied().max().unwrap_or(0));
        for pair in all.windows(2) {
            let half = pair[0].scheduled.duration_until(pair[1].scheduled) / 2;
            prop_assert!(pair[0].due >= pair[0].scheduled);
            prop_assert!(pair[0].scheduled.duration_until(pair[0].due) <= half);
            prop_assert!(pair[0].due <= pair[0].scheduled + most);
        }
        prop_assert_eq!(schedule.count_between(after, until), all.len() as u64);
        // At any instant, what is scheduled and not due is what a walk finds.
        let at = after + SignedDuration::from_millis((length as f64 * asked) as i64);
        let begin = at - SignedDuration::from_secs(100_000);
        let walked = fires(&schedule, begin, at);
        let pending = walked.last().copied().filter(|fire| fire.due > at);
        prop_assert_eq!(schedule.pending_at(at), pending);
        prop_assert!(walked.iter().rev().skip(1).all(|fire| fire.due <= at));
        let due_up_to = schedule.due_up_to(at);
        prop_assert!(walked.iter().all(|fire| (fire.scheduled <= due_up_to) == (fire.due <= at)));
        let next = schedule.next_due_after(at);
        prop_assert!(next.is_none_or(|next| next.due > at));
        for fire in all.iter().take(5) {
            prop_assert_eq!(schedule.fire_at(fire.scheduled), Some(*fire));
        }
    }
}
