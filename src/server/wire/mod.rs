//! What goes over the wire, and its conversions. The model knows none of it.

pub(super) mod config;
pub(super) mod cursor;
pub(super) mod edition;
pub(super) mod explain;
pub(super) mod job;
pub(super) mod news;
pub(super) mod overrides;
pub(super) mod run;
pub(super) mod stats;
