//! Tests of schedules as a whole: cases worked by hand, an independent witness,
//! properties over every zone, and another implementation.

mod by_hand;
mod calendars;
mod counts;
mod cron_lines;
mod croner;
mod every_change;
mod every_zone;
mod frozen;
mod jitter;
mod modifiers;
mod random;
mod rules;
mod values;
mod witness;

use std::sync::LazyLock;

use jiff::Timestamp;

use super::{Cron, Days, Item, Schedule, Zone, Zones};

static ZONES: LazyLock<Zones> = LazyLock::new(Zones::bundled);

fn zone(name: &str) -> Zone {
    ZONES.get(name).unwrap()
}

fn cron(line: &str, zone_name: &str) -> Schedule {
    let cron = Cron::parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    Schedule::new(vec![Item::cron(cron, zone(zone_name))])
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn shown(at: Timestamp, zone: &Zone) -> String {
    at.display_with_offset(zone.timezone().to_offset(at))
        .to_string()
}

/// The next `n` fires.
fn walk(schedule: &Schedule, after: Timestamp, n: usize) -> Vec<Timestamp> {
    let mut at = after;
    let mut fires = Vec::new();
    while fires.len() < n
        && let Some(fire) = schedule.next_after(at)
    {
        assert!(fire.scheduled > at, "{schedule:?} stands still at {at}");
        at = fire.scheduled;
        fires.push(at);
    }
    fires
}

/// All fires with `after < fire <= until`.
fn walk_until(schedule: &Schedule, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let mut at = after;
    let mut fires = Vec::new();
    while let Some(fire) = schedule.next_after(at)
        && fire.scheduled <= until
    {
        assert!(fire.scheduled > at, "{schedule:?} stands still at {at}");
        at = fire.scheduled;
        fires.push(at);
    }
    fires
}
