//! Counting fires without walking them, and finding the newest ones.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::on_dates::Stretch;
use super::{Fire, Item, Schedule, period_nanos, union, zone};

/// So many fires of a union are walked; arithmetic is worth its while for more.
const WALKED: u64 = 256;

pub(super) fn between(schedule: &Schedule, after: Timestamp, until: Timestamp) -> u64 {
    let items = schedule.items();
    if let [item] = items {
        return of_item(item, after, until);
    }
    let stretches: Vec<Vec<Stretch>> = items
        .iter()
        .map(|item| item.stretches(after, until))
        .collect();
    let ends = stretches.iter().flatten();
    let mut cuts: Vec<Timestamp> = ends.flat_map(|(after, until)| [*after, *until]).collect();
    cuts.retain(|cut| after < *cut && *cut < until);
    cuts.push(until);
    cuts.sort_unstable();
    cuts.dedup();
    let mut rest: Vec<_> = stretches.iter().map(|s| s.iter().peekable()).collect();
    let mut count = 0u64;
    let mut from = after;
    // From one cut to the next, an item may fire all the time or not at all.
    for cut in cuts {
        let mut active: Vec<&Item> = Vec::with_capacity(items.len());
        for (item, rest) in items.iter().zip(&mut rest) {
            while rest.next_if(|(_, end)| *end <= from).is_some() {}
            if rest.peek().is_some_and(|(begin, _)| *begin <= from) {
                active.push(item.base());
            }
        }
        count = count.saturating_add(united(&active, from, cut));
        from = cut;
    }
    count
}

/// How many instants with `after < instant <= until` at least one of these plain items fires at.
fn united(items: &[&Item], after: Timestamp, until: Timestamp) -> u64 {
    if let [item] = items {
        return of_item(item, after, until);
    }
    let most = items
        .iter()
        .map(|item| of_item(item, after, until))
        .fold(0, u64::saturating_add);
    if most > WALKED {
        return union::count(items, after, until);
    }
    let mut count = 0;
    let mut at = after;
    let next = |at| items.iter().filter_map(|item| item.next_after(at)).min();
    while let Some(fire) = next(at).filter(|fire| *fire <= until) {
        count += 1;
        at = fire;
    }
    count
}

/// How many fires of one item have `after < scheduled <= until`.
pub(super) fn of_item(item: &Item, after: Timestamp, until: Timestamp) -> u64 {
    if after >= until {
        return 0;
    }
    match item {
        Item::Every { period, anchor } => {
            let Some(period) = period_nanos(*period) else {
                return 0;
            };
            let anchor = anchor.as_nanosecond();
            let steps = |at: Timestamp| (at.as_nanosecond() - anchor).div_euclid(period);
            u64::try_from(steps(until) - steps(after)).unwrap_or(u64::MAX)
        }
        Item::At(instants) => {
            let before = |at| instants.partition_point(|instant| *instant <= at);
            (before(until) - before(after)) as u64
        }
        Item::Wall(wall) => wall.count(zone::split(after).0, zone::split(until).0),
        Item::Random(random) => random.count(zone::split(after).0, zone::split(until).0),
        Item::Startup | Item::Manual => 0,
        Item::Modified(modified) => modified.count(after, until),
    }
}

/// Looks back in windows that double until one holds enough, narrows the last
/// one, and walks that.
pub(super) fn newest(
    schedule: &Schedule,
    after: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Vec<Fire> {
    if after >= until || limit == 0 {
        return Vec::new();
    }
    let wanted = limit as u64;
    let enough = wanted.saturating_mul(2).saturating_add(WALKED);
    let (start, end) = (after.as_nanosecond(), until.as_nanosecond());
    let instant = |nanos: i128| Timestamp::from_nanosecond(nanos).unwrap_or(after);
    let count = |from: i128| between(schedule, instant(from), until);
    let mut window: i128 = 1_000_000_000;
    // From `far` on there are enough, unless it is the start; from `near` on too few.
    let mut near = end;
    let mut far = (end - window).max(start);
    while far > start && count(far) < wanted {
        near = far;
        window *= 2;
        far = (end - window).max(start);
    }
    while near - far > 1 && count(far) > enough {
        let middle = far + (near - far) / 2;
        if count(middle) < wanted {
            near = middle;
        } else {
            far = middle;
        }
    }
    let mut fires = VecDeque::new();
    let mut at = instant(far);
    while let Some(fire) = schedule.next_after(at).filter(|f| f.scheduled <= until) {
        if fires.len() == limit {
            fires.pop_front();
        }
        fires.push_back(fire);
        at = fire.scheduled;
    }
    fires.into()
}
