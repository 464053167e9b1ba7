//! `elder next`: the next fires of a schedule.

use jiff::Timestamp;

use crate::schedule::{Schedule, Zone, written_offset};

/// The most fires that one question is answered with.
pub const MOST: usize = 100_000;

/// What a schedule does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The schedule in plain words.
    pub description: String,
    /// The next due instants as RFC 3339 in the zone's time, such as `2027-03-14T03:00:00-04:00`.
    pub fires: Vec<String>,
}

/// The next `n` fires (at most [`MOST`]) after `from`, as a clock in `zone` shows them.
#[must_use]
pub fn fires(schedule: &Schedule, zone: &Zone, from: Timestamp, n: usize) -> Forecast {
    let mut fires = Vec::new();
    let mut next = schedule.next_due_after(from);
    while let Some(fire) = next.filter(|_| fires.len() < n.min(MOST)) {
        fires.push(shown(fire.due, zone));
        next = schedule.next_after(fire.scheduled);
    }
    Forecast {
        description: schedule.describe(),
        fires,
    }
}

/// An instant as RFC 3339 with the zone's offset.
#[must_use]
pub fn shown(at: Timestamp, zone: &Zone) -> String {
    at.display_with_offset(written_offset(zone.timezone(), at))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Cron, Item, Zones};

    fn nightly() -> (Schedule, Zone) {
        let zone = Zones::bundled().get("America/New_York").unwrap();
        let cron = Cron::parse("30 2 * * *").unwrap();
        (Schedule::new(vec![Item::cron(cron, zone.clone())]), zone)
    }

    #[test]
    fn the_next_fires_are_shown_as_the_clock_there_shows_them() {
        let (schedule, zone) = nightly();
        // The start is out: a fire at that very instant is not the next one.
        let from = "2027-03-13T02:30:00-05:00".parse().unwrap();
        let forecast = fires(&schedule, &zone, from, 3);
        assert_eq!(
            forecast.fires,
            [
                "2027-03-14T03:00:00-04:00",
                "2027-03-15T02:30:00-04:00",
                "2027-03-16T02:30:00-04:00"
            ]
        );
        assert_eq!(
            forecast.description,
            "at 02:30 every day, America/New_York time"
        );
    }

    #[test]
    fn there_may_be_fewer_than_asked_for() {
        let (schedule, zone) = nightly();
        assert_eq!(fires(&schedule, &zone, Timestamp::MAX, 5).fires.len(), 0);
        assert_eq!(
            fires(&schedule, &zone, Timestamp::UNIX_EPOCH, 0)
                .fires
                .len(),
            0
        );
        let manual = Schedule::new(vec![Item::Manual]);
        let forecast = fires(&manual, &zone, Timestamp::UNIX_EPOCH, usize::MAX);
        assert_eq!(forecast.fires.len(), 0);
    }

    #[test]
    fn fractions_of_a_second_are_shown() {
        let zone = Zones::bundled().get("Asia/Tokyo").unwrap();
        let tenth = Item::every(std::time::Duration::from_millis(100)).unwrap();
        let forecast = fires(&Schedule::new(vec![tenth]), &zone, Timestamp::UNIX_EPOCH, 1);
        assert_eq!(forecast.fires, ["1970-01-01T09:00:00.1+09:00"]);
    }
}
