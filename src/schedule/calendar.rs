//! Calendars: sets of dates by weekday, by day of the year, and by themselves.
//!
//! A calendar answers month by month with a map of its days, one bit each, as
//! [`Dates`](super::dates::Dates) does. Beyond its last date of its own, and
//! before the first, it repeats every 400 years like everything else that knows
//! weekdays, so a search that found nothing in so long a time finds nothing.

use std::sync::Arc;

use jiff::civil;

use super::dates::{CYCLE_DAYS, Month, civil as date_of, day_of};
use super::days::Days;

/// A set of dates. Two are equal when they are given by equal weekdays, days of the year and dates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Calendar {
    /// Ascending, disjoint and not touching: first and last day, as days since 1970-01-01.
    spans: Box<[(i64, i64)]>,
    /// By month from January on: bits 1–31 are days of every year.
    yearly: [u32; 12],
    /// Bit 0 is Sunday.
    week: u8,
}

impl Calendar {
    /// These days of each week.
    #[must_use]
    pub fn weekly(days: Days) -> Self {
        Self {
            week: days.bits(),
            ..Self::default()
        }
    }

    /// One day of every year; 29 February is there in leap years only. A day that no year has is none.
    #[must_use]
    pub fn yearly(month: u8, day: u8) -> Self {
        let mut calendar = Self::default();
        let slot = usize::from(month).checked_sub(1);
        if let Some(days) = slot.and_then(|slot| calendar.yearly.get_mut(slot))
            && (1..=31).contains(&day)
        {
            *days |= 1 << day;
        }
        calendar
    }

    /// These dates, each from its first to its last day.
    #[must_use]
    pub fn dates(ranges: impl IntoIterator<Item = (civil::Date, civil::Date)>) -> Self {
        let spans = ranges
            .into_iter()
            .map(|(first, last)| (number(first), number(last)));
        Self::default().with_spans(spans.collect())
    }

    fn with_spans(mut self, mut spans: Vec<(i64, i64)>) -> Self {
        spans.retain(|(first, last)| first <= last);
        spans.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
        for (first, last) in spans {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        self.spans = merged.into();
        self
    }

    /// The dates of any of `calendars`.
    #[must_use]
    pub fn union<'a>(calendars: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut union = Self::default();
        let mut spans = Vec::new();
        for calendar in calendars {
            spans.extend_from_slice(&calendar.spans);
            union.week |= calendar.week;
            for (all, one) in union.yearly.iter_mut().zip(&calendar.yearly) {
                *all |= one;
            }
        }
        union.with_spans(spans)
    }

    /// Whether no date is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.repeats_nothing() && self.spans.is_empty()
    }

    /// Whether it has no weekdays and no days of every year, so that it ends with its last date.
    fn repeats_nothing(&self) -> bool {
        self.week == 0 && self.yearly == [0; 12]
    }

    /// Its weekdays.
    #[must_use]
    pub fn weekdays(&self) -> Days {
        Days::of_bits(self.week)
    }

    /// Its days of every year, as month and day, ascending.
    pub fn days_of_the_year(&self) -> impl Iterator<Item = (u8, u8)> {
        let months = (1u8..).zip(self.yearly);
        months.flat_map(|(month, days)| {
            (1u8..32)
                .filter(move |day| days & (1 << day) != 0)
                .map(move |day| (month, day))
        })
    }

    /// Its dates of one year, as first and last day, ascending; what it repeats is not among them.
    pub fn ranges(&self) -> impl Iterator<Item = (civil::Date, civil::Date)> {
        let dates = self.spans.iter();
        dates.filter_map(|(first, last)| Some((date(*first)?, date(*last)?)))
    }

    /// How many ranges [`ranges`](Self::ranges) gives.
    #[must_use]
    pub fn range_count(&self) -> usize {
        self.spans.len()
    }

    /// The last of its dates that are not repeated.
    #[must_use]
    pub fn last_date(&self) -> Option<civil::Date> {
        date(self.spans.last()?.1)
    }

    /// Whether `date` is in it.
    #[must_use]
    pub fn contains(&self, date: civil::Date) -> bool {
        let day = number(date);
        let month = Month::of_day(day);
        self.map(&month) & (1 << (day - month.first + 1)) != 0
    }

    /// Its days of a month, in bits 1–31.
    fn map(&self, month: &Month) -> u32 {
        let all = month.all();
        let slot = (month.month as usize).wrapping_sub(1);
        let mut map = self.yearly.get(slot).copied().unwrap_or(0);
        if self.week != 0 {
            map |= month.spread(self.week);
        }
        let last = month.first + i64::from(month.length) - 1;
        let begin = self.spans.partition_point(|span| span.1 < month.first);
        for (from, to) in self.spans[begin..].iter().take_while(|s| s.0 <= last) {
            let low = (from - month.first).max(0) + 1;
            let high = (to - month.first).min(i64::from(month.length) - 1) + 1;
            map |= (u32::MAX >> (31 - high)) & (!0 << low);
        }
        map & all
    }

    /// The span that holds `day`, or the first after it.
    fn span_from(&self, day: i64) -> Option<(i64, i64)> {
        let at = self.spans.partition_point(|span| span.1 < day);
        self.spans.get(at).copied()
    }
}

/// Calendars as a schedule names them: their union.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    calendars: Box<[(Arc<str>, Arc<Calendar>)]>,
    dates: Arc<Calendar>,
}

impl Named {
    /// These calendars by their names, in the order written.
    #[must_use]
    pub fn new(calendars: Vec<(Arc<str>, Arc<Calendar>)>) -> Self {
        let dates = match calendars.as_slice() {
            [(_, only)] => only.clone(),
            all => Arc::new(Calendar::union(all.iter().map(|(_, dates)| &**dates))),
        };
        Self {
            calendars: calendars.into(),
            dates,
        }
    }

    /// Each by its name.
    #[must_use]
    pub fn calendars(&self) -> &[(Arc<str>, Arc<Calendar>)] {
        &self.calendars
    }

    /// The dates of any of them.
    #[must_use]
    pub fn dates(&self) -> &Calendar {
        &self.dates
    }
}

/// Dates on which a schedule may fire: `only` these, and none of `except`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Allowed {
    /// `only`
    pub only: Option<Named>,
    /// `except`
    pub except: Option<Named>,
}

impl Allowed {
    /// Whether `day` is allowed.
    pub(super) fn contains(&self, day: i64) -> bool {
        let month = Month::of_day(day);
        self.map(&month) & (1 << (day - month.first + 1)) != 0
    }

    /// The allowed days of a month, in bits 1–31.
    pub(super) fn map(&self, month: &Month) -> u32 {
        let only = self.only.as_ref();
        let map = only.map_or_else(|| month.all(), |only| only.dates.map(month));
        let except = self.except.as_ref();
        map & !except.map_or(0, |except| except.dates.map(month))
    }

    /// The first allowed day from `day` on; `None` when none comes.
    pub(super) fn next(&self, day: i64) -> Option<i64> {
        let end = self.end(day);
        let mut from = day;
        while from <= end {
            from = self.skip(from)?;
            let month = Month::of_day(from);
            let map = self.map(&month) & (!0 << (from - month.first + 1));
            if map != 0 {
                return Some(month.first + i64::from(map.trailing_zeros()) - 1);
            }
            from = month.first + i64::from(month.length);
        }
        None
    }

    /// The first day from `day` on that is not allowed; `None` when all are.
    pub(super) fn next_forbidden(&self, day: i64) -> Option<i64> {
        let end = self.end(day);
        let mut from = day;
        while from <= end {
            let month = Month::of_day(from);
            let map = month.all() & !self.map(&month) & (!0 << (from - month.first + 1));
            if map != 0 {
                return Some(month.first + i64::from(map.trailing_zeros()) - 1);
            }
            from = month.first + i64::from(month.length);
            if self.only.is_none() {
                // Until the next date that is excepted all are allowed.
                let except = self.except.as_ref()?;
                if except.dates.repeats_nothing() {
                    from = from.max(except.dates.span_from(from)?.0);
                }
            }
        }
        None
    }

    /// Over what certainly holds no allowed day: to the next date of an `only` that repeats nothing,
    /// and to the end of a long range of `except`.
    fn skip(&self, from: i64) -> Option<i64> {
        let mut from = from;
        if let Some(only) = &self.only
            && only.dates.repeats_nothing()
        {
            from = from.max(only.dates.span_from(from)?.0);
        }
        if let Some(except) = &self.except
            && let Some((first, last)) = except.dates.span_from(from)
            && first <= from
        {
            from = last + 1;
        }
        Some(from)
    }

    /// Whether `only` leaves nothing that is repeated.
    pub(super) fn ends(&self) -> bool {
        let only = self.only.as_ref();
        only.is_some_and(|only| only.dates.repeats_nothing())
    }

    /// The first date that is not repeated, or 1970-01-01 when there is none.
    pub(super) fn begin(&self) -> i64 {
        let named = [&self.only, &self.except].into_iter().flatten();
        let first = named.filter_map(|named| named.dates.spans.first());
        first.map(|(first, _)| *first).min().unwrap_or(0)
    }

    /// What has not come by then never comes.
    pub(super) fn end(&self, day: i64) -> i64 {
        let named = [&self.only, &self.except].into_iter().flatten();
        let last = named.filter_map(|named| named.dates.spans.last());
        last.map(|(_, last)| *last).fold(day, i64::max) + CYCLE_DAYS
    }
}

/// A date as days since 1970-01-01.
pub(super) fn number(date: civil::Date) -> i64 {
    // Months and days of a date are never negative.
    let part = |value: i8| u32::from(value.unsigned_abs());
    day_of(date.year().into(), part(date.month()), part(date.day()))
}

/// The date of a number of days; `None` outside the years that can be told.
pub(super) fn date(day: i64) -> Option<civil::Date> {
    let (year, month, day) = date_of(day);
    let part = |value: u32| i8::try_from(value).ok();
    civil::Date::new(i16::try_from(year).ok()?, part(month)?, part(day)?).ok()
}
