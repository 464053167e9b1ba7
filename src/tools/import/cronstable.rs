//! cronstable's YAML, and yacron's which it comes from.

use super::command::quote;
use super::draft::{Draft, Sheet, Value, When, literal, seconds, zone};
use super::prove::Old;
use super::quartz::{cronstable, macro_line};
use super::{Options, SourceFile, target};
use crate::finding::Code;
use crate::tools::page::Trouble;
use crate::tools::yaml::{self, Node};

/// The files that a file includes.
pub(super) fn includes(file: &SourceFile) -> Vec<String> {
    let documents = yaml::read(&file.text, "YAML").unwrap_or_default();
    let includes = documents
        .iter()
        .filter_map(|document| document.get("include"));
    includes.flat_map(Node::texts).collect()
}

pub(super) fn read(files: &[SourceFile], options: &Options<'_>) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.remarks.push(
        "cronstable takes anything on stderr for a failure (failsWhen.producesStderr); for elder \
         the exit code counts alone."
            .to_owned(),
    );
    sheet.remarks.push(
        "elder keeps stdout and stderr of each run, so captureStdout, captureStderr and saveLimit \
         have nothing to say here."
            .to_owned(),
    );
    let parsed: Vec<_> = files
        .iter()
        .map(|file| yaml::read(&file.text, "YAML"))
        .collect();
    // An included file's defaults hold for the file that includes it as well.
    let defaults: Vec<&Node> = parsed
        .iter()
        .flatten()
        .flatten()
        .filter_map(|document| document.get("defaults"))
        .collect();
    for (index, documents) in parsed.iter().enumerate() {
        match documents {
            Ok(documents) => {
                for document in documents {
                    let own = document.get("defaults");
                    let mut layers: Vec<&Node> = own.into_iter().collect();
                    let others = defaults
                        .iter()
                        .copied()
                        .filter(|d| own.is_none_or(|own| !std::ptr::eq(own, *d)));
                    layers.extend(others);
                    one(document, index, &layers, options, &mut sheet);
                }
            }
            Err(trouble) => sheet.troubles.push((index, trouble.clone())),
        }
    }
    sheet
}

fn one(document: &Node, file: usize, defaults: &[&Node], options: &Options<'_>, sheet: &mut Sheet) {
    for (key, value) in document.entries() {
        match key.text().unwrap_or_default() {
            "jobs" | "defaults" | "include" => {}
            "dags" => {
                let message = "elder has no chains of tasks (dags)";
                let help = "write one job that starts the tasks in order";
                sheet
                    .troubles
                    .push((file, Trouble::untranslated(value.at, message, help)));
            }
            other => sheet
                .remarks
                .push(format!("Left out: {other}: of the daemon itself.")),
        }
    }
    for node in document.get("jobs").map(Node::items).unwrap_or_default() {
        let name = node.get("name").and_then(Node::text).unwrap_or("job");
        let mut draft = Draft::new(name, file, node.at);
        let job = Job { node, defaults };
        if let Err(trouble) = when(&job, options, &mut draft) {
            draft.troubles.push(trouble);
        }
        if let Err(trouble) = what(&job, &mut draft) {
            draft.troubles.push(trouble);
        }
        policy(&job, &mut draft);
        sheet.drafts.push(draft);
    }
}

/// A job over its defaults.
struct Job<'a> {
    node: &'a Node,
    defaults: &'a [&'a Node],
}

impl Job<'_> {
    fn path(&self, keys: &[&str]) -> Option<&Node> {
        let own = self.node.path(keys);
        own.or_else(|| self.defaults.iter().find_map(|layer| layer.path(keys)))
    }

    fn get(&self, key: &str) -> Option<&Node> {
        self.path(&[key])
    }

    fn flag(&self, keys: &[&str]) -> Option<bool> {
        self.path(keys).and_then(Node::flag)
    }

    fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

fn when(job: &Job<'_>, options: &Options<'_>, draft: &mut Draft) -> Result<(), Trouble> {
    let zone_name = match (job.get("timezone"), job.flag(&["utc"])) {
        (Some(name), _) => zone(name.text().unwrap_or_default(), name.at, options.zones)?,
        (None, Some(false)) => {
            draft
                .schedule_remarks
                .push("utc: false is the machine's own zone (--timezone says which).".to_owned());
            options.timezone.to_owned()
        }
        (None, _) => "UTC".to_owned(),
    };
    draft.timezone = Some(zone_name.clone());
    let Some(node) = job.node.get("schedule") else {
        return Err(Trouble::new(
            Code::MissingKey,
            draft.at,
            "it has no schedule",
            "",
        ));
    };
    let text = match node.text() {
        Some(text) => text.trim().to_owned(),
        None => line_of(node),
    };
    draft
        .above
        .push(format!("line {}: schedule {text}", node.at.line));
    if text == "@reboot" {
        draft.schedule = vec![When::plain("startup", "")];
        draft.old = vec![Old::Startup];
        draft.timezone = None;
        return Ok(());
    }
    let line = macro_line(&text).unwrap_or(&text);
    let calendar = cronstable(line, &zone_name).map_err(|bad| {
        let mut at = node.at;
        if node.text().is_some_and(|written| written == line) && at.length > 0 {
            let quoted = at.length as usize >= line.len() + 2;
            at.column += u32::try_from(bad.offset + usize::from(quoted)).unwrap_or(0);
            at.length = u32::try_from(bad.length).unwrap_or(1);
        }
        Trouble::new(Code::BadCron, at, bad.message, bad.help)
    })?;
    draft.old = vec![Old::calendar(calendar.clone())];
    draft.schedule = calendar
        .translate(Some(&text), options.zones)
        .map_err(|refused| Trouble::untranslated(node.at, refused.message, refused.help))?;
    if !calendar.days.any && !calendar.weekdays.any {
        draft.schedule_remarks.push(format!(
            "Written as {text:?}: in cronstable both day fields must hold."
        ));
    }
    if line.split_whitespace().count() == 6 {
        draft
            .schedule_remarks
            .push(format!("Written as {text:?}: the sixth field is a year."));
    }
    Ok(())
}

/// The mapping form as a line.
fn line_of(node: &Node) -> String {
    let field = |key: &str| node.get(key).and_then(Node::text);
    let or = |key: &str, default: &str| field(key).unwrap_or(default).trim().to_owned();
    let five = ["minute", "hour", "dayOfMonth", "month", "dayOfWeek"].map(|key| or(key, "*"));
    let mut line = five.join(" ");
    if field("second").is_some() {
        line = format!("{} {line} {}", or("second", "0"), or("year", "*"));
    } else if field("year").is_some() {
        line = format!("{line} {}", or("year", "*"));
    }
    line
}

fn what(job: &Job<'_>, draft: &mut Draft) -> Result<(), Trouble> {
    let Some(command) = job.node.get("command") else {
        let message = "it has no command";
        return Err(Trouble::new(Code::MissingKey, draft.at, message, ""));
    };
    let ignores_code = job.flag(&["failsWhen", "nonzeroReturn"]) == Some(false);
    if command.is_list() {
        let words = command.texts();
        if ignores_code {
            let line: Vec<_> = words.iter().map(|word| quote(word)).collect();
            draft.key("run", Value::Text(format!("{} || true", line.join(" "))));
        } else {
            let words = words.iter().map(|word| literal(word)).collect();
            draft.key("exec", Value::List(words));
        }
    } else {
        let line = command.text().unwrap_or_default();
        let line = match ignores_code {
            true => format!("{{\n{}\n}} || true", line.trim_end()),
            false => line.to_owned(),
        };
        draft.key("run", Value::Text(line));
        if let Some(shell) = job.get("shell").and_then(Node::text)
            && shell != "/bin/sh"
        {
            let mut shell: Vec<String> = shell.split_whitespace().map(str::to_owned).collect();
            shell.push("-c".to_owned());
            draft.key("shell", Value::List(shell));
        }
    }
    if ignores_code {
        draft.remark("failsWhen.nonzeroReturn: false is the `|| true` of the command.");
    }
    let mut env: Vec<(String, String)> = Vec::new();
    let layers = job.defaults.iter().rev().copied().chain([job.node]);
    for item in layers.flat_map(|l| l.get("environment").map(Node::items).unwrap_or_default()) {
        let pair = (
            item.get("key").and_then(Node::text),
            item.get("value").and_then(Node::text),
        );
        if let (Some(name), value) = pair {
            env.retain(|(known, _)| known != name);
            env.push((name.to_owned(), literal(value.unwrap_or_default())));
        }
    }
    if !env.is_empty() {
        draft.key("env", Value::Map(env));
    }
    if let Some(file) = job.get("env_file").and_then(Node::text) {
        draft.key("env_file", Value::List(vec![literal(file)]));
    }
    if let Some(folder) = job.get("workingDirectory").and_then(Node::text) {
        draft.key("cwd", Value::Text(literal(folder)));
    }
    draft.remark(
        "The whole environment of cronstable goes along there; here only what env and inherit_env \
         name.",
    );
    Ok(())
}

fn policy(job: &Job<'_>, draft: &mut Draft) {
    if job.flag(&["enabled"]) == Some(false) {
        draft.key("enabled", Value::raw("false"));
    }
    match job.get("concurrencyPolicy").and_then(Node::text) {
        Some("Forbid") => {
            let key = draft.key("max_instances", Value::raw("1"));
            key.remark("concurrencyPolicy: Forbid");
        }
        Some("Replace") => target::replace(draft, "concurrencyPolicy: Replace"),
        _ => target::unbounded(draft, "cronstable (concurrencyPolicy: Allow)"),
    }
    let timeout = job
        .get("executionTimeout")
        .and_then(Node::number)
        .and_then(seconds);
    match timeout {
        Some(text) => {
            draft.key("timeout", Value::raw(text));
        }
        None => target::no_timeout(draft, "cronstable"),
    }
    let grace = job
        .get("killTimeout")
        .and_then(Node::number)
        .and_then(seconds);
    draft.key(
        "kill_grace",
        Value::raw(grace.unwrap_or_else(|| "30s".to_owned())),
    );
    retry(job, draft);
    match job.get("onMissed").and_then(Node::text) {
        None | Some("skip") => {
            draft
                .key("misfire_grace_time", Value::raw("1m"))
                .remark("onMissed: skip. Without this line elder catches up for a while (`auto`).");
        }
        Some(word) => {
            let deadline = job.get("startingDeadlineSeconds").and_then(Node::number);
            let grace = deadline
                .and_then(seconds)
                .unwrap_or_else(|| "52w".to_owned());
            draft
                .key("misfire_grace_time", Value::raw(grace))
                .remark(format!("onMissed: {word}"));
            if word == "run-all" {
                draft.key("coalesce", Value::raw("false"));
            }
        }
    }
    for (keys, words) in [
        (
            &["failsWhen", "producesStdout"][..],
            "anything on stdout is a failure there, not here",
        ),
        (
            &["failsWhen", "always"][..],
            "every run is a failure there, not here",
        ),
    ] {
        if job.flag(keys) == Some(true) {
            draft.remark(format!("{}: {words}.", keys.join(".")));
        }
    }
    if job.flag(&["failsWhen", "producesStderr"]) == Some(false) {
        draft.remark("failsWhen.producesStderr: false, as it is here.");
    }
    if let Some(user) = job.get("user").and_then(Node::text) {
        match job.get("group").and_then(Node::text) {
            Some(group) => target::user(draft, &format!("{user}:{group}")),
            None => target::user(draft, user),
        }
    }
    let mut left: Vec<&str> = [
        "secrets",
        "onPermanentFailure",
        "onSuccess",
        "onLate",
        "sla",
        "statsd",
        "verify",
        "pool",
        "resourceLimits",
        "priority",
        "clusterPolicy",
        "concurrencyScope",
        "onlyIfLastSucceeded",
        "monitorResources",
        "archiveOutput",
        "streamPrefix",
        "maxLineLength",
        "catchupJitterSeconds",
    ]
    .into_iter()
    .filter(|key| job.has(key))
    .collect();
    if job.path(&["onFailure", "report"]).is_some() {
        left.push("onFailure.report");
    }
    if !left.is_empty() {
        draft.remark(format!(
            "Without a counterpart in this build: {}.",
            left.join(", ")
        ));
    }
}

fn retry(job: &Job<'_>, draft: &mut Draft) {
    let number = |key: &str| {
        job.path(&["onFailure", "retry", key])
            .and_then(Node::number)
    };
    let Some(max) = number("maximumRetries").filter(|max| *max != 0.0) else {
        return;
    };
    let endless = max < 0.0;
    let max = if endless { 1_000.0 } else { max.min(1_000.0) };
    let length = |key: &str, default: f64| {
        let length = number(key).unwrap_or(default).max(0.001);
        seconds(length).unwrap_or_else(|| "1s".to_owned())
    };
    let factor = number("backoffMultiplier").unwrap_or(2.0).clamp(1.0, 100.0);
    let value = format!(
        "{{ max: {max}, backoff: {}, factor: {factor}, max_backoff: {}, jitter: 0 }}",
        length("initialDelay", 1.0),
        length("maximumDelay", 300.0)
    );
    let key = draft.key("retry", Value::raw(value));
    if endless {
        key.remark("maximumRetries: -1 is without end; 1,000 is the most here.");
    }
}
