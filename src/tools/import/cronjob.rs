//! Kubernetes CronJobs: any number of documents, also in a List.

use super::command::shell_line;
use super::draft::{Draft, Sheet, Value, When, literal, seconds, zone};
use super::prove::Old;
use super::quartz::{kubernetes, macro_line};
use super::{Options, SourceFile, target};
use crate::finding::Code;
use crate::tools::page::{Spot, Trouble};
use crate::tools::yaml::{self, Node};

pub(super) fn read(files: &[SourceFile], options: &Options<'_>) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.remarks.push(
        "The image is gone: a command runs on the machine that elder runs on, as elder's user. \
         What it needs must be installed there."
            .to_owned(),
    );
    sheet.remarks.push(
        "Kubernetes starts the newest missed run however late it is, unless \
         startingDeadlineSeconds bounds it; elder catches up within misfire_grace_time (`auto`)."
            .to_owned(),
    );
    for (index, file) in files.iter().enumerate() {
        match yaml::read(&file.text, "YAML") {
            Ok(documents) => {
                for document in &documents {
                    object(document, index, options, &mut sheet);
                }
            }
            Err(trouble) => sheet.troubles.push((index, trouble)),
        }
        if !sheet.drafts.iter().any(|draft| draft.file == index) && sheet.troubles.is_empty() {
            let message = "there is no CronJob in this file";
            let trouble = Trouble::untranslated(Spot::default(), message, "");
            sheet.troubles.push((index, trouble));
        }
    }
    sheet
}

fn object(node: &Node, file: usize, options: &Options<'_>, sheet: &mut Sheet) {
    let kind = node.get("kind").and_then(Node::text).unwrap_or_default();
    if let Some(items) = node.get("items").filter(|_| kind.ends_with("List")) {
        for item in items.items() {
            object(item, file, options, sheet);
        }
        return;
    }
    if kind != "CronJob" {
        if !node.is_null() {
            let name = node.path(&["metadata", "name"]).and_then(Node::text);
            sheet.remarks.push(format!(
                "Left out, no CronJob: {kind} {}.",
                name.unwrap_or("without a name")
            ));
        }
        return;
    }
    let name = node.path(&["metadata", "name"]).and_then(Node::text);
    let namespace = node.path(&["metadata", "namespace"]).and_then(Node::text);
    let name = match (namespace, name) {
        (Some(namespace), Some(name)) if namespace != "default" => format!("{namespace}.{name}"),
        (_, name) => name.unwrap_or("cronjob").to_owned(),
    };
    let mut draft = Draft::new(&name, file, node.at);
    draft
        .above
        .push(format!("line {}: CronJob {name}", node.at.line));
    if let Some(labels) = node.path(&["metadata", "labels"]) {
        let labels = labels.entries().iter();
        let labels = labels
            .filter_map(|(key, value)| Some((key.text()?.to_owned(), literal(value.text()?))));
        draft.key("labels", Value::Map(labels.collect()));
    }
    let Some(spec) = node.get("spec") else {
        let trouble = Trouble::new(Code::MissingKey, node.at, "it has no spec", "");
        draft.troubles.push(trouble);
        sheet.drafts.push(draft);
        return;
    };
    if let Err(trouble) = schedule(spec, options, &mut draft) {
        draft.troubles.push(trouble);
    }
    policy(spec, &mut draft);
    if let Err(trouble) = pod(spec, &mut draft) {
        draft.troubles.push(trouble);
    }
    sheet.drafts.push(draft);
}

fn schedule(spec: &Node, options: &Options<'_>, draft: &mut Draft) -> Result<(), Trouble> {
    let Some(node) = spec.get("schedule") else {
        return Err(Trouble::new(
            Code::MissingKey,
            spec.at,
            "it has no schedule",
            "",
        ));
    };
    let mut text = node.text().unwrap_or_default().trim();
    let mut zone_name = options.timezone.to_owned();
    let prefix = ["CRON_TZ=", "TZ="]
        .iter()
        .find_map(|p| text.strip_prefix(p));
    if let Some(rest) = prefix {
        let (name, line) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        text = line.trim();
        zone_name = zone(name, node.at, options.zones)?;
    } else if let Some(name) = spec.get("timeZone") {
        zone_name = zone(name.text().unwrap_or_default(), name.at, options.zones)?;
    } else {
        draft.schedule_remarks.push(
            "No timeZone: Kubernetes takes the zone of its kube-controller-manager (--timezone \
             says which)."
                .to_owned(),
        );
    }
    draft.timezone = Some(zone_name.clone());
    if let Some(length) = text.strip_prefix("@every ") {
        let Ok(period) = crate::duration::parse(length.trim()) else {
            let help = "write a length such as 1h30m";
            let message = format!("{length:?} is no length of time");
            return Err(Trouble::new(Code::BadDuration, node.at, message, help));
        };
        draft.schedule = vec![When::every(period)];
        draft.timezone = None;
        draft.schedule_remarks.push(
            "@every counts from the CronJob's last run, elder from the Unix epoch.".to_owned(),
        );
        draft.old = vec![Old::Every {
            period,
            anchor: None,
            until: None,
        }];
        return Ok(());
    }
    let line = macro_line(text).unwrap_or(text);
    let calendar = kubernetes(line, &zone_name).map_err(|bad| {
        // Within the quotes, if there are any; where the text is not on one line, the whole of it.
        let quoted = node.at.length as usize >= text.len() + 2;
        let plain = prefix.is_none() && line == text && node.at.length > 0;
        let shift = u32::try_from(bad.offset + usize::from(quoted)).unwrap_or(0);
        let at = match plain {
            true => Spot {
                line: node.at.line,
                column: node.at.column + shift,
                length: u32::try_from(bad.length).unwrap_or(1),
            },
            false => node.at,
        };
        Trouble::new(Code::BadCron, at, bad.message, bad.help)
    })?;
    draft.schedule = calendar
        .translate(Some(text), options.zones)
        .map_err(|refused| Trouble::untranslated(node.at, refused.message, refused.help))?;
    if calendar.either
        && line.contains("*/")
        && draft.schedule.iter().all(|w| !w.value.contains(line))
    {
        draft.schedule_remarks.push(format!(
            "Written as {text:?}: in Kubernetes a day field with a step restricts, and either day \
             field is enough."
        ));
    }
    draft.old = vec![Old::calendar(calendar)];
    Ok(())
}

/// What to do with fires and runs.
fn policy(spec: &Node, draft: &mut Draft) {
    if spec.get("suspend").and_then(Node::flag) == Some(true) {
        draft
            .key("enabled", Value::raw("false"))
            .remark("suspend: true");
    }
    let concurrency = spec.get("concurrencyPolicy").and_then(Node::text);
    match concurrency {
        Some("Forbid") => {
            target::queue(
                draft,
                "concurrencyPolicy: Forbid. Kubernetes starts the newest of such fires when the \
                 run is over, within startingDeadlineSeconds; here the first one waits.",
            );
        }
        Some("Replace") => {
            target::replace(draft, "concurrencyPolicy: Replace");
        }
        _ => target::unbounded(draft, "Kubernetes (concurrencyPolicy: Allow)"),
    }
    if let Some(text) = spec
        .get("startingDeadlineSeconds")
        .and_then(Node::number)
        .and_then(seconds)
    {
        draft
            .key("misfire_grace_time", Value::raw(text))
            .remark("startingDeadlineSeconds");
    }
    let job = spec.path(&["jobTemplate", "spec"]);
    let of_job = |key: &str| job.and_then(|job| job.get(key));
    match of_job("activeDeadlineSeconds")
        .and_then(Node::number)
        .and_then(seconds)
    {
        Some(text) => {
            draft.key("timeout", Value::raw(text)).remark(
                "activeDeadlineSeconds: Kubernetes counts it over all attempts, elder for each.",
            );
        }
        None => target::no_timeout(draft, "Kubernetes"),
    }
    let limit = of_job("backoffLimit").and_then(Node::number);
    let limit = limit.map_or(6, |limit| limit.clamp(0.0, 1_000.0) as u32);
    if limit > 0 {
        let retry = format!(
            "{{ max: {limit}, backoff: 10s, factor: 2, max_backoff: 10m, jitter: 0, when: [exit, signal] }}"
        );
        let words = match of_job("backoffLimit") {
            Some(_) => "backoffLimit: Kubernetes waits 10 s, 20 s, 40 s, … between attempts.",
            None => {
                "backoffLimit is 6 where nothing is said; Kubernetes waits 10 s, 20 s, 40 s, …."
            }
        };
        draft.key("retry", Value::raw(retry)).remark(words);
    }
    let mut left = Vec::new();
    for key in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        if spec.get(key).is_some() {
            left.push(key);
        }
    }
    for key in [
        "ttlSecondsAfterFinished",
        "podFailurePolicy",
        "successPolicy",
    ] {
        if of_job(key).is_some() {
            left.push(key);
        }
    }
    if !left.is_empty() {
        draft.remark(format!("Without a counterpart: {}.", left.join(", ")));
    }
}

/// The command of the one container.
fn pod(spec: &Node, draft: &mut Draft) -> Result<(), Trouble> {
    let job = spec.path(&["jobTemplate", "spec"]);
    for key in ["completions", "parallelism"] {
        let node = job.and_then(|job| job.get(key));
        if let Some(node) = node.filter(|node| node.number().is_some_and(|n| n != 1.0)) {
            let message = format!("{key}: a run of elder's is one process");
            let help = "write several jobs, or start the parts in the command";
            return Err(Trouble::untranslated(node.at, message, help));
        }
    }
    let Some(pod) = job.and_then(|job| job.path(&["template", "spec"])) else {
        let message = "it has no jobTemplate.spec.template.spec";
        return Err(Trouble::new(Code::MissingKey, spec.at, message, ""));
    };
    let one = pod.get("containers").map(Node::items).unwrap_or_default();
    let [container] = one else {
        let message = format!(
            "it has {} containers; a run of elder's is one process",
            one.len()
        );
        let help = "write one job for each, or start them in one command";
        return Err(Trouble::untranslated(pod.at, message, help));
    };
    environment(container, draft);
    if let Some(folder) = container.get("workingDir").and_then(Node::text) {
        draft.key("cwd", Value::Text(literal(folder)));
    }
    left_out(pod, container, draft);
    let image = container
        .get("image")
        .and_then(Node::text)
        .unwrap_or("no image");
    let command = container.get("command");
    let mut words = command.map(Node::texts).unwrap_or_default();
    words.extend(container.get("args").map(Node::texts).unwrap_or_default());
    let known = container.get("env").map(Node::items).unwrap_or_default();
    for word in &mut words {
        *word = references(word, known);
    }
    let refers = words.iter().any(|word| word.contains("$("));
    if let Some((shell, line)) = shell_line(&words) {
        let line = line.to_owned();
        draft
            .key("run", Value::Text(line))
            .remark(format!("image {image}"));
        if shell.join(" ") != "/bin/sh -c" {
            draft.key("shell", Value::List(shell));
        }
    } else if !words.is_empty() {
        let words = words.iter().map(|word| literal(word)).collect();
        draft
            .key("exec", Value::List(words))
            .remark(format!("image {image}"));
    }
    if refers {
        draft.remark(
            "A $(NAME) that Kubernetes would fill in from elsewhere is left as it is: in a shell \
             line write ${NAME}.",
        );
    }
    if let Some(init) = pod
        .get("initContainers")
        .filter(|init| !init.items().is_empty())
    {
        let help = "put what they do before the command";
        let message = "initContainers have no counterpart";
        return Err(Trouble::untranslated(init.at, message, help));
    }
    if command.is_none() {
        let message = format!("it runs the entry point of {image}, which is not in the manifest");
        let help = "write the image's command as exec";
        return Err(Trouble::untranslated(container.at, message, help));
    }
    Ok(())
}

/// `$(NAME)` filled in as Kubernetes does, as far as the value stands in the manifest; `$$(` is
/// a literal `$(` there, and so it stays in what comes out.
fn references(word: &str, known: &[Node]) -> String {
    let mut filled = String::new();
    let mut rest = word;
    while let Some(at) = rest.find("$(") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("$(");
            rest = after;
            continue;
        }
        filled.push_str(before);
        let (name, behind) = after.split_once(')').unwrap_or((after, ""));
        let is_it = |item: &&Node| item.get("name").and_then(Node::text) == Some(name);
        let value = known
            .iter()
            .find(is_it)
            .and_then(|item| item.get("value")?.text());
        match value {
            Some(value) if after.contains(')') => {
                filled.push_str(value);
                rest = behind;
            }
            _ => {
                filled.push_str("$(");
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

fn environment(container: &Node, draft: &mut Draft) {
    let mut plain = Vec::new();
    let mut secrets = Vec::new();
    let mut inherited = Vec::new();
    for item in container.get("env").map(Node::items).unwrap_or_default() {
        let Some(name) = item.get("name").and_then(Node::text) else {
            continue;
        };
        let from = item.get("valueFrom");
        if from.is_some_and(|from| from.get("secretKeyRef").is_some()) {
            secrets.push((
                name.to_owned(),
                format!("{{ env: {} }}", super::text::scalar(name)),
            ));
        } else if from.is_some() {
            inherited.push(name.to_owned());
        } else {
            let value = item.get("value").and_then(Node::text).unwrap_or_default();
            plain.push((name.to_owned(), literal(value)));
        }
    }
    if !plain.is_empty() {
        draft.key("env", Value::Map(plain));
    }
    if !secrets.is_empty() {
        draft.key("secrets", Value::RawMap(secrets)).remark(
            "secretKeyRef: elder's own environment must bring these, or write { file: PATH }.",
        );
    }
    if !inherited.is_empty() {
        draft
            .key("inherit_env", Value::List(inherited))
            .remark("configMapKeyRef, fieldRef: elder's own environment must bring these.");
    }
    if container.get("envFrom").is_some() {
        draft.remark(
            "envFrom: the names are not in this manifest. Write them under env, secrets or \
             env_file.",
        );
    }
}

/// Names what the pod has and elder has no word for.
fn left_out(pod: &Node, container: &Node, draft: &mut Draft) {
    const KNOWN: [&str; 10] = [
        "name",
        "image",
        "imagePullPolicy",
        "command",
        "args",
        "env",
        "envFrom",
        "workingDir",
        "terminationMessagePath",
        "terminationMessagePolicy",
    ];
    const KNOWN_OF_POD: [&str; 8] = [
        "containers",
        "initContainers",
        "restartPolicy",
        "imagePullSecrets",
        "dnsPolicy",
        "schedulerName",
        "terminationGracePeriodSeconds",
        "enableServiceLinks",
    ];
    if let Some(text) = pod
        .get("terminationGracePeriodSeconds")
        .and_then(Node::number)
        .and_then(seconds)
    {
        draft
            .key("kill_grace", Value::raw(text))
            .remark("terminationGracePeriodSeconds");
    }
    let names = |node: &Node, known: &[&str]| -> Vec<String> {
        let names = node.entries().iter().filter_map(|(key, _)| key.text());
        let names = names.filter(|name| !known.contains(name));
        names.map(str::to_owned).collect()
    };
    let mut left = names(container, &KNOWN);
    left.extend(names(pod, &KNOWN_OF_POD));
    if !left.is_empty() {
        draft.remark(format!("Without a counterpart: {}.", left.join(", ")));
    }
}
