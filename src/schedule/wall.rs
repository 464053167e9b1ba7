//! Schedules that follow a wall clock: dates, times of day and a zone.
//!
//! The rule at a change of the clock, for a change of any length:
//!
//! - A *fixed* time fires at the first instant at which the clock shows it or
//!   has passed it. So a time inside a gap fires at the end of the gap, several
//!   there are one fire, and a time that comes twice fires the first time.
//! - One that *follows* the clock fires whenever the clock shows it: not in a
//!   gap, and in both passes of an hour that comes twice.

use super::dates::{DAY, Dates};
use super::times::Times;
use super::zone::{CYCLE, RULES, Zone};

/// What happens at a change of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Each reading fires once.
    Fixed,
    /// Whenever the clock shows it.
    Follows,
}

/// Dates, times of day and a zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wall {
    pub(super) zone: Zone,
    pub(super) dates: Dates,
    pub(super) times: Times,
    pub(super) kind: Kind,
    /// So many seconds of elapsed time later, for `spread`.
    pub(super) phase: u32,
}

impl Wall {
    /// The first fire after `after`, in seconds since the epoch.
    pub(super) fn next_after(&self, after: i64) -> Option<i64> {
        let phase = i64::from(self.phase);
        let after = after - phase;
        let next = match self.kind {
            Kind::Fixed => {
                let reading = self.next_reading(self.zone.reach(after) + 1)?;
                self.zone.first_at(reading)
            }
            Kind::Follows => self.next_shown(after + 1)?,
        };
        Some(next + phase)
    }

    /// The first instant from `from` on whose reading is meant.
    fn next_shown(&self, mut from: i64) -> Option<i64> {
        // What has not come in a whole cycle of the rules never comes: a time
        // that is always inside the gap.
        let end = from.max(RULES) + CYCLE;
        while from < end {
            let span = self.zone.span_at(from);
            let lowest = from + span.offset;
            let reading = self.next_reading(lowest)?;
            if reading - span.offset < span.until {
                return Some(reading - span.offset);
            }
            // Nothing is meant between `lowest` and `reading`. Once the clock can
            // no longer fall back below `lowest`, years without a fire are one step.
            let repeats = span.until + self.zone.lowest() < lowest;
            let jump = reading - self.zone.highest();
            from = if repeats {
                span.until
            } else {
                span.until.max(jump)
            };
        }
        None
    }

    /// How many fires there are with `after < fire <= until`.
    pub(super) fn count(&self, after: i64, until: i64) -> u64 {
        if after >= until {
            return 0;
        }
        let (after, until) = (after - i64::from(self.phase), until - i64::from(self.phase));
        let count = match self.kind {
            Kind::Fixed => self.count_fixed(after, until),
            Kind::Follows => self.count_shown(after, until),
        };
        u64::try_from(count).unwrap_or(0)
    }

    fn count_fixed(&self, after: i64, until: i64) -> i64 {
        let mut count = self.readings(self.zone.reach(after) + 1, self.zone.reach(until));
        let mut span = self.zone.span_at(after);
        while span.until <= until {
            span = self.zone.span_at(span.until);
            if let Some((first, last)) = span.gap() {
                // All that the gap passes over is one fire.
                count -= (self.readings(first, last) - 1).max(0);
            }
        }
        count
    }

    fn count_shown(&self, after: i64, until: i64) -> i64 {
        let mut count = 0;
        let mut from = after + 1;
        while from <= until {
            let span = self.zone.span_at(from);
            let last = until.min(span.until - 1);
            count += self.readings(from + span.offset, last + span.offset);
            from = last + 1;
        }
        count
    }

    /// The first reading from `from` on that is meant.
    fn next_reading(&self, from: i64) -> Option<i64> {
        let (day, second) = day_and_second(from);
        if self.dates.contains(day)
            && let Some(second) = self.times.next(second)
        {
            return Some(day * DAY + i64::from(second));
        }
        let day = self.dates.next(day + 1)?;
        Some(day * DAY + i64::from(self.times.first()))
    }

    /// How many readings from `first` to `last`, both in, are meant.
    fn readings(&self, first: i64, last: i64) -> i64 {
        if first > last {
            return 0;
        }
        let (first_day, first_second) = day_and_second(first);
        let (end_day, end_second) = day_and_second(last + 1);
        let mut count = self.dates.count(first_day, end_day) * self.times.len();
        if self.dates.contains(first_day) {
            count -= self.times.before(first_second);
        }
        if self.dates.contains(end_day) {
            count += self.times.before(end_second);
        }
        count
    }
}

/// The date of a reading and its second within the day.
fn day_and_second(reading: i64) -> (i64, u32) {
    // The remainder is below a day.
    (reading.div_euclid(DAY), reading.rem_euclid(DAY) as u32)
}
