//! `elder run`: the daemon, from its flags on.

use crate::daemon::RunError;
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
    start(options).map(|()| Exit::Fine).map_err(Failure::from)
}

/// The one door to the daemon.
fn start(_options: RunOptions) -> Result<(), RunError> {
    Err(RunError::Environment {
        message: "this build has no daemon".to_owned(),
        help: String::new(),
    })
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::BadFiles(message) => Self::does_not_hold(message),
            RunError::Environment { message, help } => Self::no_answer(message).help(help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_files_are_a_no_and_everything_else_is_no_answer() {
        let bad = RunError::BadFiles("2 files are bad".to_owned());
        assert_eq!(Failure::from(bad).exit, Exit::DoesNotHold);
        let taken = RunError::Environment {
            message: "port 80 is taken".to_owned(),
            help: "choose another --listen".to_owned(),
        };
        let failure = Failure::from(taken);
        assert_eq!(failure.exit, Exit::NoAnswer);
        assert_eq!(failure.help, "choose another --listen");
    }
}
