//! `only` and `except`: a schedule cut down to the dates that calendars allow.
//!
//! The date that is asked about is what the wall clock shows when the schedule
//! fires, in the schedule's zone. A change of the clock may show a date twice,
//! with another between, so everything here goes from one span of a constant
//! offset to the next: within one, dates follow each other.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

use super::calendar::Allowed;
use super::dates::DAY;
use super::zone::{FAR, Span, Zone, split};

/// Allowed dates in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OnDates {
    /// Which dates.
    pub allowed: Allowed,
    /// Whose dates.
    pub zone: Zone,
    /// When the date changes that is asked about.
    pub(super) turn: Turn,
}

/// When the date changes that a schedule is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Turn {
    /// When the clock shows another one.
    Midnight,
    /// When the clock first reaches this second of the next day: for `random`, whose windows
    /// belong to the day on which they open.
    Opens(i64),
}

/// Instants `after < instant <= until`, all of one local date or of several that follow each other.
pub(super) type Stretch = (Timestamp, Timestamp);

impl OnDates {
    /// These dates in a zone.
    #[must_use]
    pub fn new(allowed: Allowed, zone: Zone) -> Self {
        Self {
            allowed,
            zone,
            turn: Turn::Midnight,
        }
    }

    /// The date that is asked about at a second, and until when its neighbours of one offset go.
    fn day_at(&self, second: i64) -> (i64, Span) {
        let span = self.zone.span_at(second);
        let day = match self.turn {
            Turn::Midnight => (second + span.offset).div_euclid(DAY),
            Turn::Opens(at) => (self.zone.reach(second) - at).div_euclid(DAY),
        };
        (day, span)
    }

    /// The date that is asked about at an instant; `None` outside the years that can be told.
    pub(super) fn date_at(&self, at: Timestamp) -> Option<civil::Date> {
        let (day, _) = self.day_at(split(at).0);
        let midnight = Timestamp::from_second(day.checked_mul(DAY)?).ok()?;
        Some(TimeZone::UTC.to_datetime(midnight).date())
    }

    /// The second at which a later date begins, or at which dates must be looked at anew.
    fn begin_of(&self, day: Option<i64>, span: &Span) -> i64 {
        match (self.turn, day) {
            (Turn::Midnight, Some(day)) => (day * DAY - span.offset).min(span.until),
            // Only a clock that is set back could show an earlier date again.
            (Turn::Midnight, None) => span.until,
            (Turn::Opens(at), Some(day)) => self.zone.first_at(day * DAY + at),
            (Turn::Opens(_), None) => FAR,
        }
    }

    /// The first fire after `after` that falls on an allowed date; `next` tells the fires of the
    /// schedule itself.
    pub(super) fn next_after(
        &self,
        after: Timestamp,
        next: impl Fn(Timestamp) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        let mut at = after;
        let mut end = None;
        loop {
            let fire = next(at)?;
            let second = split(fire).0;
            let (day, span) = self.day_at(second);
            if self.allowed.contains(day) {
                return Some(fire);
            }
            // What has not come in a cycle of dates and offsets never comes.
            if second > *end.get_or_insert_with(|| self.end(second)) {
                return None;
            }
            let until = self.begin_of(self.allowed.next(day + 1), &span);
            if until >= FAR {
                return None;
            }
            at = fire.max(just_before(until)?);
        }
    }

    /// After this second the dates and the zone only repeat what they did before it.
    fn end(&self, second: i64) -> i64 {
        use super::zone::{CYCLE, RULES};
        let day = second.max(RULES).div_euclid(DAY);
        (self.allowed.end(day) * DAY).max(second.max(RULES) + CYCLE)
    }

    /// Whether there is a last date.
    pub(super) fn ends(&self) -> bool {
        self.allowed.ends()
    }

    /// Before this instant the dates only repeat; nobody waits for 1969.
    pub(super) fn begin(&self) -> Timestamp {
        let year = 366;
        let second = (self.allowed.begin().min(0) - year) * DAY;
        Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
    }

    /// The stretches between `after` and `until` in which the schedule may fire, in order.
    pub(super) fn stretches(
        &self,
        after: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = Stretch> {
        let mut at = after;
        std::iter::from_fn(move || {
            while at < until {
                let (allowed, end) = self.stretch(at);
                let end = end.min(until);
                let stretch = (at, end);
                at = end;
                if allowed {
                    return Some(stretch);
                }
            }
            None
        })
    }

    /// Whether the first instant after `after` falls on an allowed date, and until when that stays so.
    fn stretch(&self, after: Timestamp) -> (bool, Timestamp) {
        let nanosecond = SignedDuration::from_nanos(1);
        let Ok(first) = after.checked_add(nanosecond) else {
            return (false, Timestamp::MAX);
        };
        let second = split(first).0;
        let (day, span) = self.day_at(second);
        let allowed = self.allowed.contains(day);
        let change = match allowed {
            true => self.allowed.next_forbidden(day + 1),
            false => self.allowed.next(day + 1),
        };
        let end = self.begin_of(change, &span);
        (allowed, just_before(end).unwrap_or(Timestamp::MAX))
    }

    /// How many fires have `after < fire <= until`; `count` tells how many the schedule itself has.
    pub(super) fn count(
        &self,
        after: Timestamp,
        until: Timestamp,
        count: impl Fn(Timestamp, Timestamp) -> u64,
    ) -> u64 {
        self.stretches(after, until)
            .map(|(after, until)| count(after, until))
            .fold(0, u64::saturating_add)
    }
}

/// The last instant before a second.
fn just_before(second: i64) -> Option<Timestamp> {
    Timestamp::new(second.checked_sub(1)?, 999_999_999).ok()
}
