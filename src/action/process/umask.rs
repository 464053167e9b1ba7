//! What elder writes is for its own user alone; what its children write is as before.
//!
//! The mask belongs to a process, and `posix_spawn` hands it on. Linux lets a thread have one of its
//! own: those that start processes take one, and show it to the child for the moment of its start.

use std::cell::Cell;
use std::sync::OnceLock;

use rustix::fs::Mode;
use rustix::process::umask;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Nothing for the group, nothing for others.
const PRIVATE: Mode = Mode::RWXG.union(Mode::RWXO);

/// The mask that elder was started with, once it took its own.
static STARTED_WITH: OnceLock<Mode> = OnceLock::new();

thread_local! {
    static HAS_ITS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Lets nobody else read what elder makes from now on. To be called before there is a second thread.
/// Where threads cannot have a mask of their own (containers without the call `unshare`) all stays as
/// it is: the state folder is closed to others in any case.
pub fn keep_files_private() {
    if take_own() {
        let _ = STARTED_WITH.set(umask(PRIVATE));
    }
}

/// Starts something that has the mask that elder was started with.
pub(super) fn as_started<T>(start: impl FnOnce() -> T) -> T {
    let Some(mask) = STARTED_WITH.get().filter(|_| take_own()) else {
        return start();
    };
    umask(*mask);
    let started = start();
    umask(PRIVATE);
    started
}

/// The mask that elder was started with, if that is another than elder's own.
pub(super) fn given() -> Option<u32> {
    STARTED_WITH.get().map(|mask| mask.bits())
}

/// Whether this thread has a mask (and a working folder) that no other thread shares.
fn take_own() -> bool {
    if !HAS_ITS_OWN.get() {
        #[expect(
            unsafe_code,
            reason = "the same call could take a thread's descriptors away"
        )]
        // SAFETY: descriptors stay shared; what is no longer shared is the mask and the working
        // folder, and nothing in elder changes that folder.
        let taken = unsafe { unshare_unsafe(UnshareFlags::FS) };
        HAS_ITS_OWN.set(taken.is_ok());
    }
    HAS_ITS_OWN.get()
}
