//! Words that table and picture share.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::changes::{Change, Effect};
use crate::ids::JobName;

/// `Sun 28 Mar 03:00`, with seconds where there are some.
pub(super) fn short(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let form = if local.second() == 0 {
        "%a %d %b %H:%M"
    } else {
        "%a %d %b %H:%M:%S"
    };
    local.strftime(form).to_string()
}

/// `a, b, c and 7 more`.
pub(super) fn listed<'n>(
    names: impl Iterator<Item = &'n JobName>,
    shown: usize,
    all: usize,
) -> String {
    let names: Vec<&str> = names.take(shown).map(JobName::as_str).collect();
    let more = all.saturating_sub(names.len());
    let text = names.join(", ");
    match more {
        0 => text,
        more => format!("{text} and {} more", grouped(more as u64)),
    }
}

/// `1 fire`, `2,000 fires`.
pub(in crate::forecast) fn amount(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {word}{plural}", grouped(count))
}

/// `12,345`.
pub(in crate::forecast) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `02:00 becomes 03:00 (+01:00 to +02:00)`.
pub(super) fn clocks(change: &Change<'_>) -> String {
    let reading = |offset: Offset| offset.to_datetime(change.at).strftime("%H:%M").to_string();
    format!(
        "{} becomes {} ({} to {})",
        reading(change.before),
        reading(change.after),
        change.before,
        change.after
    )
}

pub(super) fn effect(effect: Effect) -> String {
    match effect {
        Effect::Moved => "fire at the end of the gap, later than usual".to_owned(),
        Effect::Fewer(count) => format!("have {} fewer", amount(count, "fire")),
        Effect::More(count) => format!("have {} more", amount(count, "fire")),
    }
}
