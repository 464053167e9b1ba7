//! Job files as the checking commands see them: looked at once, checked, nothing remembered.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::clock::{Clock, SystemClock};
use crate::daemon::options::Paths;
use crate::decide::merge::{
    Conflict, ConflictKind, Defined, FileNow, InForce, RootNow, Rules, merge,
};
use crate::finding::{Excerpt, Finding, Place};
use crate::model::Job;
use crate::schedule::Zones;
use crate::source::{Content, Directory, DirectoryOptions, File, Look, MAX_FILE, Root};
use crate::spec::{self, Checked, CheckedFile, InputFile};

use super::exit::Failure;

/// How standard input is named in findings.
const STDIN: &str = "<stdin>";
/// The file of defaults that a tree may have in every folder.
const DEFAULTS: &str = "_defaults.yaml";

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
}

/// A tree as it was found.
pub struct Tree {
    /// How many job files were asked about.
    pub files: usize,
    /// Everything that was found in them.
    pub findings: Vec<Finding>,
    /// Their good jobs.
    pub jobs: Vec<Job>,
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
    let inputs: Vec<InputFile> = looked.iter().flat_map(|one| one.inputs.clone()).collect();
    let none = HashMap::new();
    let checked = spec::check(&inputs, None, &none, &query.options, query.zones);
    let conflicts = across_files(&checked.files);
    Ok(tree(&looked, &checked, conflicts))
}

/// One PATH: a folder, a file within its folder, or standard input.
enum Target {
    Folder(String),
    File {
        /// The tree that it belongs to, as a person would name it.
        tree: String,
        /// Below that.
        path: String,
        /// As typed.
        shown: Arc<str>,
    },
    Stdin,
}

fn targets(query: &Query<'_>) -> Result<Vec<Target>, Failure> {
    if query.paths.is_empty() {
        if !Path::new(Paths::DEFAULT).exists() {
            let message = format!("there is no folder {} here", Paths::DEFAULT);
            return Err(Failure::no_answer(message).help("name a folder of job files"));
        }
        return Ok(vec![Target::Folder(Paths::DEFAULT.to_owned())]);
    }
    let paths = super::settings::distinct_paths(query.paths.to_vec())?;
    let target = |path: String| {
        if path == "-" {
            Target::Stdin
        } else if Path::new(&path).is_file() {
            file_target(&path, query.root)
        } else {
            Target::Folder(path)
        }
    };
    Ok(paths.into_iter().map(target).collect())
}

/// A single file stands in the tree that `--root` names, else in that of the
/// outermost folder with defaults, else in its own folder.
fn file_target(typed: &str, root: Option<&str>) -> Target {
    let file = absolute(Path::new(typed));
    let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
    let named = root.map(|root| absolute(Path::new(root)));
    let tree = named.filter(|root| file.starts_with(root)).or_else(|| {
        let above = folder.ancestors();
        let with = above.filter(|above| above.join(DEFAULTS).is_file());
        with.last().map(Path::to_owned)
    });
    let tree = tree.unwrap_or(folder);
    let path = file.strip_prefix(&tree).unwrap_or(&file);
    let path = path.to_string_lossy().into_owned();
    let tree = match typed.strip_suffix(path.as_str()) {
        Some("") => ".".to_owned(),
        Some(prefix) => prefix.to_owned(),
        None => tree.to_string_lossy().into_owned(),
    };
    Target::File {
        tree,
        path,
        shown: Arc::from(typed),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What was found at a PATH.
struct Looked {
    inputs: Vec<InputFile>,
    root: Arc<str>,
    /// The one file of it that was asked about; `None` for all.
    only: Option<Arc<str>>,
}

impl Target {
    fn look(&self, query: &Query<'_>) -> Result<Looked, Failure> {
        match self {
            Target::Stdin => Ok(Looked {
                inputs: vec![stdin()?],
                root: Arc::from(STDIN),
                only: None,
            }),
            Target::Folder(folder) => {
                let root = look(folder)?;
                let mut job_files = root.files.iter().filter(|file| !is_defaults(&file.path));
                if job_files.next().is_none() && !query.allow_empty {
                    let message = format!("there is no job file in {folder}");
                    return Err(Failure::no_answer(message).help(
                        "a job file's name ends in .yaml or .yml; --allow-empty takes a folder without one",
                    ));
                }
                Ok(Looked {
                    inputs: root.files.iter().map(|file| input(&root, file)).collect(),
                    root: root.path,
                    only: None,
                })
            }
            Target::File { tree, path, shown } => {
                let root = look(tree)?;
                let mut inputs: Vec<_> = root.files.iter().map(|file| input(&root, file)).collect();
                let own = inputs.iter_mut().find(|input| *input.path == **path);
                let Some(own) = own else {
                    let message = format!("{shown} is not a job file");
                    return Err(Failure::no_answer(message).help(
                        "a job file's name ends in .yaml or .yml and does not begin with a dot",
                    ));
                };
                own.shown = Arc::clone(shown);
                Ok(Looked {
                    inputs,
                    root: root.path,
                    only: Some(Arc::clone(shown)),
                })
            }
        }
    }
}

impl Looked {
    /// Whether that file was asked about.
    fn concerns(&self, file: &CheckedFile) -> bool {
        let whole = || self.root == file.root;
        self.only
            .as_ref()
            .map_or_else(whole, |only| *only == file.shown)
    }
}

fn look(folder: &str) -> Result<Root, Failure> {
    let mut directory = Directory::new(&[PathBuf::from(folder)], DirectoryOptions::default());
    let now = SystemClock::default().now();
    let root = directory.scan(now, Look::Changes).roots.into_iter().next();
    match root {
        Some(root) => match &root.lost {
            None => Ok(root),
            Some(why) => Err(Failure::no_answer(format!("cannot read {folder}: {why}"))),
        },
        None => Err(Failure::no_answer(format!("cannot read {folder}"))),
    }
}

fn is_defaults(path: &str) -> bool {
    path.rsplit('/').next() == Some(DEFAULTS)
}

fn input(root: &Root, file: &File) -> InputFile {
    InputFile {
        root: root.path.clone(),
        root_folder: root.folder.clone(),
        path: file.path.clone(),
        shown: file.shown.clone(),
        content: match &file.content {
            Content::Read(bytes) => Ok(bytes.clone()),
            Content::Unreadable(why) => Err(why.to_string()),
            // A first look has read all that can be read.
            Content::Unchanged => Err("it was not read".to_owned()),
        },
        hash: file.hash,
    }
}

fn stdin() -> Result<InputFile, Failure> {
    let mut bytes = Vec::new();
    let limit = MAX_FILE;
    let mut bounded = std::io::stdin().lock().take(limit.saturating_add(1));
    bounded
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::no_answer(format!("cannot read standard input: {error}")))?;
    let content = if bytes.len() as u64 > limit {
        Err(format!("more than {} MiB", limit >> 20))
    } else {
        Ok(Arc::from(bytes))
    };
    let folder = absolute(Path::new("."));
    Ok(text_input(STDIN, &folder, content))
}

/// A job file that is nowhere on a disk.
fn text_input(name: &str, folder: &Path, content: Result<Arc<[u8]>, String>) -> InputFile {
    let hash = content.as_ref().map(|bytes| Sha256::digest(bytes).into());
    InputFile {
        root: Arc::from(name),
        root_folder: Arc::from(folder),
        path: Arc::from("stdin.yaml"),
        shown: Arc::from(name),
        hash: hash.unwrap_or_default(),
        content,
    }
}

/// What the check came to, as far as it was asked about.
fn tree(looked: &[Looked], checked: &Checked, mut conflicts: Vec<Vec<Finding>>) -> Tree {
    let mut tree = Tree {
        files: 0,
        findings: Vec::new(),
        jobs: Vec::new(),
    };
    for (file, conflicts) in checked.files.iter().zip(&mut conflicts) {
        if !looked.iter().any(|one| one.concerns(file)) {
            continue;
        }
        let refused = !conflicts.is_empty();
        tree.findings.extend(file.findings.iter().cloned());
        tree.findings.append(conflicts);
        if !file.is_defaults {
            tree.files += 1;
        }
        if !refused {
            tree.jobs.extend(file.jobs.iter().cloned());
        }
    }
    tree
}

/// What is wrong with each file beside the others: the rules of a sync into an empty store.
fn across_files(files: &[Arc<CheckedFile>]) -> Vec<Vec<Finding>> {
    let contents: Vec<Option<Defined>> = files.iter().map(|file| defined(file)).collect();
    let mut roots: Vec<RootNow<'_>> = Vec::new();
    let mut places: Vec<Vec<usize>> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let known = roots.iter().position(|root| *root.path == file.root);
        let known = known.unwrap_or_else(|| {
            roots.push(RootNow {
                path: &file.root,
                lost: false,
                files: Vec::new(),
            });
            places.push(Vec::new());
            roots.len() - 1
        });
        roots[known].files.push(FileNow {
            path: &file.path,
            shown: &file.shown,
            hash: &file.hash,
            content: contents[index].as_ref(),
        });
        places[known].push(index);
    }
    let merged = merge(&roots, &InForce::default(), &Rules::default());
    let mut found = vec![Vec::new(); files.len()];
    for conflict in &merged.conflicts {
        let (root, place) = conflict.file;
        let own = places.get(root).and_then(|places| places.get(place));
        if let Some(own) = own {
            found[*own].push(told(conflict, &files[*own], files));
        }
    }
    found
}

fn defined(file: &CheckedFile) -> Option<Defined> {
    if file.is_bad() {
        return None;
    }
    Some(match &file.defaults_text {
        Some(text) if file.is_defaults => Defined::Defaults(text.clone()),
        _ => Defined::Jobs(file.jobs.clone().into()),
    })
}

/// The conflict with the lines as the files show them.
fn told(conflict: &Conflict, own: &CheckedFile, files: &[Arc<CheckedFile>]) -> Finding {
    let whole = || Excerpt {
        place: Place::file(own.shown.clone()),
        line: String::new(),
        label: String::new(),
    };
    let ConflictKind::Name {
        name,
        line,
        other,
        other_file,
        other_line,
        ..
    } = &conflict.kind
    else {
        return conflict.finding(whole(), None);
    };
    let at = excerpt_of(own, name.as_str(), *line).unwrap_or_else(whole);
    let there = files.iter().find(|file| file.shown == *other_file);
    let also = there.and_then(|file| excerpt_of(file, other.as_str(), *other_line));
    conflict.finding(at, also)
}

fn excerpt_of(file: &CheckedFile, name: &str, line: u32) -> Option<Excerpt> {
    let mut names = file.names.iter();
    let place = names.find(|place| *place.name == *name && place.at.place.line == line);
    place.map(|place| place.at.clone())
}
