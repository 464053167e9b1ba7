//! Job files as the checking commands see them: looked at once, checked, nothing remembered.

pub mod compare;
mod every;
mod suites;
mod targets;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::decide::merge::{InForce, Rules};
use crate::finding::Finding;
use crate::forecast::trial::{self, Trial};
use crate::model::Job;
use crate::schedule::Zones;
use crate::spec::{self, CheckedFile, InputFile, TeamPolicy};
use crate::tools::policy;

use super::exit::Failure;

pub use every::every;
pub use suites::{WithTests, with_tests};
use targets::{Looked, Targets, targets};
pub use targets::{STDIN, read_single};

/// What to look at, and how.
pub struct Query<'a> {
    /// PATHs as typed.
    pub paths: &'a [String],
    /// `--root`
    pub root: Option<&'a str>,
    /// Whether a PATH without a job file is fine.
    pub allow_empty: bool,
    /// What the check depends on.
    pub options: spec::Options,
    /// tzdata.
    pub zones: &'a Zones,
    /// When it is, for notes on dates that are past; they never fail anything.
    pub now: Timestamp,
}

/// A tree as it was found.
#[derive(Default)]
pub struct Tree {
    /// How many job files were asked about.
    pub files: usize,
    /// Everything that was found in them.
    pub findings: Vec<Finding>,
    /// Their good jobs.
    pub jobs: Vec<Job>,
    /// Names of jobs that are not among them, because their file is bad.
    pub bad_names: Vec<Arc<str>>,
}

/// Looks at everything and checks it.
///
/// # Errors
/// When a PATH cannot be read, or holds no job file.
pub fn check(query: &Query<'_>) -> Result<Tree, Failure> {
    check_by(query, None)
}

/// The same by a team's own rules, too.
///
/// # Errors
/// When a PATH cannot be read, or holds no job file.
pub fn check_by(query: &Query<'_>, policy: Option<&TeamPolicy>) -> Result<Tree, Failure> {
    let (looked, findings) = looked(targets(query)?, query)?;
    Ok(checked(&looked, findings, query, policy))
}

/// Everything that was named, as it is now; ConfigMaps of one namespace side by side.
fn looked(targets: Targets, query: &Query<'_>) -> Result<(Vec<Looked>, Vec<Finding>), Failure> {
    let looked = targets.list.into_iter().map(|target| target.look(query));
    let mut looked: Vec<Looked> = looked.collect::<Result<_, _>>()?;
    looked.sort_by(|a, b| a.namespace.cmp(&b.namespace));
    Ok((looked, targets.findings))
}

/// Checks what was looked at. ConfigMaps of several namespaces are not one elder's, and may use
/// one name twice.
fn checked(
    looked: &[Looked],
    findings: Vec<Finding>,
    query: &Query<'_>,
    policy: Option<&TeamPolicy>,
) -> Tree {
    let mut all = Tree {
        findings,
        ..Tree::default()
    };
    let mut files: Vec<Arc<CheckedFile>> = Vec::new();
    for part in looked.chunk_by(|a, b| a.namespace == b.namespace) {
        let tree = one_tree(part, query, &mut files);
        all.files += tree.files;
        all.findings.extend(tree.findings);
        all.jobs.extend(tree.jobs);
        all.bad_names.extend(tree.bad_names);
    }
    if let Some(policy) = policy {
        let files: Vec<&CheckedFile> = files.iter().map(|file| &**file).collect();
        all.findings.extend(policy::judge(&policy::Case {
            files: &files,
            are_all: looked.iter().all(|one| one.only.is_none()),
            policy,
            today: query.now.to_zoned(TimeZone::UTC).date(),
        }));
    }
    all
}

/// Checks what one elder would run; `asked` takes the files that were asked about.
fn one_tree(looked: &[Looked], query: &Query<'_>, asked: &mut Vec<Arc<CheckedFile>>) -> Tree {
    let mut trial = tried(looked, query, &InForce::default(), &Rules::default());
    let across = &mut trial.across;
    let conflicts: Vec<bool> = across.iter().map(|found| !found.is_empty()).collect();
    for (index, finding) in spec::across(&trial.files, query.zones) {
        across[index].push(finding);
    }
    let concerned = trial.files.iter();
    let concerned = concerned.filter(|file| looked.iter().any(|one| one.concerns(file)));
    asked.extend(concerned.cloned());
    tree(looked, trial, &conflicts, query.now)
}

/// What was looked at, beside what is in force.
fn tried(looked: &[Looked], query: &Query<'_>, in_force: &InForce, rules: &Rules) -> Trial {
    let inputs: Vec<InputFile> = looked.iter().flat_map(|one| one.inputs.clone()).collect();
    let mut roots: Vec<_> = looked.iter().map(|one| one.root.clone()).collect();
    roots.dedup();
    let files = trial::Files {
        roots: &roots,
        inputs: &inputs,
    };
    trial::trial(&files, in_force, rules, &query.options, query.zones)
}

/// What the check came to, as far as it was asked about.
fn tree(looked: &[Looked], trial: Trial, conflicts: &[bool], now: Timestamp) -> Tree {
    let mut tree = Tree::default();
    let mut asked_about = Vec::new();
    let Trial {
        files, mut across, ..
    } = trial;
    let on_names = spec::name_notes(&files, now);
    let files = files.iter().zip(on_names);
    for (((file, on_names), across), refused) in files.zip(&mut across).zip(conflicts) {
        if !looked.iter().any(|one| one.concerns(file)) {
            continue;
        }
        asked_about.push(&**file);
        tree.findings.extend(file.findings.iter().cloned());
        tree.findings.extend(spec::past_dates(file, now));
        tree.findings.extend(on_names);
        tree.findings.append(across);
        if !file.is_defaults && !spec::calendars::is_ics(&file.path) {
            tree.files += 1;
        }
        if !*refused {
            tree.jobs.extend(file.jobs.iter().cloned());
        }
        if *refused || file.is_bad() {
            let names = file.names.iter().map(|place| place.name.clone());
            tree.bad_names.extend(names);
        }
    }
    tree.findings.extend(spec::clock_changes(asked_about, now));
    tree
}
