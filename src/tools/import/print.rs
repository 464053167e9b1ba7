//! Drafts as the text of a job file.

use super::Format;
use super::draft::{Draft, Key, Sheet, Value, When};
use super::text::{block, comment, list, scalar, wrapped};

/// Keys that go to `defaults` where all jobs have the same.
const SHARED: [&str; 9] = [
    "shell",
    "cwd",
    "env",
    "env_file",
    "inherit_env",
    "timeout",
    "kill_grace",
    "max_instances",
    "misfire_grace_time",
];

/// The text, and for each draft the lines that it takes up.
pub(super) struct Printed {
    pub text: String,
    pub lines: Vec<(u32, u32)>,
}

/// Writes a sheet whose drafts have these names.
pub(super) fn print(format: Format, from: &[&str], sheet: &Sheet, names: &[String]) -> Printed {
    let mut page = Writer::default();
    let mut title = format!(
        "Imported from {}",
        from.iter().take(3).copied().collect::<Vec<_>>().join(", ")
    );
    if from.len() > 3 {
        title.push_str(&format!(" and {} more", from.len() - 3));
    }
    title.push_str(&format!(" ({}).", format.as_str()));
    page.remark(&title, "");
    for remark in &sheet.remarks {
        page.remark(remark, "");
    }
    let shared = Shared::of(&sheet.drafts);
    if shared.timezone.is_some() || !shared.keys.is_empty() {
        page.line("");
        page.line("defaults:");
        if let Some(timezone) = &shared.timezone {
            page.line(&format!("  timezone: {}", scalar(timezone)));
        }
        for key in &shared.keys {
            page.key(key, "  ", Live::Yes);
        }
    }
    page.line("");
    let none = sheet.drafts.iter().all(|draft| !draft.troubles.is_empty());
    page.line(if none { "jobs: {}" } else { "jobs:" });
    let mut lines = Vec::new();
    for (draft, name) in sheet.drafts.iter().zip(names) {
        if !lines.is_empty() {
            page.line("");
        }
        let first = page.number + 1;
        page.draft(draft, name, &shared);
        lines.push((first, page.number));
    }
    Printed {
        text: page.text,
        lines,
    }
}

/// Whether lines are in force or comments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Live {
    Yes,
    No,
}

#[derive(Default)]
struct Writer {
    text: String,
    number: u32,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
        self.number += 1;
    }

    fn remark(&mut self, text: &str, indent: &str) {
        for line in wrapped(text, indent) {
            self.line(&line);
        }
    }

    fn draft(&mut self, draft: &Draft, name: &str, shared: &Shared) {
        for line in &draft.above {
            self.line(&format!("  # {}", comment(line)));
        }
        let live = if draft.troubles.is_empty() {
            Live::Yes
        } else {
            Live::No
        };
        for trouble in &draft.troubles {
            let mut text = format!("NOT IMPORTED: {}", trouble.message);
            if !trouble.help.is_empty() {
                text.push_str("; ");
                text.push_str(&trouble.help);
            }
            self.remark(&text, "  ");
        }
        self.put(&format!("  {}:", scalar(name)), live);
        let keys: Vec<Key> = draft
            .keys
            .iter()
            .filter_map(|key| shared.rest(key))
            .collect();
        // What the job is comes before when it is.
        let about = |key: &Key| ["description", "labels", "enabled"].contains(&key.name);
        let (about, rest): (Vec<_>, Vec<_>) = keys.into_iter().partition(about);
        for key in about {
            self.key(&key, "    ", live);
        }
        for remark in &draft.schedule_remarks {
            self.remark_if(remark, "    ", live);
        }
        for line in schedule(&draft.schedule) {
            self.put(&format!("    {line}"), live);
        }
        let timezone = draft.timezone.as_ref();
        if let Some(timezone) = timezone.filter(|_| draft.timezone != shared.timezone) {
            self.put(&format!("    timezone: {}", scalar(timezone)), live);
        }
        for key in rest {
            self.key(&key, "    ", live);
        }
    }

    fn remark_if(&mut self, text: &str, indent: &str, live: Live) {
        for line in wrapped(text, indent) {
            self.put(&line, live);
        }
    }

    fn put(&mut self, line: &str, live: Live) {
        match live {
            Live::Yes => self.line(line),
            Live::No => {
                let inner = line.strip_prefix("  ").unwrap_or(line);
                self.line(&format!("  # {inner}"));
            }
        }
    }

    fn key(&mut self, key: &Key, indent: &str, live: Live) {
        for remark in &key.remarks {
            self.remark_if(remark, indent, live);
        }
        let name = key.name;
        let text = match &key.value {
            Value::Nothing => return,
            Value::Text(text) => {
                let deeper = format!("{indent}  ");
                let value = block(text, &deeper).unwrap_or_else(|| scalar(text));
                format!("{indent}{name}: {value}")
            }
            Value::Raw(raw) => format!("{indent}{name}: {raw}"),
            Value::List(texts) => format!("{indent}{name}: {}", list(texts)),
            Value::Map(pairs) => {
                let mut text = format!("{indent}{name}:");
                for (key, value) in pairs {
                    text.push_str(&format!("\n{indent}  {}: {}", scalar(key), scalar(value)));
                }
                text
            }
            Value::RawMap(pairs) => {
                let mut text = format!("{indent}{name}:");
                for (key, value) in pairs {
                    text.push_str(&format!("\n{indent}  {}: {value}", scalar(key)));
                }
                text
            }
        };
        for line in text.split('\n') {
            self.put(line, live);
        }
    }
}

/// `schedule:` with its value.
fn schedule(items: &[When]) -> Vec<String> {
    match items {
        [] => Vec::new(),
        [only] => vec![format!("schedule: {}", item(only))],
        several => {
            let mut lines = vec!["schedule:".to_owned()];
            lines.extend(several.iter().map(|one| format!("  - {}", item(one))));
            lines
        }
    }
}

fn item(when: &When) -> String {
    if when.value.is_empty() {
        return when.kind.to_owned();
    }
    if when.kind == "cron" && when.beside.is_empty() {
        return when.value.clone();
    }
    let mut text = format!("{{ {}: {}", when.kind, when.value);
    for (name, value) in &when.beside {
        text.push_str(&format!(", {name}: {value}"));
    }
    text.push_str(" }");
    text
}

/// What all jobs have alike, and so stands in `defaults`.
struct Shared {
    timezone: Option<String>,
    keys: Vec<Key>,
}

impl Shared {
    fn of(drafts: &[Draft]) -> Self {
        let mut shared = Self {
            timezone: None,
            keys: Vec::new(),
        };
        // What could not even be read as a job has nothing to share.
        let drafts: Vec<&Draft> = drafts.iter().filter(|d| !d.keys.is_empty()).collect();
        let [first, rest @ ..] = &drafts[..] else {
            return shared;
        };
        if rest.is_empty() {
            return shared;
        }
        shared.timezone = most_common(drafts.iter().filter_map(|d| d.timezone.as_deref()));
        for key in first.keys.iter().filter(|key| SHARED.contains(&key.name)) {
            if rest.iter().all(|draft| draft.keys.contains(key)) {
                shared.keys.push(key.clone());
            } else if key.name == "env" {
                shared.keys.extend(shared_env(&drafts));
            }
        }
        shared
    }

    /// The key as far as it is not shared.
    fn rest(&self, key: &Key) -> Option<Key> {
        let Some(shared) = self.keys.iter().find(|shared| shared.name == key.name) else {
            return Some(key.clone());
        };
        if key.name.is_empty() {
            return Some(key.clone());
        }
        match (&key.value, &shared.value) {
            (Value::Map(own), Value::Map(all)) => {
                let own: Vec<_> = own
                    .iter()
                    .filter(|pair| !all.contains(pair))
                    .cloned()
                    .collect();
                (!own.is_empty()).then(|| Key {
                    value: Value::Map(own),
                    ..key.clone()
                })
            }
            _ => None,
        }
    }
}

/// The variables that every job has alike: `env` of `defaults` and of a job are merged.
fn shared_env(drafts: &[&Draft]) -> Option<Key> {
    let pairs = |draft: &Draft| -> Vec<(String, String)> {
        let mut maps = draft.keys.iter().filter(|key| key.name == "env");
        match maps.next().map(|key| &key.value) {
            Some(Value::Map(pairs)) => pairs.clone(),
            _ => Vec::new(),
        }
    };
    let mut common = pairs(drafts.first()?);
    for draft in drafts {
        let own = pairs(draft);
        common.retain(|pair| own.contains(pair));
    }
    (!common.is_empty()).then(|| Key {
        name: "env",
        value: Value::Map(common),
        remarks: Vec::new(),
    })
}

/// The text that comes most often, the first of them where several do.
fn most_common<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for text in texts {
        match counts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => counts.push((text, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    let mut first = counts.into_iter().filter(|(_, count)| *count == most);
    first.next().map(|(text, _)| text.to_owned())
}
