//! `elder simulate`: what a span of time will bring.

use super::args::SimulateArgs;
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// Shows the fires of a span.
///
/// # Errors
/// When the files cannot be read or the answer cannot be written.
pub fn simulate(
    _typed: &SimulateArgs,
    _environment: Environment,
    _console: &mut Console,
) -> Result<Exit, Failure> {
    Err(Failure::no_answer("not yet"))
}
