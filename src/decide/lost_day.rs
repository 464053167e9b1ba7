//! What an edit does to a fire that is to come: whether it takes that of today away, and whether
//! one that waits for its jitter goes over to the new schedule.

use jiff::Timestamp;

use crate::schedule::{Fire, Schedule};

/// The fire that `old` has scheduled and whose jitter is not over at `now`, as `new` has it: the
/// edit neither loses it nor starts it twice. `None` when there is none, or `new` has no fire at
/// that instant: then the edit moved it, like any fire to come.
#[must_use]
pub fn carried_over(old: &Schedule, new: &Schedule, now: Timestamp) -> Option<Fire> {
    new.fire_at(old.pending_at(now)?.scheduled)
}

/// Whether a job that would still have fired today by `old` does not fire today by `new`, because
/// the time moved from after `now` to before it.
#[must_use]
pub fn loses_today(old: &Schedule, new: &Schedule, now: Timestamp) -> bool {
    let (start, end) = new.day_of(now);
    let fires = |schedule: &Schedule, after, until| {
        let next = schedule.next_after(after);
        next.is_some_and(|fire| fire.scheduled <= until)
    };
    let would_fire = old.pending_at(now).is_some() || fires(old, now, old.day_of(now).1);
    let fires_still = carried_over(old, new, now).is_some() || fires(new, now, end);
    would_fire && !fires_still && fires(new, start, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Cron, Item, Modifiers, Seed, Zones};

    fn cron(text: &str) -> Schedule {
        let zone = Zones::bundled().get("Asia/Tokyo").unwrap();
        Schedule::new(vec![Item::cron(Cron::parse(text).unwrap(), zone)])
    }

    /// Daily at this time in Tokyo, each fire up to so many minutes later.
    fn jittered(text: &str, minutes: u64) -> Schedule {
        let plain = cron(text);
        let modifiers = Modifiers {
            jitter: Some(std::time::Duration::from_secs(minutes * 60)),
            ..Modifiers::default()
        };
        let item = plain.items()[0].clone();
        Schedule::new(vec![item.modified(&modifiers, Seed::of("job")).unwrap()])
    }

    #[test]
    fn a_fire_that_waits_for_its_jitter_goes_over_or_was_moved() {
        let old = jittered("0 11 * * *", 600);
        let fire = old
            .pending_at("2027-01-04T03:00:00Z".parse().unwrap())
            .unwrap();
        let now = fire.scheduled + fire.scheduled.duration_until(fire.due) / 2;
        // The same instant, with another jitter or none.
        for new in [jittered("0 11 * * *", 700), cron("0 11 * * *")] {
            let carried = carried_over(&old, &new, now).unwrap();
            assert_eq!(Some(carried), new.fire_at(fire.scheduled));
            assert!(!loses_today(&old, &new, now));
        }
        // Another time of day: later, or past.
        let later = cron("50 23 * * *");
        assert_eq!(carried_over(&old, &later, now), None);
        assert!(!loses_today(&old, &later, now));
        assert!(loses_today(&old, &cron("0 9 * * *"), now));
        // What is due already is nobody's any more.
        assert_eq!(carried_over(&old, &old, fire.due), None);
    }

    #[test]
    fn only_a_time_that_moved_into_the_past_loses_the_day() {
        // Noon in Tokyo.
        let now = "2027-01-04T03:00:00Z".parse().unwrap();
        for (old, new, lost) in [
            ("0 15 * * *", "0 9 * * *", true),
            ("0 15 * * *", "0 16 * * *", false),
            ("0 8 * * *", "0 9 * * *", false),
            ("0 9 * * *", "0 15 * * *", false),
            ("30 * * * *", "15 * * * *", false),
            ("0 15 * * *", "0 15 1 * *", false),
        ] {
            assert_eq!(
                loses_today(&cron(old), &cron(new), now),
                lost,
                "{old} -> {new}"
            );
        }
    }
}
