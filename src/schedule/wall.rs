//! Schedules that follow a wall clock: dates, times of day and a zone.
//!
//! What happens at a change of the clock, of any length, is a [`Rule`]:
//!
//! - A time inside a *gap* fires at the first instant after it, several there
//!   being one fire ([`Gap::After`]), or not at all ([`Gap::Skip`]).
//! - A time that comes twice fires when it is first shown, when it is last
//!   shown, or whenever it is shown ([`Fold`]).
//!
//! Unless a schedule says otherwise, a *fixed* time is `after` and `first`, and
//! one that *follows* the clock is `skip` and `both`: whenever the clock shows it.
//!
//! With `first` and with `last` the fires are a map of the readings that never
//! goes down, so that searching and counting readings is searching and counting
//! fires. With `both` the spans between two changes are gone through.

use super::dates::{DAY, Dates};
use super::moved::Moved;
use super::times::Times;
use super::zone::{CYCLE, RULES, Span, Zone};

/// How a schedule stands to the clock when nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Each reading fires once.
    Fixed,
    /// Whenever the clock shows it.
    Follows,
}

/// What becomes of a time that the clock passes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gap {
    /// It fires at the first instant after the gap; several in one gap are one fire.
    After,
    /// It does not fire.
    Skip,
}

/// When a time fires that the clock shows twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// The first time.
    First,
    /// The last time.
    Second,
    /// Each time.
    Both,
}

/// What happens at a change of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    pub(super) gap: Gap,
    pub(super) fold: Fold,
}

impl Kind {
    /// The rule where nothing is said.
    pub(super) fn rule(self) -> Rule {
        match self {
            Self::Fixed => Rule {
                gap: Gap::After,
                fold: Fold::First,
            },
            Self::Follows => Rule {
                gap: Gap::Skip,
                fold: Fold::Both,
            },
        }
    }
}

/// Dates, times of day and a zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wall {
    pub(super) zone: Zone,
    pub(super) dates: Dates,
    pub(super) times: Times,
    pub(super) kind: Kind,
    pub(super) rule: Rule,
    /// So many seconds of elapsed time later, for `spread`.
    pub(super) phase: u32,
}

impl Wall {
    pub(super) fn new(zone: Zone, dates: Dates, times: Times, kind: Kind) -> Self {
        Self {
            zone,
            dates,
            times,
            kind,
            rule: kind.rule(),
            phase: 0,
        }
    }

    /// Where `shift` moves what falls on a date that is not allowed.
    pub(super) fn moved(&self) -> Option<&Moved> {
        self.dates.moved()
    }

    /// The first fire after `after`, in seconds since the epoch.
    pub(super) fn next_after(&self, after: i64) -> Option<i64> {
        let phase = i64::from(self.phase);
        Some(self.next_unmoved(after - phase)? + phase)
    }

    /// The same as if there were no phase.
    fn next_unmoved(&self, after: i64) -> Option<i64> {
        if self.rule.fold == Fold::Both {
            return self.next_shown(after + 1);
        }
        let mut reading = self.next_reading(self.over(after) + 1)?;
        if self.rule.gap == Gap::After {
            return Some(self.once(reading));
        }
        // What has not come in a whole cycle of the rules never comes: a time
        // that is always inside the gap.
        let end = after.max(RULES) + CYCLE;
        loop {
            let at = self.once(reading);
            let span = self.zone.span_at(at);
            if at + span.offset == reading {
                return Some(at);
            }
            let (_, last) = self.passed(&span).filter(|_| at < end)?;
            reading = self.next_reading(last + 1)?;
        }
    }

    /// The instant that a reading fires at, if it fires once and gaps are no matter.
    fn once(&self, reading: i64) -> i64 {
        match self.rule.fold {
            Fold::Second => self.zone.last_at(reading),
            Fold::First | Fold::Both => self.zone.first_at(reading),
        }
    }

    /// The largest reading with [`Wall::once`] up to and at an instant.
    fn over(&self, instant: i64) -> i64 {
        match self.rule.fold {
            Fold::Second => self.zone.settled(instant),
            Fold::First | Fold::Both => self.zone.reach(instant),
        }
    }

    /// The readings that the clock passes over when a span begins: first and last.
    pub(super) fn passed(&self, span: &Span) -> Option<(i64, i64)> {
        match self.rule.fold {
            Fold::Second => self.zone.span_at(span.from - 1).gap_ahead(),
            Fold::First | Fold::Both => span.gap(),
        }
    }

    /// The first instant from `from` on that the clock shows a reading at that is meant, or,
    /// with [`Gap::After`], that ends a gap with one.
    fn next_shown(&self, mut from: i64) -> Option<i64> {
        let end = from.max(RULES) + CYCLE;
        while from < end {
            let span = self.zone.span_at(from);
            if self.rule.gap == Gap::After
                && from == span.from
                && let Some((first, last)) = self.passed(&span)
                && self.next_reading(first)? <= last
            {
                return Some(from);
            }
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
        let mut count = match self.rule.fold {
            Fold::Both => self.count_shown(after, until),
            Fold::First | Fold::Second => self.readings(self.over(after) + 1, self.over(until)),
        };
        if self.rule != Kind::Follows.rule() {
            let mut span = self.zone.span_at(after);
            while span.until <= until {
                span = self.zone.span_at(span.until);
                count += self.gap_correction(&span);
            }
        }
        u64::try_from(count).unwrap_or(0)
    }

    /// What a gap before a span adds to the count of readings.
    fn gap_correction(&self, span: &Span) -> i64 {
        let Some((first, last)) = self.passed(span) else {
            return 0;
        };
        let passed = self.readings(first, last);
        if passed == 0 {
            return 0;
        }
        let shown = span.from + span.offset;
        // The time that the clock shows after the gap is one fire with those in it.
        let shared = match self.rule.fold {
            Fold::Second if shown >= span.ahead => 0,
            _ => self.readings(shown, shown),
        };
        match (self.rule.gap, self.rule.fold) {
            (Gap::Skip, Fold::Both) => 0,
            (Gap::Skip, Fold::First | Fold::Second) => -passed,
            (Gap::After, Fold::Both) => 1 - shared,
            (Gap::After, Fold::First | Fold::Second) => 1 - passed - shared,
        }
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

    /// Whether on the day that begins at `start` each reading is shown and fires once.
    pub(super) fn is_quiet(&self, start: i64) -> bool {
        let span = self.zone.span_at(start);
        let shown = start + span.offset;
        let no_gap = self.rule.gap == Gap::Skip || span.from < start;
        let alone = match self.rule.fold {
            Fold::First => shown >= span.reached,
            Fold::Second => shown + DAY <= span.ahead,
            Fold::Both => true,
        };
        span.until >= start + DAY && no_gap && alone
    }

    /// The first reading from `from` on that is meant.
    pub(super) fn next_reading(&self, from: i64) -> Option<i64> {
        if let Some(moved) = self.moved() {
            return moved.next_reading(self, from);
        }
        let (day, second) = day_and_second(from);
        // The date is what takes time to find, so it is looked for once.
        let left = self.times.next(second);
        let found = self.dates.next(day + i64::from(left.is_none()))?;
        let second = left.filter(|_| found == day);
        let second = second.unwrap_or_else(|| self.times.first());
        Some(found * DAY + i64::from(second))
    }

    /// How many readings from `first` to `last`, both in, are meant.
    pub(super) fn readings(&self, first: i64, last: i64) -> i64 {
        if first > last {
            return 0;
        }
        if let Some(moved) = self.moved() {
            return moved.readings(self, first, last);
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
pub(super) fn day_and_second(reading: i64) -> (i64, u32) {
    // The remainder is below a day.
    (reading.div_euclid(DAY), reading.rem_euclid(DAY) as u32)
}
