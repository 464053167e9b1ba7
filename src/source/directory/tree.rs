//! One PATH: what the look before saw in it, and the next look.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::open::{Lost, Opened, Shown, joined, open_tree};
use super::read::{Got, Stamp, Wanted, read_all, sentence};
use super::resolve::resolve;
use super::walk::{Found, Walk, open_root};
use super::{Base, Look};
use crate::source::{Content, File, Root, Unreadable, Watch};

/// As many files as one [`Look::Verify`] reads at most, and as many bytes.
const VERIFY_FILES: usize = 4096;
const VERIFY_BYTES: u64 = 64 * 1024 * 1024;

/// One PATH and what the look before saw in it.
pub(super) struct Tree {
    pub(super) path: Arc<str>,
    /// The PATH, absolute, links and all.
    pub(super) given: PathBuf,
    pub(super) files: HashMap<Arc<str>, Seen>,
    /// The paths of `files`, in order.
    order: Vec<Arc<str>>,
    round: u32,
    /// Where in `order` the next verification begins.
    verify_from: usize,
    pub(super) device: Option<u64>,
    shown: Shown,
}

pub(super) struct Seen {
    pub(super) file: Arc<File>,
    /// Where it really is, if a link leads there.
    real: Option<Box<str>>,
    pub(super) stamp: Option<Stamp>,
    /// Whether it must be read again although it looks the same.
    pub(super) fresh: bool,
    round: u32,
}

impl Seen {
    fn real(&self) -> &str {
        self.real.as_deref().unwrap_or(&self.file.path)
    }
}

/// `real`, where it is not the path itself.
fn elsewhere(path: &str, real: &str) -> Option<Box<str>> {
    (path != real).then(|| real.into())
}

impl Tree {
    pub(super) fn new(path: Arc<str>, given: PathBuf) -> Self {
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

    pub(super) fn scan(&mut self, base: &Base, now: Timestamp, look: Look) -> Root {
        let way = resolve(Path::new("/"), &self.given);
        let mut watch = way.steps;
        let opened = open_tree(&self.path, &self.given, base, way.end, &mut watch);
        let looked = opened.and_then(|opened| {
            let files = self.look(&opened, base, now, look, &mut watch)?;
            Ok((opened.folder, files))
        });
        let path = self.path.clone();
        match looked {
            Ok((folder, files)) => Root {
                path,
                folder: folder.into(),
                lost: None,
                is_missing: false,
                files,
                watch,
            },
            Err(lost) => Root {
                path,
                folder: lost.folder.into(),
                lost: Some(lost.reason),
                is_missing: lost.is_missing,
                files: Vec::new(),
                watch,
            },
        }
    }

    /// Walks and reads an open tree.
    fn look(
        &mut self,
        opened: &Opened,
        base: &Base,
        now: Timestamp,
        look: Look,
        watch: &mut Vec<Watch>,
    ) -> Result<Vec<Arc<File>>, Lost> {
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
        let walked = {
            let mut visit = |path: &str, found: Found<'_>| self.visit(path, found, &mut changes);
            let walk = Walk::new(
                opened.fd.as_fd(),
                &opened.folder,
                skip.as_deref(),
                base.is_wanted,
                &mut visit,
            );
            match &opened.only {
                Some(paths) => Ok(walk.only(paths)),
                None => walk.all(),
            }
        };
        watch.extend(walked.map_err(|error| Lost::new(&error.into(), &opened.folder))?);
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
        Ok(files.cloned().collect())
    }

    /// Notes one thing that the walk met.
    fn visit(&mut self, path: &str, found: Found<'_>, changes: &mut Changes) {
        let round = self.round;
        match (self.files.get_mut(path), found) {
            (Some(seen), Found::File { real, stamp }) => {
                seen.round = round;
                let same = seen.stamp == Some(stamp) && seen.real() == real && !seen.fresh;
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
                        (Content::Unchanged, elsewhere(&path, real))
                    }
                    Found::Broken(why) => (Content::Unreadable(why), None),
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
            let real = seen.real().to_owned();
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
            seen.real = elsewhere(path, &wanted.real);
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
            let reason =
                "the folder is empty and on another file system than before: is it unmounted?";
            return Err(Lost {
                reason: reason.to_owned(),
                folder: opened.folder.clone(),
                is_missing: false,
            });
        }
        self.device = device;
        Ok(())
    }

    /// Whatever it does not find as the look before did is not known any more: its stamp may be that of
    /// other bytes, or of none, so that the next look has to tell of it even where it is the same again.
    pub(super) fn read_again(&mut self, root: &mut Root, places: &[usize]) {
        let (mut at, mut wanted) = (Vec::new(), Vec::new());
        for place in places {
            let Some(file) = root.files.get(*place) else {
                continue;
            };
            if let Some(seen) = self.files.get(&file.path)
                && let (Content::Unchanged, Some(stamp)) = (&file.content, seen.stamp)
            {
                let real = seen.real().to_owned();
                at.push(*place);
                wanted.push(Wanted { real, stamp });
            }
        }
        if wanted.is_empty() {
            return;
        }
        let read = match open_root(&root.folder) {
            Ok(fd) => read_all(fd.as_fd(), &wanted)
                .into_iter()
                .map(again)
                .collect(),
            Err(error) => {
                let why = Unreadable::Io(sentence(error));
                vec![(Content::Unreadable(why), [0; 32]); wanted.len()]
            }
        };
        for (place, (content, hash)) in at.into_iter().zip(read) {
            let file = &root.files[place];
            if let Some(seen) = self.files.get_mut(&file.path)
                && seen.file.hash != hash
            {
                seen.stamp = None;
            }
            root.files[place] = Arc::new(File {
                path: file.path.clone(),
                shown: file.shown.clone(),
                content,
                hash,
            });
        }
    }
}

/// What reading a file once more gave.
fn again(got: Option<Got>) -> (Content, [u8; 32]) {
    match got {
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
    }
}

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

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}
