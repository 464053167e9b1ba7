//! Where definitions come from. An adapter reads and watches; it understands nothing of what it reads.
//!
//! [`Directory`] looks at folders and says what is there now; [`Watcher`] says
//! only that another look is worth it. Whatever an event claims, the next look
//! is what counts.

mod directory;
mod git;
mod revision;
mod watch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::spec::InputFile;

pub use directory::{
    Directory, DirectoryOptions, FileKind, Look, MAX_DEPTH, MAX_FILE, is_job_file, is_test_file,
};
pub use revision::Revisions;
pub use watch::{Wakeups, Watcher, Watching};

/// Everything that the sources hold at one moment. What did not change since
/// the snapshot before is named and not repeated.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Each PATH, in the order of the command line.
    pub roots: Vec<Root>,
}

impl Snapshot {
    /// SHA-256 over all files, in hexadecimal; alike wherever the tree lies. A lost PATH counts as empty.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let files = self.roots.iter().enumerate().flat_map(|(index, root)| {
            let files = root.files.iter();
            files.map(move |file| (index, &*file.path, &file.hash))
        });
        content_hash(files)
    }
}

/// The same of files as they stand elsewhere: the number of the PATH, the path below it, the file's hash.
#[must_use]
pub fn content_hash<'a>(files: impl Iterator<Item = (usize, &'a str, &'a [u8; 32])>) -> String {
    let mut hash = Sha256::new();
    for (index, path, content) in files {
        hash.update((index as u64).to_be_bytes());
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path.as_bytes());
        hash.update(content);
    }
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One PATH.
#[derive(Clone, Debug)]
pub struct Root {
    /// As the command line named it.
    pub path: Arc<str>,
    /// Absolute and resolved, for relative paths in job files.
    pub folder: Arc<Path>,
    /// What is wrong with the PATH as a whole; then `files` is empty and nobody may take that for a removal.
    pub lost: Option<String>,
    /// Whether it is lost because there is nothing under its name.
    pub is_missing: bool,
    /// Its job files and `_defaults.yaml` files, by path. A folder that cannot be
    /// read stands here as a file that cannot be read.
    pub files: Vec<Arc<File>>,
    /// What to watch so that no change of this is overlooked.
    pub watch: Vec<Watch>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// Below the PATH, with `/`.
    pub path: Arc<str>,
    /// As a person would name it: PATH joined with `path`.
    pub shown: Arc<str>,
    /// What is in it.
    pub content: Content,
    /// SHA-256 of the content; zeros when it cannot be read.
    pub hash: [u8; 32],
}

impl Root {
    /// One of its files, as the check of job files takes it.
    #[must_use]
    pub fn input(&self, file: &File) -> InputFile {
        InputFile {
            root: self.path.clone(),
            root_folder: self.folder.clone(),
            path: file.path.clone(),
            shown: file.shown.clone(),
            content: match &file.content {
                Content::Read(bytes) => Ok(bytes.clone()),
                Content::Unreadable(why) => Err(why.to_string()),
                // Whoever wants the bytes has read it again just before.
                Content::Unchanged => Err("it went away while it was read".to_owned()),
            },
            hash: file.hash,
            within: None,
        }
    }
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes, which are new or differ from the look before. A first look has nothing else
    /// but these and what cannot be read.
    Read(Arc<[u8]>),
    /// What the look before found; [`Directory::read_again`] has the bytes.
    Unchanged,
    /// Nothing that can be read.
    Unreadable(Unreadable),
}

/// Why a file's content is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Over the limit; with its size.
    TooLarge(u64),
    /// No regular file: a FIFO, a device, a socket.
    NotAFile,
    /// A link that leaves the PATH.
    LeavesTree,
    /// A folder nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// What the system said.
    Io(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::TooLarge(size) => write!(
                f,
                "the file has {size} bytes, and {} MiB is the limit",
                MAX_FILE / (1024 * 1024)
            ),
            Unreadable::NotAFile => f.write_str("this is no regular file"),
            Unreadable::LeavesTree => {
                f.write_str("this link leads out of the folder that elder was given")
            }
            Unreadable::TooDeep => write!(f, "this folder is nested deeper than {MAX_DEPTH}"),
            Unreadable::Io(text) => f.write_str(text),
        }
    }
}

/// A folder to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The folder, absolute and resolved.
    pub folder: PathBuf,
    /// Device and inode: another pair under the same path is another folder.
    pub identity: (u64, u64),
    /// Only this name in it matters; `None` for all.
    pub only: Option<std::ffi::OsString>,
}
