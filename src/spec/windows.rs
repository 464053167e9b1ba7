//! The settings file (`--config`) where it says what is no flag: `sync_windows`.
//!
//! Read with the machinery of the job files, so findings look alike and come all at once.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::decode::{Decoder, Scope};
use super::fields::{Kind, Level, here};
use super::problem::Page;
use super::shared::Shared;
use super::tree::{self, Node};
use super::{InputFile, Options, bytes, schedule, suggest};
use crate::finding::{Code, Finding, Severity};
use crate::model::{SyncWindow, WindowKind};
use crate::schedule::{Zone, Zones};

/// The key of the windows.
pub const SYNC_WINDOWS: &str = "sync_windows";

/// The longest time that a window may be open.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What the settings file says.
#[derive(Clone, Debug, Default)]
pub struct SettingsFile {
    /// `sync_windows`, in order; of a bad file those that could be read.
    pub windows: Vec<SyncWindow>,
    /// Everything found in it.
    pub findings: Vec<Finding>,
}

impl SettingsFile {
    /// The errors among the findings.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.severity == Severity::Error)
    }
}

/// The top of the settings file.
#[rustfmt::skip]
const TOP: Level = Level {
    what: "the settings file",
    place: "the top level of the settings file",
    fields: &[
        here(SYNC_WINDOWS, Kind::Anything, "When changes of job files are let in, and when they wait.", "[{ deny: { weekly: { days: fri, at: \"16:00\" } }, for: 64h }]"),
    ],
};

/// One window.
#[rustfmt::skip]
const WINDOW: Level = Level {
    what: "a window",
    place: "a window of `sync_windows`",
    fields: &[
        here("allow", Kind::Schedule, "Changes are let in from each of these instants on; where there is such a window, only then.", "{ daily: \"09:00\" }"),
        here("deny", Kind::Schedule, "Changes wait from each of these instants on, whatever allows them.", "{ weekly: { days: fri, at: \"16:00\" } }"),
        here("for", Kind::Duration, "How long the window is open.", "64h"),
        here("reason", Kind::Text, "Why: shown wherever a change waits.", "nobody is here at the weekend"),
    ],
};

/// Reads the settings file.
#[must_use]
pub fn check_settings(input: &InputFile, options: &Options, zones: &Zones) -> SettingsFile {
    let mut file = SettingsFile::default();
    let text = match bytes::text_of(input) {
        Ok(text) => text,
        Err(finding) => {
            file.findings.push(*finding);
            return file;
        }
    };
    let page = Page::new(input.shown.clone(), text);
    let shared = Shared::new(zones);
    let mut decoder = Decoder::new(&page, options, &shared);
    let tree = tree::parse(text);
    for problem in tree.problems {
        decoder.note(problem);
    }
    if let Some(root) = tree.root.as_ref().filter(|_| tree.complete) {
        let zone = options.timezone.as_deref();
        let zone = zone.and_then(|name| zones.get(name).ok());
        file.windows = top(&mut decoder, root, &zone.unwrap_or_else(Zone::utc));
    }
    file.findings = decoder.finish();
    file
}

fn top<'t>(decoder: &mut Decoder<'t, '_>, root: &Node<'t>, zone: &Zone) -> Vec<SyncWindow> {
    // The others are flags, which were looked at when they were read. A slip of the pen in this one
    // must not pass for one of them: it would lift a freeze.
    let is_flag = |key: &str| {
        key != SYNC_WINDOWS && suggest::nearest(key, [SYNC_WINDOWS].into_iter()).is_none()
    };
    let fields = decoder.fields_but(&TOP, root, Scope::Job, is_flag);
    let mut windows = Vec::new();
    for (key, entry) in fields.unwrap_or_default() {
        let help = "write `[{ deny: SCHEDULE, for: 64h }]`";
        let items = decoder.list(key, &entry.value, help).unwrap_or_default();
        for item in items {
            windows.extend(window(decoder, item, zone));
        }
    }
    windows
}

fn window<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>, zone: &Zone) -> Option<SyncWindow> {
    let before = decoder.errors();
    let fields = decoder.fields(&WINDOW, node, Scope::Job)?;
    let (mut opens, mut length, mut reason) = (Vec::new(), None, None);
    for (key, entry) in fields {
        match key {
            "for" => {
                length = decoder.duration(key, &entry.value);
                let span = entry.value.span;
                if length.is_some_and(|length| length.is_zero() || length > LONGEST) {
                    let help = "write a length of time of up to 366d, such as `64h`";
                    decoder.report(
                        Code::OutOfRange,
                        span,
                        "no window is open for so long",
                        help,
                    );
                }
            }
            "reason" => {
                let text = decoder.text(key, &entry.value);
                reason = text.map(|text| Arc::from(&*text));
            }
            _ => {
                let kind = match key {
                    "allow" => WindowKind::Allow,
                    _ => WindowKind::Deny,
                };
                let read = schedule::read(decoder, &entry.value, zone, Cow::Borrowed(""));
                let Some(read) = read else { continue };
                let begins = jiff::Timestamp::UNIX_EPOCH;
                if read.is_named || read.schedule.next_after(begins).is_none() {
                    decoder.report(
                        Code::BadSchedule,
                        entry.value.span,
                        "a window opens at times of a clock",
                        "write `daily`, `weekly`, a cron line or another schedule without `random`, `spread` and `jitter`",
                    );
                }
                opens.push((kind, read));
            }
        }
    }
    let mut opens = opens.into_iter();
    let (first, second) = (opens.next(), opens.next());
    match (first, second, length) {
        (Some((kind, read)), None, Some(length)) => Some(SyncWindow {
            kind,
            schedule: read.schedule,
            text: read.text,
            length,
            reason,
        }),
        // What is wrong with it is told already.
        _ if decoder.errors() > before => None,
        (_, Some(_), _) => {
            let help = "write two windows, or one of `allow` and `deny`";
            let message = "a window either allows or denies";
            decoder.report(Code::BadSchedule, node.span, message, help);
            None
        }
        _ => {
            let help = "write `{ deny: { weekly: { days: fri, at: \"16:00\" } }, for: 64h }`";
            let message = "a window needs `allow` or `deny`, and `for`";
            decoder.report(Code::MissingKey, node.span, message, help);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;

    use super::super::tests::zones;
    use super::*;

    fn check(text: &str) -> SettingsFile {
        let input = InputFile {
            root: Arc::from(""),
            root_folder: Arc::from(Path::new("/")),
            path: Arc::from("elder.yaml"),
            shown: Arc::from("elder.yaml"),
            content: Ok(text.as_bytes().into()),
            hash: [0; 32],
            within: None,
        };
        let options = Options {
            timezone: Some("Asia/Tokyo".into()),
            env: Arc::new(HashMap::new()),
            env_allow: None,
            allow_missing_env: false,
            lent: None,
        };
        check_settings(&input, &options, zones())
    }

    #[test]
    fn windows_are_read_with_elders_own_schedules() {
        let file = check(
            "max_workers: 8\nrevision: &why nobody is here\nsync_windows:\n  - deny: { weekly: { days: fri, at: \"16:00\" } }\n    for: 64h\n    reason: *why\n  - { allow: '0 9 * * 1-5', for: 8h }\n",
        );
        assert!(file.findings.is_empty(), "{:?}", file.findings);
        let [deny, allow] = &file.windows[..] else {
            panic!("{:?}", file.windows);
        };
        assert_eq!(deny.kind, WindowKind::Deny);
        assert_eq!(deny.length, Duration::from_secs(64 * 3600));
        assert_eq!(deny.reason.as_deref(), Some("nobody is here"));
        assert_eq!(
            (allow.kind, &*allow.text),
            (WindowKind::Allow, "0 9 * * 1-5")
        );
        // By the zone of `--timezone`: Friday 16:00 there.
        let at = "2027-01-01T07:00:00Z".parse().unwrap();
        assert_eq!(deny.closes(at), "2027-01-03T23:00:00Z".parse().ok());
        for text in ["", "# nothing\n", "sync_windows: []\n"] {
            let file = check(text);
            assert!(
                file.errors().next().is_none(),
                "{text:?}: {:?}",
                file.findings
            );
            assert!(file.windows.is_empty());
        }
    }

    #[test]
    fn what_is_no_window_is_refused_with_its_place() {
        for (text, code, place, words) in [
            ("sync_window: []", Code::UnknownKey, (1, 1), "sync_windows"),
            (
                "sync_windows: 3",
                Code::WrongType,
                (1, 15),
                "deny: SCHEDULE",
            ),
            (
                "sync_windows: [{ for: 1h }]",
                Code::MissingKey,
                (1, 16),
                "allow",
            ),
            (
                "sync_windows: [{ deny: '@daily' }]",
                Code::MissingKey,
                (1, 16),
                "for",
            ),
            (
                "sync_windows: [{ deny: '@daily', allow: '@daily', for: 1h }]",
                Code::BadSchedule,
                (1, 16),
                "either",
            ),
            (
                "sync_windows: [{ deny: '61 * * * *', for: 1h }]",
                Code::BadCron,
                (1, 25),
                "",
            ),
            (
                "sync_windows: [{ deny: manual, for: 1h }]",
                Code::BadSchedule,
                (1, 24),
                "clock",
            ),
            (
                "sync_windows: [{ deny: startup, for: 1h }]",
                Code::BadSchedule,
                (1, 24),
                "clock",
            ),
            (
                "sync_windows: [{ deny: '@daily', for: 10 }]",
                Code::BadDuration,
                (1, 39),
                "unit",
            ),
            (
                "sync_windows: [{ deny: '@daily', for: 999d }]",
                Code::OutOfRange,
                (1, 39),
                "366d",
            ),
            (
                "sync_windows: [{ deny: '@daily', for: 1h, jobs: [a] }]",
                Code::UnknownKey,
                (1, 43),
                "",
            ),
        ] {
            let file = check(text);
            let found = file.errors().next();
            let found = found.unwrap_or_else(|| panic!("nothing found in {text}"));
            let at = &found.at.place;
            assert_eq!(
                (found.code, (at.line, at.column)),
                (code, place),
                "{text}: {found:?}"
            );
            let said = format!("{} {}", found.message, found.help);
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}
