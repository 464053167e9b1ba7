//! What the tests have in common: folders of job files, the binary run to its
//! end or in the background, a small HTTP client, a reader of metrics.

pub mod checker;
mod daemon;
mod dice;
mod folder;
mod http;
pub mod ledger;
mod metrics;
mod processes;
mod program;
mod small;
mod stand_in;
mod wait;

pub use daemon::Daemon;
pub use dice::{Dice, number};
pub use folder::Folder;
pub use http::{Reply, send};
pub use metrics::Metrics;
pub use processes::Processes;
pub use program::{Finished, Program, elder};
pub use small::Small;
pub use stand_in::StandIn;
pub use wait::{elapsed, now, until};
