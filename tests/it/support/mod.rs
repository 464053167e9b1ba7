//! What the tests have in common: folders of job files, the binary run to its
//! end or in the background, a small HTTP client, a reader of metrics.

pub mod checker;
mod daemon;
mod delegated;
mod dice;
mod disk;
mod folder;
mod git;
mod http;
pub mod ledger;
mod metrics;
mod not_tested;
pub mod outage;
mod processes;
mod program;
mod stand_in;
mod wait;

pub use daemon::Daemon;
pub use delegated::Delegated;
pub use dice::{Dice, number};
pub use disk::{Disk, Small};
pub use folder::Folder;
pub use git::git;
pub use http::{Reply, send};
pub use metrics::Metrics;
pub use not_tested::not_tested;
pub use processes::Processes;
pub use program::{Finished, Program, elder};
pub use stand_in::StandIn;
pub use wait::{elapsed, now, until};
