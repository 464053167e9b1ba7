//! Where definitions come from. An adapter reads and watches; it understands nothing of what it reads.

use std::sync::Arc;

/// Everything that the sources hold at one moment. What did not change since
/// the snapshot before is shared with it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Each PATH, in the order of the command line.
    pub roots: Vec<Root>,
}

/// One PATH.
#[derive(Clone, Debug)]
pub struct Root {
    /// As the command line named it.
    pub path: Arc<str>,
    /// Absolute and resolved, for relative paths in job files.
    pub folder: Arc<std::path::Path>,
    /// What is wrong with the PATH as a whole; then `files` is empty and nobody may take that for a removal.
    pub lost: Option<String>,
    /// Its job files and `_defaults.yaml` files, by path.
    pub files: Vec<Arc<File>>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// Below the PATH, with `/`.
    pub path: Arc<str>,
    /// As a person would name it: PATH joined with `path`.
    pub shown: Arc<str>,
    /// What is in it, or why that cannot be read.
    pub content: Result<Vec<u8>, Unreadable>,
    /// SHA-256 of the content; zeros when it cannot be read.
    pub hash: [u8; 32],
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
    /// What the system said.
    Io(String),
}
