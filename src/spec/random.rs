//! `random`: how many times, in which window, how far apart, on which days.

use std::time::Duration;

use jiff::civil;

use super::decode::{Decoder, Scope};
use super::fields::RANDOM;
use super::schedule::{days, one_or_list, times, times_text};
use super::tree::{Node, Span};
use crate::duration;
use crate::finding::Code;
use crate::schedule::{BadSchedule, Days, Item, MOST_TIMES, Window, Zone};

const FORM: &str = "write `random: { times: 3, between: [\"22:00\", \"02:00\"] }`";

/// The item of the decoder's job, and its text.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    zone: &Zone,
) -> Option<(Item, String)> {
    let before = decoder.errors();
    let (mut count, mut ends, mut gap, mut on) = (None, None, None, None);
    let (mut gap_at, mut times_at) = (Span::default(), node.span);
    for (key, entry) in decoder.fields(&RANDOM, node, Scope::Job)? {
        let value = &entry.value;
        if value.is_null() {
            continue;
        }
        match key {
            "times" => {
                times_at = value.span;
                count = decoder.number(key, value, 1, MOST_TIMES.into());
            }
            "between" => ends = between(decoder, value),
            "min_gap" => {
                gap_at = value.span;
                gap = decoder.duration(key, value);
            }
            "days" => on = days(decoder, key, value),
            _ => {}
        }
    }
    if decoder.errors_since(before) {
        return None;
    }
    let (Some(count), Some((opens, closes))) = (count, ends) else {
        let missing = if count.is_none() { "times" } else { "between" };
        let message = format!("`random` has no `{missing}`");
        decoder.report(Code::MissingKey, node.span, &message, FORM);
        return None;
    };
    let named = on.unwrap_or_default();
    let union = named
        .iter()
        .fold(Days::NONE, |all, (day, _)| all.union(*day));
    let window = Window {
        times: u8::try_from(count).unwrap_or(MOST_TIMES),
        opens,
        closes,
        gap: gap.unwrap_or(Duration::ZERO),
        days: if named.is_empty() { Days::ALL } else { union },
    };
    match Item::random(window, decoder.naming.seed(), zone.clone()) {
        Ok(item) => Some((item, text(&window, gap, &named))),
        Err(error) => {
            let (code, span) = match error {
                BadSchedule::GapTooLong { .. } => (Code::OutOfRange, gap_at),
                BadSchedule::NoRoom { .. } => (Code::OutOfRange, times_at),
                BadSchedule::Fraction => (Code::BadSchedule, gap_at),
                _ => (Code::BadSchedule, node.span),
            };
            let message = match error {
                BadSchedule::Fraction => "`min_gap` is whole seconds".to_owned(),
                other => format!("`random`: {other}"),
            };
            decoder.report(code, span, &message, "");
            None
        }
    }
}

/// The two ends of a window.
fn between<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
) -> Option<(civil::Time, civil::Time)> {
    let help = "write `between: [\"22:00\", \"02:00\"]`";
    let items = decoder.list("between", node, help)?;
    if items.len() != 2 {
        let message = format!("`between` is two times of day, not {}", items.len());
        decoder.report(Code::BadSchedule, node.span, &message, help);
        return None;
    }
    match times(decoder, "between", node)?.as_slice() {
        [opens, closes] => Some((*opens, *closes)),
        _ => None,
    }
}

fn text(window: &Window, gap: Option<Duration>, days: &[(Days, String)]) -> String {
    let ends = times_text(&[window.opens, window.closes]);
    let mut text = format!("random: {{times: {}, between: {ends}", window.times);
    if let Some(gap) = gap {
        text.push_str(&format!(", min_gap: {}", duration::print(gap)));
    }
    if !days.is_empty() {
        let words: Vec<_> = days.iter().map(|(_, word)| word.clone()).collect();
        text.push_str(&format!(", days: {}", one_or_list(&words)));
    }
    text.push('}');
    text
}
