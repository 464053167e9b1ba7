//! Dates and times as sets, in the terms of all sources.

use jiff::civil::{Date, Weekday};

/// What happens to a wall-clock time at a change of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A time that the clock passes over.
    pub gap: Gap,
    /// A time that the clock shows twice.
    pub fold: Fold,
}

/// What becomes of a time that does not exist on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// It does not fire.
    Skip,
    /// It fires at the first instant after the gap.
    After,
    /// It fires later by the length of the gap: 02:30 becomes 03:30.
    Shift,
}

/// What becomes of a time that comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// It fires the first time.
    First,
    /// It fires both times.
    Both,
}

impl Rule {
    pub const fn new(gap: Gap, fold: Fold) -> Self {
        Self { gap, fold }
    }

    /// Elder's and Debian's rule for times that are numbers, lists and ranges.
    pub const FIXED: Self = Self::new(Gap::After, Fold::First);
    /// Elder's and Debian's rule where the minute or the hour begins with `*`.
    pub const FOLLOWS: Self = Self::new(Gap::Skip, Fold::Both);
    /// Kubernetes.
    pub const KUBERNETES: Self = Self::FOLLOWS;
    /// systemd's calendar events.
    pub const SYSTEMD: Self = Self::new(Gap::Skip, Fold::First);
    /// cronstable.
    pub const CRONSTABLE: Self = Self::new(Gap::Shift, Fold::First);
    /// Celery's crontab.
    pub const CELERY: Self = Self::new(Gap::Shift, Fold::First);
    /// APScheduler 3's CronTrigger.
    pub const APSCHEDULER: Self = Self::new(Gap::Shift, Fold::Both);
}

/// Bits 0 to 59.
pub(super) const SIXTY: u64 = (1 << 60) - 1;
/// Bits 0 to 23.
pub(super) const HOURS: u64 = (1 << 24) - 1;
/// Bits 1 to 12.
pub(super) const MONTHS: u64 = ((1 << 13) - 1) & !1;
/// Bits 1 to 31.
pub(super) const DAYS: u64 = ((1 << 32) - 1) & !1;
/// Bits 0 to 6, Sunday first.
pub(super) const WEEK: u64 = (1 << 7) - 1;

/// Which days, as one field says it; any of its terms is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaySet {
    /// It restricts nothing.
    pub any: bool,
    /// Days of the month, bits 1 to 31.
    pub days: u64,
    /// Days counted from the month's end, bit 1 is the last.
    pub from_end: u64,
    /// The weekday nearest to a day, bits 1 to 31; bit 0 is the last weekday of the month.
    pub near: u64,
    /// Days of the week, bit 0 is Sunday.
    pub week: u64,
    /// The k-th such day of the week in the month, from 1; 0 is the last.
    pub nth: Vec<(u8, u8)>,
}

impl DaySet {
    pub fn any() -> Self {
        Self {
            any: true,
            ..Self::default()
        }
    }

    /// Days of the month; all 31 restrict nothing.
    pub fn days(bits: u64) -> Self {
        Self {
            any: bits & DAYS == DAYS,
            days: bits & DAYS,
            ..Self::default()
        }
    }

    /// Days of the week; all 7 restrict nothing.
    pub fn week(bits: u64) -> Self {
        Self {
            any: bits & WEEK == WEEK,
            week: bits & WEEK,
            ..Self::default()
        }
    }

    pub fn contains(&self, date: Date) -> bool {
        let (day, length) = (part(date.day()), part(date.days_in_month()));
        let weekday = part(date.weekday().to_sunday_zero_offset());
        let has = |bits: u64, bit: u32| bits & (1 << bit) != 0;
        self.any
            || has(self.days, day)
            || has(self.from_end, length - day + 1)
            || has(self.week, weekday)
            || self.near != 0 && self.is_near(date)
            || self.nth.iter().any(|(k, wanted)| {
                let kth = match k {
                    0 => day + 7 > length,
                    k => (day - 1) / 7 + 1 == u32::from(*k),
                };
                u32::from(*wanted) == weekday && kth
            })
    }

    fn is_near(&self, date: Date) -> bool {
        let length = date.days_in_month();
        let weekday_nearest = |day: i8| -> i8 {
            let Ok(at) = Date::new(date.year(), date.month(), day) else {
                return 0;
            };
            match at.weekday() {
                Weekday::Saturday if day == 1 => 3,
                Weekday::Saturday => day - 1,
                Weekday::Sunday if day == length => day - 2,
                Weekday::Sunday => day + 1,
                _ => day,
            }
        };
        let last = match Date::new(date.year(), date.month(), length).map(Date::weekday) {
            Ok(Weekday::Saturday) => length - 1,
            Ok(Weekday::Sunday) => length - 2,
            _ => length,
        };
        (self.near & 1 != 0 && last == date.day())
            || (1..=length)
                .filter(|day| self.near & (1 << part(*day)) != 0)
                .any(|day| weekday_nearest(day) == date.day())
    }

    pub(super) fn only_days(&self) -> bool {
        self.week == 0 && self.nth.is_empty()
    }

    pub(super) fn only_week(&self) -> bool {
        self.days == 0 && self.from_end == 0 && self.near == 0
    }

    /// Whether it names anything but plain days of the month.
    pub(super) fn plain_days(&self) -> bool {
        self.only_days() && self.from_end == 0 && self.near == 0
    }
}

/// A part of a date, which is never negative.
fn part(value: i8) -> u32 {
    u32::from(value.unsigned_abs())
}

/// Dates and times of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The name of the zone.
    pub zone: String,
    /// Bits 0 to 59.
    pub seconds: u64,
    /// Bits 0 to 59.
    pub minutes: u64,
    /// Bits 0 to 23.
    pub hours: u64,
    /// The field of the month's days.
    pub days: DaySet,
    /// Bits 1 to 12.
    pub months: u64,
    /// The field of the week's days.
    pub weekdays: DaySet,
    /// Of the two, one is enough; else both must hold.
    pub either: bool,
    /// Years, as ranges; empty for all.
    pub years: Vec<(i16, i16)>,
    /// ISO weeks, bits 1 to 53; 0 for all.
    pub weeks: u64,
    /// The source looks no further.
    pub last_year: i16,
    /// What the source does when the clock changes.
    pub rule: Rule,
}

impl Calendar {
    /// Each midnight.
    pub fn daily(zone: &str, rule: Rule) -> Self {
        Self {
            zone: zone.to_owned(),
            seconds: 1,
            minutes: 1,
            hours: 1,
            days: DaySet::any(),
            months: MONTHS,
            weekdays: DaySet::any(),
            either: false,
            years: Vec::new(),
            weeks: 0,
            last_year: 9_000,
            rule,
        }
    }

    /// Whether it fires on a date.
    pub fn contains(&self, date: Date) -> bool {
        let month = self.months & (1 << part(date.month())) != 0;
        let year = self.years.is_empty()
            || self
                .years
                .iter()
                .any(|(from, until)| (*from..=*until).contains(&date.year()));
        let week = self.weeks == 0 || self.weeks & (1 << part(date.iso_week_date().week())) != 0;
        if !(month && year && week) {
            return false;
        }
        let (day, weekday) = (self.days.contains(date), self.weekdays.contains(date));
        if self.either {
            day || weekday
        } else {
            day && weekday
        }
    }

    /// Whether it fires in the minute that the clock reads.
    pub(super) fn fires_in_minute(&self, reading: jiff::civil::DateTime) -> bool {
        let has = |bits: u64, value: i8| bits & (1 << part(value)) != 0;
        has(self.hours, reading.hour())
            && has(self.minutes, reading.minute())
            && self.contains(reading.date())
    }

    /// Where either day field is enough and one of them holds always, so do both.
    pub fn normal(mut self) -> Self {
        if self.either && (self.days.any || self.weekdays.any) {
            self.days = DaySet::any();
            self.weekdays = DaySet::any();
            self.either = false;
        }
        self
    }
}

/// The bits that are set, from the lowest.
pub(super) fn bits(set: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |bit| set & (1 << bit) != 0)
}
