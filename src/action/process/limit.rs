//! Open files: many for elder, as few as before for its children.

use std::os::fd::{BorrowedFd, RawFd};
use std::sync::OnceLock;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// The limit that elder was started with, once it was raised.
static STARTED_WITH: OnceLock<Rlimit> = OnceLock::new();

/// Raises the limit of open files to what the system allows and returns it; `None` is no limit.
///
/// Each running process costs elder two descriptors and each request one, so
/// that the usual 1,024 would soon be used up. Children get the limit that
/// elder was started with: programs that use `select` or close all descriptors
/// one by one suffer from a high one.
///
/// # Errors
/// When the system refuses.
pub fn raise_descriptor_limit() -> std::io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(limit.current);
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised)?;
    let _ = STARTED_WITH.set(limit);
    Ok(raised.current)
}

/// Gives a child the limit that elder was started with. The child runs already,
/// but still has its libraries to load.
pub(super) fn restore_descriptor_limit(child: Pid) {
    if let Some(limit) = STARTED_WITH.get() {
        // A child that is gone already, or changed its rights, needs it no more.
        let _ = prlimit(Some(child), Resource::Nofile, *limit);
    }
}

/// The limit that elder was started with, once it was raised: what a process has, and up to what it
/// may raise that; `u64::MAX` is no limit.
pub(super) fn descriptor_limit() -> Option<(u64, u64)> {
    let limit = STARTED_WITH.get()?;
    let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    Some((number(limit.current), number(limit.maximum)))
}

/// Marks every descriptor that elder inherited so that its children do not.
/// To be called at the start, before anything else is opened: elder's own descriptors are marked as they are made.
///
/// # Errors
/// When `/proc` is not there.
pub fn close_descriptors_on_exec() -> std::io::Result<()> {
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<RawFd>().ok());
        inherited.extend(number.filter(|number| *number > 2));
    }
    for number in inherited {
        #[expect(
            unsafe_code,
            reason = "there is no safe way to name a descriptor that somebody else opened"
        )]
        // SAFETY: the number was listed as open just now and is borrowed for this one turn only; one that was closed
        // since (such as that of the listing itself) makes the calls fail with EBADF, and nothing is read,
        // written or closed through it.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = fcntl_getfd(descriptor) {
            let _ = fcntl_setfd(descriptor, flags | FdFlags::CLOEXEC);
        }
    }
    Ok(())
}
