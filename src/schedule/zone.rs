//! A time zone as a table: where its clock was changed, and how a wall clock reads.
//!
//! Seconds since the epoch are *instants*; seconds since the epoch plus the
//! offset are *readings* of the wall clock. Two questions carry everything
//! else: how far has the clock read up to an instant ([`Zone::reach`]), and at
//! which instant did it first read so far ([`Zone::first_at`]). Both never go
//! down, whatever the clock does, which is what makes a fixed time fire once.
//! [`Zone::settled`] and [`Zone::last_at`] are the same seen from the other end:
//! what will never be read again, and when something is read for the last time.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil};

use super::dates::{CYCLE_DAYS, DAY};
use super::wall::{Fold, Gap};

/// An end of time that leaves room to add to.
pub(super) const FAR: i64 = 1 << 60;

/// 2101-01-01: from here on zones follow a rule, so each year is like the one 400 years later.
pub(super) const RULES: i64 = 4_133_980_800;
/// After so many seconds a rule's instants come again.
pub(super) const CYCLE: i64 = CYCLE_DAYS * DAY;
/// The table ends two years after the first cycle of rules, so that what follows an entry is an entry.
const TABLE_END: i64 = RULES + CYCLE + 2 * 366 * DAY;

/// A time zone by name. Clones share the table; two are equal when their names are.
#[derive(Clone)]
pub struct Zone {
    inner: Arc<Inner>,
}

struct Inner {
    name: Box<str>,
    timezone: TimeZone,
    changes: Box<[Change]>,
    /// Whether it goes on changing for ever.
    periodic: bool,
    lowest: i32,
    highest: i32,
}

/// A change of the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    /// The first instant with the new offset.
    from: i64,
    /// The clock has shown every reading below this one, or passed it over.
    reached: i64,
    /// The lowest reading from here on: nothing below it is ever shown again.
    floor: i64,
    /// What to add to an instant to get the reading.
    offset: i32,
}

/// A span of instants with one offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Its first instant.
    pub(super) from: i64,
    /// The instant after its last.
    pub(super) until: i64,
    /// Every reading below was shown or passed over before the span.
    pub(super) reached: i64,
    /// The lowest reading after the span: nothing below it is shown again.
    pub(super) ahead: i64,
    /// What to add to an instant to get the reading.
    pub(super) offset: i64,
}

impl Zone {
    /// Coordinated universal time, which needs no database.
    #[must_use]
    pub fn utc() -> Self {
        Self::new("UTC", TimeZone::UTC)
    }

    pub(super) fn new(name: &str, timezone: TimeZone) -> Self {
        let changes = changes(&timezone);
        let offsets = || changes.iter().map(|change| change.offset);
        let inner = Inner {
            name: name.into(),
            periodic: changes.last().is_some_and(|last| last.from > RULES),
            lowest: offsets().min().unwrap_or(0),
            highest: offsets().max().unwrap_or(0),
            changes,
            timezone,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Its name in the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The zone as jiff knows it.
    #[must_use]
    pub fn timezone(&self) -> &TimeZone {
        &self.inner.timezone
    }

    /// The first instant at which the wall clock shows `reading` or has passed
    /// it: after the gap for a time that a change skips, the first of two for
    /// one that comes twice. `None` outside the years that can be told.
    #[must_use]
    pub fn instant_of(&self, reading: civil::DateTime) -> Option<Timestamp> {
        // Midnight UTC reads like the wall, so the number is the reading.
        let wall = TimeZone::UTC.to_timestamp(reading).ok()?;
        let (second, nanosecond) = split(wall);
        let first = self.first_at(second);
        if self.span_at(first).offset + first != second {
            return Timestamp::from_second(first).ok();
        }
        Timestamp::new(first, nanosecond).ok()
    }

    /// The instants that a reading means by these rules: two for one that comes twice and is
    /// wanted both times, none for one that is skipped. `None` outside the years that can be told.
    #[must_use]
    pub fn instants_of(
        &self,
        reading: civil::DateTime,
        gap: Gap,
        fold: Fold,
    ) -> Option<Vec<Timestamp>> {
        let wall = TimeZone::UTC.to_timestamp(reading).ok()?;
        let (second, nanosecond) = split(wall);
        let (first, last) = (self.first_at(second), self.last_at(second));
        if self.span_at(first).offset + first != second {
            return match gap {
                Gap::After => Some(vec![Timestamp::from_second(first).ok()?]),
                Gap::Skip => Some(Vec::new()),
            };
        }
        let wanted = match fold {
            Fold::First => [first, first],
            Fold::Second => [last, last],
            Fold::Both => [first, last],
        };
        let mut instants = Vec::new();
        for at in wanted {
            instants.push(Timestamp::new(at, nanosecond).ok()?);
        }
        instants.dedup();
        Some(instants)
    }

    /// The span that holds an instant.
    pub(super) fn span_at(&self, instant: i64) -> Span {
        let shift = self.shift(instant);
        let at = instant - shift;
        let after = self.inner.changes.partition_point(|c| c.from <= at);
        self.span(after.saturating_sub(1), shift)
    }

    /// The largest reading up to and at an instant.
    pub(super) fn reach(&self, instant: i64) -> i64 {
        let span = self.span_at(instant);
        (instant + span.offset).max(span.reached - 1)
    }

    /// The first instant whose reading is `reading` or more.
    pub(super) fn first_at(&self, reading: i64) -> i64 {
        let shift = self.shift(reading);
        let at = reading - shift;
        let after = self.inner.changes.partition_point(|c| c.reached <= at);
        let span = self.span(after.saturating_sub(1), shift);
        span.from.max(reading - span.offset)
    }

    /// The largest reading that is over at an instant: it was shown for the last time, or
    /// passed over, at or before it, and so was every lower one.
    pub(super) fn settled(&self, instant: i64) -> i64 {
        let span = self.span_at(instant);
        (instant + span.offset).min(span.ahead - 1)
    }

    /// The last instant whose reading is `reading`; for one that is passed over, the first
    /// instant after the gap.
    pub(super) fn last_at(&self, reading: i64) -> i64 {
        let shift = self.shift(reading);
        let at = reading - shift;
        let after = self.inner.changes.partition_point(|c| c.floor <= at);
        let span = self.span(after.saturating_sub(1), shift);
        span.until.min(reading - span.offset)
    }

    /// No offset of the zone is lower.
    pub(super) fn lowest(&self) -> i64 {
        self.inner.lowest.into()
    }

    /// No offset of the zone is higher.
    pub(super) fn highest(&self) -> i64 {
        self.inner.highest.into()
    }

    /// Whole cycles to step back so that the table holds the answer.
    fn shift(&self, second: i64) -> i64 {
        if second < RULES + CYCLE || !self.inner.periodic {
            return 0;
        }
        (second - RULES) / CYCLE * CYCLE
    }

    fn span(&self, index: usize, shift: i64) -> Span {
        let changes = &self.inner.changes;
        let next = changes.get(index + 1);
        let until = next.map_or(FAR, |c| c.from + shift);
        let ahead = next.map_or(FAR, |c| c.floor + shift);
        let Some(change) = changes.get(index) else {
            // There is always a first entry; UTC is what an empty zone would mean.
            return Span {
                from: -FAR,
                until: FAR,
                reached: -FAR,
                ahead: FAR,
                offset: 0,
            };
        };
        Span {
            from: change.from + shift,
            until,
            reached: change.reached + shift,
            ahead,
            offset: change.offset.into(),
        }
    }
}

impl Span {
    /// The readings that this span's beginning passes over and that were not shown before:
    /// first and last, if there are any.
    pub(super) fn gap(&self) -> Option<(i64, i64)> {
        let shown = self.from + self.offset;
        (shown > self.reached && self.from > -FAR).then_some((self.reached, shown - 1))
    }

    /// The readings that this span's end passes over and that are not shown later: first and
    /// last, if there are any.
    pub(super) fn gap_ahead(&self) -> Option<(i64, i64)> {
        let first = self.until + self.offset;
        (self.ahead > first && self.until < FAR).then_some((first, self.ahead - 1))
    }
}

/// The offset to write an instant with. RFC 3339 knows whole minutes only; an offset with
/// seconds, as Liberia had until 1972, is rounded, so that what is written is still the instant.
#[must_use]
pub fn written_offset(timezone: &TimeZone, at: Timestamp) -> Offset {
    let offset = timezone.to_offset(at);
    let minutes = (offset.seconds() + 30).div_euclid(60);
    Offset::from_seconds(minutes * 60).unwrap_or(offset)
}

/// Splits an instant into the whole second at or before it and the rest.
pub(super) fn split(instant: Timestamp) -> (i64, i32) {
    let (second, rest) = (instant.as_second(), instant.subsec_nanosecond());
    if rest < 0 {
        (second - 1, rest + 1_000_000_000)
    } else {
        (second, rest)
    }
}

fn changes(timezone: &TimeZone) -> Box<[Change]> {
    let mut changes = vec![Change {
        from: -FAR,
        reached: -FAR,
        floor: -FAR,
        offset: timezone.to_offset(Timestamp::MIN).seconds(),
    }];
    for next in timezone.following(Timestamp::MIN) {
        let (from, _) = split(next.timestamp());
        if from > TABLE_END {
            break;
        }
        let offset = next.offset().seconds();
        let Some(last) = changes.last().filter(|last| last.offset != offset) else {
            continue;
        };
        changes.push(Change {
            from,
            reached: last.reached.max(from + i64::from(last.offset)),
            floor: from + i64::from(offset),
            offset,
        });
    }
    let mut lowest = FAR;
    for change in changes.iter_mut().rev() {
        lowest = lowest.min(change.floor);
        change.floor = lowest;
    }
    changes.into()
}

/// Of one name and one set of rules: other tzdata can give a name other rules.
impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
            || self.inner.name == other.inner.name && self.inner.changes == other.inner.changes
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.name.hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.name)
    }
}
