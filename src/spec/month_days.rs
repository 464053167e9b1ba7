//! `monthly` and `yearly`: days of a month or dates of a year, at times of day.

use super::decode::{Decoder, Scope};
use super::fields::{Level, MONTHLY, YEARLY};
use super::schedule::{bad_schedule, one_or_list, times, times_text};
use super::tree::Node;
use crate::finding::Code;
use crate::schedule::{BadDate, BadSchedule, Item, MonthDay, YearDay, Zone};

/// Reads `monthly`.
pub(super) fn monthly<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    zone: &Zone,
) -> Option<(Item, String)> {
    let (days, times) = both(decoder, &MONTHLY, node, "2nd tue", MonthDay::parse)?;
    let lists_last = |day: MonthDay| days.iter().any(|(other, _)| *other == day.as_last());
    for (day, node) in &days {
        let Some(lacks) = day.lacking() else { continue };
        if lists_last(*day) {
            continue;
        }
        let message = format!("{lacks}: the job does not fire there");
        let help = format!("write `{}` if the end of the month is meant", day.as_last());
        decoder.report(Code::ShortMonth, node.span, &message, &help);
    }
    let words: Vec<_> = days.iter().map(|(day, _)| day.to_string()).collect();
    let days: Vec<_> = days.iter().map(|(day, _)| *day).collect();
    let item = Item::monthly(&days, &times, zone.clone());
    let text = format!(
        "monthly: {{day: {}, at: {}}}",
        one_or_list(&words),
        times_text(&times)
    );
    done(decoder, "monthly", node, item, text)
}

/// Reads `yearly`.
pub(super) fn yearly<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    zone: &Zone,
) -> Option<(Item, String)> {
    let (dates, times) = both(decoder, &YEARLY, node, "03-31", YearDay::parse)?;
    for (date, node) in &dates {
        if date.is_leap_day() {
            decoder.report(
                Code::ShortMonth,
                node.span,
                "only leap years have 29 February: in other years the job does not fire then",
                "write `02-28` or `03-01` if each year is meant",
            );
        }
    }
    let words: Vec<_> = dates.iter().map(|(date, _)| date.to_string()).collect();
    let dates: Vec<_> = dates.iter().map(|(date, _)| *date).collect();
    let item = Item::yearly(&dates, &times, zone.clone());
    let text = format!(
        "yearly: {{date: {}, at: {}}}",
        one_or_list(&words),
        times_text(&times)
    );
    done(decoder, "yearly", node, item, text)
}

/// What was read, each with its place.
type Read<'n, 't, D> = (Vec<(D, &'n Node<'t>)>, Vec<jiff::civil::Time>);

/// The first key of the level, which names days, and `at`.
fn both<'n, 't, D>(
    decoder: &mut Decoder<'t, '_>,
    level: &'static Level,
    node: &'n Node<'t>,
    example: &str,
    parse: impl Fn(&str) -> Result<D, BadDate>,
) -> Option<Read<'n, 't, D>> {
    let before = decoder.errors();
    let (mut read_days, mut read_times) = (None, None);
    let (kind, days_key) = (level.what, level.fields.first()?.key);
    for (key, entry) in decoder.fields(level, node, Scope::Job)? {
        if key == "at" {
            read_times = times(decoder, key, &entry.value);
        } else {
            read_days = days(decoder, key, &entry.value, &parse);
        }
    }
    if read_days.is_some() && read_times.is_some() {
        return read_days.zip(read_times);
    }
    if !decoder.errors_since(before) {
        let missing = if read_days.is_none() { days_key } else { "at" };
        let message = format!("{kind} has no `{missing}`");
        let word = kind.trim_matches('`');
        let help = format!("write `{word}: {{ {days_key}: {example}, at: \"09:00\" }}`");
        decoder.report(Code::MissingKey, node.span, &message, &help);
    }
    None
}

fn days<'n, 't, D>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &'n Node<'t>,
    parse: impl Fn(&str) -> Result<D, BadDate>,
) -> Option<Vec<(D, &'n Node<'t>)>> {
    let items = decoder.one_or_more(key, node)?;
    let mut days = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = decoder.text(key, item) else {
            continue;
        };
        match parse(text.trim()) {
            Ok(day) => days.push((day, item)),
            Err(error) => {
                let code = if error.never {
                    Code::NeverFires
                } else {
                    Code::BadSchedule
                };
                decoder.report(code, item.span, &error.message, &error.help);
            }
        }
    }
    (days.len() == items.len()).then_some(days)
}

fn done(
    decoder: &mut Decoder<'_, '_>,
    kind: &str,
    node: &Node<'_>,
    item: Result<Item, BadSchedule>,
    text: String,
) -> Option<(Item, String)> {
    match item {
        Ok(item) => Some((item, text)),
        Err(error) => {
            bad_schedule(decoder, kind, node.span, error);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes, file};
    use super::*;

    #[test]
    fn a_day_that_months_or_years_lack_is_noted_where_it_stands() {
        let noted = |schedule: &str| {
            let text =
                format!("jobs:\n  a: {{ run: x, schedule: {{ {schedule}, at: \"09:00\" }} }} }}\n");
            let file = file(&text);
            let all_notes = codes(&file).iter().all(|code| *code == Code::ShortMonth);
            assert!(all_notes, "{schedule}: {:?}", file.findings);
            assert_eq!(file.jobs.len(), 1);
            let lines = file
                .findings
                .iter()
                .map(|f| format!("{}; {}", f.message, f.help));
            lines.collect::<Vec<_>>()
        };
        let month = "write `last` if the end of the month is meant";
        for (schedule, want) in [
            ("monthly: { day: 28", vec![]),
            ("monthly: { day: last", vec![]),
            ("monthly: { day: [31, last]", vec![]),
            ("monthly: { day: [5th fri, last fri]", vec![]),
            (
                "monthly: { day: [29, 30]",
                vec![
                    format!("February has no day 29 except in leap years: the job does not fire there; {month}"),
                    format!("February has no day 30: the job does not fire there; {month}"),
                ],
            ),
            (
                "monthly: { day: [5th fri, last]",
                vec!["most months have no fifth Friday: the job does not fire there; write `last fri` if the end of the month is meant".to_owned()],
            ),
            (
                "yearly: { date: [02-29, 03-01]",
                vec!["only leap years have 29 February: in other years the job does not fire then; write `02-28` or `03-01` if each year is meant".to_owned()],
            ),
            ("yearly: { date: 02-28", vec![]),
        ] {
            assert_eq!(noted(schedule), want, "{schedule}");
        }
    }
}
