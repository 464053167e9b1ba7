//! Job files as the checking commands see them: looked at once, checked, nothing remembered.

pub mod compare;
mod every;
mod suites;
mod targets;

use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::merge::{InForce, Rules};
use crate::finding::Finding;
use crate::forecast::trial::{self, Trial};
use crate::model::Job;
use crate::schedule::Zones;
use crate::spec::{self, InputFile};

use super::exit::Failure;

pub use every::every;
pub use suites::{WithTests, with_tests};
pub use targets::STDIN;
use targets::{Looked, targets};

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
    let targets = targets(query)?;
    let looked: Vec<Looked> = targets
        .iter()
        .map(|target| target.look(query))
        .collect::<Result<_, _>>()?;
    let mut trial = tried(&looked, query, &InForce::default(), &Rules::default());
    let across = &mut trial.across;
    let conflicts: Vec<bool> = across.iter().map(|found| !found.is_empty()).collect();
    for (index, finding) in spec::across(&trial.files, query.zones) {
        across[index].push(finding);
    }
    Ok(tree(&looked, trial, &conflicts, query.now))
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
    let mut tree = Tree {
        files: 0,
        findings: Vec::new(),
        jobs: Vec::new(),
        bad_names: Vec::new(),
    };
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
