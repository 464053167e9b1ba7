//! One walk over a tree: every job file and every folder, without reading a file.
//!
//! Hidden names are skipped, yet a link may lead to what a hidden name holds: a
//! ConfigMap mount is `a.yaml -> ..data/a.yaml`, `..data -> ..2027_01_01`. Each
//! real folder is walked once, so links cannot make the walk endless.

use std::collections::HashSet;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, fstat, statat};
use rustix::io::Errno;

use super::read::{Stamp, open, sentence};
use super::resolve::resolve;
use crate::source::{Unreadable, Watch};

/// Folders within folders, at most.
pub const MAX_DEPTH: usize = 64;

/// What the walk found under a name.
pub(super) enum Found<'a> {
    /// A regular file, at `real` below the root, which is free of links.
    File {
        /// Where it really is.
        real: &'a str,
        /// Its state.
        stamp: Stamp,
    },
    /// Something that should be a file or a folder and cannot be read as one.
    Broken(Unreadable),
}

/// A walk under way.
pub(super) struct Walk<'a> {
    root: BorrowedFd<'a>,
    root_path: &'a Path,
    /// Below the root, free of links: not a job file whatever its name.
    skip: Option<&'a Path>,
    visit: &'a mut dyn FnMut(&str, Found<'_>),
    links: Vec<(String, PathBuf)>,
    seen_folders: HashSet<(u64, u64)>,
    seen_files: HashSet<PathBuf>,
    seen_steps: HashSet<PathBuf>,
    watch: Vec<Watch>,
    is_wanted: fn(&str) -> bool,
}

impl<'a> Walk<'a> {
    /// A walk below `root`, which is open as `root` and lies at `root_path`, resolved.
    pub(super) fn new(
        root: BorrowedFd<'a>,
        root_path: &'a Path,
        skip: Option<&'a Path>,
        is_wanted: fn(&str) -> bool,
        visit: &'a mut dyn FnMut(&str, Found<'_>),
    ) -> Self {
        Self {
            root,
            root_path,
            skip,
            visit,
            links: Vec::new(),
            seen_folders: HashSet::new(),
            seen_files: HashSet::new(),
            seen_steps: HashSet::new(),
            watch: Vec::new(),
            is_wanted,
        }
    }

    /// Walks the whole tree; the error is the root's own.
    pub(super) fn all(mut self) -> Result<Vec<Watch>, Errno> {
        let root = rustix::io::fcntl_dupfd_cloexec(self.root, 3)?;
        self.folder(root, &mut String::new(), &mut String::new(), 0)?;
        self.follow_links();
        Ok(self.watch)
    }

    /// Looks at these paths alone.
    pub(super) fn only(mut self, paths: &[String]) -> Vec<Watch> {
        for path in paths {
            let folder = Path::new(path).parent().unwrap_or(Path::new(""));
            self.watch_folder(&self.root_path.join(folder));
            match statat(self.root, path.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                    self.links.push((path.clone(), folder.to_owned()));
                }
                Ok(stat) => self.plain(path, path, &stat),
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => self.broken(path, Unreadable::Io(sentence(error))),
            }
        }
        self.follow_links();
        self.watch
    }

    /// Walks one folder. `shown` is its path as a person sees it, `real` free of links; both end in `/` or are empty.
    fn folder(
        &mut self,
        fd: OwnedFd,
        shown: &mut String,
        real: &mut String,
        depth: usize,
    ) -> Result<(), Errno> {
        let stat = fstat(&fd)?;
        let identity = (stat.st_dev, stat.st_ino);
        if !self.seen_folders.insert(identity) {
            return Ok(());
        }
        self.watch.push(Watch {
            folder: self.root_path.join(real.trim_end_matches('/')),
            identity,
            only: None,
        });
        let mut entries = Dir::new(fd)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_bytes().first() == Some(&b'.') {
                continue;
            }
            let Ok(name) = name.to_str() else {
                let lossy = entry.file_name().to_string_lossy();
                if (self.is_wanted)(&lossy) {
                    let path = format!("{shown}{lossy}");
                    self.broken(&path, Unreadable::Io("its name is not UTF-8".to_owned()));
                }
                continue;
            };
            let (shown_length, real_length) = (shown.len(), real.len());
            shown.push_str(name);
            real.push_str(name);
            let folder = entries.fd()?;
            self.entry(folder, name, entry.file_type(), shown, real, depth);
            shown.truncate(shown_length);
            real.truncate(real_length);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &str,
        kind: FileType,
        shown: &mut String,
        real: &mut String,
        depth: usize,
    ) {
        match kind {
            FileType::Directory => self.below(shown, real, depth),
            FileType::Symlink => {
                let within = real.rfind('/').map_or("", |slash| &real[..slash]);
                self.links.push((shown.clone(), PathBuf::from(within)));
            }
            FileType::Unknown => {
                if let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                    let kind = FileType::from_raw_mode(stat.st_mode);
                    if kind != FileType::Unknown {
                        self.entry(folder, name, kind, shown, real, depth);
                    }
                }
            }
            _ if !(self.is_wanted)(name) => {}
            _ => match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.plain(shown, real, &stat),
                Err(Errno::NOENT) => {}
                Err(error) => self.broken(shown, Unreadable::Io(sentence(error))),
            },
        }
    }

    /// Walks the folder at `real`, a real one.
    fn below(&mut self, shown: &mut String, real: &mut String, depth: usize) {
        if depth + 1 > MAX_DEPTH {
            return self.broken(shown, Unreadable::TooDeep);
        }
        let lengths = (shown.len(), real.len());
        let walked = open(self.root, real).and_then(|fd| {
            shown.push('/');
            real.push('/');
            self.folder(fd, shown, real, depth + 1)
        });
        shown.truncate(lengths.0);
        real.truncate(lengths.1);
        match walked {
            // Gone or swapped meanwhile: the next look sees what there is.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => self.broken(shown, Unreadable::Io(sentence(error))),
        }
    }

    /// Something that is no link and no folder.
    fn plain(&mut self, shown: &str, real: &str, stat: &rustix::fs::Stat) {
        if self.skip.is_some_and(|skip| skip == Path::new(real)) {
            return;
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let stamp = Stamp::of(stat);
                (self.visit)(shown, Found::File { real, stamp });
            }
            // Swapped for one of them a moment ago: the next look walks it.
            FileType::Directory | FileType::Symlink => {}
            _ => self.broken(shown, Unreadable::NotAFile),
        }
    }

    fn broken(&mut self, shown: &str, why: Unreadable) {
        (self.visit)(shown, Found::Broken(why));
    }

    /// Links come last, in order: what stands in the tree under its own name is taken under that.
    fn follow_links(&mut self) {
        while !self.links.is_empty() {
            let mut links = std::mem::take(&mut self.links);
            links.sort();
            for (shown, within) in links {
                self.link(&shown, &within);
            }
        }
    }

    fn link(&mut self, shown: &str, within: &Path) {
        let name = shown.rsplit('/').next().unwrap_or(shown);
        let way = resolve(&self.root_path.join(within), Path::new(name));
        for step in way.steps {
            if step.folder.starts_with(self.root_path) {
                let folder = step.folder;
                let identity = step.identity;
                if self.seen_steps.insert(folder.clone()) {
                    self.watch.push(Watch {
                        folder,
                        identity,
                        only: None,
                    });
                }
            }
        }
        let end = match way.end {
            Ok(end) => end,
            Err(error) if (self.is_wanted)(name) => {
                let why = match error.kind() {
                    std::io::ErrorKind::NotFound => "this link leads to nothing".to_owned(),
                    _ => Errno::from_io_error(&error).map_or_else(|| error.to_string(), sentence),
                };
                return self.broken(shown, Unreadable::Io(why));
            }
            Err(_) => return,
        };
        let Ok(stat) = statat(rustix::fs::CWD, &end, AtFlags::SYMLINK_NOFOLLOW) else {
            return;
        };
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !is_folder && !(self.is_wanted)(name) {
            return;
        }
        let Ok(real) = end.strip_prefix(self.root_path) else {
            return self.broken(shown, Unreadable::LeavesTree);
        };
        let Some(real) = real.to_str() else {
            return self.broken(shown, Unreadable::Io("its target is not UTF-8".to_owned()));
        };
        // What the walk meets under its own name, or a link before this one led to, is there already.
        let visible = real.split('/').all(|part| !part.starts_with('.'))
            && (is_folder
                || end
                    .file_name()
                    .is_some_and(|name| (self.is_wanted)(&name.to_string_lossy())));
        if visible || real.is_empty() {
            return;
        }
        if is_folder {
            let depth = shown.matches('/').count();
            self.below(&mut shown.to_owned(), &mut real.to_owned(), depth);
        } else if self.seen_files.insert(end.clone()) {
            self.plain(shown, real, &stat);
        }
    }

    fn watch_folder(&mut self, folder: &Path) {
        if let Ok(stat) = statat(rustix::fs::CWD, folder, AtFlags::empty())
            && self.seen_folders.insert((stat.st_dev, stat.st_ino))
        {
            self.watch.push(Watch {
                folder: folder.to_owned(),
                identity: (stat.st_dev, stat.st_ino),
                only: None,
            });
        }
    }
}

/// Whether a name is that of a job file, or of a calendar file that one may name.
#[must_use]
pub fn is_job_file(name: &str) -> bool {
    if let Some(stem) = name.strip_suffix(".ics") {
        return !stem.is_empty() && !name.starts_with('.');
    }
    let Some(stem) = name
        .strip_suffix(".yaml")
        .or_else(|| name.strip_suffix(".yml"))
    else {
        return false;
    };
    !name.starts_with('.')
        && !stem.is_empty()
        && !stem.ends_with(".test")
        && !matches!(stem, "kustomization" | "Kustomization")
}

/// Whether a name is that of a file of schedule tests.
#[must_use]
pub fn is_test_file(name: &str) -> bool {
    let stem = name
        .strip_suffix(".test.yaml")
        .or_else(|| name.strip_suffix(".test.yml"));
    stem.is_some_and(|stem| !stem.is_empty()) && !name.starts_with('.')
}

/// The folder as an open descriptor, so that all that follows is about the same one.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::empty())
}
