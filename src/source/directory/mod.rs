//! Job files in folders: a look at the whole tree, cheap enough to be taken at every hint.
//!
//! A look lists folders and compares each file's state (device, inode, size,
//! times) with the look before; only what differs is read. A file that was
//! written a moment before it was read is read again next time, since a further
//! write may leave no trace in its times. [`Look::Verify`] also reads some of
//! the rest, in turn, for file systems that tell nothing.

mod open;
mod read;
mod resolve;
mod tree;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use tree::Tree;

pub use read::MAX_FILE;
pub use walk::{MAX_DEPTH, is_job_file, is_test_file};

use super::Snapshot;

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
    /// Which files to look for.
    pub kind: FileKind,
}

/// Which files a look is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileKind {
    /// Job files and defaults.
    #[default]
    Jobs,
    /// `*.test.yaml`: tests of schedules.
    Tests,
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
    is_wanted: fn(&str) -> bool,
}

impl Directory {
    /// Job files below `paths`; the same one twice counts once. Nothing is read yet.
    #[must_use]
    pub fn new(paths: &[PathBuf], options: DirectoryOptions) -> Self {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let base = Base {
            tree: options.tree.map(|tree| folder.join(tree)),
            config: options.config.map(|config| folder.join(config)),
            is_wanted: match options.kind {
                FileKind::Jobs => walk::is_job_file,
                FileKind::Tests => walk::is_test_file,
            },
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
        for (index, (tree, root)) in self.trees.iter_mut().zip(&mut snapshot.roots).enumerate() {
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

#[cfg(test)]
mod tests;
