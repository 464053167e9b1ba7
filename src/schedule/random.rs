//! So many times a day, elsewhere each day, inside a window.
//!
//! A window is the instants from the first at which the clock has reached its
//! opening up to the first at which it has reached its close: elapsed time,
//! whatever the clock did in between. It belongs to the day on which it opens.
//! Within it, each set of whole seconds that keeps the gap is as likely as any
//! other.

use std::time::Duration;

use jiff::civil;

use super::dates::{DAY, Dates};
use super::seed::{Purpose, Seed};
use super::zone::Zone;
use super::{BadSchedule, Days, Item};

/// So many times a day at most; whoever wants more wants `every` with `jitter`.
pub const MOST_TIMES: u8 = 100;

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many times, from 1 to [`MOST_TIMES`].
    pub times: u8,
    /// Its first second.
    pub opens: civil::Time,
    /// The second after its last; if it is not after `opens`, that of the next day.
    pub closes: civil::Time,
    /// No two fires are closer; whole seconds.
    pub gap: Duration,
    /// The days on which it opens.
    pub days: Days,
}

/// The same, checked, for one job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Random {
    pub(super) zone: Zone,
    seed: Seed,
    /// Seconds since midnight.
    pub(super) opens: u32,
    /// Seconds by the clock, up to a day.
    pub(super) length: u32,
    /// Seconds, at least 1: equal instants would be one fire.
    pub(super) gap: u32,
    pub(super) times: u8,
    pub(super) days: Days,
}

/// The instants of one window, ascending.
pub(super) struct Placed {
    instants: [i64; MOST_TIMES as usize],
    count: usize,
}

impl Item {
    /// So many times a day inside a window.
    ///
    /// # Errors
    /// When no day, no time or a part of a second is given, or when so many do not fit.
    pub fn random(window: Window, seed: Seed, zone: Zone) -> Result<Self, BadSchedule> {
        if window.days.is_empty() {
            return Err(BadSchedule::NoDay);
        }
        if window.times == 0 {
            return Err(BadSchedule::NoTime);
        }
        if window.times > MOST_TIMES {
            return Err(BadSchedule::TooManyTimes);
        }
        if window.gap.subsec_nanos() != 0 {
            return Err(BadSchedule::Fraction);
        }
        let opens = super::second_of(window.opens)?;
        let length = match (super::second_of(window.closes)? + 86_400 - opens) % 86_400 {
            0 => 86_400,
            length => length,
        };
        let times = u32::from(window.times);
        if times > length {
            return Err(BadSchedule::NoRoom { most: length });
        }
        // The first gap begins after the first second; after the last fire, the gap must be over
        // when the next day's window opens.
        let within = (length - 1).checked_div(times - 1).unwrap_or(u32::MAX);
        let largest = within.min(86_400 / times);
        let gap = u32::try_from(window.gap.as_secs()).unwrap_or(u32::MAX);
        if gap > largest {
            return Err(BadSchedule::GapTooLong { largest });
        }
        Ok(Self::Random(Random {
            zone,
            seed,
            opens,
            length,
            gap: gap.max(1),
            times: window.times,
            days: window.days,
        }))
    }
}

impl Random {
    /// The first fire after `after`, in seconds since the epoch.
    pub(super) fn next_after(&self, after: i64) -> Option<i64> {
        let dates = self.dates();
        let mut day = self.day_at(after);
        // A window without a fire is one that a gap swallowed; so many weeks of them there never are.
        for _ in 0..1_000 {
            day = dates.next(day)?;
            if let Some(next) = self.placed(day).after(after) {
                return Some(next);
            }
            day += 1;
        }
        None
    }

    /// How many fires there are with `after < fire <= until`.
    pub(super) fn count(&self, after: i64, until: i64) -> u64 {
        if after >= until {
            return 0;
        }
        let dates = self.dates();
        let (first, last) = (self.day_at(after), self.day_at(until));
        let within = |day: i64| self.placed(day).between(after, until);
        if first == last {
            return within(first);
        }
        let whole = dates.count(first + 1, last) * i64::from(self.times);
        let short = self.short(after, until, first + 1, last);
        within(first) + within(last) + u64::try_from(whole - short).unwrap_or(0)
    }

    /// How many fires of the days `from <= day < to` do not fit, because the clock was set forward.
    fn short(&self, after: i64, until: i64, from: i64, to: i64) -> i64 {
        let dates = self.dates();
        let mut short = 0;
        let mut from = from;
        let mut span = self.zone.span_at(after);
        while span.until <= until {
            span = self.zone.span_at(span.until);
            let Some((low, high)) = span.gap() else {
                continue;
            };
            let opens = i64::from(self.opens);
            let end = ((high - opens).div_euclid(DAY) + 1).min(to);
            for day in (low - opens).div_euclid(DAY).max(from)..end {
                if dates.contains(day) {
                    short += i64::from(self.times) - i64::from(self.fitting(self.window(day).1));
                }
            }
            from = from.max(end);
        }
        short
    }

    /// The day whose window is the last to open at or before an instant.
    pub(super) fn day_at(&self, at: i64) -> i64 {
        (self.zone.reach(at) - i64::from(self.opens)).div_euclid(DAY)
    }

    /// The instant after the last of the window that was open at `at`, or before it.
    pub(super) fn closes_at(&self, at: i64) -> i64 {
        let closes = i64::from(self.opens) + i64::from(self.length);
        self.zone.first_at(self.day_at(at) * DAY + closes)
    }

    /// Where a day's fires are; nowhere, when no window opens on it.
    pub(super) fn placed(&self, day: i64) -> Placed {
        let (opens, length) = self.window(day);
        let count = match self.dates().contains(day) {
            true => self.fitting(length),
            false => 0,
        };
        let mut placed = Placed {
            instants: [0; MOST_TIMES as usize],
            count: 0,
        };
        // Without the gaps, what is left to choose from is a set of single seconds.
        let gap = i64::from(self.gap) - 1;
        let seconds = length - (i64::from(count) - 1) * gap;
        let mut draws = self.seed.draws(Purpose::Random, day);
        for end in seconds - i64::from(count)..seconds {
            // Floyd's way to a random set: a second that is taken already means the last one.
            let drawn = draws.below(end.cast_unsigned() + 1).cast_signed();
            placed.insert(drawn, end);
        }
        for (at, ahead) in placed.instants.iter_mut().take(count.into()).zip(0..) {
            *at += opens + ahead * gap;
        }
        placed
    }

    /// A day's window: its first instant, and how long fires may be placed in it.
    fn window(&self, day: i64) -> (i64, i64) {
        let opens = day * DAY + i64::from(self.opens);
        let first = self.zone.first_at(opens);
        let close = self.zone.first_at(opens + i64::from(self.length));
        // The gap holds between days as well.
        let next = self.zone.first_at(opens + DAY) - i64::from(self.gap) + 1;
        (first, (close.min(next) - first).max(0))
    }

    /// So many fires fit, of those that are asked for.
    fn fitting(&self, length: i64) -> u8 {
        if length <= 0 {
            return 0;
        }
        let most = (length - 1) / i64::from(self.gap) + 1;
        u8::try_from(most).map_or(self.times, |most| most.min(self.times))
    }

    fn dates(&self) -> Dates {
        Dates::weekly(self.days)
    }
}

impl Placed {
    pub(super) fn all(&self) -> &[i64] {
        self.instants.get(..self.count).unwrap_or_default()
    }

    fn after(&self, after: i64) -> Option<i64> {
        let all = self.all();
        all.get(all.partition_point(|at| *at <= after)).copied()
    }

    fn between(&self, after: i64, until: i64) -> u64 {
        let before = |at| self.all().partition_point(|fire| *fire <= at);
        (before(until) - before(after)) as u64
    }

    /// Puts `drawn` in its place, or `last`, which is above all others, when it is there already.
    fn insert(&mut self, drawn: i64, last: i64) {
        let (at, value) = match self.all().binary_search(&drawn) {
            Ok(_) => (self.count, last),
            Err(at) => (at, drawn),
        };
        if let Some(slots) = self.instants.get_mut(at..=self.count) {
            slots.rotate_right(1);
            slots[0] = value;
            self.count += 1;
        }
    }
}
