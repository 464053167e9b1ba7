//! What an importer makes of one entry: a job to be written, with remarks.

use crate::schedule::Zones;

use super::calendar::Rule;
use super::prove::Old;
use crate::tools::page::{Spot, Trouble};

/// A job on its way from another scheduler into a job file.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// What the name is made of; the printer makes it a valid, unique one.
    pub name: String,
    /// Where the entry stands.
    pub at: Spot,
    /// Which of the source files.
    pub file: usize,
    /// Lines written above the job: the entry as it stood, and its own comments.
    pub above: Vec<String>,
    /// When; empty where it could not be translated.
    pub schedule: Vec<When>,
    /// Remarks above `schedule`.
    pub schedule_remarks: Vec<String>,
    /// The zone of its wall-clock times.
    pub timezone: Option<String>,
    /// Keys beside each of its schedules, as YAML.
    pub beside: Vec<(&'static str, String)>,
    /// A fixed delay that `spread` adds.
    pub spread: Option<std::time::Duration>,
    /// Everything else, in order.
    pub keys: Vec<Key>,
    /// When the source would fire it, for the proof.
    pub old: Vec<Old>,
    /// Why it cannot be a job; it is then written as a comment.
    pub troubles: Vec<Trouble>,
}

impl Draft {
    pub fn new(name: impl Into<String>, file: usize, at: Spot) -> Self {
        Self {
            name: name.into(),
            at,
            file,
            above: Vec::new(),
            schedule: Vec::new(),
            schedule_remarks: Vec::new(),
            timezone: None,
            beside: Vec::new(),
            spread: None,
            keys: Vec::new(),
            old: Vec::new(),
            troubles: Vec::new(),
        }
    }

    pub fn key(&mut self, name: &'static str, value: Value) -> &mut Key {
        self.keys.push(Key {
            name,
            value,
            remarks: Vec::new(),
        });
        let last = self.keys.len() - 1;
        &mut self.keys[last]
    }

    /// A remark that belongs to no key of the job.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.key("", Value::Nothing).remarks.push(text.into());
    }
}

/// A key of a job, with what is to be said above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Empty for a remark that stands alone.
    pub name: &'static str,
    pub value: Value,
    pub remarks: Vec<String>,
}

impl Key {
    pub fn remark(&mut self, text: impl Into<String>) -> &mut Self {
        self.remarks.push(text.into());
        self
    }
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Only its remarks are written.
    Nothing,
    /// Text, quoted as needed.
    Text(String),
    /// YAML as it stands: numbers, lengths of time, flow mappings.
    Raw(String),
    /// Texts.
    List(Vec<String>),
    /// Text by name.
    Map(Vec<(String, String)>),
    /// Raw YAML by name.
    RawMap(Vec<(String, String)>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn raw(text: impl Into<String>) -> Self {
        Self::Raw(text.into())
    }
}

/// One schedule of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct When {
    /// `cron`, `every`, `at`; or `startup`, `manual` with an empty value.
    pub kind: &'static str,
    /// Its value, as YAML.
    pub value: String,
    /// Keys beside it, as YAML.
    pub beside: Vec<(&'static str, String)>,
    /// What elder does with it when the clock changes; `None` where no clock matters.
    pub rule: Option<Rule>,
}

impl When {
    pub fn cron(line: &str, rule: Rule) -> Self {
        Self {
            kind: "cron",
            value: format!("\"{line}\""),
            beside: Vec::new(),
            rule: Some(rule),
        }
    }

    pub fn every(period: std::time::Duration) -> Self {
        Self::plain("every", crate::duration::print(period))
    }

    pub fn plain(kind: &'static str, value: impl Into<String>) -> Self {
        Self {
            kind,
            value: value.into(),
            beside: Vec::new(),
            rule: None,
        }
    }
}

/// What an importer has to say: the jobs, and what holds for all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    /// Lines at the top of the job file.
    pub remarks: Vec<String>,
    pub drafts: Vec<Draft>,
    /// What is wrong outside of any job, with the file it stands in.
    pub troubles: Vec<(usize, Trouble)>,
}

/// A text as elder must read it where `${…}` is filled in.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// A length of seconds as elder writes it.
pub(super) fn seconds(amount: f64) -> Option<String> {
    // A float that is no sensible length (not a number, negative, centuries) is none.
    let longest = crate::duration::MAX.as_secs_f64();
    if !(0.0..=longest).contains(&amount) {
        return None;
    }
    let millis = std::time::Duration::from_secs_f64(amount).as_millis();
    let millis = u64::try_from(millis).ok()?;
    Some(crate::duration::print(std::time::Duration::from_millis(
        millis,
    )))
}

/// A zone that elder knows, or why not.
pub(super) fn zone(name: &str, at: Spot, zones: &Zones) -> Result<String, Trouble> {
    match zones.get(name) {
        Ok(zone) => Ok(zone.name().to_owned()),
        Err(unknown) => Err(Trouble::new(
            crate::finding::Code::UnknownZone,
            at,
            unknown.to_string(),
            unknown.help,
        )),
    }
}

/// A name out of a command: its program, without the wrappers before it.
pub(super) fn name_of_command(command: &str) -> String {
    const WRAPPERS: [&str; 28] = [
        "cd",
        "test",
        "[",
        "nice",
        "ionice",
        "flock",
        "sudo",
        "timeout",
        "chronic",
        "env",
        "exec",
        "nohup",
        "sleep",
        "su",
        "sh",
        "bash",
        "/bin/sh",
        "/bin/bash",
        "/usr/bin/env",
        "if",
        "then",
        "time",
        "setsid",
        "chrt",
        "systemd-cat",
        "command",
        "umask",
        "export",
    ];
    const INTERPRETERS: [&str; 9] = [
        "python",
        "python3",
        "perl",
        "php",
        "ruby",
        "node",
        "java",
        "run-parts",
        "make",
    ];
    let mut best = String::new();
    for part in command.split(['&', '|', ';', '(', ')', '{', '}', '\n']) {
        let mut words = part
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']))
            .filter(|word| !word.is_empty())
            .peekable();
        let first = words.peek().copied().unwrap_or_default();
        // `test -x /bin/x || real` and `cd /srv && real`: what matters comes after.
        if ["cd", "test", "[", "sleep", "umask", "export"].contains(&first) {
            continue;
        }
        let mut found = String::new();
        while let Some(word) = words.next() {
            let assigns = word.split_once('=').is_some_and(|(name, _)| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
            let plain = word.chars().any(char::is_alphabetic)
                && !word.starts_with(['-', '$', '>', '<', '!']);
            let number = word.starts_with(|c: char| c.is_ascii_digit());
            if assigns || !plain || number || WRAPPERS.contains(&word) || word.ends_with(".lock") {
                continue;
            }
            let base = word.rsplit('/').find(|part| !part.is_empty());
            let base = base.unwrap_or_default();
            if INTERPRETERS.contains(&base) {
                found = base.to_owned();
                // `python3 -m pkg.mod` or `python3 x.py`: the script is the better name.
                let script = words.find(|word| !word.starts_with('-'));
                if let Some(script) = script.and_then(|s| s.rsplit('/').find(|p| !p.is_empty())) {
                    found = script.to_owned();
                }
            } else {
                found = base.to_owned();
            }
            break;
        }
        if !found.is_empty() {
            best = found;
            break;
        }
    }
    for ending in [".sh", ".py", ".pl", ".php", ".rb", ".js", ".bash"] {
        if let Some(stem) = best.strip_suffix(ending) {
            best = stem.to_owned();
        }
    }
    best
}

/// The text as a name of a job, or `job`.
pub(super) fn valid_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().take(100) {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_matches(['-', '.', '_']);
    if name.is_empty() {
        "job".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_what_it_is_about() {
        for (command, want) in [
            ("/usr/local/bin/backup.sh --full", "backup"),
            ("cd / && run-parts --report /etc/cron.hourly", "cron.hourly"),
            (
                "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }",
                "cron.daily",
            ),
            (
                "[ -x /usr/lib/php/sessionclean ] && /usr/lib/php/sessionclean",
                "sessionclean",
            ),
            ("FOO=1 nice -n 10 /opt/x/report >/dev/null 2>&1", "report"),
            ("flock -n /run/lock/a.lock /srv/app/sync.py", "sync"),
            ("/usr/bin/python3 -u /srv/app/mail.py", "mail"),
            ("", ""),
            ("$CMD", ""),
        ] {
            assert_eq!(name_of_command(command), want, "{command}");
        }
    }

    #[test]
    fn any_text_becomes_a_name() {
        for (text, want) in [
            ("backup", "backup"),
            ("Ärger & Söhne", "rger-S-hne"),
            ("--x", "x"),
            ("", "job"),
            ("..", "job"),
        ] {
            assert_eq!(valid_name(text), want);
        }
    }

    #[test]
    fn a_length_that_is_none_is_none() {
        assert_eq!(seconds(90.0).as_deref(), Some("1m30s"));
        assert_eq!(seconds(0.5).as_deref(), Some("500ms"));
        for odd in [f64::NAN, -1.0, f64::INFINITY, 1e18] {
            assert_eq!(seconds(odd), None);
        }
    }
}
