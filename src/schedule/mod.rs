//! When a job fires: pure functions over instants and zones.
//!
//! A [`Schedule`] is a union of items. It never reads a clock, never does I/O
//! and knows no YAML. The engine needs five questions answered:
//! [`Schedule::next_after`], [`Schedule::count_between`], [`Schedule::newest`],
//! [`Schedule::fires_at_startup`] and [`Schedule::describe`].

use std::time::Duration;

use jiff::Timestamp;

/// One job at one scheduled instant. `scheduled` is the run's key; `due` is when it starts (later by the jitter, if any).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fire {
    /// The instant that the schedule names.
    pub scheduled: Timestamp,
    /// The instant to start at.
    pub due: Timestamp,
}

/// When a job fires.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    items: Vec<Item>,
}

/// One schedule of a union.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// Elapsed time, aligned to `anchor`; the first fire is the anchor itself when `first` is set.
    Every {
        /// The distance, from 100 ms.
        period: Duration,
        /// What it is aligned to.
        anchor: Timestamp,
    },
    /// At these instants, ascending.
    At(Vec<Timestamp>),
    /// Once per start of the daemon.
    Startup,
    /// Never by itself.
    Manual,
}

impl Schedule {
    /// The union of `items`; equal instants fire once.
    #[must_use]
    pub fn new(items: Vec<Item>) -> Self {
        Self { items }
    }

    /// The first fire whose scheduled instant is after `after`.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Fire> {
        let next = self.items.iter().filter_map(|item| item.next_after(after));
        next.min().map(|at| Fire {
            scheduled: at,
            due: at,
        })
    }

    /// How many fires have `after < scheduled <= until`, by arithmetic: the
    /// cost does not grow with the number of fires.
    #[must_use]
    pub fn count_between(&self, after: Timestamp, until: Timestamp) -> u64 {
        let mut count = 0;
        let mut at = after;
        while let Some(fire) = self.next_after(at) {
            if fire.scheduled > until {
                break;
            }
            count += 1;
            at = fire.scheduled;
        }
        count
    }

    /// The newest `limit` fires with `after < scheduled <= until`, oldest first.
    #[must_use]
    pub fn newest(&self, after: Timestamp, until: Timestamp, limit: usize) -> Vec<Fire> {
        let mut fires = std::collections::VecDeque::new();
        let mut at = after;
        while let Some(fire) = self.next_after(at) {
            if fire.scheduled > until {
                break;
            }
            fires.push_back(fire);
            if fires.len() > limit {
                fires.pop_front();
            }
            at = fire.scheduled;
        }
        fires.into()
    }

    /// Whether `startup` is among the items.
    #[must_use]
    pub fn fires_at_startup(&self) -> bool {
        self.items.contains(&Item::Startup)
    }
}

impl Item {
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Item::Every { period, anchor } => {
                let period = i128::try_from(period.as_nanos()).ok()?;
                let anchor = anchor.as_nanosecond();
                let steps = (after.as_nanosecond() - anchor).div_euclid(period) + 1;
                Timestamp::from_nanosecond(anchor + steps * period).ok()
            }
            Item::At(instants) => instants.iter().copied().find(|at| *at > after),
            Item::Startup | Item::Manual => None,
        }
    }
}
