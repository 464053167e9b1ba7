//! What stands beside a schedule and changes when it fires: its first and last instant.
//!
//! A modified item is a plain one in a box, so that the plain ones, which are
//! nearly all, stay as small as they are.

use std::time::Duration;

use jiff::Timestamp;

use super::moved::{Moved, Shift};
use super::on_dates::{OnDates, Stretch};
use super::wall::Kind;
use super::{BadSchedule, Item, count};

/// What stands beside a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// Nothing before this instant.
    pub from: Option<Timestamp>,
    /// Nothing after this instant.
    pub until: Option<Timestamp>,
    /// On these dates and no other.
    pub dates: Option<OnDates>,
    /// What becomes of a fire whose date is not allowed; without `dates` it says nothing.
    pub shift: Shift,
}

/// A plain item and what changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Modified {
    /// Never modified itself.
    pub(super) base: Item,
    /// Both are in.
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// `only` and `except`
    pub(super) dates: Option<OnDates>,
}

impl Item {
    /// This item with its modifiers. For `every`, `from` is what it is aligned to as well.
    ///
    /// # Errors
    /// When nothing can ever fire.
    pub fn modified(mut self, modifiers: &Modifiers) -> Result<Self, BadSchedule> {
        if *modifiers == Modifiers::default() {
            return Ok(self);
        }
        let from = modifiers.from.unwrap_or(Timestamp::MIN);
        let until = modifiers.until.unwrap_or(Timestamp::MAX);
        if from > until {
            return Err(BadSchedule::EndsFirst);
        }
        if let Self::Every { anchor, .. } = &mut self
            && let Some(from) = modifiers.from
        {
            *anchor = from;
        }
        if let Some(dates) = &modifiers.dates
            && modifiers.shift != Shift::Skip
        {
            match &mut self {
                Self::Wall(wall) if wall.kind == Kind::Fixed => {
                    wall.moved = Moved::new(&dates.allowed, modifiers.shift, 0).map(Box::new);
                }
                _ => return Err(BadSchedule::NoFixedTimes),
            }
        }
        let modified = Modified {
            base: self,
            from,
            until,
            dates: modifiers.dates.clone(),
        };
        if let Some(dates) = &modified.dates {
            // Whatever `from` and `until` say, and whatever date it is today.
            let some = dates.next_after(dates.begin(), |at| modified.base.next_after(at));
            if some.is_none() {
                return Err(BadSchedule::NoDate);
            }
        }
        if modified.next_after(Timestamp::MIN).is_none() {
            return Err(BadSchedule::Outside);
        }
        Ok(Self::Modified(Box::new(modified)))
    }

    /// The item without what stands beside it.
    pub(super) fn base(&self) -> &Self {
        match self {
            Self::Modified(modified) => &modified.base,
            plain => plain,
        }
    }

    /// The stretches between `after` and `until` in which it fires like its [`base`](Item::base);
    /// outside of them it does not fire.
    pub(super) fn stretches(&self, after: Timestamp, until: Timestamp) -> Vec<Stretch> {
        let Self::Modified(modified) = self else {
            return vec![(after, until)];
        };
        let after = after.max(just_before(modified.from));
        let until = until.min(modified.until);
        match &modified.dates {
            Some(dates) => dates.stretches(after, until).collect(),
            None if after < until => vec![(after, until)],
            None => Vec::new(),
        }
    }
}

impl Modified {
    /// The first fire after `after`.
    pub(super) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.max(just_before(self.from));
        let next = |after| self.base.next_after(after);
        let next = match &self.dates {
            None => next(after),
            Some(dates) => dates.next_after(after, next),
        };
        next.filter(|next| *next <= self.until)
    }

    /// How many fires have `after < scheduled <= until`.
    pub(super) fn count(&self, after: Timestamp, until: Timestamp) -> u64 {
        let after = after.max(just_before(self.from));
        let until = until.min(self.until);
        let count = |after, until| count::of_item(&self.base, after, until);
        match &self.dates {
            None => count(after, until),
            Some(dates) => dates.count(after, until, count),
        }
    }
}

/// The last instant before `instant`.
pub(super) fn just_before(instant: Timestamp) -> Timestamp {
    instant
        .saturating_sub(Duration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}
