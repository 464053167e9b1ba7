//! `elder run`: the daemon, from its flags on.

use crate::daemon::options::RunOptions;
use crate::daemon::{self, DaemonError};

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
    match daemon::run(options) {
        Ok(()) => Ok(Exit::Fine),
        Err(DaemonError::Environment(text)) => Err(Failure::no_answer(text)),
        Err(DaemonError::BadFiles(text)) => Err(Failure::does_not_hold(text)
            .help("elder validate shows what is wrong; without --strict the good files run")),
        Err(DaemonError::Broken(text)) => Err(Failure::does_not_hold(text)),
    }
}
