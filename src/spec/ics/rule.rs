//! Recurrence rules (RFC 5545, 3.3.10), as far as whole days need them.
//!
//! `FREQ` from DAILY to YEARLY, `INTERVAL`, `COUNT`, `UNTIL`, `BYMONTH`,
//! `BYMONTHDAY`, `BYDAY`, `BYSETPOS` and `WKST`. What else there is would make
//! other dates if it were passed over, so it is refused by name.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Span, ToSpan};

/// The last day that a rule without an end is followed to.
pub(super) const LAST: Date = jiff::civil::date(2099, 12, 31);

/// A rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    frequency: Frequency,
    interval: i32,
    count: Option<usize>,
    /// As written, and whether that is in UTC.
    pub(super) until: Option<(DateTime, Until)>,
    months: Vec<i8>,
    month_days: Vec<i8>,
    /// With their number within the month or year; 0 for each.
    weekdays: Vec<(i8, Weekday)>,
    positions: Vec<i16>,
    week_start: Weekday,
}

/// What `UNTIL` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// A date, which is the last one.
    Date,
    /// A local time.
    Local,
    /// A time in UTC.
    Utc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// How many more days and periods may be looked at for one file.
pub(super) struct Budget(pub(super) usize);

/// There is no budget left.
#[derive(Debug)]
pub(super) struct Exhausted;

impl Budget {
    fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }
}

impl Rule {
    /// Reads the value of `RRULE`. The error says what is wrong, in words that follow "the rule".
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            months: Vec::new(),
            month_days: Vec::new(),
            weekdays: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
        };
        let mut frequency = None;
        for part in text.trim_end_matches(';').split(';') {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| format!("has the part `{part}`, which is no NAME=value"))?;
            let key = key.to_ascii_uppercase();
            let bad = || format!("has {key}={value}, which cannot be read");
            match key.as_str() {
                "FREQ" => frequency = Some(parse_frequency(value)?),
                "INTERVAL" => {
                    let interval: i32 = value.parse().map_err(|_| bad())?;
                    rule.interval = (interval > 0).then_some(interval).ok_or_else(bad)?;
                }
                "COUNT" => {
                    let count: usize = value.parse().map_err(|_| bad())?;
                    rule.count = Some((count > 0).then_some(count).ok_or_else(bad)?);
                }
                "UNTIL" => rule.until = Some(parse_until(value).ok_or_else(bad)?),
                "BYMONTH" => {
                    rule.months =
                        numbers(value, |month| (1..=12).contains(&month)).ok_or_else(bad)?;
                }
                "BYMONTHDAY" => {
                    let fits = |day: i8| day != 0 && (-31..=31).contains(&day);
                    rule.month_days = numbers(value, fits).ok_or_else(bad)?;
                }
                "BYDAY" => {
                    let days: Option<Vec<_>> = value.split(',').map(parse_day).collect();
                    rule.weekdays = days.ok_or_else(bad)?;
                }
                "BYSETPOS" => {
                    let fits = |at: i16| at != 0 && (-366..=366).contains(&at);
                    rule.positions = numbers(value, fits).ok_or_else(bad)?;
                }
                "WKST" => {
                    rule.week_start = weekday(&value.to_ascii_uppercase()).ok_or_else(bad)?;
                }
                _ => return Err(format!("has {key}, which is not read here")),
            }
        }
        rule.frequency = frequency.ok_or("has no FREQ")?;
        rule.check()?;
        Ok(rule)
    }

    fn check(&self) -> Result<(), String> {
        if self.count.is_some() && self.until.is_some() {
            return Err("has both COUNT and UNTIL".to_owned());
        }
        let numbered = self.weekdays.iter().any(|(number, _)| *number != 0);
        if numbered && matches!(self.frequency, Frequency::Daily | Frequency::Weekly) {
            return Err("numbers the days of BYDAY, which only a month or a year can".to_owned());
        }
        if self.frequency == Frequency::Weekly && !self.month_days.is_empty() {
            return Err("has BYMONTHDAY, which a weekly rule cannot have".to_owned());
        }
        Ok(())
    }

    /// The dates that the rule makes of an event that begins on `start`, which is always the first
    /// of them. `is_past` says whether a date is past the end that `UNTIL` sets.
    pub(super) fn dates(
        &self,
        start: Date,
        is_past: impl Fn(Date) -> bool,
        budget: &mut Budget,
    ) -> Result<Vec<Date>, Exhausted> {
        let mut dates = vec![start];
        let most = self.count.unwrap_or(usize::MAX);
        let mut period = Some(self.first_period(start));
        while let Some(begin) = period.filter(|begin| *begin <= LAST) {
            let days = self.within(begin, start);
            budget.spend(1 + days.len())?;
            for day in self.positioned(days) {
                if dates.len() >= most || day > LAST || is_past(day) {
                    return Ok(dates);
                }
                if day > start {
                    dates.push(day);
                }
            }
            period = self.following(begin);
        }
        Ok(dates)
    }

    fn first_period(&self, start: Date) -> Date {
        match self.frequency {
            Frequency::Daily => start,
            Frequency::Weekly => {
                let back = i64::from(self.week_start.until(start.weekday()));
                start.checked_sub(back.days()).unwrap_or(start)
            }
            Frequency::Monthly => start.first_of_month(),
            Frequency::Yearly => start.first_of_year(),
        }
    }

    fn following(&self, begin: Date) -> Option<Date> {
        let span = Span::new();
        let span = match self.frequency {
            Frequency::Daily => span.try_days(self.interval),
            Frequency::Weekly => span.try_weeks(self.interval),
            Frequency::Monthly => span.try_months(self.interval),
            Frequency::Yearly => span.try_years(self.interval),
        };
        begin.checked_add(span.ok()?).ok()
    }

    /// The days of one period, ascending, before `BYSETPOS`.
    fn within(&self, begin: Date, start: Date) -> Vec<Date> {
        let is_day = |day: &Date| {
            self.weekdays.is_empty() || self.weekdays.iter().any(|(_, on)| *on == day.weekday())
        };
        match self.frequency {
            Frequency::Daily => {
                let fits = self.is_month(begin) && self.is_month_day(begin) && is_day(&begin);
                if fits { vec![begin] } else { Vec::new() }
            }
            Frequency::Weekly => {
                let week = begin.series(1.day()).take(7);
                let own = |day: &Date| match self.weekdays.is_empty() {
                    true => day.weekday() == start.weekday(),
                    false => is_day(day),
                };
                week.filter(|day| own(day) && self.is_month(*day)).collect()
            }
            Frequency::Monthly if self.is_month(begin) => self.of_month(begin, start),
            Frequency::Monthly => Vec::new(),
            Frequency::Yearly => self.of_year(begin, start),
        }
    }

    fn of_year(&self, begin: Date, start: Date) -> Vec<Date> {
        let bare = self.months.is_empty() && self.month_days.is_empty();
        if bare && !self.weekdays.is_empty() {
            let days = begin
                .series(1.day())
                .take_while(|day| day.year() == begin.year());
            let length = begin.days_in_year();
            return days
                .filter(|day| self.is_numbered(*day, day.day_of_year(), length))
                .collect();
        }
        let months = begin.series(1.month()).take(12);
        let meant = |month: &Date| match bare {
            true => month.month() == start.month(),
            false => self.is_month(*month),
        };
        months
            .filter(meant)
            .flat_map(|month| self.of_month(month, start))
            .collect()
    }

    fn of_month(&self, begin: Date, start: Date) -> Vec<Date> {
        let length = i16::from(begin.days_in_month());
        let days = begin
            .series(1.day())
            .take(usize::from(length.unsigned_abs()));
        let bare = self.month_days.is_empty() && self.weekdays.is_empty();
        let meant = |day: &Date| match bare {
            true => day.day() == start.day(),
            false => {
                self.is_month_day(*day) && self.is_numbered(*day, i16::from(day.day()), length)
            }
        };
        days.filter(meant).collect()
    }

    fn is_month(&self, day: Date) -> bool {
        self.months.is_empty() || self.months.contains(&day.month())
    }

    fn is_month_day(&self, day: Date) -> bool {
        let from_the_end = day.day() - day.days_in_month() - 1;
        self.month_days.is_empty()
            || self.month_days.contains(&day.day())
            || self.month_days.contains(&from_the_end)
    }

    /// Whether BYDAY names this day, the `place`th of `length`.
    fn is_numbered(&self, day: Date, place: i16, length: i16) -> bool {
        self.weekdays.is_empty()
            || self.weekdays.iter().any(|(number, weekday)| {
                let (from_begin, from_end) = ((place - 1) / 7 + 1, (length - place) / 7 + 1);
                *weekday == day.weekday()
                    && match i16::from(*number) {
                        0 => true,
                        number if number > 0 => number == from_begin,
                        number => -number == from_end,
                    }
            })
    }

    fn positioned(&self, days: Vec<Date>) -> Vec<Date> {
        if self.positions.is_empty() {
            return days;
        }
        let length = i16::try_from(days.len()).unwrap_or(i16::MAX);
        let places = (1..).zip(&days).filter(|(place, _)| {
            self.positions.contains(place) || self.positions.contains(&(place - length - 1))
        });
        places.map(|(_, day)| *day).collect()
    }
}

fn parse_frequency(value: &str) -> Result<Frequency, String> {
    match value.to_ascii_uppercase().as_str() {
        "DAILY" => Ok(Frequency::Daily),
        "WEEKLY" => Ok(Frequency::Weekly),
        "MONTHLY" => Ok(Frequency::Monthly),
        "YEARLY" => Ok(Frequency::Yearly),
        other => Err(format!(
            "has FREQ={other}, and whole days repeat daily at most"
        )),
    }
}

fn parse_until(value: &str) -> Option<(DateTime, Until)> {
    let (at, kind) = super::value::parse(value)?;
    let kind = match kind {
        super::value::Kind::Date => Until::Date,
        super::value::Kind::Local => Until::Local,
        super::value::Kind::Utc => Until::Utc,
    };
    Some((at, kind))
}

/// A list of numbers that all fit.
fn numbers<T: std::str::FromStr + Copy>(text: &str, fits: impl Fn(T) -> bool) -> Option<Vec<T>> {
    let number = |part: &str| part.parse().ok().filter(|number| fits(*number));
    text.split(',').map(number).collect()
}

/// `MO`, `2TU`, `-1FR`.
fn parse_day(text: &str) -> Option<(i8, Weekday)> {
    let at = text.len().checked_sub(2)?;
    let (number, day) = text.split_at_checked(at)?;
    let number: i8 = match number {
        "" => 0,
        number => number
            .parse()
            .ok()
            .filter(|n: &i8| *n != 0 && (-53..=53).contains(n))?,
    };
    Some((number, weekday(&day.to_ascii_uppercase())?))
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}
