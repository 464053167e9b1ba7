//! systemd's timers, with the services that they start in `service`.

use std::time::Duration;

use super::draft::{Draft, Sheet, Value, When, literal, seconds};
use super::on_calendar::{Event, parse};
use super::prove::Old;
use super::service::what;
use super::unit::{Setting, Unit, span};
use super::{Options, SourceFile, target};
use crate::finding::Code;
use crate::tools::page::{Spot, Trouble};

/// The names of the services that a timer may start, to be looked for beside it.
pub(super) fn companions(file: &SourceFile) -> Vec<String> {
    if !file.name.ends_with(".timer") {
        return Vec::new();
    }
    let unit = Unit::read(&file.text, &mut Vec::new());
    vec![service_name(file, &unit)]
}

fn service_name(file: &SourceFile, unit: &Unit) -> String {
    let stem = file.file_name().trim_end_matches(".timer");
    match unit.last("Timer", "Unit") {
        Some(setting) => setting.value.clone(),
        None => format!("{stem}.service"),
    }
}

pub(super) fn read(files: &[SourceFile], options: &Options<'_>) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.remarks.push(
        "systemd may start a timer up to AccuracySec late (a minute, unless the unit says \
         otherwise); elder starts it on the second."
            .to_owned(),
    );
    sheet.remarks.push(format!(
        "Times without a zone are those of {} (--timezone says which zone the machine has).",
        options.timezone
    ));
    for (index, file) in files.iter().enumerate() {
        if !file.name.ends_with(".timer") {
            continue;
        }
        let mut troubles = Vec::new();
        let timer = Unit::read(&file.text, &mut troubles);
        sheet
            .troubles
            .extend(troubles.into_iter().map(|trouble| (index, trouble)));
        let wanted = service_name(file, &timer);
        let stem = file.file_name().trim_end_matches(".timer");
        let mut draft = Draft::new(stem, index, Spot::default());
        draft
            .above
            .push(format!("{} and {wanted}", file.file_name()));
        let found = files.iter().find(|other| other.file_name() == wanted);
        let service = found.map(|other| Unit::read(&other.text, &mut Vec::new()));
        let described = service
            .as_ref()
            .and_then(|unit| unit.last("Unit", "Description"));
        if let Some(text) = described.or_else(|| timer.last("Unit", "Description")) {
            draft.key("description", Value::Text(literal(&text.value)));
        }
        when(&timer, options, &mut draft);
        match &service {
            Some(service) => {
                if let Err(message) = what(service, &wanted, &mut draft) {
                    let message = format!("{wanted}: {message}");
                    let help = "write the command as run or exec";
                    let trouble = Trouble::untranslated(Spot::default(), message, help);
                    draft.troubles.push(trouble);
                }
            }
            None => {
                let message = format!("{wanted} is not among the files");
                let help = "name it too, or put it beside the timer";
                draft
                    .troubles
                    .push(Trouble::untranslated(Spot::default(), message, help));
            }
        }
        sheet.drafts.push(draft);
    }
    if sheet.drafts.is_empty() {
        let message = "there is no .timer among the files";
        let help = "name the .timer; its .service is looked for beside it";
        sheet
            .troubles
            .push((0, Trouble::untranslated(Spot::default(), message, help)));
    }
    sheet
}

fn when(timer: &Unit, options: &Options<'_>, draft: &mut Draft) {
    for setting in timer.all("Timer", "OnCalendar") {
        if let Err(trouble) = calendar(setting, options, draft) {
            draft.troubles.push(trouble);
        }
    }
    let period = timer
        .last("Timer", "OnUnitActiveSec")
        .or_else(|| timer.last("Timer", "OnUnitInactiveSec"));
    if let Some(setting) = period {
        every(setting, draft);
    }
    let starts = ["OnBootSec", "OnStartupSec", "OnActiveSec"];
    let starts: Vec<&Setting> = starts
        .iter()
        .filter_map(|key| timer.last("Timer", key))
        .collect();
    if let Some(setting) = starts.first() {
        if period.is_none() {
            draft.schedule.push(When::plain("startup", ""));
            draft.old.push(Old::Startup);
            draft.schedule_remarks.push(format!(
                "{}={}: elder fires when it starts itself, without the delay.",
                setting.key, setting.value
            ));
        } else {
            draft.schedule_remarks.push(format!(
                "{}={}: the first fire does not wait for that here.",
                setting.key, setting.value
            ));
        }
    }
    for key in ["OnClockChange", "OnTimezoneChange"] {
        if timer.flag("Timer", key)
            && let Some(setting) = timer.last("Timer", key)
        {
            let message = format!("{key} has no counterpart");
            draft
                .troubles
                .push(Trouble::untranslated(setting.at, message, ""));
        }
    }
    if draft.schedule.is_empty() && draft.troubles.is_empty() {
        let message = "the timer says no time";
        draft
            .troubles
            .push(Trouble::untranslated(Spot::default(), message, ""));
    }
    let delay = timer.last("Timer", "RandomizedDelaySec");
    let delay = delay
        .and_then(|s| span(&s.value))
        .filter(|length| *length > 0.0);
    if let Some(text) = delay.and_then(seconds) {
        let length = crate::duration::parse(&text).unwrap_or_default();
        match timer.flag("Timer", "FixedRandomDelay") {
            true => target::spread(draft, length, "RandomizedDelaySec with FixedRandomDelay"),
            false => target::jitter(draft, &text, "RandomizedDelaySec"),
        }
    }
    if timer.flag("Timer", "Persistent") {
        draft.key("misfire_grace_time", Value::raw("52w")).remark(
            "Persistent=true: what was due while the machine was off is caught up, however late.",
        );
    } else if !timer.all("Timer", "OnCalendar").is_empty() {
        draft.key("misfire_grace_time", Value::raw("1m")).remark(
            "Without Persistent=true systemd forgets what was due while the machine was off.",
        );
    }
    if timer.flag("Timer", "WakeSystem") {
        draft.remark("WakeSystem=true: elder does not wake a machine.");
    }
}

fn calendar(setting: &Setting, options: &Options<'_>, draft: &mut Draft) -> Result<(), Trouble> {
    let event = parse(&setting.value, options.timezone, options.zones).map_err(|bad| {
        let mut at = setting.at;
        if let Some(byte) = setting.value.find(&bad.word) {
            let before = setting.value[..byte].chars().count();
            at.column += u32::try_from(before).unwrap_or(0);
            at.length = u32::try_from(bad.word.chars().count()).unwrap_or(1).max(1);
        }
        Trouble::new(Code::BadSchedule, at, bad.message, bad.help)
    })?;
    match event {
        Event::At(instant) => {
            draft.schedule.push(When::plain("at", instant.to_string()));
            draft.old.push(Old::At(vec![instant]));
        }
        Event::Calendar(calendar) => {
            let untranslated = |refused: super::cron_line::Refused| {
                let message = format!("OnCalendar={}: {}", setting.value, refused.message);
                Trouble::untranslated(setting.at, message, refused.help)
            };
            draft.old.push(Old::calendar(*calendar.clone()));
            let mut items = calendar
                .translate(None, options.zones)
                .map_err(untranslated)?;
            match &draft.timezone {
                None => draft.timezone = Some(calendar.zone.clone()),
                Some(zone) if *zone != calendar.zone => {
                    let zone = super::text::scalar(&calendar.zone);
                    items
                        .iter_mut()
                        .for_each(|item| item.beside.push(("timezone", zone.clone())));
                }
                Some(_) => {}
            }
            draft
                .schedule_remarks
                .push(format!("OnCalendar={}", setting.value));
            draft.schedule.extend(items);
        }
    }
    Ok(())
}

fn every(setting: &Setting, draft: &mut Draft) {
    let length = span(&setting.value).filter(|length| length.is_finite() && *length >= 0.1);
    let Some(text) = length.and_then(seconds) else {
        let message = format!(
            "{:?} is no length of time that a job could have",
            setting.value
        );
        draft.troubles.push(Trouble::new(
            Code::BadDuration,
            setting.at,
            message,
            "write 15min",
        ));
        return;
    };
    let period = crate::duration::parse(&text).unwrap_or(Duration::from_secs(60));
    if !draft.schedule.is_empty() {
        let message = format!("{} beside OnCalendar has no counterpart", setting.key);
        let help = "write one job for each";
        draft
            .troubles
            .push(Trouble::untranslated(setting.at, message, help));
        return;
    }
    draft.schedule.push(When::every(period));
    draft.schedule_remarks.push(format!(
        "{}={}: systemd counts from when the service last {}, elder from the Unix epoch.",
        setting.key,
        setting.value,
        if setting.key == "OnUnitInactiveSec" {
            "ended"
        } else {
            "started"
        }
    ));
    draft.old.push(Old::Every {
        period,
        anchor: None,
        until: None,
    });
}
