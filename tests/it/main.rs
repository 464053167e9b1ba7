//! Everything that is tested from outside: the real binary, real files, real
//! signals, real servers. One target, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on says so by a panic"
)]

mod support;

mod attacks;
mod audit;
mod calendars;
mod checker;
mod cli;
mod client;
mod clock_changes;
mod config;
mod deploy;
mod doctor;
mod events;
mod fmt;
mod freeze;
mod fuzz;
mod http_actions;
mod import;
mod live;
mod machine;
mod manifests;
mod next;
mod pauses;
mod peers;
mod plan;
mod policy;
mod prometheus;
mod promises;
mod revisions;
mod sages;
mod schedules;
mod schema;
mod shipped;
mod simulate;
mod starter;
mod stopping;
mod suites;
mod tidy;
mod tzdata;
mod validate;
