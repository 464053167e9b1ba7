//! Where a change of the clock touches a schedule, for people to read before it happens.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use super::dates::DAY;
use super::describe::clock;
use super::modified::just_before;
use super::wall::{Fold, Gap, Kind, Wall};
use super::zone::{self, Span, Zone};
use super::{Item, Schedule};

/// A change of the clock that skips or repeats times that a schedule means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The change.
    pub at: Timestamp,
    /// Whose clock.
    pub zone: Zone,
    /// The first time that the clock skips or repeats, and the one after the last.
    pub span: (civil::DateTime, civil::DateTime),
    /// The first of the schedule's times in there.
    pub first: civil::DateTime,
    /// What the clock shows at the fire that follows a gap.
    pub after: civil::DateTime,
    /// How many of its times are in there.
    pub times: u64,
    /// What becomes of them.
    pub effect: Effect,
}

/// What becomes of the times that a change touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// They are skipped, and there is one fire at the end of the gap.
    After,
    /// They are skipped, and none fires.
    Skipped,
    /// They come twice and fire like this.
    Twice(Fold),
}

impl Effect {
    /// What a job does: `fires at 03:00`; for several jobs, `they fire at 03:00`.
    fn words(self, end: &str, many: bool) -> String {
        let fire = if many { "they fire" } else { "fires" };
        let not = if many {
            "they do not fire"
        } else {
            "does not fire"
        };
        match self {
            Self::After => format!("{fire} {end}"),
            Self::Skipped => not.to_owned(),
            Self::Twice(Fold::First) => format!("{fire} the first time only"),
            Self::Twice(Fold::Second) => format!("{fire} the second time only"),
            Self::Twice(Fold::Both) => format!("{fire} both times"),
        }
    }
}

impl Touch {
    /// `2027-03-28: 02:30 does not exist in Europe/Berlin: fires at 03:00`
    #[must_use]
    pub fn describe(&self) -> String {
        let time = time_of(self.first);
        let (what, verbs) = if self.times == 1 {
            (time, ["does not exist", "comes twice"])
        } else {
            let what = format!("{time} and {} more", self.times - 1);
            (what, ["do not exist", "come twice"])
        };
        self.sentence(self.first.date(), &what, verbs, false)
    }

    /// The same of several jobs: `2027-03-28: 02:00 to 03:00 does not exist in Europe/Berlin:
    /// they fire at 03:00`
    #[must_use]
    pub fn describe_for_many(&self) -> String {
        let (first, end) = self.span;
        let what = format!("{} to {}", time_of(first), self.relative(end, first.date()));
        let verbs = ["does not exist", "comes twice"];
        self.sentence(first.date(), &what, verbs, true)
    }

    fn sentence(&self, date: civil::Date, what: &str, verbs: [&str; 2], many: bool) -> String {
        let [skipped, twice] = verbs;
        let verb = match self.effect {
            Effect::After | Effect::Skipped => skipped,
            Effect::Twice(_) => twice,
        };
        let end = match (many, self.after == self.span.1) {
            (false, _) => format!("at {}", self.relative(self.after, date)),
            (true, true) => format!("at {}", self.relative(self.span.1, date)),
            // Each has a phase of its own.
            (true, false) => format!("from {} on", self.relative(self.span.1, date)),
        };
        let does = self.effect.words(&end, many);
        format!("{date}: {what} {verb} in {}: {does}", self.zone)
    }

    /// The time of a reading, with its date where that is another one.
    fn relative(&self, reading: civil::DateTime, date: civil::Date) -> String {
        let time = time_of(reading);
        if reading.date() == date {
            return time;
        }
        format!("{time} on {}", reading.date())
    }
}

impl Schedule {
    /// The changes of the clock with `after < change <= until` that touch fixed times of the
    /// schedule, in order. Times that follow the clock are left out: what the clock shows is
    /// what is meant by them.
    #[must_use]
    pub fn touches(&self, after: Timestamp, until: Timestamp) -> Vec<Touch> {
        let mut touches = Vec::new();
        for item in self.items() {
            if let Item::Wall(wall) = item.base() {
                of_item(item, wall, after, until, &mut touches);
            }
        }
        touches.sort_by_key(|touch| touch.at);
        touches
    }

    /// What a change of the clock has to do with a fire, in words:
    /// `02:30 does not exist: the clock is put forward`.
    #[must_use]
    pub fn remark(&self, scheduled: Timestamp) -> Option<String> {
        self.items().iter().find_map(|item| {
            let Item::Wall(wall) = item.base() else {
                return None;
            };
            let fires = item.next_after(just_before(scheduled)) == Some(scheduled);
            fires.then(|| remark(wall, scheduled)).flatten()
        })
    }
}

fn of_item(item: &Item, wall: &Wall, after: Timestamp, until: Timestamp, out: &mut Vec<Touch>) {
    if wall.kind != Kind::Fixed {
        return;
    }
    let (first, last) = item.bounds();
    let (after, until) = (after.max(just_before(first)), until.min(last));
    let until = zone::split(until).0;
    let mut before = wall.zone.span_at(zone::split(after).0);
    while before.until <= until {
        let span = wall.zone.span_at(before.until);
        out.extend(touch(item, wall, &before, &span));
        before = span;
    }
}

/// What the change between two spans does to a wall.
fn touch(item: &Item, wall: &Wall, before: &Span, span: &Span) -> Option<Touch> {
    let (was, is) = (span.from + before.offset, span.from + span.offset);
    let (low, high, effect) = match wall.rule.gap {
        _ if was > is => (is, was, Effect::Twice(wall.rule.fold)),
        Gap::After => (was, is, Effect::After),
        Gap::Skip => (was, is, Effect::Skipped),
    };
    let times = u64::try_from(wall.readings(low, high - 1)).unwrap_or(0);
    if times == 0 {
        return None;
    }
    let first = wall.next_reading(low)?;
    // What stands beside the schedule may leave the fire out.
    let phase = i64::from(wall.phase);
    let fires_at = match effect {
        Effect::After | Effect::Skipped => span.from,
        Effect::Twice(Fold::First | Fold::Both) => first - before.offset,
        Effect::Twice(Fold::Second) => first - span.offset,
    };
    let at = Timestamp::from_second(fires_at + phase).ok()?;
    let concerned = match effect {
        Effect::Skipped => !item.stretches(just_before(at), at).is_empty(),
        _ => item.next_after(just_before(at)) == Some(at),
    };
    if !concerned {
        return None;
    }
    Some(Touch {
        at: Timestamp::from_second(span.from).ok()?,
        zone: wall.zone.clone(),
        span: (reading(low)?, reading(high)?),
        first: reading(first)?,
        after: reading(span.from + span.offset + phase)?,
        times,
        effect,
    })
}

fn remark(wall: &Wall, scheduled: Timestamp) -> Option<String> {
    let (at, _) = zone::split(scheduled);
    let at = at - i64::from(wall.phase);
    let span = wall.zone.span_at(at);
    if at == span.from
        && wall.rule.gap == Gap::After
        && let Some((low, high)) = wall.passed(&span)
    {
        let times = wall.readings(low, high);
        let first = clock_of(wall.next_reading(low)?);
        match times {
            0 => {}
            1 => return Some(format!("{first} does not exist: the clock is put forward")),
            _ => {
                let more = times - 1;
                return Some(format!(
                    "{first} and {more} more do not exist: the clock is put forward"
                ));
            }
        }
    }
    let shown = at + span.offset;
    let which = if shown < span.reached {
        "second"
    } else if shown >= span.ahead {
        "first"
    } else {
        return None;
    };
    let time = clock_of(shown);
    Some(format!(
        "{time} comes twice: the clock is put back, and this is the {which}"
    ))
}

fn clock_of(reading: i64) -> String {
    // The remainder is below a day.
    clock(reading.rem_euclid(DAY) as u32)
}

fn time_of(reading: civil::DateTime) -> String {
    let part = |value: i8| u32::from(value.unsigned_abs());
    clock(part(reading.hour()) * 3_600 + part(reading.minute()) * 60 + part(reading.second()))
}

/// Seconds of a wall clock as date and time.
fn reading(second: i64) -> Option<civil::DateTime> {
    let at = Timestamp::from_second(second).ok()?;
    Some(TimeZone::UTC.to_datetime(at))
}
