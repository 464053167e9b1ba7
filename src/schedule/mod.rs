//! When a job fires: pure functions over instants and zones.
//!
//! A [`Schedule`] is a union of items. It never reads a clock, never does I/O
//! and knows no YAML. The engine needs five questions answered:
//! [`Schedule::next_after`], [`Schedule::count_between`], [`Schedule::newest`],
//! [`Schedule::fires_at_startup`] and [`Schedule::describe`].
//!
//! `dates` and `times` are plain sets, `zone` says how a wall clock reads,
//! `wall` puts the three together under the rule for changes of the clock.
//! `cron` is only another way to write such sets.

mod calendar;
mod count;
mod cron;
mod dates;
mod days;
mod describe;
mod modified;
mod month;
mod moved;
mod on_dates;
mod random;
mod seed;
mod times;
mod touch;
mod tzdata;
mod union;
mod wall;
mod why;
mod zone;
mod zones;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, civil};

pub use calendar::{Allowed, Calendar, Named};
pub use cron::{Cron, CronError, CronErrorKind};
pub use days::{BadDay, Days};
pub use modified::{LONGEST_JITTER, LONGEST_SPREAD, Modified, Modifiers, Spread};
pub use month::{BadDate, MonthDay, YearDay};
pub use moved::Shift;
pub use on_dates::OnDates;
pub use random::{MOST_TIMES, Random, Window};
pub use seed::Seed;
pub use times::{BadTime, parse_time};
pub use touch::{Effect, Touch};
pub use tzdata::{HOST_TZDATA, NoTzdata, Tzdata, TzdataChoice, TzdataMark, TzdataSource};
pub use wall::{Fold, Gap, Wall};
pub use why::WhyNot;
pub use zone::{Zone, written_offset};
pub use zones::{UnknownZone, Zones};

use dates::Dates;
use times::Times;
use wall::Kind;

/// The shortest `every`.
pub const SHORTEST_PERIOD: Duration = Duration::from_millis(100);

/// 2026-01-01: nothing was ever scheduled before, and the answer is the same on every day.
const FIRST: i64 = 1_767_225_600;

/// One job at one scheduled instant. `scheduled` is the run's key; `due` is when it starts (later by the jitter, if any).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fire {
    /// The instant that the schedule names.
    pub scheduled: Timestamp,
    /// The instant to start at.
    pub due: Timestamp,
}

/// When a job fires.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    items: Items,
}

/// Nearly every schedule is one item, which then needs no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Items {
    One(Item),
    Many(Box<[Item]>),
}

/// One schedule of a union.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// Elapsed time, aligned to `anchor`.
    Every {
        /// The distance, from 100 ms.
        period: Duration,
        /// What it is aligned to.
        anchor: Timestamp,
    },
    /// At these instants.
    At(Vec<Timestamp>),
    /// Dates and times of day in a zone: `cron`, `hourly`, `daily`, `weekly`, `monthly`, `yearly`.
    Wall(Wall),
    /// So many times a day inside a window.
    Random(Random),
    /// Once per start of the daemon.
    Startup,
    /// Never by itself.
    Manual,
    /// One of the others and what stands beside it, such as `from` and `until`.
    Modified(Box<Modified>),
}

/// Why values make no schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// `every` with less than [`SHORTEST_PERIOD`].
    #[error("the shortest period is 100ms")]
    TooOften,
    /// A list without an entry.
    #[error("at least one time is needed")]
    NoTime,
    /// A minute past 59.
    #[error("minutes go from 0 to 59, not {0}")]
    BadMinute(u8),
    /// No day of the week.
    #[error("at least one day is needed")]
    NoDay,
    /// A time of day that is no whole second.
    #[error("times of day are whole seconds")]
    Fraction,
    /// `random` with more than [`MOST_TIMES`].
    #[error("more than {MOST_TIMES} times a day; `every` with `jitter` can do that")]
    TooManyTimes,
    /// `random` with more fires than its window has seconds.
    #[error("the window has room for {most} fires")]
    NoRoom {
        /// One each second.
        most: u32,
    },
    /// `random` with a gap that does not fit.
    #[error(
        "so many fires do not fit with this `min_gap`; the largest possible is {}",
        crate::duration::print(Duration::from_secs((*largest).into()))
    )]
    GapTooLong {
        /// Seconds.
        largest: u32,
    },
    /// `spread` without a length where nothing has a period.
    #[error("`spread: true` is for `every`; say how far, such as `spread: 10m`")]
    NoPeriod,
    /// `spread` that is longer than the period.
    #[error("`spread` is longer than the period; write `spread: true`")]
    SpreadTooLong,
    /// A length that is out of bounds.
    #[error("`spread` goes from 1s to 31d, in whole seconds")]
    BadSpread,
    /// `spread` beside `random`.
    #[error("`spread` says nothing beside `random`, which differs from job to job")]
    SpreadTwice,
    /// A length that is out of bounds.
    #[error("`jitter` goes from 1ms to 7d")]
    BadJitter,
    /// `from` is after `until`.
    #[error("`from` is after `until`, so it never fires")]
    EndsFirst,
    /// No fire lies between `from` and `until`.
    #[error("no fire lies between `from` and `until`, so it never fires")]
    Outside,
    /// `shift` beside a schedule that has no fixed times of day.
    #[error("`shift` needs fixed times of day")]
    NoFixedTimes,
    /// Every fire falls on a date that `only` and `except` leave out.
    #[error("`only` and `except` leave out every date on which it would fire, so it never fires")]
    NoDate,
}

impl Item {
    /// Elapsed time, aligned to the Unix epoch.
    ///
    /// # Errors
    /// When it is under [`SHORTEST_PERIOD`].
    pub fn every(period: Duration) -> Result<Self, BadSchedule> {
        if period < SHORTEST_PERIOD {
            return Err(BadSchedule::TooOften);
        }
        Ok(Self::Every {
            period,
            anchor: Timestamp::UNIX_EPOCH,
        })
    }

    /// A cron line in a zone.
    #[must_use]
    pub fn cron(cron: Cron, zone: Zone) -> Self {
        Self::Wall(Wall::new(zone, cron.dates, cron.times, cron.kind))
    }

    /// At these minutes of every hour.
    ///
    /// # Errors
    /// When there is none, or one past 59.
    pub fn hourly(minutes: &[u8], zone: Zone) -> Result<Self, BadSchedule> {
        let mut bits = 0;
        for minute in minutes {
            if *minute > 59 {
                return Err(BadSchedule::BadMinute(*minute));
            }
            bits |= 1 << minute;
        }
        if bits == 0 {
            return Err(BadSchedule::NoTime);
        }
        let times = Times::hourly(bits);
        Ok(Self::Wall(Wall::new(
            zone,
            Dates::EVERY,
            times,
            Kind::Follows,
        )))
    }

    /// At these times of each day.
    ///
    /// # Errors
    /// When there is none, or one with a part of a second.
    pub fn daily(at: &[civil::Time], zone: Zone) -> Result<Self, BadSchedule> {
        Self::weekly(Days::ALL, at, zone)
    }

    /// At these times of these days of the week.
    ///
    /// # Errors
    /// When there is no day, no time, or a time with a part of a second.
    pub fn weekly(days: Days, at: &[civil::Time], zone: Zone) -> Result<Self, BadSchedule> {
        if days.is_empty() {
            return Err(BadSchedule::NoDay);
        }
        Self::fixed(Dates::weekly(days), at, zone)
    }

    /// At these times of these days of each month; a month without such a day is left out.
    ///
    /// # Errors
    /// When there is no day, no time, or a time with a part of a second.
    pub fn monthly(days: &[MonthDay], at: &[civil::Time], zone: Zone) -> Result<Self, BadSchedule> {
        if days.is_empty() {
            return Err(BadSchedule::NoDay);
        }
        Self::fixed(Dates::monthly(days), at, zone)
    }

    /// At these times of these dates of each year.
    ///
    /// # Errors
    /// When there is no date, no time, or a time with a part of a second.
    pub fn yearly(dates: &[YearDay], at: &[civil::Time], zone: Zone) -> Result<Self, BadSchedule> {
        if dates.is_empty() {
            return Err(BadSchedule::NoDay);
        }
        Self::fixed(Dates::yearly(dates), at, zone)
    }

    /// The same with another rule for changes of the clock; `None` leaves that half as it is.
    /// Schedules that do not go by the clock are left as they are.
    #[must_use]
    pub fn at_changes(mut self, gap: Option<Gap>, fold: Option<Fold>) -> Self {
        if let Self::Wall(wall) = &mut self {
            wall.rule.gap = gap.unwrap_or(wall.rule.gap);
            wall.rule.fold = fold.unwrap_or(wall.rule.fold);
        }
        self
    }

    /// Whether, in all years from 2026 on, it fires on no date, because the clock skips its time
    /// of day on each of them.
    #[must_use]
    pub fn is_never_shown(&self) -> bool {
        matches!(self, Self::Wall(wall) if wall.rule.gap == Gap::Skip && wall.next_after(FIRST).is_none())
    }

    fn fixed(dates: Dates, at: &[civil::Time], zone: Zone) -> Result<Self, BadSchedule> {
        let times = times_of(at)?;
        Ok(Self::Wall(Wall::new(zone, dates, times, Kind::Fixed)))
    }

    /// The first fire after `after`.
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every { period, anchor } => {
                let period = period_nanos(*period)?;
                let anchor = anchor.as_nanosecond();
                let steps = (after.as_nanosecond() - anchor).div_euclid(period) + 1;
                Timestamp::from_nanosecond(anchor.checked_add(steps.checked_mul(period)?)?).ok()
            }
            Self::At(instants) => {
                let at = instants.partition_point(|at| *at <= after);
                instants.get(at).copied()
            }
            Self::Wall(wall) => {
                let next = wall.next_after(zone::split(after).0)?;
                Timestamp::from_second(next).ok()
            }
            Self::Random(random) => {
                let next = random.next_after(zone::split(after).0)?;
                Timestamp::from_second(next).ok()
            }
            Self::Startup | Self::Manual => None,
            Self::Modified(modified) => modified.next_after(after),
        }
    }
}

/// A period as a positive number that can be divided by.
fn period_nanos(period: Duration) -> Option<i128> {
    i128::try_from(period.as_nanos())
        .ok()
        .filter(|nanos| *nanos > 0)
}

/// Seconds since midnight.
fn second_of(time: civil::Time) -> Result<u32, BadSchedule> {
    if time.subsec_nanosecond() != 0 {
        return Err(BadSchedule::Fraction);
    }
    // The parts of a time of day are never negative.
    let part = |value: i8| u32::from(value.unsigned_abs());
    Ok(part(time.hour()) * 3_600 + part(time.minute()) * 60 + part(time.second()))
}

fn times_of(at: &[civil::Time]) -> Result<Times, BadSchedule> {
    let mut seconds = Vec::with_capacity(at.len());
    for time in at {
        seconds.push(second_of(*time)?);
    }
    if seconds.is_empty() {
        return Err(BadSchedule::NoTime);
    }
    Ok(Times::of(seconds))
}

impl Schedule {
    /// The union of `items`; equal instants fire once.
    #[must_use]
    pub fn new(items: Vec<Item>) -> Self {
        let mut unique: Vec<Item> = Vec::with_capacity(items.len());
        let mut seen = HashSet::new();
        for mut item in items {
            if let Item::At(instants) = &mut item {
                instants.sort_unstable();
                instants.dedup();
            }
            if seen.insert(item.clone()) {
                unique.push(item);
            }
        }
        let items = match <[Item; 1]>::try_from(unique) {
            Ok([only]) => Items::One(only),
            Err(many) => Items::Many(many.into()),
        };
        Self { items }
    }

    /// Its items, in the order given.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        match &self.items {
            Items::One(item) => std::slice::from_ref(item),
            Items::Many(items) => items,
        }
    }

    /// The first fire whose scheduled instant is after `after`.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Fire> {
        let at = self.next_instant(after)?;
        Some(modified::fire(self, at))
    }

    /// The first instant after `after` that an item names.
    fn next_instant(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.items {
            Items::One(item) => item.next_after(after),
            Items::Many(items) => items.iter().filter_map(|item| item.next_after(after)).min(),
        }
    }

    /// The first fire that is due after `after`: one that was scheduled before and is delayed by
    /// its jitter, or the next.
    #[must_use]
    pub fn next_due_after(&self, after: Timestamp) -> Option<Fire> {
        self.pending_at(after).or_else(|| self.next_after(after))
    }

    /// The fire that is scheduled at `at` or before, and due after it. There is one at most, since
    /// no jitter reaches the next fire.
    #[must_use]
    pub fn pending_at(&self, at: Timestamp) -> Option<Fire> {
        modified::pending(self, at)
    }

    /// The last instant up to which all that is scheduled is due at `at`.
    #[must_use]
    pub fn due_up_to(&self, at: Timestamp) -> Timestamp {
        match self.pending_at(at) {
            Some(pending) => modified::just_before(pending.scheduled),
            None => at,
        }
    }

    /// The fire that is scheduled at this very instant, if there is one.
    #[must_use]
    pub fn fire_at(&self, scheduled: Timestamp) -> Option<Fire> {
        let next = self.next_after(modified::just_before(scheduled))?;
        (next.scheduled == scheduled).then_some(next)
    }

    /// Whether some of its fires belong to windows that close.
    #[must_use]
    pub fn has_windows(&self) -> bool {
        modified::has_windows(self)
    }

    /// When the window of `random` that a fire belongs to closes: the first instant that is too
    /// late for it. `None` for a fire that any other item names.
    #[must_use]
    pub fn closes_at(&self, scheduled: Timestamp) -> Option<Timestamp> {
        modified::closes_at(self, scheduled)
    }

    /// How many fires have `after < scheduled <= until`, by arithmetic: the
    /// cost does not grow with the number of fires.
    #[must_use]
    pub fn count_between(&self, after: Timestamp, until: Timestamp) -> u64 {
        count::between(self, after, until)
    }

    /// The newest `limit` fires with `after < scheduled <= until`, oldest first.
    #[must_use]
    pub fn newest(&self, after: Timestamp, until: Timestamp, limit: usize) -> Vec<Fire> {
        count::newest(self, after, until, limit)
    }

    /// The day that `at` falls on, as its first and its last instant, in the zone of the first
    /// item that has one, else in UTC.
    #[must_use]
    pub fn day_of(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let zone = self.zones().next().map(Zone::timezone);
        let local = at.to_zoned(zone.cloned().unwrap_or(jiff::tz::TimeZone::UTC));
        let start = local.start_of_day().map_or(at, |zoned| zoned.timestamp());
        let end = local.end_of_day().map_or(at, |zoned| zoned.timestamp());
        (start, end)
    }

    /// The zones whose clocks on the wall it goes by, one for each item that does.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        self.items().iter().filter_map(|item| match item.base() {
            Item::Wall(wall) => Some(&wall.zone),
            Item::Random(random) => Some(&random.zone),
            _ => None,
        })
    }

    /// The calendars that it names, by name, those of `only` before those of `except`; one that
    /// several items name is there several times.
    pub fn calendars(&self) -> impl Iterator<Item = &(Arc<str>, Arc<Calendar>)> {
        let dates = self.items().iter().filter_map(|item| match item {
            Item::Modified(modified) => modified.dates.as_ref(),
            _ => None,
        });
        let named = dates.flat_map(|dates| [&dates.allowed.only, &dates.allowed.except]);
        named.flatten().flat_map(|named| named.calendars())
    }

    /// Whether `startup` is among the items.
    #[must_use]
    pub fn fires_at_startup(&self) -> bool {
        self.items().contains(&Item::Startup)
    }

    /// The schedule in plain words.
    #[must_use]
    pub fn describe(&self) -> String {
        describe::schedule(self)
    }
}
