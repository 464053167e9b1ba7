//! Dumps of APScheduler 3 and of Celery beat as JSON. Their shape is in docs/migration.md.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::calendar::{Calendar, DAYS, DaySet, HOURS, MONTHS, Rule, SIXTY, WEEK};
use super::draft::{Draft, Sheet, Value, When, literal, seconds, zone};
use super::field::{Field, MONTHS as MONTH_NAMES, OpenStep};
use super::prove::Old;
use super::quartz::ranges;
use super::{Options, SourceFile, celery, target};
use crate::finding::Code;
use crate::tools::page::Trouble;
use crate::tools::yaml::{self, Node};

pub(super) fn read(files: &[SourceFile], options: &Options<'_>) -> Sheet {
    let mut sheet = Sheet::default();
    for (index, file) in files.iter().enumerate() {
        let documents = match yaml::read(&file.text, "JSON") {
            Ok(documents) => documents,
            Err(trouble) => {
                sheet.troubles.push((index, trouble));
                continue;
            }
        };
        for document in &documents {
            let kind = document.get("scheduler").and_then(Node::text);
            if kind == Some("apscheduler") {
                jobs(document, index, options, &mut sheet);
            } else if !celery::read(document, index, options, &mut sheet) {
                let message = "this is no dump of APScheduler or Celery beat";
                let help = "docs/migration.md has the lines of Python that make one";
                let trouble = Trouble::untranslated(document.at, message, help);
                sheet.troubles.push((index, trouble));
            }
        }
    }
    sheet
}

fn jobs(document: &Node, file: usize, options: &Options<'_>, sheet: &mut Sheet) {
    sheet.remarks.push(
        "APScheduler calls a function inside of the application; elder starts a Python of its \
         own for it. PATH, cwd and env must let that one import the module."
            .to_owned(),
    );
    for node in document.get("jobs").map(Node::items).unwrap_or_default() {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let name = text("id").or(text("name")).unwrap_or("job");
        let mut draft = Draft::new(name, file, node.at);
        let func = text("func").unwrap_or_default();
        let trigger = node.get("trigger").map(Node::json).unwrap_or_default();
        draft
            .above
            .push(format!("line {}: {func} {trigger}", node.at.line));
        if let Some(name) = text("name").filter(|name| *name != func && !func.ends_with(name)) {
            draft.key("description", Value::Text(literal(name)));
        }
        if let Err(trouble) = trigger_of(node, document, options, &mut draft) {
            draft.troubles.push(trouble);
        }
        call(node, func, &mut draft);
        policy(node, &mut draft);
        sheet.drafts.push(draft);
    }
}

/// The function as a Python of its own.
fn call(node: &Node, func: &str, draft: &mut Draft) {
    let module_and_name = func.split_once(':').filter(|(module, name)| {
        let name_is_fine = |text: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_alphanumeric() || "_.".contains(c))
        };
        name_is_fine(module) && name_is_fine(name)
    });
    let Some((module, name)) = module_and_name else {
        let at = node.get("func").map_or(node.at, |func| func.at);
        let message = format!("{func:?} is no module:function");
        let help = "a lambda or a local function cannot be started from outside; give it a name";
        draft
            .troubles
            .push(Trouble::untranslated(at, message, help));
        return;
    };
    let text = |key: &str, default: &str| {
        let text = node.get(key).and_then(Node::text).unwrap_or(default);
        text.to_owned()
    };
    let (args, kwargs) = (text("args", "[]"), text("kwargs", "{}"));
    let mut parameters = Vec::new();
    if !["[]", "()"].contains(&&*args) {
        parameters.push(format!("*{args}"));
    }
    if kwargs != "{}" {
        parameters.push(format!("**{kwargs}"));
    }
    let code = format!(
        "import {module}; {module}.{name}({})",
        parameters.join(", ")
    );
    let words = ["python3", "-c", &code].map(literal);
    draft.key("exec", Value::List(words.to_vec()));
}

fn policy(node: &Node, draft: &mut Draft) {
    let number = |key: &str| node.get(key).and_then(Node::number);
    let most = number("max_instances").unwrap_or(1.0).clamp(1.0, 10_000.0);
    draft.key("max_instances", Value::raw(most.to_string()));
    match node
        .entries()
        .iter()
        .find(|(key, _)| key.text() == Some("misfire_grace_time"))
    {
        Some((_, value)) if value.is_null() => {
            let key = draft.key("misfire_grace_time", Value::raw("52w"));
            key.remark("misfire_grace_time=None: however late.");
        }
        Some((_, value)) => {
            if let Some(text) = value.number().and_then(seconds) {
                draft.key("misfire_grace_time", Value::raw(text));
            }
        }
        None => {
            let key = draft.key("misfire_grace_time", Value::raw("1s"));
            key.remark("APScheduler's default is one second.");
        }
    }
    if let Some(flag) = node.get("coalesce").and_then(Node::flag) {
        draft.key("coalesce", Value::raw(flag.to_string()));
    }
    target::no_timeout(draft, "APScheduler");
    let paused = node
        .entries()
        .iter()
        .any(|(key, value)| key.text() == Some("next_run_time") && value.is_null());
    if paused {
        let key = draft.key("enabled", Value::raw("false"));
        key.remark("The job was paused when the dump was made.");
    }
}

fn trigger_of(
    job: &Node,
    document: &Node,
    options: &Options<'_>,
    draft: &mut Draft,
) -> Result<(), Trouble> {
    let Some(trigger) = job.get("trigger") else {
        return Err(Trouble::new(
            Code::MissingKey,
            job.at,
            "it has no trigger",
            "",
        ));
    };
    let zone_node = trigger.get("timezone").or_else(|| document.get("timezone"));
    let zone_name = match zone_node {
        Some(node) => zone(node.text().unwrap_or_default(), node.at, options.zones)?,
        None => options.timezone.to_owned(),
    };
    let kind = trigger.get("type").and_then(Node::text).unwrap_or_default();
    if let Some(jitter) = trigger.get("jitter").and_then(Node::number)
        && let Some(text) = seconds(jitter)
    {
        target::jitter(draft, &text, "jitter");
    }
    match kind {
        "CronTrigger" => cron(trigger, &zone_name, options, draft),
        "IntervalTrigger" => interval(trigger, draft),
        "DateTrigger" => {
            let node = trigger.get("run_date");
            let at = instant(node, trigger)?.ok_or_else(|| {
                Trouble::new(Code::MissingKey, trigger.at, "it has no run_date", "")
            })?;
            draft.schedule = vec![When::plain("at", at.to_string())];
            draft.old = vec![Old::At(vec![at])];
            Ok(())
        }
        "OrTrigger" => {
            let mut parts = Vec::new();
            for part in trigger.get("triggers").map(Node::items).unwrap_or_default() {
                let mut one = Draft::new("", draft.file, draft.at);
                one.timezone = Some(zone_name.clone());
                let kind = part.get("type").and_then(Node::text).unwrap_or_default();
                if kind != "CronTrigger" {
                    let message = format!("{kind} inside of an OrTrigger");
                    let help = "write one job for each trigger";
                    return Err(Trouble::untranslated(part.at, message, help));
                }
                let own = part.get("timezone");
                let own =
                    own.map(|node| zone(node.text().unwrap_or_default(), node.at, options.zones));
                let own = own.transpose()?.unwrap_or_else(|| zone_name.clone());
                cron(part, &own, options, &mut one)?;
                let text = super::text::scalar(&own);
                one.schedule
                    .iter_mut()
                    .for_each(|when| when.beside.push(("timezone", text.clone())));
                parts.push(one);
            }
            for mut part in parts {
                draft.schedule.append(&mut part.schedule);
                draft.old.append(&mut part.old);
            }
            Ok(())
        }
        other => {
            let message = format!("the trigger {other:?} has no counterpart");
            let help = "write the schedule by hand";
            Err(Trouble::untranslated(trigger.at, message, help))
        }
    }
}

fn instant(node: Option<&Node>, within: &Node) -> Result<Option<Timestamp>, Trouble> {
    let Some(node) = node else {
        return Ok(None);
    };
    let text = node.text().unwrap_or_default().replace(' ', "T");
    text.parse().map(Some).map_err(|_| {
        let at = if node.at.line == 0 {
            within.at
        } else {
            node.at
        };
        let message = format!("{text:?} is no instant with an offset");
        Trouble::untranslated(at, message, "write 2027-03-28T01:30:00+09:00")
    })
}

fn interval(trigger: &Node, draft: &mut Draft) -> Result<(), Trouble> {
    let length = trigger.get("seconds").and_then(Node::number);
    let period = length
        .and_then(seconds)
        .and_then(|t| crate::duration::parse(&t).ok());
    let Some(period) = period.filter(|period| *period >= Duration::from_millis(100)) else {
        let message = "it has no sensible number of seconds";
        return Err(Trouble::new(Code::BadDuration, trigger.at, message, ""));
    };
    let anchor = instant(trigger.get("start_date"), trigger)?;
    let until = instant(trigger.get("end_date"), trigger)?;
    let mut when = When::every(period);
    target::bounds(&mut when, anchor, until);
    if anchor.is_none() {
        draft
            .schedule_remarks
            .push("APScheduler counts from its own start, elder from the Unix epoch.".to_owned());
    }
    draft.schedule = vec![when];
    draft.old = vec![Old::Every {
        period,
        anchor,
        until,
    }];
    Ok(())
}

fn cron(
    trigger: &Node,
    zone_name: &str,
    options: &Options<'_>,
    draft: &mut Draft,
) -> Result<(), Trouble> {
    draft.timezone.get_or_insert_with(|| zone_name.to_owned());
    let mut calendar = Calendar {
        last_year: 9_000,
        ..Calendar::daily(zone_name, Rule::APSCHEDULER)
    };
    const ORDER: [&str; 8] = [
        "year",
        "month",
        "day",
        "week",
        "day_of_week",
        "hour",
        "minute",
        "second",
    ];
    // Below the smallest field that is given stand the least values, above it all of them.
    let given = |key: &str| trigger.get(key).filter(|node| node.text() != Some("*"));
    let named = |key: &str| trigger.get(key).is_some();
    let last = ORDER.iter().rposition(|key| named(key));
    let least = |key: &str| {
        let at = ORDER.iter().position(|name| *name == key);
        last.is_some_and(|last| at.is_some_and(|at| at > last))
    };
    let bits = |key: &'static str, field: &Field, all: u64| -> Result<u64, Trouble> {
        match given(key) {
            Some(node) => field_of(node, field),
            None if least(key) => Ok(all & all.wrapping_neg()),
            None => Ok(all),
        }
    };
    calendar.seconds = bits("second", &number("second", 0, 59), SIXTY)?;
    calendar.minutes = bits("minute", &number("minute", 0, 59), SIXTY)?;
    calendar.hours = bits("hour", &number("hour", 0, 23), HOURS)?;
    let month = Field {
        names: &MONTH_NAMES,
        ..number("month", 1, 12)
    };
    calendar.months = bits("month", &month, MONTHS)?;
    calendar.days = match given("day") {
        Some(node) => days(node)?,
        None if least("day") => DaySet::days(2),
        None => DaySet::days(DAYS),
    };
    if let Some(node) = given("day_of_week") {
        const FROM_MONDAY: [(&str, u8); 7] = [
            ("mon", 0),
            ("tue", 1),
            ("wed", 2),
            ("thu", 3),
            ("fri", 4),
            ("sat", 5),
            ("sun", 6),
        ];
        let field = Field {
            names: &FROM_MONDAY,
            ..number("day of week", 0, 6)
        };
        let bits = field_of(node, &field)?;
        calendar.weekdays = DaySet::week(((bits << 1) | (bits >> 6)) & WEEK);
        if node
            .text()
            .is_some_and(|text| text.bytes().any(|b| b.is_ascii_digit()))
        {
            draft.schedule_remarks.push(format!(
                "day_of_week={}: for APScheduler 0 is Monday.",
                node.text().unwrap_or_default()
            ));
        }
    }
    if let Some(node) = given("week") {
        calendar.weeks = field_of(node, &number("week", 1, 53))?;
    }
    if let Some(node) = given("year") {
        calendar.years = years(node)?;
    }
    let from = instant(trigger.get("start_date"), trigger)?;
    let until = instant(trigger.get("end_date"), trigger)?;
    let untranslated = |refused: super::cron_line::Refused| {
        Trouble::untranslated(trigger.at, refused.message, refused.help)
    };
    if !calendar.years.is_empty() && (from.is_some() || until.is_some()) {
        let message = "years and a first or last day at once";
        let help = "write `from` and `until` by hand";
        return Err(Trouble::untranslated(trigger.at, message, help));
    }
    draft.old = vec![Old::Calendar {
        calendar: Box::new(calendar.clone()),
        from,
        until,
    }];
    draft.schedule = calendar
        .translate(None, options.zones)
        .map_err(untranslated)?;
    for when in &mut draft.schedule {
        target::bounds(when, from, until);
    }
    Ok(())
}

const fn number(name: &'static str, low: u8, high: u8) -> Field {
    Field {
        open_step: OpenStep::ToEnd,
        ..Field::new(name, low, high)
    }
}

fn field_of(node: &Node, field: &Field) -> Result<u64, Trouble> {
    let text: String = node.text().unwrap_or_default().split_whitespace().collect();
    let values = field.parse(&text);
    let values =
        values.map_err(|bad| Trouble::new(Code::BadCron, node.at, bad.message, bad.help))?;
    Ok(values.bits)
}

/// `1-7`, `last`, `2nd fri`, `last sun`.
fn days(node: &Node) -> Result<DaySet, Trouble> {
    const PLACES: [(&str, u8); 6] = [
        ("1st", 1),
        ("2nd", 2),
        ("3rd", 3),
        ("4th", 4),
        ("5th", 5),
        ("last", 0),
    ];
    let mut set = DaySet::default();
    let text = node.text().unwrap_or_default().to_ascii_lowercase();
    for item in text.split(',').map(str::trim) {
        if item == "last" {
            set.from_end |= 2;
        } else if let Some((place, day)) = item.split_once(' ') {
            let place = PLACES.iter().find(|(name, _)| *name == place);
            let day = super::field::WEEKDAYS
                .iter()
                .find(|(name, _)| *name == day.trim());
            let (Some((_, k)), Some((_, day))) = (place, day) else {
                let message = format!("{item:?} is no day of a month");
                let help = "APScheduler knows last, 2nd fri, last sun";
                return Err(Trouble::new(Code::BadCron, node.at, message, help));
            };
            set.nth.push((*k, *day));
        } else {
            let values = number("day", 1, 31).parse(item);
            let values = values
                .map_err(|bad| Trouble::new(Code::BadCron, node.at, bad.message, bad.help))?;
            set.days |= values.bits;
        }
    }
    set.any = set.days & DAYS == DAYS;
    Ok(set)
}

fn years(node: &Node) -> Result<Vec<(i16, i16)>, Trouble> {
    let bad = || {
        let message = "these years have no counterpart";
        let help = "write years and ranges of them, such as 2027-2029";
        Trouble::untranslated(node.at, message, help)
    };
    let mut found = BTreeSet::new();
    let text: String = node.text().unwrap_or_default().split_whitespace().collect();
    for item in text.split(',') {
        let (from, until) = item.split_once('-').unwrap_or((item, item));
        let year = |text: &str| {
            let year = text.parse::<i16>().ok();
            year.filter(|year| (1970..=9_999).contains(year))
        };
        let (Some(from), Some(until)) = (year(from), year(until)) else {
            return Err(bad());
        };
        found.extend(from..=until);
    }
    Ok(ranges(found))
}
