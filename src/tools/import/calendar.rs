//! Dates and times as sets, in the terms of all sources, and the cron lines that say the same.

use jiff::civil::{Date, Weekday};

use super::draft::When;
use super::quartz::debian_reads;

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

    fn only_days(&self) -> bool {
        self.week == 0 && self.nth.is_empty()
    }

    fn only_week(&self) -> bool {
        self.days == 0 && self.from_end == 0 && self.near == 0
    }

    /// Whether it names anything but plain days of the month.
    fn plain_days(&self) -> bool {
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

    /// Where either day field is enough and one of them holds always, so do both.
    pub fn normal(mut self) -> Self {
        if self.either && (self.days.any || self.weekdays.any) {
            self.days = DaySet::any();
            self.weekdays = DaySet::any();
            self.either = false;
        }
        self
    }

    /// Its schedules for elder, or why there are none. `written` is a cron line that the source
    /// has; it is kept where Debian's cron would read it alike.
    pub fn translate(&self, written: Option<&str>) -> Result<Vec<When>, Refused> {
        if self.weeks != 0 {
            return Err(Refused::new(
                "weeks of the year have no counterpart",
                "write the dates as `at`, or test the week in the command",
            ));
        }
        if let [(_, until), (from, _), ..] = self.years.as_slice() {
            return Err(Refused::new(
                format!("years with holes (none between {until} and {from}) have no counterpart"),
                "write one job for each span of years, with `from` and `until`",
            ));
        }
        let lines = match written {
            Some(line) if debian_reads(line, self) => vec![line.to_owned()],
            _ => self.lines()?,
        };
        let mut items = Vec::new();
        for line in lines {
            let rule = rule_of_line(&line);
            let mut when = When::cron(&line, rule);
            super::target::years(&mut when, &self.years)?;
            super::target::dst(&mut when, self.rule, &self.zone);
            items.push(when);
        }
        Ok(items)
    }

    fn lines(&self) -> Result<Vec<String>, Refused> {
        let mut times = String::new();
        if self.seconds != 1 {
            times = format!("{} ", numbers(self.seconds, 0, 59, Star::Steps));
        }
        let minutes = numbers(self.minutes, 0, 59, Star::Steps);
        let hours = numbers(self.hours, 0, 23, Star::Steps);
        times.push_str(&format!("{minutes} {hours}"));
        let month = numbers(self.months, 1, 12, Star::Whole);
        let dates = self.day_fields()?;
        Ok(dates
            .into_iter()
            .map(|(day, week)| format!("{times} {day} {month} {week}"))
            .collect())
    }

    /// The two day fields of each line that is needed.
    fn day_fields(&self) -> Result<Vec<(String, String)>, Refused> {
        if self.weekdays.any {
            return one_field(&self.days);
        }
        if self.days.any {
            return one_field(&self.weekdays);
        }
        if self.either {
            let mut fields = one_field(&self.days)?;
            fields.extend(one_field(&self.weekdays)?);
            if let [(day, _), (_, week)] = fields.as_slice()
                && self.days.only_days()
                && self.weekdays.only_week()
            {
                // Two fields that do not begin with `*`: either is enough.
                return Ok(vec![(day.clone(), week.clone())]);
            }
            return Ok(fields);
        }
        self.both()
    }

    /// Both day fields restrict. A cron line of elder's takes either, unless one begins with `*`.
    fn both(&self) -> Result<Vec<(String, String)>, Refused> {
        let refused = || {
            Refused::new(
                "it wants a day of the month and a day of the week at once",
                "test one of them in the command, such as [ \"$(date +%u)\" = 5 ] || exit 0",
            )
        };
        let plain_week = self.weekdays.nth.is_empty() && self.weekdays.only_week();
        if !plain_week {
            return Err(refused());
        }
        let week = self.weekdays.week;
        // The first seven days and a Monday are the first Monday.
        if self.days.plain_days()
            && let Some(weeks) = whole_weeks(self.days.days)
        {
            let terms: Vec<_> = weeks
                .iter()
                .flat_map(|k| bits(week).map(move |day| format!("{}#{k}", day_name(day))))
                .collect();
            return Ok(vec![("*".to_owned(), terms.join(","))]);
        }
        if self.days.only_days()
            && self.days.days == 0
            && self.days.near == 0
            && self.days.from_end == 0b1111_1110
        {
            let terms: Vec<_> = bits(week)
                .map(|day| format!("{}L", day_name(day)))
                .collect();
            return Ok(vec![("*".to_owned(), terms.join(","))]);
        }
        // `*/31` is the first day alone, `*/8` Sunday alone: a field that begins with `*`.
        if self.days.plain_days() && self.days.days & 2 != 0 {
            let rest = numbers(self.days.days & !2, 1, 31, Star::Never);
            let sep = if rest.is_empty() { "" } else { "," };
            let week = numbers(week, 0, 6, Star::Never);
            return Ok(vec![(format!("*/31{sep}{rest}"), week)]);
        }
        if self.days.only_days() && week & 1 != 0 {
            let rest = numbers(week & !1, 0, 6, Star::Never);
            let sep = if rest.is_empty() { "" } else { "," };
            let week = format!("*/8{sep}{rest}");
            let days = one_field(&self.days)?;
            return Ok(days
                .into_iter()
                .map(|(day, _)| (day, week.clone()))
                .collect());
        }
        Err(refused())
    }
}

/// Why something has no counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub message: String,
    pub help: String,
}

impl Refused {
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// What elder does with a line when the clock changes.
pub(super) fn rule_of_line(line: &str) -> Rule {
    let fields: Vec<_> = line.split_whitespace().collect();
    let times = match fields.len() {
        6 => fields.get(1..3),
        _ => fields.get(..2),
    };
    match times {
        _ if line.starts_with("@hourly") => Rule::FOLLOWS,
        Some(times) if times.iter().any(|field| field.starts_with('*')) => Rule::FOLLOWS,
        _ => Rule::FIXED,
    }
}

/// A set of days where the other field restricts nothing, as one line or two.
fn one_field(set: &DaySet) -> Result<Vec<(String, String)>, Refused> {
    let star = || "*".to_owned();
    if set.any {
        return Ok(vec![(star(), star())]);
    }
    if set.from_end & !2 != 0 {
        return Err(Refused::new(
            "days counted from the month's end, other than the last, have no counterpart",
            "write L for the last day, or test the date in the command",
        ));
    }
    let mut days = Vec::new();
    if set.days != 0 {
        days.push(numbers(set.days, 1, 31, Star::Never));
    }
    if set.from_end & 2 != 0 {
        days.push("L".to_owned());
    }
    if set.near & 1 != 0 {
        days.push("LW".to_owned());
    }
    days.extend(bits(set.near & !1).map(|day| format!("{day}W")));
    let mut week = Vec::new();
    if set.week != 0 {
        week.push(numbers(set.week, 0, 6, Star::Never));
    }
    week.extend(set.nth.iter().map(|(k, day)| match k {
        0 => format!("{}L", day_name(u32::from(*day))),
        k => format!("{}#{k}", day_name(u32::from(*day))),
    }));
    let mut lines = Vec::new();
    if !days.is_empty() {
        lines.push((days.join(","), star()));
    }
    if !week.is_empty() {
        lines.push((star(), week.join(",")));
    }
    if lines.is_empty() {
        return Err(Refused::new("it names no day", ""));
    }
    Ok(lines)
}

/// The weeks 1 to 5 of a month that days fill: 1–7, 8–14, …, 29–31.
fn whole_weeks(days: u64) -> Option<Vec<u8>> {
    let mut weeks = Vec::new();
    let mut rest = days & DAYS;
    for k in 1..=5u8 {
        let from = u32::from(k - 1) * 7 + 1;
        let mask = (0..7).fold(0, |mask, day| mask | (1 << (from + day))) & DAYS;
        if rest & mask == mask {
            weeks.push(k);
            rest &= !mask;
        }
    }
    (rest == 0).then_some(weeks)
}

/// Where a `*` may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Star {
    /// `*` and `*/5`.
    Steps,
    /// `*`.
    Whole,
    /// Nowhere: a star would change how the day fields are joined.
    Never,
}

/// A set as a field: `*`, `*/5`, `8-18/2`, lists of numbers and ranges.
fn numbers(set: u64, low: u32, high: u32, star: Star) -> String {
    let values: Vec<u32> = bits(set).filter(|bit| (low..=high).contains(bit)).collect();
    let count = values.len();
    let Some(last) = values.last().copied() else {
        return String::new();
    };
    if count == (high - low + 1) as usize && star != Star::Never {
        return "*".to_owned();
    }
    if let [first, second, _, ..] = values[..] {
        let step = second - first;
        let even = values.windows(2).all(|pair| pair[1] - pair[0] == step);
        if step > 1 && even {
            if first == low && last + step > high && star == Star::Steps {
                return format!("*/{step}");
            }
            return format!("{first}-{last}/{step}");
        }
    }
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < count {
        let mut end = at;
        while end + 1 < count && values[end + 1] == values[end] + 1 {
            end += 1;
        }
        match end - at {
            0 => parts.push(values[at].to_string()),
            1 => parts.push(format!("{},{}", values[at], values[end])),
            _ => parts.push(format!("{}-{}", values[at], values[end])),
        }
        at = end + 1;
    }
    parts.join(",")
}

/// The bits that are set, from the lowest.
pub(super) fn bits(set: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |bit| set & (1 << bit) != 0)
}

fn day_name(day: u32) -> &'static str {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    NAMES[(day % 7) as usize]
}
