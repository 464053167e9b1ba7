//! `elder next`: the next fires of a schedule.

use jiff::Timestamp;

use crate::schedule::{Schedule, Zone};

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
    let mut at = from;
    while fires.len() < n.min(MOST) {
        let Some(fire) = schedule.next_after(at) else {
            break;
        };
        fires.push(shown(fire.due, zone));
        at = fire.scheduled;
    }
    Forecast {
        description: schedule.describe(),
        fires,
    }
}

/// An instant as RFC 3339 with the zone's offset.
#[must_use]
pub fn shown(at: Timestamp, zone: &Zone) -> String {
    at.display_with_offset(zone.timezone().to_offset(at))
        .to_string()
}
