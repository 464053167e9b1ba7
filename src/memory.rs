//! Keeps what elder holds of the system's memory near to what it uses.
//!
//! An allocator keeps freed pages for the next burst. After a large load of
//! files there is none for hours, and the pages would be counted as elder's own.
//! Huge pages are not asked for (the feature `no_thp`): with few jobs most of
//! such a page is never used.

use std::ffi::c_long;

/// `mi_option_purge_delay`: after how many milliseconds a freed page goes back. The crate gives it no name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Has freed pages go back at once: what is allocated in their place would otherwise lie on pages
/// that stay resident as a whole, however little of them it uses. `MIMALLOC_PURGE_DELAY` goes before.
///
/// For the first moments of a process, before it has a second thread.
pub fn prepare() {
    set_default(PURGE_DELAY, 0);
}

/// Gives back what is free. Takes milliseconds; not for a hot path.
pub fn give_back() {
    #[expect(unsafe_code, reason = "the allocator has no other door to this")]
    // SAFETY: `mi_collect` takes no pointer, may be called from any thread at any time, and frees
    // only what nobody holds.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
    // SQLite is C and has the C library's allocator.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the C library has no other door to this")]
    // SAFETY: as above; it locks each of its arenas itself.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn set_default(option: libmimalloc_sys::mi_option_t, value: c_long) {
    #[expect(unsafe_code, reason = "the allocator has no other door to this")]
    // SAFETY: it takes no pointer; it is not for several threads at a time, and `prepare` says so.
    unsafe {
        libmimalloc_sys::mi_option_set_default(option, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        let get = || {
            #[expect(unsafe_code, reason = "the allocator has no other door to this")]
            // SAFETY: it takes no pointer and reads one number.
            unsafe {
                libmimalloc_sys::mi_option_get(PURGE_DELAY)
            }
        };
        assert_eq!(get(), 1_000, "no other option is 1,000 at first");
        prepare();
        assert_eq!(get(), 0);
    }
}
