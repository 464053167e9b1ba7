//! What stands beside a schedule: `timezone`, `from` and `until`, `dst`, `spread` and `jitter`, from the keys of its mapping to
//! the item they change, and back to text.

use jiff::{Timestamp, civil};

use super::calendars;
use super::decode::Decoder;
use super::dst::{self, Dst};
use super::instants::parse_instant;
use super::tree::{Entry, Node, Span, shorten};
use crate::duration;
use crate::finding::Code;
use crate::schedule::{self, BadSchedule, Item, Seed, Spread, Zone};

/// Keys beside the one that says which schedule it is.
pub(super) const KEYS: [&str; 9] = [
    "timezone", "from", "until", "dst", "spread", "jitter", "only", "except", "shift",
];

/// The modifiers of one schedule.
pub(super) struct Modifiers {
    /// The zone that it names itself.
    pub zone: Option<Zone>,
    /// What it says of changes of the clock.
    pub dst: Option<Dst>,
    given: schedule::Modifiers,
    /// `key: value` of each, in the order of [`KEYS`].
    texts: Vec<String>,
    /// Where their values stand.
    places: Vec<(&'static str, Span)>,
}

/// Which end of its day a date stands for.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// Reads the modifiers of a schedule of this kind.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    kind: &str,
    fields: &[(&'static str, &Entry<'t>)],
    default_zone: &Zone,
) -> Option<Modifiers> {
    let find = |key: &str| fields.iter().find(|(k, _)| *k == key).map(|(_, e)| *e);
    let mut out = Modifiers {
        zone: None,
        dst: None,
        given: schedule::Modifiers::default(),
        texts: Vec::new(),
        places: Vec::new(),
    };
    let before = decoder.errors();
    if let Some(entry) = find("timezone") {
        let asks = ["from", "until", "only", "except"]
            .into_iter()
            .any(|key| find(key).is_some());
        if kind == "every" && !asks {
            decoder.report(
                Code::NoEffect,
                entry.key_span,
                "`timezone` says nothing beside `every`, which is elapsed time",
                "remove it",
            );
            return None;
        }
        let name = decoder.text("timezone", &entry.value)?;
        let zone = super::schedule::zone(decoder, &name, entry.value.span)?;
        out.texts.push(format!("timezone: {name}"));
        out.zone = Some(zone);
    }
    let zone = out.zone.clone().unwrap_or_else(|| default_zone.clone());
    for (key, end) in [("from", End::First), ("until", End::Last)] {
        let Some(entry) = find(key) else { continue };
        let Some((at, text)) = bound(decoder, key, &entry.value, end, &zone) else {
            continue;
        };
        match end {
            End::First => out.given.from = Some(at),
            End::Last => out.given.until = Some(at),
        }
        out.texts.push(format!("{key}: \"{text}\""));
        out.places.push((key, entry.value.span));
    }
    if let Some(entry) = find("dst") {
        out.dst = dst::read(decoder, kind, entry);
        out.texts.extend(out.dst.map(|dst| dst.text()));
    }
    if let Some(entry) = find("spread")
        && let Some(length) = decoder.duration_or("spread", &entry.value, "true")
    {
        let text = length.map_or_else(|| "true".to_owned(), duration::print);
        out.given.spread = Some(length.map_or(Spread::Period, Spread::Within));
        out.texts.push(format!("spread: {text}"));
        out.places.push(("spread", entry.value.span));
    }
    if let Some(entry) = find("jitter")
        && let Some(length) = decoder.duration("jitter", &entry.value)
    {
        out.given.jitter = Some(length);
        out.texts
            .push(format!("jitter: {}", duration::print(length)));
        out.places.push(("jitter", entry.value.span));
    }
    let beside = calendars::beside(decoder, fields, &zone);
    out.given.dates = beside.dates;
    out.given.shift = beside.shift;
    out.texts.extend(beside.texts);
    out.places.extend(beside.places);
    (decoder.errors() == before).then_some(out)
}

/// One end: an instant, or a date that means its whole day in the zone.
fn bound<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
    end: End,
    zone: &Zone,
) -> Option<(Timestamp, String)> {
    let text = decoder.text(key, node)?;
    let text = text.trim();
    let read = match date(text) {
        Some(date) => end_of(date, end, zone).ok_or_else(|| "a year from 1 to 9999".to_owned()),
        None => parse_instant(text, zone),
    };
    match read {
        Ok(at) => Some((at, text.to_owned())),
        Err(help) => {
            let message = format!("`{key}`: `{}` is no date and no instant", shorten(text));
            decoder.report(Code::BadSchedule, node.span, &message, &help);
            None
        }
    }
}

/// A date as `YYYY-MM-DD` and nothing else.
fn date(text: &str) -> Option<civil::Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

/// The first or the last instant of a date.
fn end_of(date: civil::Date, end: End, zone: &Zone) -> Option<Timestamp> {
    let midnight = |date: civil::Date| zone.instant_of(date.to_datetime(civil::Time::midnight()));
    match end {
        End::First => midnight(date),
        End::Last => {
            let next = midnight(date.tomorrow().ok()?)?;
            next.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()
        }
    }
}

impl Modifiers {
    /// The item as these change it.
    pub fn apply(&self, decoder: &mut Decoder<'_, '_>, item: Item) -> Option<Item> {
        let seed = match (self.given.spread, self.given.jitter) {
            (None, None) => Seed::default(),
            _ => decoder.naming.seed(),
        };
        match item.modified(&self.given, seed) {
            Ok(item) => Some(item),
            Err(error) => {
                use BadSchedule as Bad;
                let place = |key| self.places.iter().find(|(k, _)| *k == key);
                let (code, keys) = match error {
                    Bad::EndsFirst | Bad::Outside => (Code::NeverFires, ["until", "from"]),
                    Bad::NoDate => (Code::NeverFires, ["only", "except"]),
                    Bad::NoFixedTimes => (Code::NoEffect, ["shift"; 2]),
                    Bad::SpreadTwice => (Code::NoEffect, ["spread"; 2]),
                    Bad::BadSpread | Bad::SpreadTooLong => (Code::OutOfRange, ["spread"; 2]),
                    Bad::BadJitter => (Code::OutOfRange, ["jitter"; 2]),
                    _ => (Code::BadSchedule, ["spread"; 2]),
                };
                let place = keys.into_iter().find_map(place);
                let span = place.map_or(Span::default(), |(_, span)| *span);
                decoder.report(code, span, &error.to_string(), "");
                None
            }
        }
    }

    /// `, key: value` for each.
    pub fn text(&self) -> String {
        let texts = self.texts.iter().map(|text| format!(", {text}"));
        texts.collect()
    }
}
