//! Job files in folders: a look at the whole tree, cheap enough to be taken at every hint.
//!
//! A look lists folders and compares each file's state (device, inode, size,
//! times) with the look before; only what differs is read. A file that was
//! written a moment before it was read is read again next time, since a further
//! write may leave no trace in its times. [`Look::Verify`] also reads some of
//! the rest, in turn, for file systems that tell nothing.

mod read;
mod resolve;
mod walk;

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, statat};

use read::{Got, Stamp, Wanted, read_all, sentence};
use resolve::resolve;
use walk::{Found, Walk, open_root};

pub use read::MAX_FILE;
pub use walk::MAX_DEPTH;

use super::{Content, File, Root, Snapshot, Unreadable, Watch};

/// As many files as one [`Look::Verify`] reads at most, and as many bytes.
const VERIFY_FILES: usize = 4096;
const VERIFY_BYTES: u64 = 64 * 1024 * 1024;

/// The file that every folder may have for its defaults.
const DEFAULTS: &str = "_defaults.yaml";

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Reads what looks different.
    Changes,
    /// Reads some of the rest too, in turn.
    Verify,
}

/// What is the same for every PATH.
#[derive(Clone, Debug, Default)]
pub struct DirectoryOptions {
    /// `--root`: the tree of a PATH that is a single file; else it is the outermost parent that
    /// holds a `_defaults.yaml`, else its folder.
    pub tree: Option<PathBuf>,
    /// The `--config` file, which is no job file.
    pub config: Option<PathBuf>,
}

/// Folders, or single files, of job files.
pub struct Directory {
    trees: Vec<Tree>,
    base: Base,
}

/// What is the same for every PATH, all absolute.
struct Base {
    /// Relative PATHs count from here.
    folder: PathBuf,
    tree: Option<PathBuf>,
    config: Option<PathBuf>,
}

/// One PATH and what the look before saw in it.
struct Tree {
    path: Arc<str>,
    /// The PATH, absolute, links and all.
    given: PathBuf,
    files: HashMap<Arc<str>, Seen>,
    /// The paths of `files`, in order.
    order: Vec<Arc<str>>,
    round: u32,
    /// Where in `order` the next verification begins.
    verify_from: usize,
    device: Option<u64>,
    shown: Shown,
}

/// How a path below the tree is named for people.
#[derive(Clone, Default, PartialEq, Eq)]
struct Shown {
    prefix: String,
}

struct Seen {
    file: Arc<File>,
    real: String,
    stamp: Option<Stamp>,
    /// Whether it must be read again although it looks the same.
    fresh: bool,
    round: u32,
}

/// The tree behind a PATH, open.
struct Opened {
    fd: std::os::fd::OwnedFd,
    folder: PathBuf,
    /// For a PATH that is a single file: what to look at.
    only: Option<Vec<String>>,
    shown: Shown,
    watch: Vec<Watch>,
}

impl Directory {
    /// Job files below `paths`; the same one twice counts once. Nothing is read yet.
    #[must_use]
    pub fn new(paths: &[PathBuf], options: DirectoryOptions) -> Self {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let base = Base {
            tree: options.tree.map(|tree| folder.join(tree)),
            config: options.config.map(|config| folder.join(config)),
            folder,
        };
        let mut trees: Vec<Tree> = Vec::new();
        for given in paths {
            let path: Arc<str> = tidy(&given.to_string_lossy()).into();
            if trees.iter().all(|tree| tree.path != path) {
                trees.push(Tree::new(path, base.folder.join(given)));
            }
        }
        Self { trees, base }
    }

    /// The PATHs as the snapshot names them.
    #[must_use]
    pub fn paths(&self) -> Vec<Arc<str>> {
        self.trees.iter().map(|tree| tree.path.clone()).collect()
    }

    /// Looks at everything. `now` is the wall clock, to compare with the times of files.
    pub fn scan(&mut self, now: Timestamp, look: Look) -> Snapshot {
        let base = &self.base;
        let trees = self.trees.iter_mut();
        Snapshot {
            roots: trees.map(|tree| tree.scan(base, now, look)).collect(),
        }
    }

    /// Reads files again that the look before left unread, and puts them into `snapshot`,
    /// which must be that look's. `wanted` names them by root and place in it.
    pub fn read_again(&mut self, snapshot: &mut Snapshot, wanted: &[(usize, usize)]) {
        for (index, (tree, root)) in self.trees.iter().zip(&mut snapshot.roots).enumerate() {
            let places: Vec<usize> = wanted
                .iter()
                .filter(|(of, _)| *of == index)
                .map(|(_, place)| *place)
                .collect();
            tree.read_again(root, &places);
        }
    }

    /// Forgets what the look before saw: the next one reads everything.
    pub fn forget(&mut self) {
        for tree in &mut self.trees {
            *tree = Tree::new(tree.path.clone(), tree.given.clone());
        }
    }
}

impl Tree {
    fn new(path: Arc<str>, given: PathBuf) -> Self {
        Self {
            path,
            given,
            files: HashMap::new(),
            order: Vec::new(),
            round: 0,
            verify_from: 0,
            device: None,
            shown: Shown::default(),
        }
    }

    fn scan(&mut self, base: &Base, now: Timestamp, look: Look) -> Root {
        let mut way = resolve(Path::new("/"), &self.given);
        let watch = std::mem::take(&mut way.steps);
        let opened = self.open(base, way.end, watch);
        match opened.and_then(|mut opened| {
            let watch = std::mem::take(&mut opened.watch);
            self.look(&opened, base, now, look)
                .map(|root| (root, watch))
        }) {
            Ok((mut root, watch)) => {
                root.watch.extend(watch);
                root
            }
            Err((reason, folder, watch)) => Root {
                path: self.path.clone(),
                folder: folder.into(),
                lost: Some(reason),
                files: Vec::new(),
                watch,
            },
        }
    }

    fn open(
        &self,
        base: &Base,
        end: std::io::Result<PathBuf>,
        mut watch: Vec<Watch>,
    ) -> Result<Opened, Lost> {
        let folder = match end {
            Ok(end) => end,
            Err(error) => {
                let why = rustix::io::Errno::from_io_error(&error)
                    .map_or_else(|| error.to_string(), sentence);
                return Err((why, self.given.clone(), watch));
            }
        };
        let stat = match statat(rustix::fs::CWD, &folder, AtFlags::empty()) {
            Ok(stat) => stat,
            Err(error) => return Err((sentence(error), folder, watch)),
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let fd = match open_root(&folder) {
                Ok(fd) => fd,
                Err(error) => return Err((sentence(error), folder, watch)),
            };
            let shown = Shown {
                prefix: joined(&self.path, ""),
            };
            return Ok(Opened {
                fd,
                folder,
                only: None,
                shown,
                watch,
            });
        }
        let single = Single::of(&self.given, &self.path, base);
        let root = resolve(Path::new("/"), &single.tree);
        watch.extend(root.steps);
        let opened = root.end.and_then(|tree| Ok((open_root(&tree)?, tree)));
        match opened {
            Ok((fd, folder)) => Ok(Opened {
                fd,
                folder,
                only: Some(single.looked_at()),
                shown: single.shown,
                watch,
            }),
            Err(error) => Err((error.to_string(), single.tree, watch)),
        }
    }

    /// Walks and reads an open tree.
    fn look(
        &mut self,
        opened: &Opened,
        base: &Base,
        now: Timestamp,
        look: Look,
    ) -> Result<Root, Lost> {
        if self.shown != opened.shown {
            // Another kind of PATH than before, so every name in it is another.
            self.files.clear();
            self.shown = opened.shown.clone();
        }
        self.round = self.round.wrapping_add(1);
        let skip = base.config.as_deref().and_then(|config| {
            let real = resolve(Path::new("/"), config).end.ok()?;
            Some(real.strip_prefix(&opened.folder).ok()?.to_owned())
        });
        let mut changes = Changes::default();
        let watch = {
            let mut visit = |path: &str, found: Found<'_>| self.visit(path, found, &mut changes);
            let walk = Walk::new(
                opened.fd.as_fd(),
                &opened.folder,
                skip.as_deref(),
                &mut visit,
            );
            match &opened.only {
                Some(paths) => Ok(walk.only(paths)),
                None => walk.all(),
            }
        };
        let watch = match watch {
            Ok(watch) => watch,
            Err(error) => return Err((sentence(error), opened.folder.clone(), Vec::new())),
        };
        self.refuse_an_unmounted_folder(opened)?;
        if look == Look::Verify {
            self.pick_to_verify(&mut changes);
        }
        let read = self.read(opened.fd.as_fd(), now, &mut changes);
        self.forget_what_is_gone(&changes);
        let files = self.order.iter().filter_map(|path| {
            let fresh = read.get(path);
            fresh.or_else(|| self.files.get(path).map(|seen| &seen.file))
        });
        Ok(Root {
            path: self.path.clone(),
            folder: opened.folder.clone().into(),
            lost: None,
            files: files.cloned().collect(),
            watch,
        })
    }

    /// Notes one thing that the walk met.
    fn visit(&mut self, path: &str, found: Found<'_>, changes: &mut Changes) {
        let round = self.round;
        match (self.files.get_mut(path), found) {
            (Some(seen), Found::File { real, stamp }) => {
                seen.round = round;
                let same = seen.stamp == Some(stamp) && seen.real == real && !seen.fresh;
                // What hindered the reading need not show in the file's own state.
                let hindered = matches!(&seen.file.content, Content::Unreadable(why)
                    if !matches!(why, Unreadable::TooLarge(_)));
                if !same || hindered {
                    changes.want(seen.file.path.clone(), real, stamp);
                }
            }
            (Some(seen), Found::Broken(why)) => {
                seen.round = round;
                let broken = Content::Unreadable(why);
                if seen.file.content != broken {
                    seen.file = Arc::new(File {
                        path: seen.file.path.clone(),
                        shown: seen.file.shown.clone(),
                        content: broken,
                        hash: [0; 32],
                    });
                }
                seen.stamp = None;
            }
            (None, found) => {
                changes.membership = true;
                let path: Arc<str> = path.into();
                let (content, real) = match found {
                    Found::File { real, stamp } => {
                        changes.want(path.clone(), real, stamp);
                        (Content::Unchanged, real.to_owned())
                    }
                    Found::Broken(why) => (Content::Unreadable(why), String::new()),
                };
                let file = Arc::new(File {
                    path: path.clone(),
                    shown: joined(&self.shown.prefix, &path).into(),
                    content,
                    hash: [0; 32],
                });
                let seen = Seen {
                    file,
                    real,
                    stamp: None,
                    fresh: false,
                    round,
                };
                self.files.insert(path, seen);
            }
        }
    }

    /// Adds files that look the same to those to read, in turn.
    fn pick_to_verify(&mut self, changes: &mut Changes) {
        let mut bytes = 0;
        for _ in 0..self.order.len().min(VERIFY_FILES) {
            if self.verify_from >= self.order.len() {
                self.verify_from = 0;
            }
            let path = self.order[self.verify_from].clone();
            self.verify_from += 1;
            let Some(seen) = self.files.get(&path) else {
                continue;
            };
            let Some(stamp) = seen.stamp.filter(|_| seen.round == self.round) else {
                continue;
            };
            bytes += stamp.size;
            if bytes > VERIFY_BYTES {
                return;
            }
            let real = seen.real.clone();
            changes.want(path, &real, stamp);
        }
    }

    /// Reads what is wanted and answers with what turned out to be different.
    fn read(
        &mut self,
        root: BorrowedFd<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> HashMap<Arc<str>, Arc<File>> {
        let mut different = HashMap::new();
        let got = read_all(root, &changes.wanted);
        for ((path, wanted), got) in changes.paths.iter().zip(&changes.wanted).zip(got) {
            let Some(seen) = self.files.get_mut(path) else {
                continue;
            };
            let Some(Got {
                content,
                hash,
                stamp,
            }) = got
            else {
                // Gone since the walk.
                seen.round = self.round.wrapping_sub(1);
                continue;
            };
            let known = seen.stamp.is_some();
            seen.fresh = stamp.is_fresh(now);
            seen.stamp = Some(stamp);
            seen.real.clone_from(&wanted.real);
            let kept = match &content {
                Ok(_) => Content::Unchanged,
                Err(why) => Content::Unreadable(why.clone()),
            };
            if known && seen.file.hash == hash && seen.file.content == kept {
                continue;
            }
            let file = |content| {
                Arc::new(File {
                    path: seen.file.path.clone(),
                    shown: seen.file.shown.clone(),
                    content,
                    hash,
                })
            };
            if let Ok(bytes) = content {
                different.insert(path.clone(), file(Content::Read(bytes)));
            }
            seen.file = file(kept);
        }
        different
    }

    fn forget_what_is_gone(&mut self, changes: &Changes) {
        let before = self.files.len();
        let round = self.round;
        self.files.retain(|_, seen| seen.round == round);
        if changes.membership || self.files.len() != before || self.order.len() != before {
            self.order = self.files.keys().cloned().collect();
            self.order.sort();
        }
    }

    /// An empty folder on another file system than before is a mount point without its mount.
    fn refuse_an_unmounted_folder(&mut self, opened: &Opened) -> Result<(), Lost> {
        let device = rustix::fs::fstat(&opened.fd).map(|stat| stat.st_dev).ok();
        let met_any = self.files.values().any(|seen| seen.round == self.round);
        let moved = self.device.is_some() && device != self.device;
        if moved && !met_any && !self.files.is_empty() && is_empty(&opened.folder) {
            let why =
                "the folder is empty and on another file system than before: is it unmounted?";
            return Err((why.to_owned(), opened.folder.clone(), Vec::new()));
        }
        self.device = device;
        Ok(())
    }

    fn read_again(&self, root: &mut Root, places: &[usize]) {
        let Ok(fd) = open_root(&root.folder) else {
            return;
        };
        let (mut at, mut wanted) = (Vec::new(), Vec::new());
        for place in places {
            let Some(file) = root.files.get(*place) else {
                continue;
            };
            if let Some(seen) = self.files.get(&file.path)
                && let (Content::Unchanged, Some(stamp)) = (&file.content, seen.stamp)
            {
                let real = seen.real.clone();
                at.push(*place);
                wanted.push(Wanted { real, stamp });
            }
        }
        for (place, got) in at.into_iter().zip(read_all(fd.as_fd(), &wanted)) {
            let file = &root.files[place];
            let (content, hash) = match got {
                Some(Got {
                    content: Ok(bytes),
                    hash,
                    ..
                }) => (Content::Read(bytes), hash),
                Some(Got {
                    content: Err(why), ..
                }) => (Content::Unreadable(why), [0; 32]),
                None => {
                    let why = "it went away while it was read".to_owned();
                    (Content::Unreadable(Unreadable::Io(why)), [0; 32])
                }
            };
            root.files[place] = Arc::new(File {
                path: file.path.clone(),
                shown: file.shown.clone(),
                content,
                hash,
            });
        }
    }
}

/// Why a PATH is lost, where it would be, and what to watch for its return.
type Lost = (String, PathBuf, Vec<Watch>);

/// What one look has to do.
#[derive(Default)]
struct Changes {
    paths: Vec<Arc<str>>,
    wanted: Vec<Wanted>,
    /// Whether there are files that were not there before.
    membership: bool,
}

impl Changes {
    fn want(&mut self, path: Arc<str>, real: &str, stamp: Stamp) {
        self.paths.push(path);
        self.wanted.push(Wanted {
            real: real.to_owned(),
            stamp,
        });
    }
}

/// A PATH that is one file, in its tree.
struct Single {
    tree: PathBuf,
    /// The file below the tree.
    path: String,
    shown: Shown,
}

impl Single {
    fn of(given: &Path, named: &str, base: &Base) -> Self {
        let file = plain(given);
        let parent = file.parent().unwrap_or(Path::new("/")).to_owned();
        let named_tree = base.tree.as_deref().map(plain);
        let tree = named_tree
            .filter(|tree| file.starts_with(tree))
            .or_else(|| {
                let parents = parent.ancestors();
                let with = parents.filter(|folder| folder.join(DEFAULTS).is_file());
                with.last().map(Path::to_owned)
            })
            .unwrap_or(parent);
        let path = file.strip_prefix(&tree).unwrap_or(&file);
        let path = path.to_string_lossy().into_owned();
        let prefix = match named.strip_suffix(path.as_str()) {
            Some(prefix) => prefix.to_owned(),
            None => joined(&tree.to_string_lossy(), ""),
        };
        Self {
            tree,
            path,
            shown: Shown { prefix },
        }
    }

    /// The file, and each `_defaults.yaml` that it may inherit from.
    fn looked_at(&self) -> Vec<String> {
        let folders = Path::new(&self.path).ancestors().skip(1);
        let mut paths: Vec<String> = folders
            .map(|folder| folder.join(DEFAULTS).to_string_lossy().into_owned())
            .filter(|defaults| *defaults != self.path)
            .collect();
        paths.push(self.path.clone());
        paths
    }
}

/// A path without `.` and doubled slashes; what exists of it is not asked.
fn plain(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// A PATH without what makes no difference: `./jobs.d//` is `jobs.d`.
fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    match (path.starts_with('/'), parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

fn joined(prefix: &str, path: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') {
        format!("{prefix}{path}")
    } else {
        format!("{prefix}/{path}")
    }
}

#[cfg(test)]
mod tests;
