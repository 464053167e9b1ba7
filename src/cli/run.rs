//! `elder run`: the daemon, from its flags on.

use crate::daemon::options::RunOptions;

use super::args::RunArgs;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::settings;

/// Runs until it is told to stop.
///
/// # Errors
/// When the settings contradict each other, or the daemon cannot start or go on.
pub fn run(
    typed: RunArgs,
    environment: Environment,
    misspelt: Vec<(String, String)>,
) -> Result<Exit, Failure> {
    let options = settings::of_run(typed, environment, misspelt)?;
    start(options)
}

/// The one door to the daemon.
fn start(options: RunOptions) -> Result<Exit, Failure> {
    let _ = options;
    Err(Failure::no_answer(
        "the daemon is not part of this build yet",
    ))
}
