//! The binary: everything is in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Elder starts itself for jobs that are to have less than it has: before anything else begins.
    if let Some(ended) = elder::action::process::second_face() {
        return ended;
    }
    elder::memory::prepare();
    elder::cli::main().into()
}
