//! `shift`: what falls on a date that is not allowed moves to the next or the previous one that is.
//!
//! A wall clock's fires are readings: a date and a time of day. The time of day
//! is kept, so for most schedules and months this is one map of dates turned
//! into another. Only where a change of the clock passes over midnight (Apia's
//! lost day; Nuuk each spring) does the date that the clock shows at a fire
//! depend on the time of day; there, the times of day are looked at in classes
//! within which it does not.

use super::calendar::Allowed;
use super::dates::{DAY, Month};
use super::wall::{Gap, Wall, day_and_second};

/// What becomes of a fire whose date is not allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shift {
    /// Nothing: it does not fire.
    #[default]
    Skip,
    /// It fires on the next date that is allowed, at the same time of day.
    Next,
    /// It fires on the date before it that is allowed, at the same time of day.
    Previous,
}

/// No date moves further than so many days; one that would have to is skipped.
pub const MOST_DAYS: i64 = 31;

/// Where dates move to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Moved {
    allowed: Allowed,
    direction: Direction,
    /// Seconds that are added to each fire before its date is asked about.
    phase: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Direction {
    Next,
    Previous,
}

/// Times of day, `from <= second < to`, that are asked about alike.
struct Class {
    from: u32,
    to: u32,
    /// The dates of the month that readings at these times have, in bits 1–31.
    map: u32,
}

/// Readings that a change of the clock passes over, together with midnight; or any, where they
/// do not fire at all.
struct Passed {
    from: i64,
    /// What the clock shows instead, and the first reading behind.
    to: i64,
    /// Whether it fires on an allowed date then.
    fires: bool,
}

/// A month and [`MOST_DAYS`] on either side of it, one bit a day.
struct Window {
    month: Month,
    /// The day of bit 0.
    start: i64,
    /// How many bits count.
    length: u32,
}

impl Moved {
    /// `None` when nothing is to move.
    pub(super) fn new(allowed: &Allowed, shift: Shift, phase: i64) -> Option<Self> {
        let direction = match shift {
            Shift::Skip => return None,
            Shift::Next => Direction::Next,
            Shift::Previous => Direction::Previous,
        };
        Some(Self {
            allowed: allowed.clone(),
            direction,
            phase,
        })
    }

    pub(super) fn shift(&self) -> Shift {
        match self.direction {
            Direction::Next => Shift::Next,
            Direction::Previous => Shift::Previous,
        }
    }

    /// The first reading from `from` on.
    pub(super) fn next_reading(&self, wall: &Wall, from: i64) -> Option<i64> {
        let (day, second) = day_and_second(from);
        let end = self.allowed.end(day);
        let mut month = Month::of_day(day);
        loop {
            let first = month.first;
            let after = first + i64::from(month.length);
            let classes = self.classes(wall, month);
            let readings = classes.iter().filter_map(|class| {
                let next = |from: u32| wall.times.next(from).filter(|at| *at < class.to);
                let today = day - first + 1;
                let (mut map, mut rest) = (class.map, None);
                if today > 0 {
                    if map & (1 << today) != 0 {
                        rest = next(second.max(class.from)).map(|at| day * DAY + i64::from(at));
                    }
                    map &= !1 << today;
                }
                let later = (map != 0).then(|| first + i64::from(map.trailing_zeros()) - 1);
                let later = later.and_then(|day| Some(day * DAY + i64::from(next(class.from)?)));
                rest.or(later)
            });
            if let Some(reading) = readings.min() {
                return Some(reading);
            }
            if after > end {
                return None;
            }
            // Over months that nothing can come from, or go to.
            let source = wall.dates.next(after - MOST_DAYS)? - MOST_DAYS;
            let slack = self.phase.div_euclid(DAY) + 3;
            let target = self.allowed.next(after)? - slack;
            month = Month::of_day(after.max(source).max(target));
        }
    }

    /// How many readings from `first` to `last`, both in.
    pub(super) fn readings(&self, wall: &Wall, first: i64, last: i64) -> i64 {
        let (first_day, first_second) = day_and_second(first);
        let (last_day, last_second) = day_and_second(last);
        let mut count = 0;
        let mut day = first_day;
        while day <= last_day {
            let month = Month::of_day(day);
            let (begin, length) = (month.first, i64::from(month.length));
            let low = (first_day - begin).max(0) + 1;
            let high = (last_day - begin + 1).min(length);
            let within = (u32::MAX >> (31 - high)) & (!0 << low);
            for class in self.classes(wall, month) {
                let map = class.map & within;
                let before = |second: u32| {
                    wall.times.before(second.clamp(class.from, class.to))
                        - wall.times.before(class.from)
                };
                let has = |day: i64| {
                    (1..=length).contains(&(day - begin + 1)) && map & (1 << (day - begin + 1)) != 0
                };
                count += i64::from(map.count_ones()) * before(class.to);
                if has(first_day) {
                    count -= before(first_second);
                }
                if has(last_day) {
                    count -= before(class.to) - before(last_second + 1);
                }
            }
            day = begin + length;
        }
        count
    }

    /// The times of day that there are, in classes, with the dates of a month that each class has.
    fn classes(&self, wall: &Wall, month: Month) -> Vec<Class> {
        let window = Window::around(month);
        let gaps = self.gaps(wall, &window);
        let turn = DAY - self.phase.rem_euclid(DAY);
        let mut cuts: Vec<i64> = gaps
            .iter()
            .flat_map(|gap| [gap.from, gap.to])
            .map(|reading| reading.rem_euclid(DAY))
            .chain([0, turn, DAY])
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        let skips = wall.rule.gap == Gap::Skip;
        let sources = window.bits(|month| wall.dates.map(month), 0);
        let seconds = cuts.iter().filter_map(|cut| u32::try_from(*cut).ok());
        let pairs = seconds.clone().zip(seconds.skip(1));
        let classes = pairs.filter(|(from, to)| wall.times.next(*from).is_some_and(|at| at < *to));
        classes
            .map(|(from, to)| {
                let mut sources = sources;
                for gap in gaps.iter().filter(|_| skips) {
                    // What does not fire does not move either.
                    gap.days(from.into(), &window)
                        .for_each(|bit| sources &= !bit);
                }
                let allowed = self.asked(from.into(), &window, &gaps);
                Class {
                    from,
                    to,
                    map: window.month_of(self.moved(sources, allowed)),
                }
            })
            .collect()
    }

    /// The days on which readings at this second fall on allowed dates.
    fn asked(&self, second: i64, window: &Window, gaps: &[Passed]) -> u128 {
        let later = (second + self.phase).div_euclid(DAY);
        let mut map = window.bits(|month| self.allowed.map(month), later);
        for gap in gaps {
            for bit in gap.days(second, window) {
                map = if gap.fires { map | bit } else { map & !bit };
            }
        }
        map
    }

    /// Where `sources` come to lie, given the days that they may lie on.
    fn moved(&self, sources: u128, allowed: u128) -> u128 {
        let mut moved = sources & allowed;
        let mut moving = sources & !allowed;
        while moving != 0 {
            let at = moving.trailing_zeros();
            moving &= moving - 1;
            let (target, distance) = match self.direction {
                Direction::Next => {
                    let target = (allowed & (!1 << at)).trailing_zeros();
                    (target, target.wrapping_sub(at))
                }
                Direction::Previous => {
                    let below = allowed & ((1 << at) - 1);
                    let target = 127u32.wrapping_sub(below.leading_zeros());
                    (target, at.wrapping_sub(target))
                }
            };
            if target < 128 && i64::from(distance) <= MOST_DAYS {
                moved |= 1 << target;
            }
        }
        moved
    }

    /// The changes of the clock in the window that matter.
    fn gaps(&self, wall: &Wall, window: &Window) -> Vec<Passed> {
        let zone = &wall.zone;
        let skips = wall.rule.gap == Gap::Skip;
        let mut gaps = Vec::new();
        let begin = window.start * DAY;
        let end = begin + i64::from(window.length) * DAY;
        let mut span = zone.span_at(zone.first_at(begin));
        loop {
            if let Some((from, last)) = wall.passed(&span) {
                let asked = |reading: i64| (reading + self.phase).div_euclid(DAY);
                let to = last + 1;
                if skips || asked(from) != asked(to) {
                    gaps.push(Passed {
                        from,
                        to,
                        fires: !skips && self.allowed.contains(asked(to)),
                    });
                }
            }
            if span.until + span.offset >= end || span.from + span.offset >= end {
                return gaps;
            }
            span = zone.span_at(span.until);
        }
    }
}

impl Passed {
    /// The days of the window whose reading at this second is passed over, as bits.
    fn days(&self, second: i64, window: &Window) -> impl Iterator<Item = u128> {
        let first = (self.from - second + DAY - 1).div_euclid(DAY);
        let after = (self.to - second + DAY - 1).div_euclid(DAY);
        (first..after).filter_map(|day| window.bit(day))
    }
}

impl Window {
    fn around(month: Month) -> Self {
        Self {
            start: month.first - MOST_DAYS,
            length: month.length + 62,
            month,
        }
    }

    /// A set of dates as bits of the window, where bit 0 stands for the day `later` days after its start.
    fn bits(&self, map: impl Fn(&Month) -> u32, later: i64) -> u128 {
        let start = self.start + later;
        let end = start + i64::from(self.length);
        let mut bits = 0;
        let mut day = start;
        while day < end {
            let month = Month::of_day(day);
            let days = u128::from(map(&month) >> 1);
            let place = month.first - start;
            bits |= if place < 0 {
                days >> -place
            } else {
                days << place
            };
            day = month.first + i64::from(month.length);
        }
        bits & ((1 << self.length) - 1)
    }

    fn bit(&self, day: i64) -> Option<u128> {
        let place = day - self.start;
        (0..i64::from(self.length))
            .contains(&place)
            .then(|| 1 << place)
    }

    /// The bits of the month itself, as bits 1–31.
    fn month_of(&self, bits: u128) -> u32 {
        // What is past the month is masked away.
        let days = (bits >> MOST_DAYS) as u32;
        (days << 1) & self.month.all()
    }
}
