//! Findings as text: for people, for editors and grep, for programs, for GitHub and GitLab.
//!
//! A [`Report`] sorts what it is given; the formats only write it down.

mod concise;
mod fingerprint;
mod github;
mod gitlab;
mod human;
mod json;
mod sarif;

use super::{Finding, Severity};

/// In which form findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The line, carets under the value, the mend.
    Human(Colour),
    /// One line each: `file:line:column: E012 message`.
    Concise,
    /// One JSON object.
    Json,
    /// Workflow commands that GitHub shows beside the changed lines.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitLab's code quality report.
    Gitlab,
}

/// Whether colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For terminals.
    On,
    /// For everything else.
    Off,
}

/// Findings in order, with what was looked at.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    files: usize,
    jobs: usize,
    findings: Vec<&'a Finding>,
}

impl<'a> Report<'a> {
    /// What was found in so many files with so many good jobs.
    #[must_use]
    pub fn new(files: usize, jobs: usize, findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut findings: Vec<_> = findings.into_iter().collect();
        findings.sort_by(|a, b| {
            let key = |f: &Finding| (f.at.place.line, f.at.place.column, f.code);
            a.at.place
                .file
                .cmp(&b.at.place.file)
                .then_with(|| key(a).cmp(&key(b)))
                .then_with(|| a.message.cmp(&b.message))
        });
        Self {
            files,
            jobs,
            findings,
        }
    }

    /// How many findings are so bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.of(severity).count()
    }

    /// The findings, sorted by file and place.
    #[must_use]
    pub fn findings(&self) -> &[&'a Finding] {
        &self.findings
    }

    /// The whole report; every form but those in JSON ends with a line of counts.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Human(colour) => human::render(self, colour),
            Format::Concise => concise::render(self),
            Format::Json => json::render(self),
            Format::Github => github::render(self),
            Format::Sarif => sarif::render(self),
            Format::Gitlab => gitlab::render(self),
        }
    }

    /// The findings for people, each with an empty line after it, and nothing else.
    #[must_use]
    pub fn excerpts(&self, colour: Colour) -> String {
        human::excerpts(self, colour)
    }

    /// `3 files, 12 jobs: 1 error, 2 warnings`.
    #[must_use]
    pub fn counts(&self) -> String {
        let mut text = format!(
            "{}, {}: ",
            amount(self.files as u64, "file"),
            amount(self.jobs as u64, "good job")
        );
        let kinds = [Severity::Error, Severity::Warning, Severity::Note];
        let found: Vec<_> = kinds
            .into_iter()
            .map(|severity| (self.count(severity), word(severity)))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| amount(count as u64, word))
            .collect();
        if found.is_empty() {
            text.push_str("nothing to mend");
        } else {
            text.push_str(&found.join(", "));
        }
        text
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &'a Finding> {
        let all = self.findings.iter().copied();
        all.filter(move |finding| finding.severity == severity)
    }
}

/// `1 file`, `2 files`.
#[must_use]
pub fn amount(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// `file:line:column`, or the file alone when the finding concerns all of it.
fn position(place: &super::Place) -> String {
    let file = on_one_line(&place.file);
    if place.line == 0 {
        file
    } else {
        format!("{file}:{}:{}", place.line, place.column)
    }
}

/// Text of a job file as it may stand in a line of ours: a line break or an
/// escape sequence in it must not look like something that elder said.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if c.is_control() || turns_direction(c) => {
                safe.push_str(&c.escape_unicode().to_string())
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Whether a character turns the direction of writing, and so can hide what follows.
#[must_use]
pub fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
pub(super) mod samples {
    //! Findings for the tests of this folder.

    use std::sync::Arc;

    use super::super::{Code, Excerpt, Finding, Place, Severity};

    pub(crate) fn excerpt(file: &str, line: u32, column: u32, length: u32, text: &str) -> Excerpt {
        Excerpt {
            place: Place {
                file: Arc::from(file),
                line,
                column,
                length,
            },
            line: text.to_owned(),
            label: String::new(),
        }
    }

    pub(crate) fn bad_cron() -> Finding {
        Finding {
            code: Code::BadCron,
            severity: Severity::Error,
            at: excerpt("jobs.d/a.yaml", 3, 16, 2, "    schedule: \"61 * * * *\""),
            also: None,
            message: "minute 61 is not in 0-59".to_owned(),
            help: "write a minute from 0 to 59".to_owned(),
        }
    }

    pub(crate) fn duplicate() -> Finding {
        let mut second = excerpt("jobs.d/b.yaml", 2, 3, 7, "  billing:");
        second.label = "and here".to_owned();
        let mut first = excerpt("jobs.d/a.yaml", 9, 3, 7, "  billing:");
        first.label = "here".to_owned();
        Finding {
            code: Code::DuplicateName,
            severity: Severity::Error,
            at: first,
            also: Some(second),
            message: "job \"billing\" is defined twice".to_owned(),
            help: "rename one of them".to_owned(),
        }
    }

    pub(crate) fn unreadable() -> Finding {
        Finding {
            code: Code::Unreadable,
            severity: Severity::Error,
            at: Excerpt {
                place: Place::file(Arc::from("jobs.d/z.yaml")),
                line: String::new(),
                label: String::new(),
            },
            also: None,
            message: "permission denied".to_owned(),
            help: String::new(),
        }
    }

    pub(crate) fn warning() -> Finding {
        Finding {
            severity: Severity::Warning,
            message: "odd\nname\u{1b}[2J".to_owned(),
            help: String::new(),
            ..bad_cron()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{bad_cron, duplicate, unreadable, warning};
    use super::*;

    #[test]
    fn findings_are_sorted_by_file_and_line_whatever_their_order() {
        let all = [unreadable(), duplicate(), warning(), bad_cron()];
        let report = Report::new(3, 0, &all);
        let order: Vec<_> = report
            .findings()
            .iter()
            .map(|f| position(&f.at.place))
            .collect();
        assert_eq!(
            order,
            [
                "jobs.d/a.yaml:3:16",
                "jobs.d/a.yaml:3:16",
                "jobs.d/a.yaml:9:3",
                "jobs.d/z.yaml"
            ]
        );
    }

    #[test]
    fn the_count_line_says_what_was_looked_at_and_what_was_found() {
        let none: [Finding; 0] = [];
        let all = [bad_cron(), warning(), unreadable()];
        for (report, want) in [
            (
                Report::new(1, 2, &none),
                "1 file, 2 good jobs: nothing to mend",
            ),
            (
                Report::new(2, 1, &all),
                "2 files, 1 good job: 2 errors, 1 warning",
            ),
        ] {
            assert_eq!(report.counts(), want);
        }
    }

    #[test]
    fn no_text_of_a_file_can_break_a_line_or_reach_the_terminal_as_an_escape() {
        assert_eq!(
            on_one_line("a\nb\u{1b}[2J\u{202e}c"),
            "a\\nb\\u{1b}[2J\\u{202e}c"
        );
    }
}
