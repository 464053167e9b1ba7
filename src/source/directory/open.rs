//! A PATH opened as a tree: a folder, or a single file in the folder that it belongs to.

use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, statat};

use super::Base;
use super::read::sentence;
use super::resolve::resolve;
use super::walk::open_root;
use crate::source::Watch;

/// The file that every folder may have for its defaults.
const DEFAULTS: &str = "_defaults.yaml";

/// The tree behind a PATH, open.
pub(super) struct Opened {
    pub(super) fd: std::os::fd::OwnedFd,
    pub(super) folder: PathBuf,
    /// For a PATH that is a single file: what to look at.
    pub(super) only: Option<Vec<String>>,
    pub(super) shown: Shown,
}

/// How a path below the tree is named for people.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) prefix: String,
}

/// Why a PATH is lost, and where it would be.
pub(super) struct Lost {
    pub(super) reason: String,
    pub(super) folder: PathBuf,
    pub(super) is_missing: bool,
}

impl Lost {
    pub(super) fn new(error: &std::io::Error, folder: &Path) -> Self {
        let errno = rustix::io::Errno::from_io_error(error);
        Self {
            reason: errno.map_or_else(|| error.to_string(), sentence),
            folder: folder.to_owned(),
            is_missing: error.kind() == std::io::ErrorKind::NotFound,
        }
    }
}

/// Opens the tree of the PATH that is `named` so, lies at `given`, and leads to `end`.
/// What the way to a single file's tree leads through is added to `watch`.
pub(super) fn open_tree(
    named: &str,
    given: &Path,
    base: &Base,
    end: std::io::Result<PathBuf>,
    watch: &mut Vec<Watch>,
) -> Result<Opened, Lost> {
    let folder = end.map_err(|error| Lost::new(&error, given))?;
    let stat = statat(rustix::fs::CWD, &folder, AtFlags::empty())
        .map_err(|error| Lost::new(&error.into(), &folder))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        let fd = open_root(&folder).map_err(|error| Lost::new(&error.into(), &folder))?;
        let prefix = joined(named, "");
        return Ok(Opened {
            fd,
            folder,
            only: None,
            shown: Shown { prefix },
        });
    }
    let single = Single::of(given, named, base);
    let root = resolve(Path::new("/"), &single.tree);
    watch.extend(root.steps);
    let opened = root.end.and_then(|tree| Ok((open_root(&tree)?, tree)));
    let (fd, folder) = opened.map_err(|error| Lost::new(&error, &single.tree))?;
    Ok(Opened {
        fd,
        folder,
        only: Some(single.looked_at()),
        shown: single.shown,
    })
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

    /// The file, each `_defaults.yaml` that it may inherit from, and the `.ics` files beside it.
    fn looked_at(&self) -> Vec<String> {
        let folders = Path::new(&self.path).ancestors().skip(1);
        let mut paths: Vec<String> = folders
            .map(|folder| folder.join(DEFAULTS).to_string_lossy().into_owned())
            .filter(|defaults| *defaults != self.path)
            .collect();
        paths.extend(self.calendar_files());
        paths.push(self.path.clone());
        paths
    }

    fn calendar_files(&self) -> Vec<String> {
        let folder = Path::new(&self.path).parent().unwrap_or(Path::new(""));
        // What cannot be listed here cannot be read later, and then that is said.
        let entries = std::fs::read_dir(self.tree.join(folder))
            .into_iter()
            .flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut paths: Vec<String> = names
            .filter(|name| name.ends_with(".ics") && !name.starts_with('.') && name.len() > 4)
            .map(|name| folder.join(name).to_string_lossy().into_owned())
            .filter(|path| *path != self.path)
            .collect();
        paths.sort();
        paths
    }
}

/// A path without `.` and doubled slashes; what exists of it is not asked.
fn plain(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

pub(super) fn joined(prefix: &str, path: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') {
        format!("{prefix}{path}")
    } else {
        format!("{prefix}/{path}")
    }
}
