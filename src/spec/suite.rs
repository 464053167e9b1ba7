//! `*.test.yaml`: which instants the schedules of jobs must and must not name.
//!
//! Read with the machinery of the job files, so findings look alike and come all at once.
//! Whether a test holds is decided elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{Timestamp, civil};

use super::decode::{Decoder, Scope};
use super::fields::{Kind, Level, here};
use super::instants::parse_instant;
use super::problem::Page;
use super::shared::Shared;
use super::tree::{self, Entry, Node, Span, Value, shorten};
use super::{InputFile, Options, bytes};
use crate::finding::{Code, Excerpt, Finding, Severity};
use crate::schedule::{Zone, Zones};

/// A file of tests.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// As a person would name it.
    pub shown: Arc<str>,
    /// Its jobs with their tests, in order; of a bad file what could be read.
    pub jobs: Vec<JobTests>,
    /// Everything found in it.
    pub findings: Vec<Finding>,
}

/// The tests of one job.
#[derive(Clone, Debug)]
pub struct JobTests {
    /// Its name.
    pub job: Arc<str>,
    /// In order.
    pub tests: Vec<ScheduleTest>,
}

/// One thing that a schedule must or must not do.
#[derive(Clone, Debug)]
pub struct ScheduleTest {
    /// What the author calls it.
    pub name: Option<Arc<str>>,
    /// Where the expectation's key stands.
    pub at: Excerpt,
    /// What is expected.
    pub expectation: Expectation,
}

/// What is expected of a schedule.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// A fire at each of these; on a day, at least one.
    FiresAt(Vec<Moment>),
    /// No fire at any of these, all day long for a day.
    NeverAt(Vec<Moment>),
    /// So many fires in a span, both ends counted in.
    Count {
        /// Where it begins.
        from: Timestamp,
        /// Its last instant.
        until: Timestamp,
        /// No fewer.
        least: u64,
        /// No more.
        most: u64,
        /// The span and the number as written.
        shown: Arc<str>,
    },
}

/// An instant, or a day in the job's zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// As written.
    pub text: Arc<str>,
    /// Where.
    pub at: Excerpt,
    /// Its first instant.
    pub first: Timestamp,
    /// Its last instant: for an instant, the same.
    pub last: Timestamp,
}

/// A job that a test may name.
#[derive(Clone, Debug)]
pub enum KnownJob {
    /// In a good file, with the name of its zone.
    Good(Arc<str>),
    /// In a bad file: its tests cannot be tried.
    Bad,
}

/// The top of a test file.
#[rustfmt::skip]
pub(super) const TOP: Level = Level {
    what: "a test file",
    place: "the top level of the file",
    fields: &[
        here("tests", Kind::Anything, "The tests, under the names of their jobs.", "{}"),
    ],
};

/// One test.
#[rustfmt::skip]
pub(super) const TEST: Level = Level {
    what: "a test",
    place: "a test",
    fields: &[
        here("name", Kind::Text, "What the test is about, in a few words.", "no backup at Christmas"),
        here("fires_at", Kind::Instants, "The job fires at each of these; on a date, at least once that day.", "[2027-03-28T03:00:00+02:00, 2027-03-29]"),
        here("never_at", Kind::Instants, "The job fires at none of these; a date is its whole day.", "[2027-12-25, 2027-12-24T03:00:00Z]"),
        here("count", Kind::Anything, "How many fires there are in a span.", "{ from: 2027-03-01, until: 2027-03-31, is: 31 }"),
    ],
};

/// `count`
#[rustfmt::skip]
pub(super) const COUNT: Level = Level {
    what: "`count`",
    place: "`count`",
    fields: &[
        here("from", Kind::Text, "The first instant of the span, or its first day.", "2027-03-01"),
        here("until", Kind::Text, "The last instant of the span, or its last day.", "2027-03-31"),
        here("is", Kind::Number { least: 0, most: MOST }, "So many fires.", "31"),
        here("at_least", Kind::Number { least: 0, most: MOST }, "No fewer fires.", "1"),
        here("at_most", Kind::Number { least: 0, most: MOST }, "No more fires.", "40"),
    ],
};

/// The largest number that a test may count to.
const MOST: i64 = 1_000_000_000_000;

/// Reads a file of tests. `jobs` are all that the tree knows.
#[must_use]
pub fn check_tests(
    input: &InputFile,
    jobs: &HashMap<Arc<str>, KnownJob>,
    options: &Options,
    zones: &Zones,
) -> TestFile {
    let mut file = TestFile {
        shown: input.shown.clone(),
        jobs: Vec::new(),
        findings: Vec::new(),
    };
    let text = match bytes::text_of(input) {
        Ok(text) => text,
        Err(finding) => {
            file.findings.push(*finding);
            return file;
        }
    };
    let page = Page::of(input, text);
    let shared = Shared::new(zones);
    let mut decoder = Decoder::new(&page, options, &shared);
    let tree = tree::parse(text);
    for problem in tree.problems {
        decoder.note(problem);
    }
    if let Some(root) = tree.root.as_ref().filter(|_| tree.complete) {
        let mut reader = Reader {
            page: &page,
            decoder,
            jobs,
            zones,
        };
        file.jobs = reader.top(root);
        decoder = reader.decoder;
    } else if tree.complete {
        let span = Span::default();
        decoder.report(Code::EmptyFile, span, "the file holds no test", "");
    }
    file.findings = decoder.finish();
    file
}

impl TestFile {
    /// Whether something in it is wrong.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.severity == Severity::Error)
    }
}

struct Reader<'t, 's> {
    page: &'t Page<'t>,
    decoder: Decoder<'t, 's>,
    jobs: &'s HashMap<Arc<str>, KnownJob>,
    zones: &'s Zones,
}

impl<'t> Reader<'t, '_> {
    fn top(&mut self, root: &Node<'t>) -> Vec<JobTests> {
        let is_anchor = |key: &str| key.starts_with("x-");
        let fields = self
            .decoder
            .fields_but(&TOP, root, Scope::Job, is_anchor)
            .unwrap_or_default();
        let Some((_, tests)) = fields.first() else {
            if !self.decoder.errors_since(0) {
                let help = "write `tests: { JOB: [{ fires_at: 2027-03-28T03:00:00 }] }`";
                self.decoder.report(
                    Code::EmptyFile,
                    Span::default(),
                    "the file holds no test",
                    help,
                );
            }
            return Vec::new();
        };
        let Value::Map(entries) = &tests.value.value else {
            let message = format!(
                "`tests` is a mapping of names of jobs, not {}",
                tests.value.kind()
            );
            let help = "write each job's tests under its name: `tests: { JOB: [{ … }] }`";
            let span = tests.value.span;
            self.decoder.report(Code::WrongType, span, &message, help);
            return Vec::new();
        };
        let mut jobs = Vec::new();
        for entry in entries.iter() {
            if self.decoder.is_full() {
                break;
            }
            jobs.push(self.job(entry));
        }
        jobs
    }

    fn job(&mut self, entry: &Entry<'t>) -> JobTests {
        let zone = match self.jobs.get(&*entry.key) {
            Some(KnownJob::Good(zone)) => self.zones.get(zone).ok(),
            Some(KnownJob::Bad) => None,
            None => {
                self.unknown_job(entry);
                None
            }
        };
        // What is said of a job without a zone is still looked at for slips.
        let zone = zone.unwrap_or_else(Zone::utc);
        let mut tests = Vec::new();
        let items = match &entry.value.value {
            Value::Map(_) => std::slice::from_ref(&entry.value),
            _ => {
                let help = "write `[{ fires_at: … }, { never_at: … }]`";
                let listed = self.decoder.list(&entry.key, &entry.value, help);
                listed.unwrap_or_default()
            }
        };
        for item in items {
            tests.extend(self.test(item, &zone));
        }
        JobTests {
            job: Arc::from(&*entry.key),
            tests,
        }
    }

    fn unknown_job(&mut self, entry: &Entry<'t>) {
        let typed = &*entry.key;
        let near = self
            .jobs
            .keys()
            .map(|known| (strsim::osa_distance(typed, known), known))
            .filter(|(distance, known)| *distance <= 3 && distance * 3 <= known.len())
            .min();
        let help = match near {
            Some((_, near)) => format!("did you mean `{near}`?"),
            None => "name a job of this tree, or remove the test".to_owned(),
        };
        let message = format!("there is no job `{}`", shorten(typed));
        self.decoder
            .report(Code::DanglingName, entry.key_span, &message, &help);
    }

    /// Each expectation of an entry is a test of its own.
    fn test(&mut self, node: &Node<'t>, zone: &Zone) -> Vec<ScheduleTest> {
        let before = self.decoder.errors();
        let fields = self.decoder.fields(&TEST, node, Scope::Job);
        let Some(fields) = fields else {
            return Vec::new();
        };
        let mut name = None;
        let mut expected = Vec::new();
        for (key, entry) in fields {
            let expectation = match key {
                "name" => {
                    let text = self.decoder.text("name", &entry.value);
                    name = text.map(|text| Arc::from(&*text));
                    continue;
                }
                "fires_at" => self
                    .moments(key, &entry.value, zone)
                    .map(Expectation::FiresAt),
                "never_at" => self
                    .moments(key, &entry.value, zone)
                    .map(Expectation::NeverAt),
                _ => self.count(&entry.value, zone),
            };
            if let Some(expectation) = expectation {
                expected.push((self.page.excerpt(entry.key_span, ""), expectation));
            }
        }
        if expected.is_empty() && self.decoder.errors() == before {
            self.decoder.report(
                Code::MissingKey,
                node.span,
                "a test without an expectation",
                "write `fires_at`, `never_at` or `count`",
            );
        }
        expected
            .into_iter()
            .map(|(at, expectation)| ScheduleTest {
                name: name.clone(),
                at,
                expectation,
            })
            .collect()
    }

    fn moments(&mut self, key: &str, node: &Node<'t>, zone: &Zone) -> Option<Vec<Moment>> {
        let items = self.decoder.one_or_more(key, node)?;
        if items.is_empty() {
            let message = format!("`{key}` names no instant");
            self.decoder
                .report(Code::WrongType, node.span, &message, "");
            return None;
        }
        let mut moments = Vec::with_capacity(items.len());
        for item in items {
            moments.push(self.moment(key, item, zone));
        }
        moments.into_iter().collect()
    }

    fn moment(&mut self, key: &str, node: &Node<'t>, zone: &Zone) -> Option<Moment> {
        let text = self.decoder.text(key, node)?;
        let text = text.trim();
        let span = day(text, zone)
            .map(Ok)
            .unwrap_or_else(|| parse_instant(text, zone).map(|at| (at, at)));
        match span {
            Ok((first, last)) => {
                if let Some(shown) = in_a_gap(text, first, zone) {
                    let message = format!("the clock of {zone} never shows {}", shorten(text));
                    let help = format!("the first time after the gap is {shown}");
                    self.decoder
                        .report(Code::BadSchedule, node.span, &message, &help);
                    return None;
                }
                Some(Moment {
                    text: Arc::from(text),
                    at: self.page.excerpt(node.span, ""),
                    first,
                    last,
                })
            }
            Err(_) => {
                let message = format!("`{}` is no instant and no date", shorten(text));
                let help = "write 2027-03-28T03:00:00 (in the job's zone), with an offset behind it, or 2027-03-28 for the whole day";
                self.decoder
                    .report(Code::BadSchedule, node.span, &message, help);
                None
            }
        }
    }

    fn count(&mut self, node: &Node<'t>, zone: &Zone) -> Option<Expectation> {
        let before = self.decoder.errors();
        let fields = self.decoder.fields(&COUNT, node, Scope::Job)?;
        let (mut from, mut until) = (None, None);
        let mut numbers: [Option<(u64, Span)>; 3] = [None; 3];
        for (key, entry) in fields {
            let place = match key {
                "from" => {
                    from = self.moment(key, &entry.value, zone);
                    continue;
                }
                "until" => {
                    until = self.moment(key, &entry.value, zone);
                    continue;
                }
                "is" => 0,
                "at_least" => 1,
                _ => 2,
            };
            let number = self.decoder.number(key, &entry.value, 0, MOST)?;
            numbers[place] = u64::try_from(number)
                .ok()
                .map(|number| (number, entry.key_span));
        }
        if self.decoder.errors() > before {
            return None;
        }
        let [is, at_least, at_most] = numbers;
        let mut missing = |what: &str, help: &str| {
            let message = format!("`count` has no {what}");
            self.decoder
                .report(Code::MissingKey, node.span, &message, help);
        };
        let (Some(from), Some(until)) = (from, until) else {
            missing("`from` and `until`", "write both: instants, or days");
            return None;
        };
        let (least, most, words) = match (is, at_least, at_most) {
            (Some((is, _)), None, None) => (is, is, format!("is {is}")),
            (Some((_, span)), _, _) => {
                let message = "`is` says it all: `at_least` and `at_most` beside it say nothing";
                self.decoder.report(Code::NoEffect, span, message, "");
                return None;
            }
            (None, Some((least, span)), Some((most, _))) => {
                if least > most {
                    let message = format!("no number is at least {least} and at most {most}");
                    self.decoder.report(Code::OutOfRange, span, &message, "");
                    return None;
                }
                (
                    least,
                    most,
                    format!("is at least {least} and at most {most}"),
                )
            }
            (None, Some((least, _)), None) => (least, u64::MAX, format!("is at least {least}")),
            (None, None, Some((most, _))) => (0, most, format!("is at most {most}")),
            (None, None, None) => {
                missing("number", "write `is`, `at_least` or `at_most`");
                return None;
            }
        };
        if until.last < from.first {
            let message = format!(
                "the span ends before it begins: {} to {}",
                from.text, until.text
            );
            self.decoder
                .report(Code::OutOfRange, node.span, &message, "");
            return None;
        }
        Some(Expectation::Count {
            from: from.first,
            until: until.last,
            least,
            most,
            shown: format!("from {} until {} {words}", from.text, until.text).into(),
        })
    }
}

/// What the clock shows in place of a reading that a change passes over. A schedule is right to
/// fire there; a test that names such a time says something else than its author thinks.
fn in_a_gap(text: &str, read: Timestamp, zone: &Zone) -> Option<civil::DateTime> {
    if text.parse::<Timestamp>().is_ok() {
        return None;
    }
    let reading: civil::DateTime = text.parse().ok()?;
    let shown = read.to_zoned(zone.timezone().clone()).datetime();
    (shown != reading && text.contains(':')).then_some(shown)
}

/// A date as its first and its last instant in a zone.
fn day(text: &str, zone: &Zone) -> Option<(Timestamp, Timestamp)> {
    if text.len() != "2027-03-28".len() {
        return None;
    }
    let date: civil::Date = text.parse().ok()?;
    let local = date.to_zoned(zone.timezone().clone()).ok()?;
    let first = local.start_of_day().ok()?.timestamp();
    let last = local.end_of_day().ok()?.timestamp();
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{input, options, shown, zones};
    use super::*;

    fn read(text: &str) -> TestFile {
        let jobs = HashMap::from([
            (
                Arc::from("backup"),
                KnownJob::Good(Arc::from("Europe/Berlin")),
            ),
            (Arc::from("broken"), KnownJob::Bad),
        ]);
        let input = input("a.test.yaml", text.as_bytes());
        check_tests(&input, &jobs, &options(&[]), zones())
    }

    #[test]
    fn every_form_is_read_with_its_place_and_its_span() {
        let file = read(
            "x-day: &day 2027-12-25
tests:
  backup:
    - name: spring
      fires_at: 2027-03-28T03:00:00
    - never_at: [*day, 2027-12-24T03:00:00Z]
      count: { from: 2027-03-28, until: 2027-03-28T12:00:00Z, at_least: 1, at_most: 2 }
  broken: { count: { from: 2027-01-01, until: 2027-01-31, is: 31 } }
",
        );
        assert!(file.findings.is_empty(), "{}", shown(&file.findings));
        let [backup, broken] = file.jobs.as_slice() else {
            panic!("{:?}", file.jobs)
        };
        assert_eq!(broken.tests.len(), 1);
        let [spring, never, count] = backup.tests.as_slice() else {
            panic!("{:?}", backup.tests)
        };
        assert_eq!(spring.name.as_deref(), Some("spring"));
        assert_eq!((spring.at.place.line, spring.at.place.column), (5, 7));
        let Expectation::FiresAt(at) = &spring.expectation else {
            panic!("{spring:?}")
        };
        assert_eq!(at[0].first.to_string(), "2027-03-28T01:00:00Z");
        assert_eq!(at[0].at.place.column, 17);
        let Expectation::NeverAt(at) = &never.expectation else {
            panic!("{never:?}")
        };
        assert_eq!(at[0].first.to_string(), "2027-12-24T23:00:00Z");
        assert_eq!(at[0].last.to_string(), "2027-12-25T22:59:59.999999999Z");
        assert_eq!(at[1].first, at[1].last);
        let Expectation::Count {
            from,
            until,
            least: 1,
            most: 2,
            ..
        } = &count.expectation
        else {
            panic!("{count:?}")
        };
        assert_eq!(from.to_string(), "2027-03-27T23:00:00Z");
        assert_eq!(until.to_string(), "2027-03-28T12:00:00Z");
    }

    #[test]
    fn what_is_no_test_is_refused_with_code_line_and_mend() {
        for (body, code, line, hint) in [
            (
                "  bakcup: [{ never_at: 2027-01-01 }]",
                Code::DanglingName,
                2,
                "did you mean `backup`?",
            ),
            (
                "  backup: [{ fires_on: 2027-01-01 }]",
                Code::UnknownKey,
                2,
                "fires_at",
            ),
            (
                "  backup: [{ fires_at: soon }]",
                Code::BadSchedule,
                2,
                "2027-03-28T03:00:00",
            ),
            ("  backup: [{ fires_at: [] }]", Code::WrongType, 2, ""),
            ("  backup: [{ name: x }]", Code::MissingKey, 2, "never_at"),
            ("  backup: never", Code::WrongType, 2, "fires_at"),
            (
                "  backup: [{ count: { is: 3 } }]",
                Code::MissingKey,
                2,
                "instants, or days",
            ),
            (
                "  backup: [{ count: { from: 2027-01-01, until: 2027-01-02 } }]",
                Code::MissingKey,
                2,
                "at_least",
            ),
            (
                "  backup: [{ count: { from: 2027-01-03, until: 2027-01-02, is: 1 } }]",
                Code::OutOfRange,
                2,
                "",
            ),
            (
                "  backup: [{ count: { from: 2027-01-01, until: 2027-01-02, is: 1, at_most: 2 } }]",
                Code::NoEffect,
                2,
                "",
            ),
            (
                "  backup: [{ count: { from: 2027-01-01, until: 2027-01-02, at_least: 3, at_most: 2 } }]",
                Code::OutOfRange,
                2,
                "",
            ),
            (
                "  backup: [{ count: { from: 2027-01-01, until: 2027-01-02, is: -1 } }]",
                Code::OutOfRange,
                2,
                "",
            ),
            (
                "  backup: [{ fires_at: 2027-03-28T02:30:00 }]",
                Code::BadSchedule,
                2,
                "2027-03-28T03:00:00",
            ),
            (
                "  backup: [{ fires_at: 2027-02-30T00:00:00 }]",
                Code::BadSchedule,
                2,
                "",
            ),
            (
                "  backup: [{ fires_at: 2027-02-01T00:00:00 }]\n  backup: []",
                Code::DuplicateKey,
                3,
                "",
            ),
        ] {
            let file = read(&format!("tests:\n{body}\n"));
            let [finding] = file.findings.as_slice() else {
                panic!("{body}: {}", shown(&file.findings))
            };
            assert_eq!(
                (finding.code, finding.at.place.line),
                (code, line),
                "{body}"
            );
            assert!(finding.help.contains(hint), "{body}: {}", finding.help);
        }
        for text in ["", "# nothing\n", "x-a: 1\n", "tests: {}"] {
            assert!(!read(text).is_bad(), "{text}");
        }
        for text in ["test: {}", "tests: []", "tests: [", "- a", "\0"] {
            assert!(read(text).is_bad(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(body in "[ -~\\n]{0,80}|.{0,30}") {
            let _ = read(&body);
            let _ = read(&format!("tests:\n  backup:\n    - fires_at: {body}\n"));
            let _ = read(&format!("tests: {{ backup: [{{ count: {{ from: {body}"));
        }
    }
}
