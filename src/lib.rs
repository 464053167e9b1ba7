//! elder, a job scheduler that you run from a git repository.
//!
//! The modules are floors: each imports only from those above it in this list,
//! and modules on one floor do not import each other. `tests/it/tidy.rs` checks it.
//! ARCHITECTURE.md is the map.

// Floor 0: ground.
pub mod clock;
pub mod duration;
pub mod finding;
pub mod ids;
pub mod memory;
pub mod secret;

// Floor 1: time.
pub mod schedule;

// Floor 2: model.
pub mod model;

// Floor 3: rules.
pub mod decide;
pub mod spec;

// Floor 4: ports.
pub mod action;
pub mod source;
pub mod store;
pub mod telemetry;

// Floor 5: engine.
pub mod audit;
pub mod engine;
pub mod sage;

// Floor 6: sync and tools.
pub mod forecast;
pub mod sync;
pub mod tools;

// Floor 7: server.
pub mod server;

// Floor 8: daemon.
pub mod daemon;

// Floor 9: command line.
pub mod cli;
