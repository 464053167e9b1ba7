//! systemd's timers with the services that they start.

use std::time::Duration;

use super::command::{UnitWord, quote, unit_words};
use super::draft::{Draft, Sheet, Value, When, literal, seconds};
use super::on_calendar::{Event, parse};
use super::page::{Spot, Trouble};
use super::prove::Old;
use super::unit::{Setting, Unit, span};
use super::{Options, SourceFile, target};
use crate::finding::Code;

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
        match timer.flag("Timer", "FixedRandomDelay") {
            true => target::spread(draft, &text, "RandomizedDelaySec with FixedRandomDelay"),
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
            let untranslated = |refused: super::calendar::Refused| {
                let message = format!("OnCalendar={}: {}", setting.value, refused.message);
                Trouble::untranslated(setting.at, message, refused.help)
            };
            draft.old.push(Old::calendar(*calendar.clone()));
            let mut items = calendar.translate(None).map_err(untranslated)?;
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

/// The service: what it runs, and what surrounds that.
fn what(service: &Unit, name: &str, draft: &mut Draft) -> Result<(), String> {
    let stem = name.trim_end_matches(".service").to_owned();
    let mut lines = Vec::new();
    for key in [
        "ExecCondition",
        "ExecStartPre",
        "ExecStart",
        "ExecStartPost",
    ] {
        for setting in service.all("Service", key) {
            lines.push(Line::read(key, &setting.value, &stem, draft)?);
        }
    }
    if !lines.iter().any(|line| line.key == "ExecStart") {
        return Err("it has no ExecStart".to_owned());
    }
    match &lines[..] {
        [only] if only.is_plain() => {
            let words = only.words.iter().map(|word| literal(&word.text)).collect();
            draft.key("exec", Value::List(words));
        }
        [only] => {
            draft.key("run", Value::Text(only.shell()));
        }
        several => {
            let mut text = String::from("set -e\n");
            for line in several {
                text.push_str(&line.shell());
                text.push('\n');
            }
            draft.key("run", Value::Text(text));
        }
    }
    surroundings(service, draft);
    limits(service, draft);
    left_out(service, draft);
    Ok(())
}

/// One command of a service.
struct Line {
    key: &'static str,
    words: Vec<UnitWord>,
    /// A `-` before it: how it ends does not matter.
    may_fail: bool,
    /// Variables are filled in.
    expands: bool,
}

impl Line {
    fn read(key: &'static str, value: &str, stem: &str, draft: &mut Draft) -> Result<Self, String> {
        let command = value.trim_start_matches(['@', '-', ':', '+', '!', '|']);
        let prefix = &value[..value.len() - command.len()];
        if prefix.contains(['+', '!']) {
            draft.remark(format!(
                "{key}={prefix}…: elder runs all with its own rights."
            ));
        }
        let mut words = unit_words(command).map_err(|bad| format!("{key}: {bad}"))?;
        for word in &mut words {
            word.text = specifiers(&word.text, stem)
                .map_err(|bad| format!("{key}: the specifier {bad} is not known here"))?;
        }
        if prefix.contains('@') && words.len() > 1 {
            words.remove(1);
        }
        if words.is_empty() {
            return Err(format!("{key} is empty"));
        }
        Ok(Self {
            key,
            words,
            may_fail: prefix.contains('-'),
            expands: !prefix.contains(':'),
        })
    }

    /// Whether the words can stand as they are.
    fn is_plain(&self) -> bool {
        let dollar = self.words.iter().any(|word| word.text.contains('$'));
        !self.may_fail && !(self.expands && dollar)
    }

    /// As a line of a shell.
    fn shell(&self) -> String {
        let words: Vec<_> = self
            .words
            .iter()
            .map(|word| match self.expands {
                true => expanded(word),
                false => quote(&word.text),
            })
            .collect();
        let line = words.join(" ");
        match (self.key, self.may_fail) {
            ("ExecCondition", _) => format!("{line} || exit 0"),
            (_, true) => format!("{line} || true"),
            (_, false) => line,
        }
    }
}

/// A word in which systemd fills in variables: `${NAME}` as one word, a bare `$NAME` as several.
fn expanded(word: &UnitWord) -> String {
    let text = &word.text;
    if !text.contains('$') {
        return quote(text);
    }
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = text.strip_prefix('$').filter(|name| is_name(name))
        && !word.quoted
    {
        return format!("${name}");
    }
    let mut line = String::from("\"");
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        push_quoted(&mut line, &rest[..at]);
        let after = &rest[at + 1..];
        let braced = after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        if let Some(stripped) = after.strip_prefix('$') {
            line.push_str("\\$");
            rest = stripped;
        } else if let Some((name, behind)) = braced.filter(|(name, _)| is_name(name)) {
            line.push_str(&format!("${{{name}}}"));
            rest = behind;
        } else {
            line.push_str("\\$");
            rest = after;
        }
    }
    push_quoted(&mut line, rest);
    line.push('"');
    line
}

fn push_quoted(line: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            line.push('\\');
        }
        line.push(c);
    }
}

/// `%%`, `%n`, `%N`, `%p`, `%i` filled in; the first other one comes back.
fn specifiers(text: &str, stem: &str) -> Result<String, String> {
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut filled = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            filled.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => filled.push('%'),
            Some('n') => filled.push_str(&format!("{stem}.service")),
            Some('N') => filled.push_str(stem),
            Some('p') => filled.push_str(prefix),
            Some('i' | 'I') if !instance.is_empty() => filled.push_str(instance),
            Some(other) => return Err(format!("%{other}")),
            None => return Err("%".to_owned()),
        }
    }
    Ok(filled)
}

fn surroundings(service: &Unit, draft: &mut Draft) {
    let mut env: Vec<(String, String)> = Vec::new();
    for setting in service.all("Service", "Environment") {
        let words = unit_words(&setting.value).unwrap_or_default();
        for word in words {
            if let Some((name, value)) = word.text.split_once('=') {
                env.retain(|(known, _)| known != name);
                env.push((name.to_owned(), literal(&value.replace("%%", "%"))));
            }
        }
    }
    if !env.is_empty() {
        draft.key("env", Value::Map(env));
    }
    let files = service.all("Service", "EnvironmentFile");
    if !files.is_empty() {
        let optional = files.iter().any(|file| file.value.starts_with('-'));
        let paths = files
            .iter()
            .map(|f| literal(f.value.trim_start_matches('-')))
            .collect();
        let key = draft.key("env_file", Value::List(paths));
        if optional {
            key.remark(
                "A missing file is fine for systemd (the - before it); here the attempt fails.",
            );
        }
    }
    let names: Vec<String> = service
        .all("Service", "PassEnvironment")
        .iter()
        .flat_map(|setting| setting.value.split_whitespace().map(str::to_owned))
        .collect();
    if !names.is_empty() {
        draft.key("inherit_env", Value::List(names));
    }
    match service.last("Service", "WorkingDirectory") {
        Some(folder) if !folder.value.contains('~') && !folder.value.contains('%') => {
            let path = folder.value.trim_start_matches('-');
            draft.key("cwd", Value::Text(literal(path)));
        }
        Some(folder) => {
            draft.remark(format!(
                "WorkingDirectory={}: write it as cwd.",
                folder.value
            ));
        }
        None => {
            draft.key("cwd", Value::text("/"));
        }
    }
    let user = service
        .last("Service", "User")
        .map(|setting| &*setting.value);
    let group = service
        .last("Service", "Group")
        .map(|setting| &*setting.value);
    match (user, group) {
        (Some(user), Some(group)) => target::user(draft, &format!("{user}:{group}")),
        (Some(user), None) => target::user(draft, user),
        (None, Some(group)) => draft.remark(format!("Group={group}: without a counterpart.")),
        (None, None) => {}
    }
    if service.flag("Service", "DynamicUser") {
        draft.remark("DynamicUser=yes: elder runs it as its own user.");
    }
}

fn limits(service: &Unit, draft: &mut Draft) {
    let kind = service
        .last("Service", "Type")
        .map_or("simple", |kind| &kind.value);
    let oneshot = kind == "oneshot";
    let key = if oneshot {
        "TimeoutStartSec"
    } else {
        "RuntimeMaxSec"
    };
    let found = service
        .last("Service", key)
        .or_else(|| service.last("Service", "TimeoutSec").filter(|_| oneshot));
    let length = found.and_then(|setting| span(&setting.value));
    match (
        found,
        length
            .filter(|length| length.is_finite() && *length > 0.0)
            .and_then(seconds),
    ) {
        (Some(setting), Some(text)) => {
            let remark = setting.key.clone();
            draft.key("timeout", Value::raw(text)).remark(remark);
        }
        _ => target::no_timeout(draft, "systemd"),
    }
    let stop = service
        .last("Service", "TimeoutStopSec")
        .and_then(|s| span(&s.value));
    match stop.filter(|length| length.is_finite()).and_then(seconds) {
        Some(text) => draft
            .key("kill_grace", Value::raw(text))
            .remark("TimeoutStopSec"),
        None => draft
            .key("kill_grace", Value::raw("90s"))
            .remark("TimeoutStopSec is 90 s where nothing is said."),
    };
    let mut codes = vec!["0".to_owned()];
    let mut names = Vec::new();
    for setting in service.all("Service", "SuccessExitStatus") {
        for word in setting.value.split_whitespace() {
            match word.parse::<u8>() {
                Ok(code) => codes.push(code.to_string()),
                Err(_) => names.push(word.to_owned()),
            }
        }
    }
    if codes.len() > 1 {
        draft.key(
            "success_exit_codes",
            Value::raw(format!("[{}]", codes.join(", "))),
        );
    }
    if !names.is_empty() {
        let names = names.join(" ");
        draft.remark(format!(
            "SuccessExitStatus={names}: elder counts exit codes alone."
        ));
    }
}

/// Names what the service has and elder has no word for.
fn left_out(service: &Unit, draft: &mut Draft) {
    const KNOWN: [&str; 20] = [
        "Type",
        "ExecStart",
        "ExecStartPre",
        "ExecStartPost",
        "ExecCondition",
        "Environment",
        "EnvironmentFile",
        "PassEnvironment",
        "WorkingDirectory",
        "User",
        "Group",
        "DynamicUser",
        "TimeoutStartSec",
        "TimeoutSec",
        "RuntimeMaxSec",
        "TimeoutStopSec",
        "SuccessExitStatus",
        "RemainAfterExit",
        "StandardOutput",
        "StandardError",
    ];
    let mut left: Vec<&str> = service
        .of("Service")
        .map(|setting| &*setting.key)
        .filter(|key| !KNOWN.contains(key))
        .collect();
    let unit = service.of("Unit").map(|setting| &*setting.key);
    left.extend(unit.filter(|key| !["Description", "Documentation"].contains(key)));
    left.dedup();
    if !left.is_empty() {
        draft.remark(format!("Without a counterpart: {}.", left.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_unit_become_those_of_a_shell() {
        let line = |value: &str| {
            let mut draft = Draft::new("x", 0, Spot::default());
            Line::read("ExecStart", value, "a@b", &mut draft).map(|line| line.shell())
        };
        for (value, want) in [
            (
                "/bin/echo $ARGS \"${A} b\" $$x",
                "/bin/echo $ARGS \"${A} b\" \"\\$x\"",
            ),
            (":/bin/echo $ARGS", "/bin/echo '$ARGS'"),
            ("-/bin/echo 'a b'", "/bin/echo 'a b' || true"),
            ("/bin/echo %i %%F", "/bin/echo b %F"),
            ("@/bin/echo name x", "/bin/echo x"),
        ] {
            assert_eq!(line(value).unwrap(), want, "{value}");
        }
        assert!(line("/bin/echo %h").unwrap_err().contains("%h"));
    }
}
