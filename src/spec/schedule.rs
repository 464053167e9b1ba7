//! `schedule`: every form of the job file to one union of items, and back to one line of text.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil;

use super::decode::{Decoder, Scope};
use super::dst::Dst;
use super::fields::{DAYS, SCHEDULE, SCHEDULE_WORDS, WEEKLY};
use super::naming::Naming;
use super::tree::{Entry, Node, Span, Style, Value, shorten};
use super::{instants, limits, modifiers, month_days, random};
use crate::duration;
use crate::finding::Code;
use crate::schedule::{BadSchedule, Cron, CronErrorKind, Days, Item, Schedule, Zone, parse_time};

const DAY: Duration = Duration::from_secs(86_400);

/// A schedule and the words that mean it.
pub(super) struct Read {
    pub schedule: Arc<Schedule>,
    /// In the words of the job file, on one line; [`read`] takes it again.
    pub text: Arc<str>,
    /// The zone that a single schedule names itself.
    pub own_zone: Option<Zone>,
    /// Whether its instants follow from the job's name as well.
    pub is_named: bool,
}

/// Finds a zone by name.
pub(super) fn zone(decoder: &mut Decoder<'_, '_>, name: &str, span: Span) -> Option<Zone> {
    if decoder.is_full() {
        // Looking for the nearest name is dear.
        return None;
    }
    match decoder.shared.zones.get(name) {
        Ok(zone) => Some(zone),
        Err(unknown) => {
            let message = format!("`{}` is no time zone", shorten(name));
            decoder.report(Code::UnknownZone, span, &message, &unknown.help);
            None
        }
    }
}

/// Reads the schedule of a job: one or a list.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    zone: &Zone,
    job: Cow<'t, str>,
) -> Option<Read> {
    decoder.naming = Naming::of(job);
    let mut own_zone = None;
    let (items, text) = match &node.value {
        Value::List(nodes) => list(decoder, node, nodes, zone)?,
        _ => {
            let (item, text) = item(decoder, node, zone)?;
            let text = match text {
                ItemText::Keyed(text, modifiers) => {
                    own_zone = modifiers.zone.clone();
                    ItemText::Keyed(text, modifiers).alone()
                }
                scalar => scalar.alone(),
            };
            (vec![item], text)
        }
    };
    Some(Read {
        schedule: decoder.shared.schedule(Schedule::new(items)),
        text: decoder.shared.text(&text),
        own_zone,
        is_named: decoder.naming.is_used(),
    })
}

fn list<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    nodes: &[Node<'t>],
    zone: &Zone,
) -> Option<(Vec<Item>, String)> {
    if nodes.is_empty() {
        decoder.report(
            Code::BadSchedule,
            node.span,
            "`schedule` is an empty list",
            "write `manual` for a job that never fires by itself",
        );
        return None;
    }
    if nodes.len() > limits::SCHEDULES {
        let message = format!("more than {} schedules in one job", limits::SCHEDULES);
        decoder.report(Code::Limit, node.span, &message, "make several jobs of it");
        return None;
    }
    let mut items = Vec::with_capacity(nodes.len());
    let mut texts = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some((item, text)) = item(decoder, node, zone) else {
            continue;
        };
        if item == Item::Manual && nodes.len() > 1 {
            decoder.report(
                Code::NoEffect,
                node.span,
                "`manual` says nothing beside other schedules",
                "remove it: any job can be started by hand",
            );
            continue;
        }
        items.push(item);
        texts.push(text.in_list());
    }
    (items.len() == nodes.len()).then(|| (items, format!("[{}]", texts.join(", "))))
}

/// How an item is written.
enum ItemText {
    /// A cron line or a word.
    Scalar(String),
    /// `key: value`, and what stands beside it.
    Keyed(String, Box<modifiers::Modifiers>),
}

impl ItemText {
    fn alone(self) -> String {
        match self {
            ItemText::Scalar(text) => text,
            ItemText::Keyed(text, modifiers) => match modifiers.text() {
                none if none.is_empty() => text,
                beside => format!("{{{text}{beside}}}"),
            },
        }
    }

    fn in_list(self) -> String {
        match self {
            ItemText::Scalar(text) => format!("\"{text}\""),
            ItemText::Keyed(text, modifiers) => format!("{{{text}{}}}", modifiers.text()),
        }
    }
}

fn item<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    zone: &Zone,
) -> Option<(Item, ItemText)> {
    match &node.value {
        Value::Scalar(_) => {
            let text = decoder.text("schedule", node)?;
            match text.trim() {
                "startup" => Some((Item::Startup, ItemText::Scalar("startup".to_owned()))),
                "manual" => Some((Item::Manual, ItemText::Scalar("manual".to_owned()))),
                word if is_word(word) => {
                    not_a_word(decoder, word, node.span);
                    None
                }
                _ => {
                    let (cron, line) = cron(decoder, node, &text)?;
                    let item = Item::cron(cron, zone.clone());
                    let item = can_fire(decoder, item, node.span, zone)?;
                    Some((item, ItemText::Scalar(line)))
                }
            }
        }
        Value::Map(_) => mapping(decoder, node, zone),
        Value::List(_) => {
            decoder.report(
                Code::BadSchedule,
                node.span,
                "a list of schedules inside a list",
                "write one list",
            );
            None
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
}

fn not_a_word(decoder: &mut Decoder<'_, '_>, word: &str, span: Span) {
    let message = format!("`{}` is no schedule", shorten(word));
    let help = if SCHEDULE.find(word).is_some() {
        format!("write `{{ {word}: … }}`")
    } else {
        let near = decoder.did_you_mean(word, SCHEDULE_WORDS.into_iter());
        if near.is_empty() {
            "write a cron line, `{ every: 5m }`, `{ daily: \"02:00\" }`, `startup` or `manual`"
                .to_owned()
        } else {
            near
        }
    };
    decoder.report(Code::BadSchedule, span, &message, &help);
}

fn mapping<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    default_zone: &Zone,
) -> Option<(Item, ItemText)> {
    let before = decoder.errors();
    let mut fields = decoder.fields(&SCHEDULE, node, Scope::Job)?;
    fields.retain(|(_, entry)| !entry.value.is_null());
    let (beside, kinds): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .partition(|(key, _)| modifiers::KEYS.contains(key));
    let (kind, entry) = match kinds.as_slice() {
        [only] => *only,
        [] => {
            if decoder.errors() == before {
                decoder.report(
                    Code::BadSchedule,
                    node.span,
                    "the schedule does not say when",
                    "write `cron`, `every`, `hourly`, `daily`, `weekly`, `monthly`, `yearly`, `random` or `at`",
                );
            }
            return None;
        }
        [(first, one), (second, two), ..] => {
            let message = format!("`{first}` and `{second}` in one schedule");
            let help = "write a list: `schedule: [{ … }, { … }]`";
            let mut problem =
                super::problem::Problem::new(Code::BadSchedule, two.key_span, &message, help);
            problem.also = Some((one.key_span, "the first is here"));
            decoder.note(problem);
            return None;
        }
    };
    let modifiers = modifiers::read(decoder, kind, &beside, default_zone)?;
    let zone = modifiers.zone.as_ref().unwrap_or(default_zone);
    let (item, text) = kind_of(decoder, kind, entry, zone, modifiers.dst)?;
    let item = match modifiers.dst {
        Some(dst) => item.at_changes(dst.gap, dst.fold),
        None => item,
    };
    let item = can_fire(decoder, item, entry.value.span, zone)?;
    let item = modifiers.apply(decoder, item)?;
    Some((item, ItemText::Keyed(text, Box::new(modifiers))))
}

/// Refuses what the clock of its zone never shows: a time that lies in a gap on each of its dates.
fn can_fire(decoder: &mut Decoder<'_, '_>, item: Item, span: Span, zone: &Zone) -> Option<Item> {
    if !item.is_never_shown() {
        return Some(item);
    }
    let message =
        format!("no clock ever shows it: on each of its dates, {zone} skips that time of day");
    let help = "choose another time, or write `dst: { gap: after }` to fire after the gap";
    decoder.report(Code::NeverFires, span, &message, help);
    None
}

fn kind_of<'t>(
    decoder: &mut Decoder<'t, '_>,
    kind: &'static str,
    entry: &Entry<'t>,
    zone: &Zone,
    dst: Option<Dst>,
) -> Option<(Item, String)> {
    let node = &entry.value;
    let (item, text) = match kind {
        "cron" => {
            let text = decoder.text(kind, node)?;
            let (cron, line) = cron(decoder, node, &text)?;
            return Some((Item::cron(cron, zone.clone()), format!("cron: \"{line}\"")));
        }
        "every" => {
            let period = decoder.duration(kind, node)?;
            if period >= DAY && period.as_secs().is_multiple_of(DAY.as_secs()) {
                decoder.report(
                    Code::LongEvery,
                    node.span,
                    "`every` is elapsed time: it knows no time of day and no change of the clock",
                    "write `daily: \"02:00\"` or `weekly: { days: mon, at: \"02:00\" }`",
                );
            }
            (Item::every(period), duration::print(period))
        }
        "hourly" => {
            let minutes = minutes(decoder, node)?;
            let texts: Vec<_> = minutes.iter().map(u8::to_string).collect();
            (Item::hourly(&minutes, zone.clone()), one_or_list(&texts))
        }
        "daily" => {
            let times = times(decoder, kind, node)?;
            (Item::daily(&times, zone.clone()), times_text(&times))
        }
        "weekly" => return weekly(decoder, node, zone),
        "monthly" => return month_days::monthly(decoder, node, zone),
        "yearly" => return month_days::yearly(decoder, node, zone),
        "random" => return random::read(decoder, node, zone),
        "at" => return instants::read(decoder, node, zone, dst),
        _ => return None,
    };
    match item {
        Ok(item) => Some((item, format!("{kind}: {text}"))),
        Err(error) => {
            bad_schedule(decoder, kind, node.span, error);
            None
        }
    }
}

pub(super) fn bad_schedule(
    decoder: &mut Decoder<'_, '_>,
    kind: &str,
    span: Span,
    error: BadSchedule,
) {
    let code = match error {
        BadSchedule::TooOften | BadSchedule::BadMinute(_) => Code::OutOfRange,
        _ => Code::BadSchedule,
    };
    decoder.report(code, span, &format!("`{kind}`: {error}"), "");
}

/// Reads a cron line; a finding points into it.
fn cron<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>, text: &str) -> Option<(Cron, String)> {
    match Cron::parse(text) {
        Ok(cron) => {
            let words: Vec<_> = text.split_whitespace().collect();
            Some((cron, words.join(" ")))
        }
        Err(error) => {
            let code = match error.kind {
                CronErrorKind::Syntax => Code::BadCron,
                CronErrorKind::NeverFires => Code::NeverFires,
            };
            let span = within(node, text, error.offset, error.length);
            decoder.report(code, span, &error.message, &error.help);
            None
        }
    }
}

/// The place of a part of a scalar, where the text in the file is the text that was read.
fn within(node: &Node<'_>, text: &str, offset: usize, length: usize) -> Span {
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let (Some(before), Some(part)) = (text.get(..offset), text.get(offset..offset + length)) else {
        return node.span;
    };
    let Some(scalar) = node.scalar().filter(|scalar| scalar.text == text) else {
        return node.span;
    };
    let quotes = match scalar.style {
        Style::Plain => 0,
        Style::Quoted => 1,
    };
    // With escapes or an anchor before it, the lengths disagree and the whole value is marked.
    if node.span.length != count(text) + 2 * quotes || part.is_empty() {
        return node.span;
    }
    Span {
        column: node.span.column + quotes + count(before),
        length: count(part),
        ..node.span
    }
}

fn minutes<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Vec<u8>> {
    let items = decoder.one_or_more("hourly", node)?;
    let read: Vec<_> = items
        .iter()
        .map(|item| decoder.number("hourly", item, 0, 59))
        .collect();
    let minutes: Option<Vec<u8>> = read
        .into_iter()
        .map(|minute| u8::try_from(minute?).ok())
        .collect();
    minutes
}

pub(super) fn times<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
) -> Option<Vec<civil::Time>> {
    let items = decoder.one_or_more(key, node)?;
    let mut times = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = decoder.text(key, item) else {
            continue;
        };
        match parse_time(text.trim()) {
            Ok(time) => times.push(time),
            Err(error) => {
                let message = format!("`{}` is no time of day", shorten(&text));
                decoder.report(Code::BadSchedule, item.span, &message, &error.help);
            }
        }
    }
    (times.len() == items.len()).then_some(times)
}

pub(super) fn times_text(times: &[civil::Time]) -> String {
    let texts: Vec<_> = times
        .iter()
        .map(|time| match time.second() {
            0 => format!("\"{:02}:{:02}\"", time.hour(), time.minute()),
            second => format!("\"{:02}:{:02}:{second:02}\"", time.hour(), time.minute()),
        })
        .collect();
    one_or_list(&texts)
}

pub(super) fn one_or_list(texts: &[String]) -> String {
    match texts {
        [only] => only.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

fn weekly<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    zone: &Zone,
) -> Option<(Item, String)> {
    let mut read_days = None;
    let mut read_times = None;
    let before = decoder.errors();
    for (key, entry) in decoder.fields(&WEEKLY, node, Scope::Job)? {
        match key {
            "days" => read_days = days(decoder, key, &entry.value),
            "at" => read_times = times(decoder, "at", &entry.value),
            _ => {}
        }
    }
    let (Some(days), Some(times)) = (&read_days, &read_times) else {
        if decoder.errors() == before {
            let missing = if read_days.is_none() { "days" } else { "at" };
            let message = format!("`weekly` has no `{missing}`");
            let help = "write `weekly: { days: [mon, fri], at: \"09:00\" }`";
            decoder.report(Code::MissingKey, node.span, &message, help);
        }
        return None;
    };
    let union = days
        .iter()
        .fold(Days::NONE, |all, (day, _)| all.union(*day));
    let words: Vec<_> = days.iter().map(|(_, word)| word.clone()).collect();
    match Item::weekly(union, times, zone.clone()) {
        Ok(item) => {
            let text = format!(
                "weekly: {{days: {}, at: {}}}",
                one_or_list(&words),
                times_text(times)
            );
            Some((item, text))
        }
        Err(error) => {
            bad_schedule(decoder, "weekly", node.span, error);
            None
        }
    }
}

pub(super) fn days<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
) -> Option<Vec<(Days, String)>> {
    let items = decoder.one_or_more(key, node)?;
    let mut days = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = decoder.text(key, item) else {
            continue;
        };
        match Days::parse(&text) {
            Ok(day) => days.push((day, text.into_owned())),
            Err(error) => {
                let message = format!("`{}` is no day", shorten(&text));
                let near = decoder.did_you_mean(&text, DAYS.into_iter());
                let help = if near.is_empty() { error.help } else { near };
                decoder.report(Code::BadSchedule, item.span, &message, &help);
            }
        }
    }
    (days.len() == items.len()).then_some(days)
}
