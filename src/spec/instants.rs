//! `at`: instants, with an offset or in the schedule's zone.

use jiff::{Timestamp, civil};

use super::decode::Decoder;
use super::dst::Dst;
use super::schedule::{bad_schedule, one_or_list};
use super::tree::{Node, shorten};
use crate::finding::Code;
use crate::schedule::{BadSchedule, Fold, Gap, Item, Zone};

/// One instant or a list. `dst` concerns those without an offset.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    zone: &Zone,
    dst: Option<Dst>,
) -> Option<(Item, String)> {
    let items = decoder.one_or_more("at", node)?;
    if items.is_empty() {
        bad_schedule(decoder, "at", node.span, BadSchedule::NoTime);
        return None;
    }
    let mut instants = Vec::with_capacity(items.len());
    let mut texts = Vec::with_capacity(items.len());
    let mut by_the_clock = false;
    let mut read = 0;
    for item in items {
        let Some(text) = decoder.text("at", item) else {
            continue;
        };
        let found = parse(text.trim()).and_then(|written| {
            by_the_clock |= matches!(written, Written::Reading(_));
            written.instants(zone, dst).ok_or_else(year)
        });
        match found {
            Ok(found) if found.is_empty() => {
                let message = format!(
                    "it never fires: {zone}'s clock skips {}, and `dst` says to skip it too",
                    text.trim()
                );
                let help = "write a time that exists, or an offset";
                decoder.report(Code::NeverFires, item.span, &message, help);
            }
            Ok(found) => {
                read += 1;
                instants.extend(found);
                texts.push(format!("\"{}\"", text.trim()));
            }
            Err(help) => {
                let message = format!("`{}` is no instant", shorten(&text));
                decoder.report(Code::BadSchedule, item.span, &message, &help);
            }
        }
    }
    if let Some(dst) = dst.filter(|_| read == items.len() && !by_the_clock) {
        let message = "`dst` says nothing beside `at` with an offset, which is an instant";
        decoder.report(Code::NoEffect, dst.span, message, "remove it");
        return None;
    }
    (read == items.len()).then(|| (Item::At(instants), format!("at: {}", one_or_list(&texts))))
}

/// With an offset it is an instant; without, it is a reading of the zone's clock.
enum Written {
    Instant(Timestamp),
    Reading(civil::DateTime),
}

impl Written {
    /// One; for a reading that a change of the clock touches, as `dst` has it. `None` outside the
    /// years that can be told.
    fn instants(self, zone: &Zone, dst: Option<Dst>) -> Option<Vec<Timestamp>> {
        let reading = match self {
            Self::Instant(instant) => return Some(vec![instant]),
            Self::Reading(reading) => reading,
        };
        let gap = dst.and_then(|dst| dst.gap).unwrap_or(Gap::After);
        let fold = dst.and_then(|dst| dst.fold).unwrap_or(Fold::First);
        zone.instants_of(reading, gap, fold)
    }
}

/// One instant; a reading that comes twice is the first, and one in a gap is the gap's end.
pub(super) fn parse_instant(text: &str, zone: &Zone) -> Result<Timestamp, String> {
    let found = parse(text)?.instants(zone, None).ok_or_else(year)?;
    found.first().copied().ok_or_else(year)
}

fn year() -> String {
    "a year from 1 to 9999".to_owned()
}

fn parse(text: &str) -> Result<Written, String> {
    let form =
        || "write 2027-09-20T15:00:00+09:00, or without an offset for the job's zone".to_owned();
    // A zone in brackets would be read and dropped.
    if text.contains(['[', '"', '\\']) || text.len() > 64 {
        return Err(form());
    }
    if text.parse::<civil::Date>().is_ok() && !text.contains(['T', 't', ' ', ':']) {
        return Err(format!("a time of day is missing: write {text}T09:00:00"));
    }
    if text
        .split(':')
        .nth(2)
        .is_some_and(|second| second.starts_with("60"))
    {
        return Err("leap seconds are not scheduled: write 59 or the minute after".to_owned());
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(Written::Instant(instant));
    }
    text.parse().map(Written::Reading).map_err(|_| form())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_and_without_an_offset() {
        let tokyo = crate::schedule::Zones::bundled().get("Asia/Tokyo").unwrap();
        for (text, expected) in [
            ("2027-09-20T15:00:00+09:00", "2027-09-20T06:00:00Z"),
            ("2027-09-20T15:00:00", "2027-09-20T06:00:00Z"),
            ("2027-09-20 15:00", "2027-09-20T06:00:00Z"),
            ("2027-09-20T15:00Z", "2027-09-20T15:00:00Z"),
            ("9999-01-01T00:00:00Z", "9999-01-01T00:00:00Z"),
        ] {
            let found = parse_instant(text, &tokyo).map(|t| t.to_string());
            assert_eq!(found.as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "2027-09-20",
            "2027-13-20T15:00:00",
            "2027-06-30T23:59:60Z",
            "15:00",
            "tomorrow",
            "",
            "2027-09-20T15:00:00+09:00[Asia/Tokyo]",
        ] {
            assert!(parse_instant(text, &tokyo).is_err(), "{text} was taken");
        }
    }
}
