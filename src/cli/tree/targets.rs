//! PATHs as typed: folders, single files in their trees, Kubernetes manifests, standard input.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::clock::{Clock, SystemClock};
use crate::daemon::options::Paths;
use crate::finding::{Code, Excerpt, Finding};
use crate::source::{Directory, DirectoryOptions, FileKind, Look, MAX_FILE, Root};
use crate::spec::calendars::is_ics;
use crate::spec::{CheckedFile, InputFile};
use crate::tools::manifest::{self, ConfigMap, Manifest};

use super::super::exit::Failure;
use super::super::settings::distinct_paths;
use super::Query;

/// How standard input is named in findings.
pub const STDIN: &str = "<stdin>";
/// The file of defaults that a tree may have in every folder.
const DEFAULTS: &str = "_defaults.yaml";

/// Something to look at.
pub(super) enum Target {
    /// A folder, as typed.
    Folder(String),
    /// Single files of one tree.
    Files(Files),
    /// A job file on standard input.
    Stdin(InputFile),
    /// A ConfigMap of a manifest.
    Map(Box<ConfigMap>),
}

/// Everything to look at.
#[derive(Default)]
pub(super) struct Targets {
    /// One by one.
    pub(super) list: Vec<Target>,
    /// What is wrong with manifests as such.
    pub(super) findings: Vec<Finding>,
    /// The manifests, as people name them.
    manifests: Vec<Arc<str>>,
}

impl Targets {
    fn take(&mut self, shown: Arc<str>, manifest: Manifest) {
        self.manifests.push(shown);
        self.findings.extend(manifest.findings);
        let maps = manifest.maps.into_iter();
        self.list.extend(maps.map(|map| Target::Map(Box::new(map))));
    }

    /// A stream without job files is most often another one than was meant.
    fn refuse_nothing(&mut self, query: &Query<'_>) -> Result<(), Failure> {
        let Some(first) = self.manifests.first() else {
            return Ok(());
        };
        if !self.list.is_empty() || !self.findings.is_empty() {
            return Ok(());
        }
        let message = format!("there is no ConfigMap with job files in {first}");
        if !query.allow_empty {
            return Err(Failure::no_answer(message).help(
                "a key of its data that ends in .yaml or .yml is a job file; --allow-empty takes manifests without one",
            ));
        }
        self.findings.push(Finding {
            code: Code::EmptyFile,
            severity: Code::EmptyFile.severity(),
            at: Excerpt::bare(first.clone(), 0),
            also: None,
            message,
            help: String::new(),
        });
        Ok(())
    }
}

/// Single files in the tree that they belong to.
pub(super) struct Files {
    /// The tree's folder, absolute.
    tree: PathBuf,
    /// The files in it.
    pub(super) files: Vec<Single>,
}

/// A single file.
pub(super) struct Single {
    /// Absolute.
    path: PathBuf,
    /// As typed.
    pub(super) typed: String,
}

pub(super) fn targets(query: &Query<'_>) -> Result<Targets, Failure> {
    if query.paths.is_empty() && !Path::new(Paths::DEFAULT).exists() {
        let message = format!("there is no folder {} here", Paths::DEFAULT);
        return Err(Failure::no_answer(message).help("name a folder of job files"));
    }
    let default = [Paths::DEFAULT.to_owned()];
    let paths = match query.paths {
        [] => &default[..],
        paths => paths,
    };
    let mut targets = Targets::default();
    let mut files = Vec::new();
    for path in distinct_paths(paths.to_vec())? {
        if path == "-" {
            let input = stdin()?;
            match manifest_in(&input) {
                Some(manifest) => targets.take(input.shown, manifest),
                None => targets.list.push(Target::Stdin(input)),
            }
        } else if Path::new(&path).is_file() {
            let typed = absolute(Path::new(&path));
            match manifest_at(&typed, &path) {
                Some(manifest) => targets.take(Arc::from(path), manifest),
                None => files.push(Single {
                    path: typed,
                    typed: path,
                }),
            }
        } else {
            targets.list.push(Target::Folder(path));
        }
    }
    targets.refuse_nothing(query)?;
    let list = &mut targets.list;
    let folders = list.iter().any(|one| matches!(one, Target::Folder(_)));
    if folders && !files.is_empty() {
        return Err(Failure::no_answer("files and folders are named at once")
            .help("name folders, or files, which are checked within their folders"));
    }
    if files.is_empty() && query.root.is_some() {
        return Err(Failure::no_answer(
            "--root is for a PATH that is a single file",
        ));
    }
    list.extend(in_trees(files, query.root)?.into_iter().map(Target::Files));
    Ok(targets)
}

/// Each file in the tree that `--root` names, else in that of its outermost
/// folder with defaults, else in its own folder. Of trees that hold each other
/// the outer one serves both, so that no file is there twice.
fn in_trees(files: Vec<Single>, root: Option<&str>) -> Result<Vec<Files>, Failure> {
    let mut trees: Vec<PathBuf> = Vec::new();
    for file in &files {
        let folder = file.path.parent().unwrap_or(Path::new("/"));
        let tree = match root {
            Some(root) => {
                let named = std::fs::canonicalize(root).map_err(|error| {
                    Failure::no_answer(format!("cannot read --root {root}: {error}"))
                })?;
                if !file.path.starts_with(&named) {
                    let message = format!("{} does not lie in --root {root}", file.typed);
                    return Err(Failure::no_answer(message));
                }
                named
            }
            None => {
                let above = folder.ancestors();
                let with = above.filter(|above| above.join(DEFAULTS).is_file());
                with.last().unwrap_or(folder).to_owned()
            }
        };
        if !trees.contains(&tree) {
            trees.push(tree);
        }
    }
    let all = trees.clone();
    trees.retain(|tree| {
        !all.iter()
            .any(|other| other != tree && tree.starts_with(other))
    });
    let mut targets: Vec<Files> = trees
        .into_iter()
        .map(|tree| Files {
            tree,
            files: Vec::new(),
        })
        .collect();
    for file in files {
        let own = targets
            .iter_mut()
            .find(|target| file.path.starts_with(&target.tree));
        if let Some(own) = own {
            own.files.push(file);
        }
    }
    Ok(targets)
}

/// The folders of the trees that single files belong to, as the typed names name them.
pub(super) fn folders_of(files: Vec<String>, root: Option<&str>) -> Result<Vec<String>, Failure> {
    let trees = trees_of(files, root)?;
    Ok(trees.iter().map(Files::shown_tree).collect())
}

/// The trees that single files belong to.
pub(super) fn trees_of(files: Vec<String>, root: Option<&str>) -> Result<Vec<Files>, Failure> {
    let files = files.into_iter().map(|typed| Single {
        path: absolute(Path::new(&typed)),
        typed,
    });
    in_trees(files.collect(), root)
}

/// A path without `.` and `..`, whose last part is kept as it is: the file may be a link.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let plain = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let parent = plain
        .parent()
        .and_then(|parent| std::fs::canonicalize(parent).ok());
    match (parent, plain.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => plain,
    }
}

/// What was found.
pub(super) struct Looked {
    pub(super) inputs: Vec<InputFile>,
    pub(super) root: Arc<str>,
    /// The PATH, absolute and resolved.
    pub(super) folder: Arc<Path>,
    /// The files of it that were asked about, by the names that people know; `None` for all.
    pub(super) only: Option<Vec<Arc<str>>>,
    /// Of a ConfigMap, its namespace: those of one are one elder's.
    pub(super) namespace: Option<Arc<str>>,
    /// Of a ConfigMap, its files of tests.
    pub(super) tests: Vec<InputFile>,
}

impl Target {
    pub(super) fn look(self, query: &Query<'_>) -> Result<Looked, Failure> {
        match self {
            Target::Stdin(input) => Ok(Looked {
                inputs: vec![input],
                root: Arc::from(STDIN),
                folder: Arc::from(Path::new("/")),
                only: None,
                namespace: None,
                tests: Vec::new(),
            }),
            Target::Map(map) => Ok(looked_map(*map)),
            Target::Folder(folder) => {
                let root = look(&folder)?;
                let is_job_file = |path: &str| !is_defaults(path) && !is_ics(path);
                let mut job_files = root.files.iter().filter(|file| is_job_file(&file.path));
                if job_files.next().is_none() && !query.allow_empty {
                    let message = format!("there is no job file in {folder}");
                    return Err(Failure::no_answer(message).help(
                        "a job file's name ends in .yaml or .yml; --allow-empty takes a folder without one",
                    ));
                }
                Ok(Looked {
                    inputs: root.files.iter().map(|file| root.input(file)).collect(),
                    root: root.path,
                    folder: root.folder,
                    only: None,
                    namespace: None,
                    tests: Vec::new(),
                })
            }
            Target::Files(files) => files.look(),
        }
    }
}

/// A ConfigMap as the folder that a volume makes of it.
pub(super) fn looked_map(map: ConfigMap) -> Looked {
    let first = map.files.iter().chain(&map.tests).next();
    let folder = first.map(|file| file.root_folder.clone());
    Looked {
        inputs: map.files,
        root: map.root,
        folder: folder.unwrap_or_else(|| Arc::from(Path::new("/"))),
        only: None,
        namespace: Some(map.namespace),
        tests: map.tests,
    }
}

impl Files {
    fn look(&self) -> Result<Looked, Failure> {
        let root = look(&self.shown_tree())?;
        let mut inputs: Vec<_> = root.files.iter().map(|file| root.input(file)).collect();
        let mut only = Vec::new();
        for file in &self.files {
            let own = inputs.iter_mut().find(|input| self.names(file, input));
            let Some(own) = own else {
                return Err(no_job_file(&file.typed));
            };
            own.shown = Arc::from(file.typed.as_str());
            only.push(own.shown.clone());
        }
        Ok(Looked {
            inputs,
            root: root.path,
            folder: root.folder,
            only: Some(only),
            namespace: None,
            tests: Vec::new(),
        })
    }

    /// Whether that single file is this one of the tree.
    pub(super) fn names(&self, file: &Single, input: &InputFile) -> bool {
        let below = file.path.strip_prefix(&self.tree).unwrap_or(&file.path);
        Path::new(&*input.path) == below
    }

    /// The tree as the typed names name it, where they do: siblings are named alike.
    pub(super) fn shown_tree(&self) -> String {
        let prefix = self.files.first().and_then(|file| {
            let below = file.path.strip_prefix(&self.tree).ok()?.to_str()?;
            file.typed.strip_suffix(below)
        });
        match prefix {
            Some("") => ".".to_owned(),
            Some(prefix) => prefix.to_owned(),
            None => self.tree.to_string_lossy().into_owned(),
        }
    }
}

pub(super) fn no_job_file(typed: &str) -> Failure {
    Failure::no_answer(format!("{typed} is not a job file"))
        .help("a job file's name ends in .yaml or .yml and does not begin with a dot")
}

impl Looked {
    /// Whether that file was asked about.
    pub(super) fn concerns(&self, file: &CheckedFile) -> bool {
        let whole = || self.root == file.root;
        self.only
            .as_ref()
            .map_or_else(whole, |only| only.contains(&file.shown))
    }
}

pub(super) fn look(folder: &str) -> Result<Root, Failure> {
    look_for(folder, FileKind::Jobs)
}

/// All files of a kind in a folder.
pub(super) fn look_for(folder: &str, kind: FileKind) -> Result<Root, Failure> {
    let options = DirectoryOptions {
        kind,
        ..DirectoryOptions::default()
    };
    let mut directory = Directory::new(&[PathBuf::from(folder)], options);
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

/// Standard input as a job file.
pub(super) fn stdin() -> Result<InputFile, Failure> {
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
    let folder = std::path::absolute(".").unwrap_or_else(|_| PathBuf::from("/"));
    Ok(text_input(STDIN, &folder, content))
}

/// A single file that is no job file, as typed.
///
/// # Errors
/// When it cannot be read.
pub fn read_single(path: &Path) -> Result<InputFile, Failure> {
    let shown = path.display().to_string();
    let failed =
        |error: std::io::Error| Failure::no_answer(format!("cannot read {shown}: {error}"));
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let mut bounded = file.take(MAX_FILE.saturating_add(1));
    bounded.read_to_end(&mut bytes).map_err(failed)?;
    let absolute = absolute(path);
    let folder = absolute.parent().unwrap_or(Path::new("/"));
    Ok(text_input(&shown, folder, Ok(Arc::from(bytes))))
}

/// The manifest at a path, which is absolute; `None` when it is something else, or cannot be read.
pub(super) fn manifest_at(path: &Path, shown: &str) -> Option<Manifest> {
    let input = read_single(path).ok()?;
    manifest_in(&InputFile {
        shown: Arc::from(shown),
        ..input
    })
}

fn manifest_in(input: &InputFile) -> Option<Manifest> {
    let bytes = input.content.as_ref().ok()?;
    if bytes.len() as u64 > MAX_FILE {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    manifest::read(&input.shown, text, &input.root_folder)
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
        within: None,
    }
}
