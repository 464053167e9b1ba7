//! `at`: instants, with an offset or in the schedule's zone.

use jiff::{Timestamp, civil};

use super::decode::Decoder;
use super::schedule::{bad_schedule, one_or_list};
use super::tree::{Node, shorten};
use crate::finding::Code;
use crate::schedule::{BadSchedule, Item, Zone};

/// One instant or a list.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    zone: &Zone,
) -> Option<(Item, String)> {
    let items = decoder.one_or_more("at", node)?;
    if items.is_empty() {
        bad_schedule(decoder, "at", node.span, BadSchedule::NoTime);
        return None;
    }
    let mut instants = Vec::with_capacity(items.len());
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = decoder.text("at", item) else {
            continue;
        };
        match parse_instant(text.trim(), zone) {
            Ok(instant) => {
                instants.push(instant);
                texts.push(format!("\"{}\"", text.trim()));
            }
            Err(help) => {
                let message = format!("`{}` is no instant", shorten(&text));
                decoder.report(Code::BadSchedule, item.span, &message, &help);
            }
        }
    }
    (instants.len() == items.len())
        .then(|| (Item::At(instants), format!("at: {}", one_or_list(&texts))))
}

/// With an offset it is an instant; without, it is a reading of the zone's clock.
pub(super) fn parse_instant(text: &str, zone: &Zone) -> Result<Timestamp, String> {
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
        return Ok(instant);
    }
    let reading: civil::DateTime = text.parse().map_err(|_| form())?;
    zone.instant_of(reading)
        .ok_or_else(|| "a year from 1 to 9999".to_owned())
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
