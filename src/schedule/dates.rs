//! Which dates: months, days of the month, days of the week.
//!
//! A date is the number of days since 1970-01-01. For each month a rule yields
//! a map of its days, one bit each, so that the search is a few shifts a month.

use std::sync::Arc;

use super::days::Days;
use super::month::{MonthDay, YearDay};
use super::moved::Moved;

/// Seconds of a day that no clock change touches.
pub(super) const DAY: i64 = 86_400;
/// After so many days the calendar repeats, weekdays included.
pub(super) const CYCLE_DAYS: i64 = 146_097;
const CYCLE_MONTHS: i64 = 4_800;

const ALL_MONTHS: u16 = 0b1_1111_1111_1110;
const ALL_DAYS: u32 = !1;
/// In [`Dates::nth`], the bit of the first weekday of the month.
pub(super) const NTH_WEEKDAY: u32 = 42;

/// How day-of-month and day-of-week combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Combine {
    /// A date must satisfy both; so when one of the fields begins with `*`.
    Both,
    /// Either will do; so when both fields are restricted.
    Either,
}

/// A set of dates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Dates {
    /// `fri#2` and `friL`: bit `7 * k + day` is the k-th such day from 0, k = 5 the last.
    /// From [`NTH_WEEKDAY`] on, five bits for the k-th of the days Monday to Friday.
    pub(super) nth: u64,
    /// What few schedules have.
    pub(super) rare: Option<Arc<Rare>>,
    /// Bits 1–31 are the days of the month; bit 0 is the last day.
    pub(super) days: u32,
    /// Bits 1–31 are `1W`–`31W`; bit 0 is `LW`.
    pub(super) near: u32,
    /// Bits 1–12.
    pub(super) months: u16,
    /// Bit 0 is Sunday.
    pub(super) week: u8,
    /// How the day fields combine.
    pub(super) combine: Combine,
}

/// What few sets of dates have: in memory of its own, so that the others stay small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rare {
    /// For dates of a year that are no product of days and months: the days (bits 1–31) of
    /// each month from January. They stand for all else but `months`, which agrees with them.
    pub(super) of_year: Option<[u32; 12]>,
    /// Where `shift` moves what falls on a date that is not allowed. The set itself is that
    /// before anything is moved.
    pub(super) moved: Option<Moved>,
}

impl Dates {
    /// Each day.
    pub(super) const EVERY: Self = Self {
        nth: 0,
        rare: None,
        days: ALL_DAYS,
        near: 0,
        months: ALL_MONTHS,
        week: 0b111_1111,
        combine: Combine::Both,
    };

    /// These days of each week.
    pub(super) fn weekly(days: Days) -> Self {
        Self {
            week: days.bits(),
            ..Self::EVERY
        }
    }

    /// These days of each month. The list is not empty.
    pub(super) fn monthly(list: &[MonthDay]) -> Self {
        let (mut nth, mut days, mut near) = (0u64, 0u32, 0u32);
        for day in list {
            match *day {
                MonthDay::Day(day) => days |= 1 << day,
                MonthDay::Last => days |= 1,
                MonthDay::Nth(k, day) => nth |= 1 << (7 * (k - 1) + day),
                MonthDay::LastOf(day) => nth |= 1 << (35 + day),
                // The weekday nearest to the first is the first weekday.
                MonthDay::NthWeekday(1) => near |= 1 << 1,
                MonthDay::NthWeekday(k) => nth |= 1 << (NTH_WEEKDAY + u32::from(k) - 1),
                MonthDay::LastWeekday => near |= 1,
            }
        }
        let (of_month, of_week) = (days != 0 || near != 0, nth != 0);
        // As a cron line for the same dates has it, so that equal schedules are equal.
        Self {
            nth,
            days: if of_month { days } else { ALL_DAYS },
            near,
            week: if of_week { 0 } else { Self::EVERY.week },
            combine: if of_month && of_week {
                Combine::Either
            } else {
                Combine::Both
            },
            ..Self::EVERY
        }
    }

    /// These dates of each year. The list is not empty.
    pub(super) fn yearly(list: &[YearDay]) -> Self {
        let mut table = [0u32; 12];
        let (mut months, mut days) = (0, 0);
        for date in list {
            months |= 1 << date.month();
            days |= 1 << date.day();
            if let Some(month) = table.get_mut(usize::from(date.month()) - 1) {
                *month |= 1 << date.day();
            }
        }
        let product = table.iter().all(|month| *month == 0 || *month == days);
        Self {
            rare: (!product).then(|| {
                Arc::new(Rare {
                    of_year: Some(table),
                    moved: None,
                })
            }),
            days: if product { days } else { ALL_DAYS },
            months,
            ..Self::EVERY
        }
    }

    /// The dates of a year that are no product of days and months.
    pub(super) fn of_year(&self) -> Option<&[u32; 12]> {
        self.rare.as_ref()?.of_year.as_ref()
    }

    /// Where dates are moved to.
    pub(super) fn moved(&self) -> Option<&Moved> {
        self.rare.as_ref()?.moved.as_ref()
    }

    /// From here on its dates are moved so.
    pub(super) fn set_moved(&mut self, moved: Option<Moved>) {
        let of_year = self.of_year().copied();
        let rare = Rare { of_year, moved };
        self.rare = (rare != Rare::default()).then(|| Arc::new(rare));
    }

    /// Whether any day of the month will do.
    pub(super) fn any_day_of_month(&self) -> bool {
        self.days & ALL_DAYS == ALL_DAYS
    }

    /// Whether any day of the week will do.
    pub(super) fn any_day_of_week(&self) -> bool {
        self.week == 0b111_1111
    }

    /// Whether any month will do.
    pub(super) fn any_month(&self) -> bool {
        self.months == ALL_MONTHS
    }

    fn every_day(&self) -> bool {
        self.any_month()
            && self.of_year().is_none()
            && match self.combine {
                Combine::Both => self.any_day_of_month() && self.any_day_of_week(),
                Combine::Either => self.any_day_of_month() || self.any_day_of_week(),
            }
    }

    /// The first date from `day` on; `None` when there is none in 400 years, so never.
    pub(super) fn next(&self, day: i64) -> Option<i64> {
        if self.every_day() {
            return Some(day);
        }
        let mut month = Month::of_day(day);
        let mut map = self.map(&month) & (!0 << (day - month.first + 1));
        for _ in 0..=CYCLE_MONTHS {
            if map != 0 {
                return Some(month.first + i64::from(map.trailing_zeros()) - 1);
            }
            month = month.next(self.months)?;
            map = self.map(&month);
        }
        None
    }

    /// Whether `day` is in the set.
    pub(super) fn contains(&self, day: i64) -> bool {
        if self.every_day() {
            return true;
        }
        let month = Month::of_day(day);
        self.map(&month) & (1 << (day - month.first + 1)) != 0
    }

    /// How many dates there are with `from <= date < to`.
    pub(super) fn count(&self, from: i64, to: i64) -> i64 {
        if from >= to {
            return 0;
        }
        if self.every_day() {
            return to - from;
        }
        let cycles = (to - from) / CYCLE_DAYS;
        let rest = self.count_within(from + cycles * CYCLE_DAYS, to);
        if cycles == 0 {
            return rest;
        }
        rest + cycles * self.count_within(from, from + CYCLE_DAYS)
    }

    fn count_within(&self, from: i64, to: i64) -> i64 {
        if from >= to {
            return 0;
        }
        let mut month = Month::of_day(from);
        let mut map = self.map(&month) & (!0 << (from - month.first + 1));
        let mut count = 0;
        while month.first + i64::from(month.length) <= to {
            count += i64::from(map.count_ones());
            let Some(next) = month.next(self.months) else {
                return count;
            };
            month = next;
            map = self.map(&month);
        }
        if to > month.first {
            map &= (1 << (to - month.first + 1)) - 1;
            count += i64::from(map.count_ones());
        }
        count
    }

    /// The days of a month that are in the set, in bits 1–31.
    pub(super) fn map(&self, month: &Month) -> u32 {
        if self.months & (1 << month.month) == 0 {
            return 0;
        }
        let all = u32::MAX >> (31 - month.length) & ALL_DAYS;
        if let Some(table) = self.of_year() {
            // Months go from 1 to 12.
            return all & table[month.month as usize - 1];
        }
        let mut of_month = self.days & all;
        if self.days & 1 != 0 {
            of_month |= 1 << month.length;
        }
        if self.near != 0 {
            of_month |= self.nearest(month);
        }
        let mut of_week = month.spread(self.week);
        if self.nth != 0 {
            of_week |= self.nth(month);
        }
        all & match self.combine {
            Combine::Both => of_month & of_week,
            Combine::Either => of_month | of_week,
        }
    }

    /// The days that `15W` and `LW` mean: the weekday nearest to a date, within its month.
    fn nearest(&self, month: &Month) -> u32 {
        let weekday = |day: u32| (month.weekday + day - 1) % 7;
        let mut map = 0;
        if self.near & 1 != 0 {
            let back = match weekday(month.length) {
                6 => 1,
                0 => 2,
                _ => 0,
            };
            map |= 1 << (month.length - back);
        }
        let mut bits = self.near & ALL_DAYS & (u32::MAX >> (31 - month.length));
        while bits != 0 {
            let day = bits.trailing_zeros();
            bits &= bits - 1;
            map |= 1
                << match weekday(day) {
                    6 if day == 1 => 3,
                    6 => day - 1,
                    0 if day == month.length => day - 2,
                    0 => day + 1,
                    _ => day,
                };
        }
        map
    }

    /// The days that `fri#2` and `friL` mean; a fifth that the month lacks falls out with `all`.
    fn nth(&self, month: &Month) -> u32 {
        let mut map = 0;
        let mut bits = self.nth & ((1 << NTH_WEEKDAY) - 1);
        while bits != 0 {
            let at = bits.trailing_zeros();
            bits &= bits - 1;
            let first = 1 + (7 + at % 7 - month.weekday) % 7;
            let weeks = match at / 7 {
                5 => (month.length - first) / 7,
                k => k,
            };
            let day = first + 7 * weeks;
            if day <= month.length {
                map |= 1 << day;
            }
        }
        if self.nth >> NTH_WEEKDAY != 0 {
            map |= self.nth_weekdays(month);
        }
        map
    }

    fn nth_weekdays(&self, month: &Month) -> u32 {
        let mut weekdays = month.spread(Days::WEEKDAYS.bits()) & ALL_DAYS;
        let mut map = 0;
        for k in 0..5 {
            let day = weekdays & weekdays.wrapping_neg();
            if self.nth & (1 << (NTH_WEEKDAY + k)) != 0 {
                map |= day;
            }
            weekdays ^= day;
        }
        map
    }
}

/// One month of one year.
pub(super) struct Month {
    year: i64,
    /// 1–12
    pub(super) month: u32,
    /// Days in it.
    pub(super) length: u32,
    /// The date of its first day.
    pub(super) first: i64,
    /// The day of the week of its first day; Sunday is 0.
    weekday: u32,
}

impl Month {
    fn new(year: i64, month: u32) -> Self {
        let first = day_of(year, month, 1);
        Self {
            year,
            month,
            length: length(year, month),
            first,
            // 1970-01-01 was a Thursday. The remainder is 0–6.
            weekday: (first + 4).rem_euclid(7) as u32,
        }
    }

    /// The month that a date is in.
    pub(super) fn of_day(day: i64) -> Self {
        let (year, month, _) = civil(day);
        Self::new(year, month)
    }

    /// All its days, in bits 1–31.
    pub(super) fn all(&self) -> u32 {
        u32::MAX >> (31 - self.length) & ALL_DAYS
    }

    /// The next month whose bit is set; `None` when no bit is.
    fn next(&self, months: u16) -> Option<Self> {
        let later = u32::from(months) & (!1 << self.month);
        if later != 0 {
            return Some(Self::new(self.year, later.trailing_zeros()));
        }
        let months = u32::from(months & ALL_MONTHS);
        (months != 0).then(|| Self::new(self.year + 1, months.trailing_zeros()))
    }

    /// A set of weekdays as days of this month; bits past its end may be set.
    pub(super) fn spread(&self, week: u8) -> u32 {
        if week == 0b111_1111 {
            return ALL_DAYS;
        }
        let week = u64::from(week);
        let turned = (week | week << 7) >> self.weekday & 0b111_1111;
        // Five copies side by side, the first of them at day 1; 35 bits, of which 31 are days.
        ((turned * 0b1_0000001_0000001_0000001_0000001) << 1) as u32
    }
}

/// The number of days in a month.
pub(super) fn length(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The date as days since 1970-01-01. A year is taken to begin in March, so that the leap day is its last.
pub(super) fn day_of(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let from_march = i64::from((month + 9) % 12);
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + leap_days + (153 * from_march + 2) / 5 + i64::from(day) - 1 - 719_468
}

/// The year, month and day of a date: the inverse of [`day_of`].
pub(super) fn civil(day: i64) -> (i64, u32, u32) {
    let day = day + 719_468;
    let cycle = day.div_euclid(CYCLE_DAYS);
    let day = day.rem_euclid(CYCLE_DAYS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    // Both are small and positive here.
    let of_month = (of_year - (153 * from_march + 2) / 5 + 1) as u32;
    let month = ((from_march + 2) % 12 + 1) as u32;
    (cycle * 400 + year + i64::from(month <= 2), month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_are_inverse_and_agree_with_jiff() {
        let start = jiff::civil::date(1890, 1, 1);
        let mut date = start;
        for day in -29_219..60_000 {
            let want = (
                i64::from(date.year()),
                date.month().unsigned_abs().into(),
                date.day().unsigned_abs().into(),
            );
            assert_eq!(civil(day), want);
            assert_eq!(day_of(want.0, want.1, want.2), day);
            let weekday = Month::new(want.0, want.1).weekday;
            assert_eq!(
                i64::from(weekday),
                i64::from(date.first_of_month().weekday().to_sunday_zero_offset())
            );
            date = date.tomorrow().unwrap();
        }
        for year in [-9999, -1, 0, 9999] {
            assert_eq!(civil(day_of(year, 12, 31)), (year, 12, 31));
        }
    }

    /// A rule with a bit of everything, from one number.
    fn rule(seed: u64) -> Dates {
        Dates {
            nth: if seed.is_multiple_of(5) {
                1 << (seed % 47)
            } else {
                0
            },
            rare: seed.is_multiple_of(7).then(|| {
                let of_year = std::array::from_fn(|month| {
                    let months = (seed >> 13) as u16;
                    let days = seed.rotate_left(5 * month as u32) as u32 & ALL_DAYS;
                    if months & (2 << month) == 0 { 0 } else { days }
                });
                Arc::new(Rare {
                    of_year: Some(of_year),
                    moved: None,
                })
            }),
            days: (seed >> 7) as u32,
            near: if seed.is_multiple_of(3) {
                1 << (seed % 32)
            } else {
                0
            },
            months: (seed >> 13) as u16 & ALL_MONTHS,
            week: (seed >> 27) as u8 & 0b111_1111,
            combine: if seed.is_multiple_of(2) {
                Combine::Both
            } else {
                Combine::Either
            },
        }
    }

    proptest::proptest! {
        #[test]
        fn counting_and_searching_agree_with_asking_each_day(seed: u64, from in -40_000i64..40_000, days in 0i64..3_000) {
            let rule = rule(seed);
            let walked: Vec<i64> = (from..from + days).filter(|day| rule.contains(*day)).collect();
            proptest::prop_assert_eq!(rule.count(from, from + days), walked.len() as i64);
            let next = rule.next(from).filter(|day| *day < from + days);
            proptest::prop_assert_eq!(next, walked.first().copied());
        }

        #[test]
        fn a_count_over_many_cycles_is_the_sum_of_its_parts(seed: u64, from in -900_000i64..900_000, days in 0i64..2_000_000, cut in 0.0f64..1.0) {
            let rule = rule(seed);
            let middle = from + (days as f64 * cut) as i64;
            let parts = rule.count(from, middle) + rule.count(middle, from + days);
            proptest::prop_assert_eq!(rule.count(from, from + days), parts);
        }
    }
}
