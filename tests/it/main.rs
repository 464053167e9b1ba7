//! Everything that is tested from outside: the real binary, real files, real
//! signals, real servers. One target, so that it is linked once.

#[expect(
    dead_code,
    unused_imports,
    reason = "the tests of the running daemon come with the daemon"
)]
mod support;

mod cli;
mod client;
mod tidy;
