//! How close two fires of a schedule come to each other.

use std::collections::HashMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::schedule::{Schedule, Zone};

/// From here on fires are looked at, whatever day it is: the answer is alike on every machine and
/// day. The first of January of a leap year, so that all dates come.
const FROM: i64 = 1_704_067_200;
/// So far: a year and a bit.
const SPAN: SignedDuration = SignedDuration::from_hours(400 * 24);
/// So many fires of one schedule are looked at, and so many of all; beyond that, of each so many
/// as every day of a year has.
const STEPS: usize = 20_000;
const ALL_STEPS: usize = 3_000_000;
const FEW: usize = 400;

/// The two fires of a schedule that are closest to each other: by what passes between them, or by
/// what the clock on the wall says, whichever is more. What a skipped hour brought closer came
/// closer by no wish of anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closest {
    /// How far they are from each other.
    pub apart: Duration,
    /// The first of them.
    pub first: Timestamp,
}

/// Remembers what was found: many jobs have one schedule.
pub(super) struct Intervals<'a> {
    /// Two fires that are closer than this are close enough to stop.
    enough: Duration,
    known: HashMap<&'a Schedule, Option<Closest>>,
    left: usize,
}

impl<'a> Intervals<'a> {
    pub(super) fn new(enough: Duration) -> Self {
        Self {
            enough,
            known: HashMap::new(),
            left: ALL_STEPS,
        }
    }

    /// The closest two fires, or the first two that are too close; `None` where there are not two.
    pub(super) fn closest(&mut self, schedule: &'a Schedule) -> Option<Closest> {
        if let Some(known) = self.known.get(schedule) {
            return *known;
        }
        let steps = if self.left > 0 { STEPS } else { FEW };
        let found = self.search(schedule, steps);
        self.known.insert(schedule, found);
        found
    }

    fn search(&mut self, schedule: &Schedule, steps: usize) -> Option<Closest> {
        let from = Timestamp::from_second(FROM).ok()?;
        let zone = schedule.zones().next().map(Zone::timezone);
        let mut closest: Option<Closest> = None;
        let mut last = schedule.next_after(from)?.scheduled;
        // What begins years later (`from`) is looked at for as long.
        let end = last.checked_add(SPAN).ok()?;
        for step in 0..steps {
            let Some(next) = schedule.next_after(last).map(|fire| fire.scheduled) else {
                break;
            };
            self.left = self.left.saturating_sub(1);
            // Of what fires seldom, two are looked at however far away they are.
            if next > end && step > 0 {
                break;
            }
            let elapsed = next.duration_since(last);
            // Only what would count is looked at twice: the clocks of zones are dear.
            let is_closest = |apart: Duration| closest.is_none_or(|known| apart < known.apart);
            if is_closest(elapsed.unsigned_abs()) {
                let by_clock = zone.map_or(elapsed, |zone| by_clock(zone, last, next));
                let apart = elapsed.max(by_clock).unsigned_abs();
                if is_closest(apart) {
                    closest = Some(Closest { apart, first: last });
                    if apart < self.enough {
                        break;
                    }
                }
            }
            last = next;
        }
        closest
    }
}

/// How far a clock on the wall goes from one instant to the other. What fires as the clock is set
/// may have been meant for the time that was skipped, and counts from its beginning.
fn by_clock(zone: &TimeZone, first: Timestamp, second: Timestamp) -> SignedDuration {
    let begin = zone.to_datetime(first);
    let just_before = first.checked_sub(SignedDuration::from_secs(1));
    let unset = just_before.map(|at| zone.to_offset(at).to_datetime(first));
    let begin = unset.map_or(begin, |unset| unset.min(begin));
    zone.to_datetime(second).duration_since(begin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Zones;
    use crate::spec::parse_schedule;

    #[test]
    fn the_closest_two_fires_are_found_and_a_change_of_the_clock_makes_none_closer() {
        let zones = Zones::bundled();
        for (text, apart) in [
            ("{ every: 90s }", Some(90)),
            ("\"0 2 * * *\"", Some(86_400)),
            ("{ daily: \"02:30\" }", Some(86_400)),
            ("{ hourly: 30 }", Some(3_600)),
            ("\"0,1 0 29 2 *\"", Some(60)),
            (
                "[{ daily: \"00:00\" }, { yearly: { date: 12-31, at: \"23:59\" } }]",
                Some(60),
            ),
            (
                "{ daily: [\"00:00\", \"12:00\", \"12:01\"], from: 2031-01-01 }",
                Some(60),
            ),
            // The day on which the clock is set, long after it was.
            (
                "{ yearly: { date: 03-31, at: [\"10:00\", \"10:01\"] } }",
                Some(60),
            ),
            // 02:30 is skipped on that day, and fires as the clock is set, half an hour before 03:30.
            ("{ daily: [\"01:30\", \"02:30\", \"03:30\"] }", Some(3_600)),
            ("{ at: 2031-01-01T00:00:00Z }", None),
            ("manual", None),
            ("startup", None),
        ] {
            let schedule = parse_schedule(text, "Europe/Berlin", &zones, "a").unwrap();
            let mut intervals = Intervals::new(Duration::ZERO);
            let found = intervals.closest(&schedule.schedule);
            let found = found.map(|closest| closest.apart.as_secs());
            assert_eq!(found, apart, "{text}");
        }
    }
}
