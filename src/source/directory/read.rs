//! One file read whole, or not at all: below its root, no link, no device, bounded.

use std::fs::File;
use std::io::Read;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use jiff::Timestamp;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::source::Unreadable;

/// The largest job file.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// From so many files on, reading them is shared out among threads.
const WORTH_THREADS: usize = 128;

/// A file that changes while it is read is read again, so often at most; the next look finds the rest.
const TRIES: usize = 3;

/// What tells two states of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime, fraction(stat.st_mtime_nsec)),
            changed: (stat.st_ctime, fraction(stat.st_ctime_nsec)),
        }
    }

    /// Whether a further write may leave this stamp as it is: file systems count
    /// time in steps of milliseconds up to two seconds.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        self.changed.0 >= now.as_second() - 2
    }
}

/// The type of the field differs between architectures.
fn fraction<T: TryInto<u32>>(nanoseconds: T) -> u32 {
    nanoseconds.try_into().unwrap_or(0)
}

/// A file to read.
pub(super) struct Wanted {
    /// Below the root, free of links.
    pub(super) real: String,
    /// What the walk saw of it.
    pub(super) stamp: Stamp,
}

/// What reading it gave.
pub(super) struct Got {
    /// Its bytes.
    pub(super) content: Result<Arc<[u8]>, Unreadable>,
    /// Their SHA-256; zeros when there are none.
    pub(super) hash: [u8; 32],
    /// The state that was read.
    pub(super) stamp: Stamp,
}

/// Reads all of `wanted` below `root`. `None` stands for a file that is gone.
pub(super) fn read_all(root: BorrowedFd<'_>, wanted: &[Wanted]) -> Vec<Option<Got>> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if wanted.len() < WORTH_THREADS {
        1
    } else {
        processors.min(4)
    };
    if threads == 1 {
        return wanted.iter().map(|file| read(root, file)).collect();
    }
    let next = AtomicUsize::new(0);
    let parts = std::thread::scope(|scope| {
        let work = || {
            let mut part = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(file) = wanted.get(index) else {
                    return part;
                };
                part.push((index, read(root, file)));
            }
        };
        // With fewer threads than wished for, or none, it takes longer.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let workers: Vec<_> = (1..threads).filter_map(spawn).collect();
        let mut parts = vec![Ok(work())];
        parts.extend(workers.into_iter().map(ScopedJoinHandle::join));
        parts
    });
    let mut all: Vec<Option<Got>> = wanted.iter().map(|_| None).collect();
    for (index, got) in parts.into_iter().flatten().flatten() {
        all[index] = got;
    }
    all
}

fn read(root: BorrowedFd<'_>, wanted: &Wanted) -> Option<Got> {
    let failed = |why| {
        Some(Got {
            content: Err(why),
            hash: [0; 32],
            stamp: wanted.stamp,
        })
    };
    let fd = match open(root, &wanted.real) {
        Ok(fd) => fd,
        // Gone between the walk and now, or swapped for a link: the next look sees what there is.
        Err(Errno::NOENT | Errno::NOTDIR) => return None,
        Err(Errno::LOOP | Errno::XDEV) => return failed(Unreadable::LeavesTree),
        Err(Errno::NXIO) => return failed(Unreadable::NotAFile),
        Err(error) => return failed(Unreadable::Io(sentence(error))),
    };
    let mut file = File::from(fd);
    let mut tries = 0;
    loop {
        tries += 1;
        let before = match fstat(&file) {
            Ok(stat) => stat,
            Err(error) => return failed(Unreadable::Io(sentence(error))),
        };
        let stamp = Stamp::of(&before);
        let unreadable = |why| {
            Some(Got {
                content: Err(why),
                hash: [0; 32],
                stamp,
            })
        };
        if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
            return unreadable(Unreadable::NotAFile);
        }
        if stamp.size > MAX_FILE {
            return unreadable(Unreadable::TooLarge(stamp.size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0) + 1);
        let rewound = std::io::Seek::rewind(&mut file);
        let read = rewound.and_then(|()| (&file).take(MAX_FILE + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            return unreadable(Unreadable::Io(error.to_string()));
        }
        let size = bytes.len() as u64;
        if size > MAX_FILE {
            return unreadable(Unreadable::TooLarge(size));
        }
        let settled = fstat(&file).is_ok_and(|after| Stamp::of(&after) == stamp);
        if settled || tries == TRIES {
            let hash = Sha256::digest(&bytes).into();
            return Some(Got {
                content: Ok(bytes.into()),
                hash,
                stamp,
            });
        }
    }
}

/// `NONBLOCK`, so that a FIFO that took the file's place does not hold us up.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW);

/// Opens `path` below `root`; no part of it may be a link by now.
pub(super) fn open(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(root, path, FLAGS, Mode::empty(), resolve) {
        // A kernel before 5.6, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => openat(root, path, FLAGS, Mode::empty()),
        other => other,
    }
}

/// What the system says, without the number.
pub(super) fn sentence(error: Errno) -> String {
    match error {
        Errno::ACCESS => "elder may not read it (permission denied)".to_owned(),
        Errno::NOENT => "there is no such file or folder".to_owned(),
        Errno::LOOP => "its links go round in a circle".to_owned(),
        other => std::io::Error::from(other).to_string(),
    }
}
