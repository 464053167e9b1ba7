//! Which fires are due, which of them still start, and which were missed.
//!
//! The cost does not grow with the length of a gap: missed fires are counted
//! by the schedule's arithmetic and told as spans.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Grace, Policy, Reason};
use crate::schedule::{Fire, Schedule};

/// The least and the greatest grace of `auto`.
const AUTO_MIN: Duration = Duration::from_secs(60);
const AUTO_MAX: Duration = Duration::from_secs(6 * 3600);

/// How many late fires of a job start at most when they are not coalesced.
pub const MOST_STARTS: usize = 100;

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Fires to start, oldest first; more than one only without `coalesce`. Where windows close, a
    /// fire that does not start may be newer than one that does.
    pub starts: Vec<Fire>,
    /// Fires that do not start, as spans in order.
    pub missed: Vec<Missed>,
}

/// Successive fires that do not start for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many.
    pub count: u64,
    /// [`Reason::Coalesced`], [`Reason::Paused`], or the reason that was given for lateness.
    pub reason: Reason,
}

/// What of `schedule` became due after `after` and up to `now`, by `policy`;
/// `lateness` names what made fires late (downtime, clock, store).
#[must_use]
pub fn due(
    schedule: &Schedule,
    after: Timestamp,
    now: Timestamp,
    policy: &Policy,
    lateness: Reason,
) -> Due {
    // A fire whose jitter is not over is still to come.
    let until = schedule.due_up_to(now);
    let Some(first) = schedule.next_after(after).filter(|f| f.scheduled <= until) else {
        return Due::default();
    };
    let next = schedule.next_after(first.scheduled);
    if next.is_none_or(|next| next.scheduled > until) {
        let in_time = is_in_time(schedule, first, next, now, policy);
        return single(first, in_time, lateness);
    }
    if policy.grace == Grace::Auto && schedule.has_windows() {
        return several_in_windows(schedule, after, now, policy, lateness);
    }
    several(schedule, after, now, policy, lateness)
}

/// How late `fire` of this schedule may start, `next` being the one after it.
#[must_use]
pub fn grace(policy: &Policy, schedule: &Schedule, fire: Fire, next: Option<Fire>) -> Duration {
    let length = match policy.grace {
        Grace::Fixed(length) => return length,
        Grace::Auto => next.map_or(AUTO_MAX, |next| {
            auto_grace(next.scheduled.duration_since(fire.scheduled).unsigned_abs())
        }),
    };
    match schedule.closes_at(fire.scheduled) {
        // The window's end is out.
        Some(close) => length.min(before(close).duration_since(fire.due).unsigned_abs()),
        None => length,
    }
}

/// `misfire_grace_time: auto` of a fire that is so far from the next.
#[must_use]
pub fn auto_grace(distance: Duration) -> Duration {
    (distance / 4).clamp(AUTO_MIN, AUTO_MAX)
}

fn is_in_time(
    schedule: &Schedule,
    fire: Fire,
    next: Option<Fire>,
    now: Timestamp,
    policy: &Policy,
) -> bool {
    let late = now.duration_since(fire.due);
    late.is_negative() || late.unsigned_abs() <= grace(policy, schedule, fire, next)
}

fn single(fire: Fire, in_time: bool, lateness: Reason) -> Due {
    if in_time {
        return Due {
            starts: vec![fire],
            missed: Vec::new(),
        };
    }
    Due {
        starts: Vec::new(),
        missed: vec![Missed {
            first: fire.scheduled,
            last: fire.scheduled,
            count: 1,
            reason: lateness,
        }],
    }
}

fn several(
    schedule: &Schedule,
    after: Timestamp,
    now: Timestamp,
    policy: &Policy,
    lateness: Reason,
) -> Due {
    let until = schedule.due_up_to(now);
    let Some(newest) = schedule.newest(after, until, 1).pop() else {
        return Due::default();
    };
    let mut out = Due::default();
    let next = schedule.next_after(newest.scheduled);
    if !is_in_time(schedule, newest, next, now, policy) {
        out.missed.extend(span(schedule, after, until, lateness));
        return out;
    }
    // Every fire but the newest is late by more than the distance to its
    // successor, so under `auto` only the least grace can still hold for it.
    let grace = match policy.grace {
        Grace::Fixed(length) => length,
        Grace::Auto => AUTO_MIN,
    };
    let cutoff = cutoff(schedule, now, grace)
        .max(after)
        .min(before(newest.scheduled));
    out.missed.extend(span(schedule, after, cutoff, lateness));
    if policy.coalesce {
        let last = before(newest.scheduled);
        out.missed
            .extend(span(schedule, cutoff, last, Reason::Coalesced));
        out.starts.push(newest);
        return out;
    }
    let starts = schedule.newest(cutoff, until, MOST_STARTS);
    if let Some(oldest) = starts.first() {
        let last = before(oldest.scheduled);
        out.missed
            .extend(span(schedule, cutoff, last, Reason::Coalesced));
    }
    out.starts = starts;
    out
}

/// Up to where all that is scheduled is late by more than `grace`.
fn cutoff(schedule: &Schedule, now: Timestamp, grace: Duration) -> Timestamp {
    schedule.due_up_to(before(now.saturating_sub(grace).unwrap_or(Timestamp::MIN)))
}

/// The same under `auto` where windows close: a newer fire may be too late and an older one not, so
/// each of the last minute is looked at by itself.
fn several_in_windows(
    schedule: &Schedule,
    after: Timestamp,
    now: Timestamp,
    policy: &Policy,
    lateness: Reason,
) -> Due {
    let until = schedule.due_up_to(now);
    let Some(newest) = schedule.newest(after, until, 1).pop() else {
        return Due::default();
    };
    let cutoff = cutoff(schedule, now, AUTO_MIN)
        .max(after)
        .min(before(newest.scheduled));
    let mut out = Due::default();
    out.missed.extend(span(schedule, after, cutoff, lateness));
    let mut candidates = Vec::new();
    let mut next = schedule.next_after(cutoff);
    while let Some(fire) = next.filter(|fire| fire.scheduled <= until) {
        next = schedule.next_after(fire.scheduled);
        candidates.push((fire, is_in_time(schedule, fire, next, now, policy)));
    }
    let in_time = candidates.iter().filter(|(_, in_time)| *in_time).count();
    let most = if policy.coalesce { 1 } else { MOST_STARTS };
    let mut too_many = in_time.saturating_sub(most);
    for (fire, in_time) in candidates {
        if !in_time {
            out.miss(fire.scheduled, lateness);
        } else if too_many > 0 {
            too_many -= 1;
            out.miss(fire.scheduled, Reason::Coalesced);
        } else {
            out.starts.push(fire);
        }
    }
    out
}

impl Due {
    /// One more fire that does not start, in the last span if it is for the same reason.
    fn miss(&mut self, scheduled: Timestamp, reason: Reason) {
        let starts_between = |last: &Missed| {
            let mut starts = self.starts.iter();
            starts.any(|fire| fire.scheduled > last.last)
        };
        match self.missed.last_mut() {
            Some(last) if last.reason == reason && !starts_between(last) => {
                last.last = scheduled;
                last.count += 1;
            }
            _ => self.missed.push(Missed {
                first: scheduled,
                last: scheduled,
                count: 1,
                reason,
            }),
        }
    }
}

/// The fires after `after` up to `until` as one span, if there are any.
fn span(schedule: &Schedule, after: Timestamp, until: Timestamp, reason: Reason) -> Option<Missed> {
    let first = schedule.next_after(after)?.scheduled;
    if first > until {
        return None;
    }
    let last = schedule.newest(after, until, 1).pop()?.scheduled;
    Some(Missed {
        first,
        last,
        count: schedule.count_between(after, until),
        reason,
    })
}

/// The fires after `after` up to `until` that are due then and skipped because the job is paused, as
/// one span.
#[must_use]
pub fn skipped(schedule: &Schedule, after: Timestamp, until: Timestamp) -> Option<Missed> {
    span(schedule, after, schedule.due_up_to(until), Reason::Paused)
}

fn before(instant: Timestamp) -> Timestamp {
    instant
        .saturating_sub(Duration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Days, Item, Modifiers, Seed, Window, Zone};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn every(seconds: u64) -> Schedule {
        Schedule::new(vec![Item::Every {
            period: Duration::from_secs(seconds),
            anchor: Timestamp::UNIX_EPOCH,
        }])
    }

    /// The same with a jitter, and beside a window of ten seconds, a day after day.
    fn seeded(seconds: u64, jitter: Option<u64>, with_window: bool) -> Schedule {
        let seed = Seed::of("job");
        let modifiers = Modifiers {
            jitter: jitter.map(Duration::from_secs),
            ..Modifiers::default()
        };
        let mut items = vec![
            Item::every(Duration::from_secs(seconds))
                .and_then(|item| item.modified(&modifiers, seed))
                .unwrap(),
        ];
        if with_window {
            // The gaps begin shortly after 08:00.
            let window = Window {
                times: 40,
                opens: jiff::civil::time(8, 30, 0, 0),
                closes: jiff::civil::time(9, 30, 0, 0),
                gap: Duration::ZERO,
                days: Days::ALL,
            };
            items.push(Item::random(window, seed, Zone::utc()).unwrap());
        }
        Schedule::new(items)
    }

    fn policy(grace: Grace, coalesce: bool) -> Policy {
        Policy {
            grace,
            coalesce,
            ..Policy::built_in(Policy::PROCESS_TIMEOUT)
        }
    }

    struct Row {
        name: &'static str,
        period: u64,
        grace: Grace,
        coalesce: bool,
        after: &'static str,
        now: &'static str,
        starts: &'static [&'static str],
        missed: &'static [(&'static str, &'static str, u64, Reason)],
    }

    #[test]
    fn late_fires_start_or_are_missed_by_the_rule() {
        let fixed = |seconds| Grace::Fixed(Duration::from_secs(seconds));
        let rows = [
            Row {
                name: "nothing is due before the next instant",
                period: 3600,
                grace: Grace::Auto,
                coalesce: true,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-01T00:59:59Z",
                starts: &[],
                missed: &[],
            },
            Row {
                name: "a fire at its instant starts",
                period: 3600,
                grace: Grace::Auto,
                coalesce: true,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-01T01:00:00Z",
                starts: &["2027-01-01T01:00:00Z"],
                missed: &[],
            },
            Row {
                name: "auto lets an hourly job be a quarter of an hour late",
                period: 3600,
                grace: Grace::Auto,
                coalesce: true,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-01T01:15:00Z",
                starts: &["2027-01-01T01:00:00Z"],
                missed: &[],
            },
            Row {
                name: "one second later it is missed",
                period: 3600,
                grace: Grace::Auto,
                coalesce: true,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-01T01:15:01Z",
                starts: &[],
                missed: &[(
                    "2027-01-01T01:00:00Z",
                    "2027-01-01T01:00:00Z",
                    1,
                    Reason::Downtime,
                )],
            },
            Row {
                name: "a daily job may be six hours late at most",
                period: 86_400,
                grace: Grace::Auto,
                coalesce: true,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-02T06:00:01Z",
                starts: &[],
                missed: &[(
                    "2027-01-02T00:00:00Z",
                    "2027-01-02T00:00:00Z",
                    1,
                    Reason::Downtime,
                )],
            },
            Row {
                name: "after a long gap the newest in time starts and the rest is one row",
                period: 3600,
                grace: Grace::Auto,
                coalesce: true,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-02T00:05:00Z",
                starts: &["2027-01-02T00:00:00Z"],
                missed: &[(
                    "2027-01-01T01:00:00Z",
                    "2027-01-01T23:00:00Z",
                    23,
                    Reason::Downtime,
                )],
            },
            Row {
                name: "late fires within the grace are coalesced, older ones are downtime",
                period: 10,
                grace: Grace::Auto,
                coalesce: true,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-01T00:05:00Z",
                starts: &["2027-01-01T00:05:00Z"],
                missed: &[
                    (
                        "2027-01-01T00:00:10Z",
                        "2027-01-01T00:03:50Z",
                        23,
                        Reason::Downtime,
                    ),
                    (
                        "2027-01-01T00:04:00Z",
                        "2027-01-01T00:04:50Z",
                        6,
                        Reason::Coalesced,
                    ),
                ],
            },
            Row {
                name: "without coalesce all within the grace start, oldest first",
                period: 60,
                grace: fixed(150),
                coalesce: false,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-01T00:05:00Z",
                starts: &[
                    "2027-01-01T00:03:00Z",
                    "2027-01-01T00:04:00Z",
                    "2027-01-01T00:05:00Z",
                ],
                missed: &[(
                    "2027-01-01T00:01:00Z",
                    "2027-01-01T00:02:00Z",
                    2,
                    Reason::Downtime,
                )],
            },
            Row {
                name: "a grace of nothing misses whatever is late",
                period: 60,
                grace: fixed(0),
                coalesce: true,
                after: "2027-01-01T00:00:00Z",
                now: "2027-01-01T00:05:01Z",
                starts: &[],
                missed: &[(
                    "2027-01-01T00:01:00Z",
                    "2027-01-01T00:05:00Z",
                    5,
                    Reason::Downtime,
                )],
            },
        ];
        for row in rows {
            let found = due(
                &every(row.period),
                at(row.after),
                at(row.now),
                &policy(row.grace, row.coalesce),
                Reason::Downtime,
            );
            let starts: Vec<_> = found.starts.iter().map(|f| f.scheduled).collect();
            let want: Vec<_> = row.starts.iter().map(|text| at(text)).collect();
            assert_eq!(starts, want, "{}", row.name);
            let missed: Vec<_> = found
                .missed
                .iter()
                .map(|m| (m.first, m.last, m.count, m.reason))
                .collect();
            let want: Vec<_> = row
                .missed
                .iter()
                .map(|(first, last, count, reason)| (at(first), at(last), *count, *reason))
                .collect();
            assert_eq!(missed, want, "{}", row.name);
        }
    }

    #[test]
    fn without_coalesce_no_more_than_a_hundred_start() {
        let found = due(
            &every(1),
            at("2027-01-01T00:00:00Z"),
            at("2027-01-01T00:10:00Z"),
            &policy(Grace::Fixed(Duration::from_secs(3600)), false),
            Reason::Downtime,
        );
        assert_eq!(found.starts.len(), 100);
        assert_eq!(found.missed.len(), 1);
        assert_eq!(found.missed[0].count, 500);
        assert_eq!(found.missed[0].reason, Reason::Coalesced);
    }

    #[test]
    fn a_closed_window_takes_its_fires_with_it_and_no_others() {
        let window = |closes| Window {
            times: 2,
            opens: jiff::civil::time(9, 0, 1, 0),
            closes,
            gap: Duration::ZERO,
            days: Days::ALL,
        };
        let random = |closes| Item::random(window(closes), Seed::of("job"), Zone::utc()).unwrap();
        // Two fires within three seconds, late together.
        let short = random(jiff::civil::time(9, 0, 4, 0));
        let after = at("2027-01-01T08:59:59Z");
        let policy = policy(Grace::Auto, true);
        let due = |schedule: &Schedule, now: &str| {
            let found = super::due(schedule, after, at(now), &policy, Reason::Downtime);
            let missed: Vec<_> = found.missed.iter().map(|m| (m.count, m.reason)).collect();
            (found.starts.len(), missed)
        };
        let alone = Schedule::new(vec![short.clone()]);
        let one = vec![(1, Reason::Coalesced)];
        assert_eq!(due(&alone, "2027-01-01T09:00:03.999Z"), (1, one));
        let both = vec![(2, Reason::Downtime)];
        assert_eq!(due(&alone, "2027-01-01T09:00:04Z"), (0, both.clone()));
        // The fire of another item is older, and in time.
        let at_nine = Item::At(vec![at("2027-01-01T09:00:00Z")]);
        let union = Schedule::new(vec![short, at_nine]);
        assert_eq!(due(&union, "2027-01-01T09:00:04Z"), (1, both));
    }

    proptest::proptest! {
        /// Nothing is lost and nothing is invented, whatever the gap.
        #[test]
        fn every_fire_is_started_or_missed_exactly_once(
            period in 1u64..500,
            gap in 0u64..20_000,
            offset in 0u64..500,
            grace in proptest::option::of(0u64..5_000),
            coalesce in proptest::bool::ANY,
            jitter in proptest::option::of(1u64..2_000),
            with_window in proptest::bool::ANY,
        ) {
            let schedule = seeded(period, jitter, with_window);
            let after = Timestamp::from_second(1_800_000_000 + offset as i64).unwrap();
            let now = after + Duration::from_secs(gap);
            let grace = grace.map_or(Grace::Auto, |s| Grace::Fixed(Duration::from_secs(s)));
            let found = due(&schedule, after, now, &policy(grace, coalesce), Reason::Downtime);
            let told: u64 = found.missed.iter().map(|m| m.count).sum::<u64>() + found.starts.len() as u64;
            let until = schedule.due_up_to(now);
            proptest::prop_assert_eq!(told, schedule.count_between(after, until));
            let mut last = after;
            for missed in &found.missed {
                proptest::prop_assert!(missed.first > last && missed.last >= missed.first);
                last = missed.last;
            }
            for fire in &found.starts {
                let next = schedule.next_after(fire.scheduled);
                let policy = policy(grace, coalesce);
                proptest::prop_assert!(fire.due <= now);
                proptest::prop_assert!(is_in_time(&schedule, *fire, next, now, &policy));
                let close = schedule.closes_at(fire.scheduled);
                proptest::prop_assert!(grace != Grace::Auto || close.is_none_or(|close| now < close));
            }
            for fire in &found.starts {
                let is_after = fire.scheduled > last || schedule.has_windows();
                proptest::prop_assert!(is_after && fire.scheduled <= now);
                last = fire.scheduled;
            }
        }
    }
}
