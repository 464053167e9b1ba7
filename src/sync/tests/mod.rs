//! The sync on real folders, with a toy language, a store that can fail and an engine that only listens.

mod boot;
mod calendars;
mod editions;
mod frozen;
mod pools;
mod running;
mod sages;
mod world;
