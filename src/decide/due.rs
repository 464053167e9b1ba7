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

/// How many late fires start at most when they are not coalesced.
const MOST_STARTS: usize = 100;

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Fires to start, oldest first; more than one only without `coalesce`.
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
    /// [`Reason::Coalesced`], or the reason that was given for lateness.
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
    let Some(first) = schedule.next_after(after).filter(|f| f.scheduled <= now) else {
        return Due::default();
    };
    let next = schedule.next_after(first.scheduled);
    if next.is_none_or(|next| next.scheduled > now) {
        return single(first, next, now, policy, lateness);
    }
    several(schedule, after, now, policy, lateness)
}

/// How late `fire` may start, `next` being the job's next one after it.
#[must_use]
pub fn grace(policy: &Policy, fire: Fire, next: Option<Fire>) -> Duration {
    match policy.grace {
        Grace::Fixed(length) => length,
        Grace::Auto => next.map_or(AUTO_MAX, |next| {
            let distance = next.scheduled.duration_since(fire.scheduled).unsigned_abs();
            (distance / 4).clamp(AUTO_MIN, AUTO_MAX)
        }),
    }
}

fn is_in_time(fire: Fire, next: Option<Fire>, now: Timestamp, policy: &Policy) -> bool {
    now.duration_since(fire.due).unsigned_abs() <= grace(policy, fire, next) || now <= fire.due
}

fn single(
    fire: Fire,
    next: Option<Fire>,
    now: Timestamp,
    policy: &Policy,
    lateness: Reason,
) -> Due {
    if is_in_time(fire, next, now, policy) {
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
    let Some(newest) = schedule.newest(after, now, 1).pop() else {
        return Due::default();
    };
    let mut out = Due::default();
    if !is_in_time(newest, schedule.next_after(newest.scheduled), now, policy) {
        out.missed.extend(span(schedule, after, now, lateness));
        return out;
    }
    // Every fire but the newest is late by more than the distance to its
    // successor, so under `auto` only the least grace can still hold for it.
    let grace = match policy.grace {
        Grace::Fixed(length) => length,
        Grace::Auto => AUTO_MIN,
    };
    let cutoff = before(now.saturating_sub(grace).unwrap_or(Timestamp::MIN))
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
    let starts = schedule.newest(cutoff, now, MOST_STARTS);
    if let Some(oldest) = starts.first() {
        let last = before(oldest.scheduled);
        out.missed
            .extend(span(schedule, cutoff, last, Reason::Coalesced));
    }
    out.starts = starts;
    out
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

fn before(instant: Timestamp) -> Timestamp {
    instant
        .saturating_sub(Duration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Item;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn every(seconds: u64) -> Schedule {
        Schedule::new(vec![Item::Every {
            period: Duration::from_secs(seconds),
            anchor: Timestamp::UNIX_EPOCH,
        }])
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

    proptest::proptest! {
        /// Nothing is lost and nothing is invented, whatever the gap.
        #[test]
        fn every_fire_is_started_or_missed_exactly_once(
            period in 1u64..500,
            gap in 0u64..20_000,
            offset in 0u64..500,
            grace in proptest::option::of(0u64..5_000),
            coalesce in proptest::bool::ANY,
        ) {
            let schedule = every(period);
            let after = Timestamp::from_second(1_800_000_000 + offset as i64).unwrap();
            let now = after + Duration::from_secs(gap);
            let grace = grace.map_or(Grace::Auto, |s| Grace::Fixed(Duration::from_secs(s)));
            let found = due(&schedule, after, now, &policy(grace, coalesce), Reason::Downtime);
            let told: u64 = found.missed.iter().map(|m| m.count).sum::<u64>() + found.starts.len() as u64;
            proptest::prop_assert_eq!(told, schedule.count_between(after, now));
            let mut last = after;
            for missed in &found.missed {
                proptest::prop_assert!(missed.first > last && missed.last >= missed.first);
                last = missed.last;
            }
            for fire in &found.starts {
                proptest::prop_assert!(fire.scheduled > last && fire.scheduled <= now);
                last = fire.scheduled;
            }
        }
    }
}
