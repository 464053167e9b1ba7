//! `elder report`: how the jobs did in the last hours.

use serde::Deserialize;

use crate::clock::{Clock, SystemClock};
use crate::tools::report::Report;

use super::args::{ReportArgs, TableFormat};
use super::client::{Client, as_json};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// Prints the daemon's sums.
///
/// # Errors
/// When there is no answer.
pub fn report(
    typed: &ReportArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let now = SystemClock::default().now();
    let since = now
        .checked_sub(typed.since)
        .map_err(|_| Failure::no_answer("--since reaches too far back"))?;
    let client = Client::asking(&typed.ask, environment)?;
    let body = client
        .get(&["summary"], &[("since", &since.to_string())])?
        .body;
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&body),
        TableFormat::Human => Report::deserialize(&body)
            .map_err(|error| Failure::no_answer(format!("elder's report is odd: {error}")))?
            .table(),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}
