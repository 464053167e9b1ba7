//! Why an instant is none of a schedule's, and how its clock reads: for people who ask.

use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::modified::just_before;
use super::moved::Shift;
use super::{Fold, Gap, Item, OnDates, Schedule, Touch};

/// So far on either side of an instant a change of the clock is worth a word.
const NEAR: SignedDuration = SignedDuration::from_hours(26);

/// What kept a schedule from naming an instant that it else would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// Its first instant is later: `from`.
    NotYet(Timestamp),
    /// Its last instant was before: `until`.
    Over(Timestamp),
    /// `only` or `except` leave the date out.
    LeftOut {
        /// The date that was asked about.
        date: Date,
        /// The calendars of `except` that hold it.
        except: Vec<String>,
        /// The calendars of `only`, none of which holds it.
        only: Vec<String>,
        /// Where `shift` moves what falls on such a date.
        shift: Shift,
    },
}

impl Schedule {
    /// The zone of the first item that has one, else UTC.
    #[must_use]
    pub fn timezone(&self) -> TimeZone {
        let zone = self.items().iter().find_map(Item::timezone);
        zone.unwrap_or(TimeZone::UTC)
    }

    /// What kept each item from naming `at`, where it would have but for what stands beside it.
    #[must_use]
    pub fn why_not(&self, at: Timestamp) -> Vec<WhyNot> {
        let mut why: Vec<WhyNot> = Vec::new();
        for item in self.items() {
            let found = item.why_not(at);
            if found.as_ref().is_some_and(|found| !why.contains(found)) {
                why.extend(found);
            }
        }
        why
    }

    /// The changes of the clock around `at` that touch fixed times of the schedule.
    #[must_use]
    pub fn touches_near(&self, at: Timestamp) -> Vec<Touch> {
        let end = |at: Result<Timestamp, _>, otherwise| at.unwrap_or(otherwise);
        let after = end(at.checked_sub(NEAR), Timestamp::MIN);
        let until = end(at.checked_add(NEAR), Timestamp::MAX);
        self.touches(after, until)
    }

    /// The instant that somebody means who names a reading of the schedule's clock: of one that
    /// comes twice the one that fires, the first where both or none do; of one that is skipped the
    /// first instant after the gap. `None` outside the years that can be told.
    #[must_use]
    pub fn instant_meant(&self, reading: civil::DateTime) -> Option<Timestamp> {
        let zone = self.items().iter().find_map(|item| match item.base() {
            Item::Wall(wall) => Some(wall.zone.clone()),
            Item::Random(random) => Some(random.zone.clone()),
            _ => None,
        });
        let Some(zone) = zone else {
            return TimeZone::UTC.to_timestamp(reading).ok();
        };
        let instants = zone.instants_of(reading, Gap::After, Fold::Both)?;
        let fires = instants.iter().find(|at| self.fire_at(**at).is_some());
        fires.or(instants.first()).copied()
    }
}

impl Item {
    fn timezone(&self) -> Option<TimeZone> {
        match self.base() {
            Self::Wall(wall) => Some(wall.zone.timezone().clone()),
            Self::Random(random) => Some(random.zone.timezone().clone()),
            _ => None,
        }
    }

    fn why_not(&self, at: Timestamp) -> Option<WhyNot> {
        let Self::Modified(modified) = self else {
            return None;
        };
        let names = |item: &Self| item.next_after(just_before(at)) == Some(at);
        if names(self) {
            return None;
        }
        // Where `shift` moves fires, the item without its modifiers has moved them already.
        let (unmoved, shift) = match &modified.base {
            Self::Wall(wall) if wall.moved().is_some() => {
                let mut wall = wall.clone();
                let shift = wall.moved().map_or(Shift::Skip, |moved| moved.shift());
                wall.dates.set_moved(None);
                (Self::Wall(wall), shift)
            }
            plain => (plain.clone(), Shift::Skip),
        };
        if !names(&unmoved) {
            return None;
        }
        if at < modified.from {
            return Some(WhyNot::NotYet(modified.from));
        }
        if at > modified.until {
            return Some(WhyNot::Over(modified.until));
        }
        modified.dates.as_ref()?.why_not(at, shift)
    }
}

impl OnDates {
    fn why_not(&self, at: Timestamp, shift: Shift) -> Option<WhyNot> {
        let date = self.date_at(at)?;
        let named = |named: &super::Named, holds: bool| {
            let calendars = named.calendars().iter();
            let these = calendars.filter(|(_, dates)| dates.contains(date) == holds);
            these.map(|(name, _)| name.to_string()).collect::<Vec<_>>()
        };
        let except = self.allowed.except.as_ref();
        let except = except.map_or_else(Vec::new, |except| named(except, true));
        let only = self.allowed.only.as_ref();
        let only = only.filter(|only| !only.dates().contains(date));
        let only = only.map_or_else(Vec::new, |only| named(only, false));
        let is_left_out = !except.is_empty() || !only.is_empty();
        is_left_out.then_some(WhyNot::LeftOut {
            date,
            except,
            only,
            shift,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schedule::{Allowed, Calendar, Days, Modifiers, Named, Seed, Zone, Zones};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn berlin() -> Zone {
        Zones::bundled().get("Europe/Berlin").unwrap()
    }

    fn daily(hour: i8, minute: i8, modifiers: &Modifiers) -> Schedule {
        let item = Item::daily(&[civil::time(hour, minute, 0, 0)], berlin()).unwrap();
        Schedule::new(vec![item.modified(modifiers, Seed::of("job")).unwrap()])
    }

    fn except_weekends(shift: Shift) -> Modifiers {
        let weekend = Calendar::weekly(Days::parse("weekends").unwrap());
        let named = Named::new(vec![("weekend".into(), Arc::new(weekend))]);
        Modifiers {
            dates: Some(OnDates::new(
                Allowed {
                    only: None,
                    except: Some(named),
                },
                berlin(),
            )),
            shift,
            ..Modifiers::default()
        }
    }

    #[test]
    fn a_calendar_is_named_with_the_date_that_it_leaves_out() {
        for shift in [Shift::Skip, Shift::Next] {
            let schedule = daily(2, 0, &except_weekends(shift));
            // A Saturday.
            let why = schedule.why_not(at("2027-01-16T02:00:00+01:00"));
            let want = WhyNot::LeftOut {
                date: civil::date(2027, 1, 16),
                except: vec!["weekend".to_owned()],
                only: Vec::new(),
                shift,
            };
            assert_eq!(why, [want]);
            let friday = at("2027-01-15T02:00:00+01:00");
            assert!(schedule.why_not(friday).is_empty(), "it fires");
            let other_time = at("2027-01-16T03:00:00+01:00");
            assert!(schedule.why_not(other_time).is_empty(), "never did");
        }
    }

    #[test]
    fn bounds_are_named() {
        let (from, until) = (at("2027-02-01T00:00:00Z"), at("2027-03-01T00:00:00Z"));
        let schedule = daily(
            2,
            0,
            &Modifiers {
                from: Some(from),
                until: Some(until),
                ..Modifiers::default()
            },
        );
        let why = |text| schedule.why_not(at(text));
        assert_eq!(why("2027-01-16T01:00:00Z"), [WhyNot::NotYet(from)]);
        assert_eq!(why("2027-03-16T01:00:00Z"), [WhyNot::Over(until)]);
        assert_eq!(why("2027-02-16T01:00:00Z"), []);
    }

    #[test]
    fn a_reading_is_the_instant_that_somebody_means_by_it() {
        let item = Item::daily(&[civil::time(2, 30, 0, 0)], berlin()).unwrap();
        let twice = |fold| Schedule::new(vec![item.clone().at_changes(None, Some(fold))]);
        let second = at("2027-10-31T02:30:00+01:00");
        let first = at("2027-10-31T02:30:00+02:00");
        let reading = civil::date(2027, 10, 31).at(2, 30, 0, 0);
        for (schedule, want) in [
            (twice(Fold::First), first),
            (twice(Fold::Second), second),
            (twice(Fold::Both), first),
            (daily(5, 0, &Modifiers::default()), first),
        ] {
            assert_eq!(schedule.instant_meant(reading), Some(want));
        }
        let skipped = civil::date(2027, 3, 28).at(2, 30, 0, 0);
        let schedule = twice(Fold::First);
        let after = at("2027-03-28T03:00:00+02:00");
        assert_eq!(schedule.instant_meant(skipped), Some(after));
        assert_eq!(schedule.touches_near(after).len(), 1);
        let elapsed = Schedule::new(vec![
            Item::every(std::time::Duration::from_secs(60)).unwrap(),
        ]);
        assert_eq!(
            elapsed.instant_meant(skipped),
            Some(at("2027-03-28T02:30:00Z"))
        );
    }
}
