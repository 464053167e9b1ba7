//! Gives memory back to the system that a burst of work has left behind.
//!
//! The allocator keeps freed pages for the next burst. After a large load of
//! files there is none for hours, and the pages would be counted as elder's own.

/// Gives back what is free. Takes milliseconds; not for a hot path.
pub fn give_back() {
    #[expect(unsafe_code, reason = "the allocator has no other door to this")]
    // SAFETY: `mi_collect` takes no pointer, may be called from any thread at any time, and frees
    // only what nobody holds.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}
