//! Files to engine: one reload at a time, the latest request wins.

mod handle;

pub use handle::{Confirm, SourceView, SyncAnswer, SyncHandle, SyncRequest, SyncState, SyncStatus};
