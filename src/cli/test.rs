//! `elder test`: what the authors of jobs expect of their schedules.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::finding::render::{Format, Report, on_one_line};
use crate::finding::{Finding, Severity};
use crate::forecast::suite;
use crate::model::Job;
use crate::schedule::Zones;
use crate::spec::{JobTests, KnownJob, ScheduleTest, TestFile, check_tests};

use super::args::TestArgs;
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree::{self, Query};

/// Tries every test of the tree.
///
/// # Errors
/// When there is nothing to try, or it cannot be read.
pub fn test(
    typed: &TestArgs,
    environment: Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let format = typed.format.meant(&environment, console);
    // As with validate: the answer is the same on every machine.
    let zones = environment.zones(typed.tzdata)?;
    let query = Query {
        paths: &typed.paths,
        root: typed.root.as_deref(),
        allow_empty: true,
        options: environment.into_options(None, typed.allow_missing_env),
        zones: &zones,
        now: SystemClock::default().now(),
    };
    let found = tree::with_tests(&query)?;
    let known = known_jobs(&found.tree);
    let files: Vec<TestFile> = found
        .tests
        .iter()
        .map(|input| check_tests(input, &known, &query.options, &zones))
        .collect();
    let outcome = Outcome::of(&found, &files, &zones);
    if outcome.tests.is_empty() && outcome.findings.is_empty() && !typed.coverage {
        return Err(Failure::no_answer("there is no test").help(
            "write one beside the job file, in a file whose name ends in .test.yaml: docs/testing-schedules.md",
        ));
    }
    console.answer(&outcome.render(format, typed.coverage))?;
    Ok(if outcome.holds() {
        Exit::Fine
    } else {
        Exit::DoesNotHold
    })
}

fn known_jobs(tree: &tree::Tree) -> HashMap<Arc<str>, KnownJob> {
    let bad = tree
        .bad_names
        .iter()
        .map(|name| (name.clone(), KnownJob::Bad));
    let good = tree.jobs.iter().map(|job| {
        let name: Arc<str> = Arc::from(job.name().as_str());
        (name, KnownJob::Good(job.definition.timezone.clone()))
    });
    bad.chain(good).collect()
}

/// How one test ended.
enum Verdict {
    Holds,
    Fails(Vec<Finding>),
    /// The job's own file is bad.
    NotTried,
}

struct Tried<'a> {
    job: &'a str,
    test: &'a ScheduleTest,
    verdict: Verdict,
    disabled: bool,
}

struct Outcome<'a> {
    tests: Vec<Tried<'a>>,
    /// What is wrong with the files, and what does not hold.
    findings: Vec<Finding>,
    files: usize,
    jobs: usize,
    untested: Vec<&'a Job>,
}

impl<'a> Outcome<'a> {
    fn of(found: &'a tree::WithTests, files: &'a [TestFile], zones: &Zones) -> Self {
        let tree = &found.tree;
        let by_name: HashMap<&str, &Job> = tree
            .jobs
            .iter()
            .map(|job| (job.name().as_str(), job))
            .collect();
        let mut findings: Vec<Finding> = tree.findings.clone();
        // What else is to be said of job files is validate's.
        findings.retain(|finding| finding.severity == Severity::Error);
        let mut tests = Vec::new();
        let mut tested = HashSet::new();
        let mut asked_files = 0;
        for file in files {
            let is_asked = |entry: &JobTests| {
                let job = by_name.get(&*entry.job);
                job.is_some_and(|job| found.concerns(job))
            };
            // Of jobs that were asked about by their file, only the files of their tests matter.
            if !found.is_whole() && !file.jobs.iter().any(is_asked) {
                continue;
            }
            asked_files += 1;
            findings.extend(file.findings.iter().cloned());
            for entry in &file.jobs {
                let job = by_name.get(&*entry.job).copied();
                if job.is_some_and(|job| !found.concerns(job)) {
                    continue;
                }
                if !entry.tests.is_empty() {
                    tested.insert(&*entry.job);
                }
                for test in &entry.tests {
                    let verdict = verdict(job, test, zones);
                    if let Verdict::Fails(why) = &verdict {
                        findings.extend(why.iter().cloned());
                    }
                    let disabled = job.is_some_and(|job| !job.definition.enabled);
                    tests.push(Tried {
                        job: &entry.job,
                        test,
                        verdict,
                        disabled,
                    });
                }
            }
        }
        let asked = || tree.jobs.iter().filter(|job| found.concerns(job));
        let mut untested: Vec<&Job> = asked()
            .filter(|job| !tested.contains(job.name().as_str()))
            .collect();
        untested.sort_by_key(|job| job.name());
        Self {
            tests,
            findings,
            files: asked_files,
            jobs: asked().count(),
            untested,
        }
    }

    fn holds(&self) -> bool {
        let mut findings = self.findings.iter();
        let mut tests = self.tests.iter();
        findings.all(|finding| finding.severity != Severity::Error)
            && tests.all(|one| matches!(one.verdict, Verdict::Holds))
    }

    fn render(&self, format: Format, coverage: bool) -> String {
        match format {
            Format::Json => self.json(coverage),
            _ => self.text(format, coverage),
        }
    }

    fn text(&self, format: Format, coverage: bool) -> String {
        let mut text = String::new();
        for one in &self.tests {
            let word = match one.verdict {
                Verdict::Holds => "ok  ",
                Verdict::Fails(_) => "FAIL",
                Verdict::NotTried => "none",
            };
            let remark = match one.verdict {
                Verdict::NotTried => ": not tried, the job's file is bad or the job is unknown",
                _ if one.disabled => " (the job is disabled)",
                _ => "",
            };
            let title = on_one_line(&suite::title(one.test));
            let job = on_one_line(one.job);
            // Writing to memory does not fail.
            let _ = writeln!(text, "{word}  {job}: {title}{remark}");
        }
        let findings = Report::new(self.files, self.jobs, &self.findings).render(format);
        if !self.findings.is_empty() {
            // Its last line counts files and good jobs; ours counts tests.
            let body = findings.trim_end();
            let body = body.rsplit_once('\n').map_or("", |(body, _)| body);
            if !body.is_empty() {
                let _ = writeln!(text, "{}{body}", if text.is_empty() { "" } else { "\n" });
            }
        }
        if coverage {
            for job in &self.untested {
                let place = format!("{}:{}", job.origin.file, job.origin.line);
                let _ = writeln!(text, "no test  {}  {}", job.name(), on_one_line(&place));
            }
            let covered = self.jobs - self.untested.len();
            let _ = writeln!(text, "{covered} of {} jobs have a test", self.jobs);
        }
        let _ = writeln!(text, "{}", self.counts());
        text
    }

    fn counts(&self) -> String {
        let of = |wanted: fn(&Verdict) -> bool| {
            let tests = self.tests.iter();
            tests.filter(|one| wanted(&one.verdict)).count()
        };
        let failed = of(|verdict| matches!(verdict, Verdict::Fails(_)));
        let not_tried = of(|verdict| matches!(verdict, Verdict::NotTried));
        let plural = |count: usize, word: &str| {
            format!("{count} {word}{}", if count == 1 { "" } else { "s" })
        };
        let files = plural(self.files, "file");
        let tests = plural(self.tests.len(), "test");
        let mut text = format!("{tests} in {files}: ");
        if failed + not_tried == 0 {
            text.push_str(if self.holds() {
                "all hold"
            } else {
                "all hold, but files are bad"
            });
            return text;
        }
        let parts = [(failed, "failed"), (not_tried, "not tried")];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        text + &parts.join(", ")
    }

    fn json(&self, coverage: bool) -> String {
        let tests: Vec<_> = self.tests.iter().map(|one| {
            let why = match &one.verdict {
                Verdict::Fails(why) => why.as_slice(),
                _ => &[],
            };
            let failures = why.iter().map(|finding| {
                json!({ "line": finding.at.place.line, "message": finding.message, "help": finding.help })
            });
            json!({
                "job_id": one.job,
                "test": suite::title(one.test),
                "file": &*one.test.at.place.file,
                "line": one.test.at.place.line,
                "result": match one.verdict {
                    Verdict::Holds => "ok",
                    Verdict::Fails(_) => "failed",
                    Verdict::NotTried => "not_tried",
                },
                "failures": failures.collect::<Vec<_>>(),
            })
        }).collect();
        let not_tests = self.findings.iter();
        let findings: Vec<_> = not_tests
            .filter(|finding| finding.code != crate::finding::Code::FailedTest)
            .map(|finding| {
                json!({
                    "file": &*finding.at.place.file,
                    "line": finding.at.place.line,
                    "column": finding.at.place.column,
                    "code": finding.code.as_str(),
                    "message": finding.message,
                    "help": finding.help,
                })
            })
            .collect();
        let mut answer = json!({
            "files": self.files,
            "jobs": self.jobs,
            "holds": self.holds(),
            "tests": tests,
            "findings": findings,
        });
        if coverage {
            let untested: Vec<_> = self
                .untested
                .iter()
                .map(|job| job.name().as_str())
                .collect();
            answer["untested"] = json!(untested);
        }
        format!("{answer}\n")
    }
}

fn verdict(job: Option<&Job>, test: &ScheduleTest, zones: &Zones) -> Verdict {
    let Some(job) = job else {
        return Verdict::NotTried;
    };
    let definition = &job.definition;
    let zone = zones.get(&definition.timezone);
    let zone = zone.map_or(TimeZone::UTC, |zone| zone.timezone().clone());
    let why = suite::judge(job.name().as_str(), &definition.schedule, &zone, test);
    if why.is_empty() {
        Verdict::Holds
    } else {
        Verdict::Fails(why)
    }
}
