//! systemd's services: what they run, and what surrounds that.

use super::command::{UnitWord, quote, unit_words};
use super::draft::{Draft, Value, literal, seconds};
use super::target;
use super::unit::{Unit, span};

/// The service: what it runs, and what surrounds that.
pub(super) fn what(service: &Unit, name: &str, draft: &mut Draft) -> Result<(), String> {
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
        !(self.may_fail || self.expands && dollar)
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
    use crate::tools::page::Spot;

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
