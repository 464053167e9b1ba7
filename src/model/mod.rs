//! The words of elder as types: job, policy, action, run, outcome, event.
//!
//! No serde and no tokio here: what is written to files, wires and tables is
//! translated at those edges. Types that have something to keep true hide their
//! fields; the rest are plain records with public fields, compared by value.

mod action;
mod audit;
mod commons;
mod event;
mod job;
mod pause;
mod policy;
mod run;
mod sage;
mod set;
mod text;
mod window;
mod words;
mod worktree;

pub use action::{
    Account, Action, Body, Command, Context, Expect, Http, Json, Limits, Process, SecretSource,
    Sign, StatusSet, Tls, TreePath,
};
pub use audit::{AuditEntry, AuditResult};
pub use commons::{Calendar, Commons, NameKind, Placed, Pool};
pub use event::{
    Event, JobTimes, NoObserver, Observer, ReloadReport, ReloadResult, ReloadTrigger, error_reason,
};
pub use job::{About, Definition, IdCell, Job, Origin};
pub use pause::Pause;
pub use policy::{AfterCrash, Grace, History, Overlap, Policy, Retry, RetryOn};
pub use run::{AttemptEnd, Ended, Outcome, Output, Reason, Remains, Run, RunState, Trigger};
pub use sage::{Audience, Delivery, Letter, Sage, SageEvent, Sages};
pub use set::JobSet;
pub use text::{Part, Text, Variable};
pub use window::{SyncWindow, WindowKind};
pub use worktree::{commit_of, is_commit};
