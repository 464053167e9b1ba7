//! The largest distance between two fires.

use std::time::Duration;

use jiff::Timestamp;

use crate::schedule::Schedule;

/// So far is looked ahead: a year with both changes of the clock and all holidays.
const SPAN: Duration = Duration::from_secs(400 * 86_400);

/// So many fires are looked at: of what fires each minute, a month.
const FIRES: usize = 50_000;

/// So many are looked at however far apart they are.
const AT_LEAST: usize = 3;

/// The largest distance between two successive fires after `now`; `None` where there are not two.
pub(super) fn largest_gap(schedule: &Schedule, now: Timestamp) -> Option<Duration> {
    let end = now.checked_add(SPAN).unwrap_or(Timestamp::MAX);
    let mut largest = None;
    let mut last = schedule.next_after(now)?;
    for seen in 1..FIRES {
        let Some(next) = schedule.next_after(last.scheduled) else {
            break;
        };
        if next.scheduled > end && seen >= AT_LEAST {
            break;
        }
        let gap = next.due.duration_since(last.due).unsigned_abs();
        largest = Some(largest.map_or(gap, |other: Duration| other.max(gap)));
        last = next;
    }
    largest
}
