//! Whether jobs keep to a team's own rules, and what the waivers of these come to.
//!
//! Pure: checked files, a policy and the date in, findings out. What the rules ask is in [`rules`],
//! one function each; what a line of a shell would start, and what looks like a secret, beside it.

mod interval;
mod programs;
mod rules;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil;

use crate::finding::{Code, Excerpt, Finding};
use crate::model::{Job, NameKind, Sage};
use crate::spec::{CheckedFile, Given, TeamPolicy, TeamRule, Waiver};

use interval::Intervals;

/// What is judged.
pub struct Case<'a> {
    /// The files that were asked about.
    pub files: &'a [&'a CheckedFile],
    /// Whether they are all of their tree, so that a waiver without use can be told.
    pub are_all: bool,
    /// The rules.
    pub policy: &'a TeamPolicy,
    /// The date in UTC.
    pub today: civil::Date,
}

/// Something that a rule is about.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Job(&'a Job, Given),
    Sage(&'a Sage),
}

impl<'a> Subject<'a> {
    fn name(&self) -> &'a str {
        match self {
            Subject::Job(job, _) => job.name().as_str(),
            Subject::Sage(sage) => sage.name.as_str(),
        }
    }

    fn kind(&self) -> NameKind {
        match self {
            Subject::Job(..) => NameKind::Job,
            Subject::Sage(_) => NameKind::Sage,
        }
    }

    /// Of a finding's message: ``the job `billing` ``.
    fn shown(&self) -> String {
        format!("the {} `{}`", self.kind().word(), self.name())
    }
}

/// A rule that something does not keep to: what to say after its name, and the mend.
struct Breach {
    message: String,
    help: String,
}

impl Breach {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// Everything that the rules say against the files, and what is to be said of waivers.
#[must_use]
pub fn judge(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut intervals = Intervals::new(case.policy.min_interval.unwrap_or_default());
    let mut used = vec![false; case.policy.waivers.len()];
    for file in case.files {
        let mut places: Option<HashMap<(NameKind, &str), &Excerpt>> = None;
        let jobs = file.jobs.iter().zip(&file.given);
        let jobs = jobs.map(|(job, given)| Subject::Job(job, *given));
        let sages = file.commons.sages.iter();
        let sages = sages.map(|sage| Subject::Sage(&sage.value));
        for subject in jobs.chain(sages) {
            for (rule, breach) in rules::breaches(&subject, case.policy, &mut intervals) {
                let waiver = waiver_of(case, &subject, rule);
                if let Some((index, waiver)) = waiver {
                    used[index] = true;
                    if waiver.until >= case.today {
                        continue;
                    }
                }
                let places = places.get_or_insert_with(|| {
                    let names = file.names.iter();
                    names
                        .map(|place| ((place.kind, &*place.name), &place.at))
                        .collect()
                });
                let at = places.get(&(subject.kind(), subject.name())).copied();
                let waiver = waiver.map(|(_, waiver)| waiver);
                findings.push(finding(case, file, &subject, rule, breach, at, waiver));
            }
        }
    }
    findings.extend(of_waivers(case, &used));
    findings
}

/// The waiver that names the subject and the rule; of several the one that lasts longest.
fn waiver_of<'a>(
    case: &Case<'a>,
    subject: &Subject<'_>,
    rule: TeamRule,
) -> Option<(usize, &'a Waiver)> {
    let waivers = case.policy.waivers.iter().enumerate();
    let fitting = waivers.filter(|(_, one)| one.rule == rule && one.job.is(subject.name()));
    fitting.max_by_key(|(_, one)| one.until)
}

fn finding(
    case: &Case<'_>,
    file: &CheckedFile,
    subject: &Subject<'_>,
    rule: TeamRule,
    breach: Breach,
    at: Option<&Excerpt>,
    expired: Option<&Waiver>,
) -> Finding {
    let whole = || Excerpt::bare(file.shown.clone(), 0);
    let also = expired.map(|waiver| Excerpt {
        label: format!("this waiver ended with {}", waiver.until),
        ..waiver.at.clone()
    });
    let waive = format!(
        "waive it in {}: - {{ job: {}, rule: {}, reason: WHY, until: YYYY-MM-DD }}",
        case.policy.shown,
        subject.name(),
        rule.key()
    );
    Finding {
        code: rule.code(),
        severity: rule.code().severity(),
        at: at.cloned().unwrap_or_else(whole),
        also,
        message: format!("{} {}", subject.shown(), breach.message),
        help: format!("{}, or {waive}", breach.help),
    }
}

/// Waivers that have ended, and those that nothing needs.
fn of_waivers(case: &Case<'_>, used: &[bool]) -> Vec<Finding> {
    let can_tell = case.are_all && case.files.iter().all(|file| !file.is_bad());
    let waivers = case.policy.waivers.iter().zip(used);
    let told = waivers.filter_map(|(waiver, used)| {
        let (code, message, help) = if waiver.until < case.today {
            (
                Code::WaiverExpired,
                format!(
                    "the waiver of `{}` for `{}` ended with {}",
                    waiver.rule.key(),
                    waiver.job.as_str(),
                    waiver.until
                ),
                match *used || !can_tell {
                    true => "mend the job and take the waiver out, or agree on another day",
                    false => "take it out: nothing needs it any more",
                },
            )
        } else if can_tell && !used {
            (
                Code::UnusedWaiver,
                format!(
                    "no job `{}` breaks the rule `{}`",
                    waiver.job.as_str(),
                    waiver.rule.key()
                ),
                "take the waiver out",
            )
        } else {
            return None;
        };
        Some(Finding {
            code,
            severity: code.severity(),
            at: waiver.at.clone(),
            also: None,
            message,
            help: help.to_owned(),
        })
    });
    told.collect()
}

/// A list for people: `a, b and c`.
fn listed<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<T> = items.into_iter().collect();
    let quoted: Vec<String> = items
        .iter()
        .map(|item| format!("`{}`", item.as_ref()))
        .collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}

/// Text of a job file in a message, cut where it is long.
fn cut(text: &str) -> Arc<str> {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Arc::from(format!("{}…", &text[..end])),
        None => Arc::from(text),
    }
}
