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
use super::targets::{Looked, look, looked_map, manifest_at, targets};
use super::{Query, looked, tried};

/// With what a tree is compared.
pub enum Against {
    /// Another folder, or another manifest.
    Folder(PathBuf),
    /// The same folders, or manifests, at a revision of their git repository.
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
    let (now, mut findings) = now(query)?;
    let paths = paths(query)?;
    let (earlier, shown) = match against {
        Against::Folder(file) if file.is_file() => {
            (in_file(file, &now)?, file.display().to_string())
        }
        Against::Folder(folder) => {
            let shown = folder.display().to_string();
            let is_there = folder.exists();
            let earlier = in_folder(folder, &now).map_err(|failure| match is_there {
                true => failure,
                false => failure.help(format!("a revision of git is written git:{shown}")),
            })?;
            (earlier, shown)
        }
        Against::Git(revision) if are_maps(&now) => manifests_in_git(revision, &paths, &now)?,
        Against::Git(revision) => in_git(revision, &paths, &now)?,
    };
    let before = tried(&earlier, query, &InForce::default(), &Rules::default());
    let is_bad = |(file, across): (&Arc<_>, &Vec<Finding>)| {
        let file: &crate::spec::CheckedFile = file;
        file.is_bad() || across.iter().any(|one| one.severity == Severity::Error)
    };
    let files = before.files.iter().zip(&before.across);
    let bad_before = files.filter(|pair| is_bad(*pair)).count();
    let after = tried(&now, query, &before.merged.in_force, rules);
    findings.extend(after.findings());
    Ok(Compared {
        findings,
        before: before.merged.in_force,
        after: after.merged.in_force,
        against: shown,
        bad_before,
    })
}

/// The files of each folder, or of each ConfigMap, for an elder that compares them itself and has
/// so many PATHs. ConfigMaps for one PATH lie in it side by side, as a projected volume puts them.
///
/// # Errors
/// When one cannot be read, PATHs are no folders, or two ConfigMaps have a key of one name.
pub fn inputs(
    query: &Query<'_>,
    roots: impl FnOnce() -> Result<usize, Failure>,
) -> Result<Vec<Vec<InputFile>>, Failure> {
    let (looked, findings) = now(query)?;
    if let Some(finding) = findings.first() {
        return Err(Failure::no_answer(finding.message.clone()).help("elder validate says more"));
    }
    let is_several_maps = looked.len() > 1 && are_maps(&looked);
    let mut all: Vec<Vec<InputFile>> = looked.into_iter().map(|one| one.inputs).collect();
    if is_several_maps && roots()? == 1 {
        let mut one: Vec<InputFile> = all.into_iter().flatten().collect();
        one.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(twice) = one.windows(2).find(|pair| pair[0].path == pair[1].path) {
            let message = format!("two ConfigMaps have a key {}", twice[0].path);
            return Err(Failure::no_answer(message)
                .help("that elder has one PATH, where only one of the two can be"));
        }
        all = vec![one];
    }
    Ok(all)
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

fn now(query: &Query<'_>) -> Result<(Vec<Looked>, Vec<Finding>), Failure> {
    let (looked, findings) = looked(targets(query)?, query)?;
    if let (true, Some(finding)) = (looked.is_empty(), findings.first()) {
        return Err(Failure::no_answer(finding.message.clone()).help("elder validate says more"));
    }
    let is_single = |path: &&String| *path == "-" || Path::new(path).is_file();
    if let Some(file) = paths(query)?.iter().find(is_single)
        && !are_maps(&looked)
    {
        return Err(Failure::no_answer(format!("{file} is no folder")).help(
            "a plan compares folders of job files, or Kubernetes manifests: name the folder",
        ));
    }
    let mut namespaces = looked.chunk_by(|a, b| a.namespace == b.namespace);
    if let (Some(one), Some(other)) = (namespaces.next(), namespaces.next()) {
        let name = |looked: &[Looked]| {
            let first = looked.first().and_then(|one| one.namespace.clone());
            first.map_or_else(|| "none".to_owned(), |name| format!("{name:?}"))
        };
        let message = format!(
            "job files of two namespaces: {} and {}",
            name(one),
            name(other)
        );
        return Err(Failure::no_answer(message)
            .help("a plan is of what one elder runs: give it the manifests of one namespace"));
    }
    Ok((looked, findings))
}

fn are_maps(looked: &[Looked]) -> bool {
    !looked.is_empty() && looked.iter().all(|one| one.namespace.is_some())
}

/// The PATHs as typed.
fn paths(query: &Query<'_>) -> Result<Vec<String>, Failure> {
    match query.paths {
        [] => Ok(vec![Paths::DEFAULT.to_owned()]),
        paths => distinct_paths(paths.to_vec()),
    }
}

/// The ConfigMaps of an earlier manifest, as if they stood in today's.
fn in_file(file: &Path, now: &[Looked]) -> Result<Vec<Looked>, Failure> {
    let shown = file.display().to_string();
    let Some(manifest) = manifest_at(file, &shown) else {
        let message = format!("{shown} is no Kubernetes manifest");
        return Err(Failure::no_answer(message).help("compare with a folder, or with a manifest"));
    };
    if !are_maps(now) {
        return Err(
            Failure::no_answer(format!("{shown} is a Kubernetes manifest")).help(
                "it can be compared with another manifest: elder plan MANIFEST --against MANIFEST",
            ),
        );
    }
    let maps = manifest.maps.into_iter().map(looked_map);
    Ok(maps.map(|map| as_if_among(map, now)).collect())
}

/// The manifests as they were at a revision.
fn manifests_in_git(
    revision: &str,
    paths: &[String],
    now: &[Looked],
) -> Result<(Vec<Looked>, String), Failure> {
    let mut earlier = Vec::new();
    let mut shown = format!("git:{revision}");
    for path in paths {
        if path == "-" {
            return Err(Failure::no_answer("standard input has no history").help(
                "compare it with what runs (--against http://…), or with another manifest (--against before.yaml)",
            ));
        }
        let file = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
            continue;
        };
        let scratch = scratch()?;
        let commit = git::check_out(folder, revision, scratch.path())?;
        shown = format!("git:{revision} ({commit})");
        // A manifest that is new has no earlier one.
        if let Some(manifest) = manifest_at(&scratch.path().join(git::TREE).join(name), path) {
            let maps = manifest.maps.into_iter().map(looked_map);
            earlier.extend(maps.map(|map| as_if_among(map, now)));
        }
    }
    Ok((earlier, shown))
}

/// A ConfigMap with its paths as today's have them; its own are those of a copy.
fn as_if_among(mut map: Looked, now: &[Looked]) -> Looked {
    let same = now.iter().find(|one| one.root == map.root);
    let Some(like) = same.or(now.first()) else {
        return map;
    };
    let shown = like.inputs.first().map(|input| input.shown.clone());
    for input in &mut map.inputs {
        input.root_folder = like.folder.clone();
        input.shown = shown.clone().unwrap_or_else(|| input.shown.clone());
    }
    map.folder = like.folder.clone();
    map
}

fn scratch() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir()
        .map_err(|error| Failure::no_answer(format!("cannot make a folder: {error}")))
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
        let scratch = scratch()?;
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
            shown: shown(now, &input.path),
            ..input
        }
    });
    Looked {
        inputs: inputs.collect(),
        root: now.root.clone(),
        folder: now.folder.clone(),
        only: None,
        namespace: now.namespace.clone(),
        tests: Vec::new(),
    }
}

/// How a file of the earlier tree is named: as today's would be.
fn shown(now: &Looked, path: &str) -> Arc<str> {
    match now.inputs.first() {
        Some(input) if now.namespace.is_some() => input.shown.clone(),
        _ => Arc::from(Path::new(&*now.root).join(path).to_string_lossy()),
    }
}
