//! A way round for jobs that are to have less than elder has: elder starts its own binary, which
//! gives up what it must and becomes the program.
//!
//! It is a process of its own because anything between `fork` and `exec` would cost the fast way of all
//! other jobs: `posix_spawn` knows no users and no limits. The binary was opened when elder began and
//! is started by its descriptor, so an upgrade of the file changes nothing for an elder that runs.
//! What is to be done goes over a socket that takes the place of stderr until the program begins; over
//! the same socket comes what went wrong, if anything did.

mod child;
mod plan;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

pub use child::second_face;
pub(super) use plan::{Credentials, Plan, Step};

use plan::decode_failure;

/// The word by which the binary knows that it is to be this.
pub(super) const FACE: &str = "__exec";

/// As much as is read of a complaint that is not the child's own.
const COMPLAINT: u64 = 2_000;

/// This program's own binary, as it was when elder began.
#[derive(Clone, Debug)]
pub struct OwnBinary(Arc<OwnedFd>);

impl OwnBinary {
    /// Opens it.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn open() -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let binary = open("/proc/self/exe", flags, Mode::empty())?;
        Ok(Self(Arc::new(binary)))
    }

    /// A path that leads to it, for a process that is just being made of this one.
    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

/// How the child's half came out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is the program now.
    Began,
    /// It came so far, with the system's number for what went wrong.
    Stopped(Step, i32),
    /// Something else spoke: the loader, or a defect.
    Complaint(String),
}

/// Two ends of a socket: the parent's and the child's.
pub(super) fn control() -> io::Result<(UnixStream, File)> {
    let (ours, theirs) = UnixStream::pair()?;
    Ok((ours, File::from(OwnedFd::from(theirs))))
}

/// Tells the child what to do and waits until it has become the program, or could not.
pub(super) fn tell(mut child: UnixStream, plan: &Plan) -> io::Result<Told> {
    let bytes = plan.encode();
    let length = (bytes.len() as u64).to_le_bytes();
    // A child that is gone already may have left word why.
    let sent = child
        .write_all(&length)
        .and_then(|()| child.write_all(&bytes));
    let mut answer = Vec::new();
    let heard = child.take(COMPLAINT).read_to_end(&mut answer);
    if !answer.is_empty() {
        return Ok(match decode_failure(&answer) {
            Some((step, errno)) => Told::Stopped(step, errno),
            None => Told::Complaint(String::from_utf8_lossy(&answer).trim().to_owned()),
        });
    }
    sent?;
    heard?;
    Ok(Told::Began)
}
