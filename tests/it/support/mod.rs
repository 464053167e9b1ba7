//! What the tests have in common: folders of job files, the binary run to its
//! end or in the background, a small HTTP client, a reader of metrics.

mod daemon;
mod dice;
mod folder;
mod http;
pub mod ledger;
mod metrics;
mod program;
mod stand_in;
mod wait;

pub use daemon::Daemon;
pub use dice::{Dice, number};
pub use folder::Folder;
pub use http::Reply;
pub use metrics::Metrics;
pub use program::{Finished, Program, elder};
pub use stand_in::StandIn;
pub use wait::{now, until};
