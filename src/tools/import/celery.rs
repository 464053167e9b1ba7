//! Celery beat: its `beat_schedule` as JSON, and the entries that RedBeat keeps in Redis.

use std::time::Duration;

use super::Options;
use super::calendar::{Calendar, DAYS, DaySet, HOURS, MONTHS, Rule, SIXTY, WEEK};
use super::draft::{Draft, Sheet, Value, When, literal, seconds, zone};
use super::field::{Field, MONTHS as MONTH_NAMES, WEEKDAYS};
use super::prove::Old;
use crate::finding::Code;
use crate::tools::page::Trouble;
use crate::tools::yaml::Node;

/// Reads a dump; false when it is none.
pub(super) fn read(document: &Node, file: usize, options: &Options<'_>, sheet: &mut Sheet) -> bool {
    let is_dump = document.get("scheduler").and_then(Node::text) == Some("celery");
    let entries: Vec<&Node> = if is_dump {
        document
            .get("entries")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .collect()
    } else if document.get("task").is_some() {
        vec![document]
    } else {
        document
            .items()
            .iter()
            .filter(|item| item.get("task").is_some())
            .collect()
    };
    if !is_dump && entries.is_empty() {
        return false;
    }
    sheet.remarks.push(
        "A fire sends the task to its queue by `celery call`, as beat does; a worker runs it. \
         The run here ends when the task is sent."
            .to_owned(),
    );
    let app = document.get("app").and_then(Node::text).unwrap_or("app");
    if document.get("app").is_none() {
        sheet.remarks.push(
            "The entries do not name the application: replace `app` after -A by its module."
                .to_owned(),
        );
    }
    for entry in entries {
        let text = |key: &str| entry.get(key).and_then(Node::text);
        let task = text("task").unwrap_or_default();
        let mut draft = Draft::new(text("name").unwrap_or(task), file, entry.at);
        let schedule = entry.get("schedule").map(Node::json).unwrap_or_default();
        draft
            .above
            .push(format!("line {}: {task} {schedule}", entry.at.line));
        if let Err(trouble) = when(entry, document, options, &mut draft) {
            draft.troubles.push(trouble);
        }
        if entry.get("enabled").and_then(Node::flag) == Some(false) {
            draft.key("enabled", Value::raw("false"));
        }
        call(entry, app, task, &mut draft);
        draft.key("misfire_grace_time", Value::raw("52w")).remark(
            "beat sends at its next start what was due while it was down, once, however late.",
        );
        sheet.drafts.push(draft);
    }
    true
}

fn call(entry: &Node, app: &str, task: &str, draft: &mut Draft) {
    let mut words = ["celery", "-A", app, "call", task].map(literal).to_vec();
    if let Some(args) = entry.get("args").filter(|args| !args.items().is_empty()) {
        words.push(literal(&format!("--args={}", args.json())));
    }
    if let Some(kwargs) = entry
        .get("kwargs")
        .filter(|kwargs| !kwargs.entries().is_empty())
    {
        words.push(literal(&format!("--kwargs={}", kwargs.json())));
    }
    let mut left = Vec::new();
    for (key, value) in entry.get("options").map(Node::entries).unwrap_or_default() {
        let flag = match key.text().unwrap_or_default() {
            "queue" => "--queue",
            "exchange" => "--exchange",
            "routing_key" => "--routing-key",
            "expires" => "--expires",
            "countdown" => "--countdown",
            other => {
                left.push(other.to_owned());
                continue;
            }
        };
        if let Some(text) = value.text().filter(|_| !value.is_null()) {
            words.push(literal(&format!("{flag}={text}")));
        }
    }
    draft.key("exec", Value::List(words));
    if !left.is_empty() {
        let left = left.join(", ");
        draft.remark(format!("options without a flag of `celery call`: {left}."));
    }
}

fn when(
    entry: &Node,
    document: &Node,
    options: &Options<'_>,
    draft: &mut Draft,
) -> Result<(), Trouble> {
    let Some(schedule) = entry.get("schedule") else {
        return Err(Trouble::new(
            Code::MissingKey,
            entry.at,
            "it has no schedule",
            "",
        ));
    };
    let kind = schedule.get("type").or_else(|| schedule.get("__type__"));
    match kind.and_then(Node::text).unwrap_or_default() {
        "crontab" => {
            let node = document.get("timezone");
            let zone_name = match node {
                Some(node) => zone(node.text().unwrap_or_default(), node.at, options.zones)?,
                None => options.timezone.to_owned(),
            };
            crontab(schedule, &zone_name, options, draft)
        }
        "interval" | "schedule" => {
            let length = schedule.get("every").or_else(|| schedule.get("seconds"));
            let period = length
                .and_then(Node::number)
                .and_then(seconds)
                .and_then(|text| crate::duration::parse(&text).ok())
                .filter(|period| *period >= Duration::from_millis(100));
            let Some(period) = period else {
                let message = "it has no sensible number of seconds";
                return Err(Trouble::new(Code::BadDuration, schedule.at, message, ""));
            };
            draft.schedule = vec![When::every(period)];
            draft
                .schedule_remarks
                .push("beat counts from the last run, elder from the Unix epoch.".to_owned());
            draft.old = vec![Old::Every {
                period,
                anchor: None,
                until: None,
            }];
            Ok(())
        }
        other => {
            let message = format!("the schedule {other:?} has no counterpart");
            let help = "write it as cron or every";
            Err(Trouble::untranslated(schedule.at, message, help))
        }
    }
}

fn crontab(
    schedule: &Node,
    zone_name: &str,
    options: &Options<'_>,
    draft: &mut Draft,
) -> Result<(), Trouble> {
    draft.timezone = Some(zone_name.to_owned());
    let read = |key: &str, field: Field, all: u64| -> Result<u64, Trouble> {
        let Some(node) = schedule.get(key) else {
            return Ok(all);
        };
        let text = match node.is_list() {
            true => node.texts().join(","),
            false => node.text().unwrap_or_default().to_owned(),
        };
        let field = Field {
            wraps: true,
            ..field
        };
        let text: String = text.split_whitespace().collect();
        let values = short_names(&text, field.names);
        let values = field.parse(&values);
        let values =
            values.map_err(|bad| Trouble::new(Code::BadCron, node.at, bad.message, bad.help))?;
        Ok(values.bits)
    };
    let week = Field {
        names: &WEEKDAYS,
        ..Field::new("day of week", 0, 6)
    };
    let month = Field {
        names: &MONTH_NAMES,
        ..Field::new("month", 1, 12)
    };
    let calendar = Calendar {
        minutes: read("minute", Field::new("minute", 0, 59), SIXTY)?,
        hours: read("hour", Field::new("hour", 0, 23), HOURS)?,
        days: DaySet::days(read(
            "day_of_month",
            Field::new("day of month", 1, 31),
            DAYS,
        )?),
        months: read("month_of_year", month, MONTHS)?,
        weekdays: DaySet::week(read("day_of_week", week, WEEK)?),
        ..Calendar::daily(zone_name, Rule::CELERY)
    };
    if !calendar.days.any && !calendar.weekdays.any {
        draft
            .schedule_remarks
            .push("For Celery both day fields must hold.".to_owned());
    }
    draft.old = vec![Old::calendar(calendar.clone())];
    draft.schedule = calendar
        .translate(None, options.zones)
        .map_err(|refused| Trouble::untranslated(schedule.at, refused.message, refused.help))?;
    Ok(())
}

/// `monday` and `january` by their first three letters, which is all that the fields know.
fn short_names(text: &str, names: &[(&str, u8)]) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for c in text.chars().chain([',']) {
        if c.is_ascii_alphabetic() {
            word.push(c.to_ascii_lowercase());
            continue;
        }
        let known = names
            .iter()
            .find(|(name, _)| word.len() > 3 && word.starts_with(name));
        short.push_str(known.map_or(&word, |(name, _)| name));
        word.clear();
        short.push(c);
    }
    short.pop();
    short
}
