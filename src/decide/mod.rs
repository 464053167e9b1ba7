//! Decisions as plain functions: merge, diff, due, admit, retry, recover.
//!
//! Each takes everything it needs as an argument, the time too, and performs nothing.

mod admit;
pub mod diff;
mod due;
mod edition;
pub mod fields;
mod freeze;
mod lost_day;
pub mod merge;
mod recover;
pub mod rename;
mod retry;
mod tell;

pub use admit::{Admission, admit};
pub use due::{Due, MOST_STARTS, Missed, auto_grace, due, grace, skipped};
pub use edition::{
    Edit, Edition, Failing, FailingSince, LastSuccess, MOST_EDITIONS, edition_of, failing_since,
    is_uncommitted, remembered, short, since_success, superfluous,
};
pub use freeze::{Freeze, freeze};
pub use lost_day::{carried_over, loses_today};
pub use recover::{JobPresence, Recovery, cut_off, recover};
pub use retry::{Failure, latest_attempt, letter_wait, retry_after};
pub use tell::{
    About, Call, Happened, MissedTold, Standing, Told, Trouble, letters, of_elder, tell,
};
