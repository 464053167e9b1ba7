//! What stands beside a schedule and changes when it fires: its first and last
//! instant, a phase and a delay that follow from the job's name.
//!
//! `spread` moves the scheduled instants themselves, so a plain item carries it.
//! For the rest, a modified item is a plain one in a box, so that the plain
//! ones, which are nearly all, stay as small as they are.

use std::time::Duration;

use jiff::Timestamp;

use super::moved::{Moved, Shift};
use super::on_dates::{OnDates, Stretch, Turn};
use super::seed::{Purpose, Seed};
use super::wall::Kind;
use super::{BadSchedule, Fire, Item, Schedule, count, zone};

/// The longest `spread` of what is no `every`.
pub const LONGEST_SPREAD: Duration = Duration::from_secs(31 * 86_400);
/// The longest `jitter`.
pub const LONGEST_JITTER: Duration = Duration::from_secs(7 * 86_400);

const MILLISECOND: i128 = 1_000_000;

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
    /// One phase for all of the job's fires.
    pub spread: Option<Spread>,
    /// Each fire is delayed by up to this.
    pub jitter: Option<Duration>,
}

/// How far `spread` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// From nothing up to this, which is out.
    Within(Duration),
    /// Anywhere in the period of `every`.
    Period,
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
    /// The most in milliseconds, and whose numbers; 0 is none.
    pub(super) jitter: u64,
    seed: Seed,
}

impl Item {
    /// This item with its modifiers, for the job with this seed. For `every`, `from` is what it is
    /// aligned to as well.
    ///
    /// # Errors
    /// When one is out of its bounds or says nothing here, or when nothing can ever fire.
    pub fn modified(mut self, modifiers: &Modifiers, seed: Seed) -> Result<Self, BadSchedule> {
        if let Self::Every { anchor, .. } = &mut self
            && let Some(from) = modifiers.from
        {
            *anchor = from;
        }
        if let Some(spread) = modifiers.spread {
            self.spread(spread, seed)?;
        }
        if let Self::At(instants) = &mut self {
            instants.sort_unstable();
            instants.dedup();
        }
        let jitter = modifiers.jitter.map_or(Ok(0), most_jitter)?;
        let from = modifiers.from.unwrap_or(Timestamp::MIN);
        let until = modifiers.until.unwrap_or(Timestamp::MAX);
        if from > until {
            return Err(BadSchedule::EndsFirst);
        }
        let dates = self.dates(modifiers)?;
        let bounded = (from, until, jitter) != (Timestamp::MIN, Timestamp::MAX, 0);
        if !bounded && dates.is_none() {
            return Ok(self);
        }
        let modified = Modified {
            base: self,
            from,
            until,
            jitter,
            // Equal schedules are kept once: where nothing is drawn, the name makes no difference.
            seed: if jitter == 0 { Seed::default() } else { seed },
            dates,
        };
        if modified.next_after(Timestamp::MIN).is_none() {
            return Err(BadSchedule::Outside);
        }
        Ok(Self::Modified(Box::new(modified)))
    }

    /// Moves every fire by the job's phase.
    fn spread(&mut self, spread: Spread, seed: Seed) -> Result<(), BadSchedule> {
        let mut draws = seed.draws(Purpose::Spread, 0);
        let seconds = |length: Duration| {
            let fits = length.subsec_nanos() == 0 && length <= LONGEST_SPREAD;
            let seconds = u32::try_from(length.as_secs()).ok();
            seconds
                .filter(|seconds| fits && *seconds > 0)
                .ok_or(BadSchedule::BadSpread)
        };
        match (self, spread) {
            (Self::Every { period, anchor }, spread) => {
                let length = match spread {
                    Spread::Within(length) if length > *period => {
                        return Err(BadSchedule::SpreadTooLong);
                    }
                    Spread::Within(length) => length,
                    Spread::Period => *period,
                };
                if millis(length) == 0 {
                    return Err(BadSchedule::BadSpread);
                }
                let phase = match length.as_secs() {
                    // Below a minute, seconds would be too few phases.
                    0..60 => Duration::from_millis(draws.below(millis(length))),
                    seconds => Duration::from_secs(draws.below(seconds)),
                };
                *anchor = anchor.saturating_add(phase).unwrap_or(*anchor);
            }
            (Self::Random(_), _) => return Err(BadSchedule::SpreadTwice),
            (Self::Wall(wall), Spread::Within(length)) => {
                // A draw below a 32-bit number is one.
                wall.phase = draws.below(seconds(length)?.into()) as u32;
            }
            (Self::At(instants), Spread::Within(length)) => {
                let phase = Duration::from_secs(draws.below(seconds(length)?.into()));
                for instant in instants {
                    *instant = instant.saturating_add(phase).unwrap_or(*instant);
                }
            }
            _ => return Err(BadSchedule::NoPeriod),
        }
        Ok(())
    }

    /// The dates that calendars leave; where `shift` moves fires, it is told where to.
    fn dates(&mut self, modifiers: &Modifiers) -> Result<Option<OnDates>, BadSchedule> {
        let Some(mut dates) = modifiers.dates.clone() else {
            return Ok(None);
        };
        match self {
            Self::Wall(wall) if wall.kind == Kind::Fixed => {
                let moved = Moved::new(&dates.allowed, modifiers.shift, wall.phase.into());
                wall.dates.set_moved(moved);
            }
            _ if modifiers.shift != Shift::Skip => return Err(BadSchedule::NoFixedTimes),
            Self::Random(random) => dates.turn = Turn::Opens(random.opens.into()),
            _ => {}
        }
        // Whatever `from` and `until` say, and whatever date it is today.
        match dates.next_after(dates.begin(), |at| self.next_after(at)) {
            Some(_) => Ok(Some(dates)),
            None => Err(BadSchedule::NoDate),
        }
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

    /// Whether it names dates after which it never fires again.
    #[must_use]
    pub fn ends(&self) -> bool {
        let only_dates = match self {
            Self::Modified(modified) => modified.dates.as_ref().is_some_and(OnDates::ends),
            _ => false,
        };
        only_dates || matches!(self.base(), Self::At(_)) || self.bounds().1 < Timestamp::MAX
    }

    /// The most that a fire is delayed, in milliseconds.
    fn jitter(&self) -> u64 {
        match self {
            Self::Modified(modified) => modified.jitter,
            _ => 0,
        }
    }

    /// Whether this is one of its instants.
    fn names(&self, at: Timestamp) -> bool {
        self.next_after(just_before(at)) == Some(at)
    }

    /// When the window that holds the instant closes, for `random`.
    fn closes_at(&self, at: Timestamp) -> Option<Timestamp> {
        let Self::Random(random) = self.base() else {
            return None;
        };
        Timestamp::from_second(random.closes_at(zone::split(at).0)).ok()
    }

    /// By how much the fire at an instant is delayed, `room` being the most that leaves it well
    /// before the next.
    fn delay(&self, at: Timestamp, room: i128) -> Duration {
        let Self::Modified(modified) = self else {
            return Duration::ZERO;
        };
        let mut room = room;
        if let Some(close) = self.closes_at(at) {
            room = room.min(close.as_nanosecond() - at.as_nanosecond() - 1);
        }
        let room = u64::try_from((room / MILLISECOND).max(0)).unwrap_or(u64::MAX);
        // Timestamps in milliseconds are 64-bit numbers.
        let key = at.as_nanosecond().div_euclid(MILLISECOND) as i64;
        let mut draws = modified.seed.draws(Purpose::Jitter, key);
        Duration::from_millis(draws.below(modified.jitter.min(room) + 1))
    }
}

fn most_jitter(jitter: Duration) -> Result<u64, BadSchedule> {
    let most = millis(jitter);
    (most > 0 && jitter <= LONGEST_JITTER)
        .then_some(most)
        .ok_or(BadSchedule::BadJitter)
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// The fire of a schedule at an instant that is one of its own, with its delay.
pub(super) fn fire(schedule: &Schedule, at: Timestamp) -> Fire {
    let items = schedule.items();
    let mut due = at;
    if items.iter().any(|item| item.jitter() > 0) {
        let room = schedule.next_instant(at).map_or(i128::MAX, |next| {
            (next.as_nanosecond() - at.as_nanosecond()) / 2
        });
        let delays = items
            .iter()
            .filter(|item| items.len() == 1 || item.names(at))
            .map(|item| item.delay(at, room));
        let delay = delays.min().unwrap_or_default();
        due = at.saturating_add(delay).unwrap_or(Timestamp::MAX);
    }
    Fire { scheduled: at, due }
}

/// The fire that is scheduled at `at` or before and due after it.
pub(super) fn pending(schedule: &Schedule, at: Timestamp) -> Option<Fire> {
    let most = schedule.items().iter().map(Item::jitter).max();
    let most = most.filter(|most| *most > 0)?;
    let after = at
        .saturating_sub(Duration::from_millis(most))
        .unwrap_or(Timestamp::MIN);
    let first = schedule.next_instant(after).filter(|next| *next <= at)?;
    let newest = match schedule.next_instant(first) {
        // Only the newest can be still to come: no jitter reaches the next fire.
        Some(second) if second <= at => schedule.newest(first, at, 1).pop()?,
        _ => fire(schedule, first),
    };
    (newest.due > at).then_some(newest)
}

/// Whether `random` is among the items.
pub(super) fn has_windows(schedule: &Schedule) -> bool {
    let mut items = schedule.items().iter();
    items.any(|item| matches!(item.base(), Item::Random(_)))
}

/// When the window closes that the fire at an instant belongs to.
pub(super) fn closes_at(schedule: &Schedule, at: Timestamp) -> Option<Timestamp> {
    if !has_windows(schedule) {
        return None;
    }
    let items = schedule.items();
    let naming = items.iter().filter(|item| item.names(at));
    // An item without a window puts no end to it.
    naming
        .map(|item| item.closes_at(at))
        .try_fold(None, |latest, close| {
            let close = close?;
            Some(Some(
                latest.map_or(close, |latest: Timestamp| latest.max(close)),
            ))
        })?
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
