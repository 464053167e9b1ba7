//! What stands beside a schedule and changes when it fires: its first and last instant.
//!
//! A modified item is a plain one in a box, so that the plain ones, which are
//! nearly all, stay as small as they are.

use std::time::Duration;

use jiff::Timestamp;

use super::{BadSchedule, Item, count};

/// What stands beside a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// Nothing before this instant.
    pub from: Option<Timestamp>,
    /// Nothing after this instant.
    pub until: Option<Timestamp>,
}

/// A plain item and what changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Modified {
    /// Never modified itself.
    pub(super) base: Item,
    /// Both are in.
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
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
        let modified = Modified {
            base: self,
            from,
            until,
        };
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

    /// Between which instants, both in, it can fire at all.
    pub(super) fn bounds(&self) -> (Timestamp, Timestamp) {
        match self {
            Self::Modified(modified) => (modified.from, modified.until),
            _ => (Timestamp::MIN, Timestamp::MAX),
        }
    }
}

impl Modified {
    /// The first fire after `after`.
    pub(super) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.max(just_before(self.from));
        self.base
            .next_after(after)
            .filter(|next| *next <= self.until)
    }

    /// How many fires have `after < scheduled <= until`.
    pub(super) fn count(&self, after: Timestamp, until: Timestamp) -> u64 {
        let after = after.max(just_before(self.from));
        count::of_item(&self.base, after, until.min(self.until))
    }
}

/// The last instant before `instant`.
pub(super) fn just_before(instant: Timestamp) -> Timestamp {
    instant
        .saturating_sub(Duration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}
