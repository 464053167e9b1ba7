//! A tree beside an earlier one: what a sync would make of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::daemon::options::Paths;
use crate::decide::merge::{InForce, Rules};
use crate::finding::{Finding, Severity};
use crate::source::Root;
use crate::spec::InputFile;

use super::super::exit::Failure;
use super::super::git;
use super::super::settings::distinct_paths;
use super::targets::{Looked, Target, look, targets};
use super::{Query, tried};

/// With what a tree is compared.
pub enum Against {
    /// Another folder.
    Folder(PathBuf),
    /// The same folders at a revision of their git repository.
    Git(String),
}

/// Two trees.
pub struct Compared {
    /// What the earlier one puts in force in an empty store.
    pub before: InForce,
    /// What the later one makes of that.
    pub after: InForce,
    /// What was found in the later one.
    pub findings: Vec<Finding>,
    /// The earlier one, in words.
    pub against: String,
    /// How many files of the earlier one are bad, and so are as if they were not there.
    pub bad_before: usize,
}

/// Reads and checks both.
///
/// # Errors
/// When one cannot be read, or PATHs are no folders.
pub fn compare(query: &Query<'_>, against: &Against, rules: &Rules) -> Result<Compared, Failure> {
    let folders = folders(query)?;
    let now = now(query)?;
    let (earlier, shown) = match against {
        Against::Folder(folder) => (in_folder(folder, &now)?, folder.display().to_string()),
        Against::Git(revision) => in_git(revision, &folders, &now)?,
    };
    let before = tried(&earlier, query, &InForce::default(), &Rules::default());
    let is_bad = |(file, across): (&Arc<_>, &Vec<Finding>)| {
        let file: &crate::spec::CheckedFile = file;
        file.is_bad() || across.iter().any(|one| one.severity == Severity::Error)
    };
    let files = before.files.iter().zip(&before.across);
    let bad_before = files.filter(|pair| is_bad(*pair)).count();
    let after = tried(&now, query, &before.merged.in_force, rules);
    Ok(Compared {
        findings: after.findings(),
        before: before.merged.in_force,
        after: after.merged.in_force,
        against: shown,
        bad_before,
    })
}

/// The files of each folder, for an elder that compares them itself.
///
/// # Errors
/// When one cannot be read, or PATHs are no folders.
pub fn inputs(query: &Query<'_>) -> Result<Vec<Vec<InputFile>>, Failure> {
    folders(query)?;
    let looked = now(query)?;
    Ok(looked.into_iter().map(|one| one.inputs).collect())
}

/// The number of its PATH, the path below it and the hash of each file.
///
/// # Errors
/// When one cannot be read.
pub fn hashes(paths: &[String]) -> Result<Vec<(usize, String, [u8; 32])>, Failure> {
    let mut all = Vec::new();
    for (index, path) in distinct_paths(paths.to_vec())?.iter().enumerate() {
        let root = look(path)?;
        let files = root.files.iter();
        all.extend(files.map(|file| (index, file.path.to_string(), file.hash)));
    }
    Ok(all)
}

fn now(query: &Query<'_>) -> Result<Vec<Looked>, Failure> {
    let targets = targets(query)?;
    targets
        .iter()
        .map(|target: &Target| target.look(query))
        .collect()
}

fn folders(query: &Query<'_>) -> Result<Vec<String>, Failure> {
    let paths = match query.paths {
        [] => vec![Paths::DEFAULT.to_owned()],
        paths => distinct_paths(paths.to_vec())?,
    };
    match paths
        .iter()
        .find(|path| *path == "-" || Path::new(path).is_file())
    {
        None => Ok(paths),
        Some(file) => Err(Failure::no_answer(format!("{file} is no folder"))
            .help("a plan compares folders of job files: name the folder")),
    }
}

fn in_folder(folder: &Path, now: &[Looked]) -> Result<Vec<Looked>, Failure> {
    let [only] = now else {
        return Err(
            Failure::no_answer("several PATHs and one folder to compare with")
                .help("compare one PATH at a time, or with --against git:REV"),
        );
    };
    let root = look(&folder.to_string_lossy())?;
    Ok(vec![as_if_in(&root, only)])
}

fn in_git(
    revision: &str,
    folders: &[String],
    now: &[Looked],
) -> Result<(Vec<Looked>, String), Failure> {
    let mut earlier = Vec::new();
    let mut shown = format!("git:{revision}");
    for (folder, now) in folders.iter().zip(now) {
        let scratch = tempfile::tempdir()
            .map_err(|error| Failure::no_answer(format!("cannot make a folder: {error}")))?;
        let commit = git::check_out(Path::new(folder), revision, scratch.path())?;
        shown = format!("git:{revision} ({commit})");
        let root = look(&scratch.path().join(git::TREE).to_string_lossy())?;
        earlier.push(as_if_in(&root, now));
    }
    Ok((earlier, shown))
}

/// Files as if they lay in the folder of today's: where a file lies is part of what it means.
fn as_if_in(root: &Root, now: &Looked) -> Looked {
    let inputs = root.files.iter().map(|file| {
        let input = root.input(file);
        InputFile {
            root: now.root.clone(),
            root_folder: now.folder.clone(),
            shown: Arc::from(Path::new(&*now.root).join(&*input.path).to_string_lossy()),
            ..input
        }
    });
    Looked {
        inputs: inputs.collect(),
        root: now.root.clone(),
        folder: now.folder.clone(),
        only: None,
    }
}
