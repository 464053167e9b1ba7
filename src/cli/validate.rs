//! `elder validate`: everything that `elder run` would refuse, from the files alone.

use crate::clock::{Clock, SystemClock};
use crate::finding::Severity;
use crate::finding::render::Report;
use crate::spec::{is_bad_policy, team_policy};

use super::args::ValidateArgs;
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree::{self, Query};

/// Checks the files and says what is to be mended.
///
/// # Errors
/// When there is nothing that could be checked.
pub fn validate(
    typed: &ValidateArgs,
    environment: Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let format = typed.format.meant(&environment, console);
    let zones = environment.zones(typed.tzdata)?;
    let query = Query {
        paths: &typed.paths,
        root: typed.root.as_deref(),
        allow_empty: typed.allow_empty,
        options: environment.into_options(None, typed.allow_missing_env),
        zones: &zones,
        now: SystemClock::default().now(),
    };
    let (policy, wrong) = match &typed.policy {
        Some(file) => {
            let input = tree::read_single(file)?;
            let (policy, findings) = team_policy(&input, &query.options, &zones);
            // By half of a policy nobody is judged.
            (Some(policy).filter(|_| !is_bad_policy(&findings)), findings)
        }
        None => (None, Vec::new()),
    };
    let mut tree = tree::check_by(&query, policy.as_ref())?;
    tree.findings.extend(wrong);
    let report = Report::new(tree.files, tree.jobs.len(), &tree.findings);
    console.answer(&report.render(format))?;
    let strict_warnings = typed.strict && report.count(Severity::Warning) > 0;
    Ok(if report.count(Severity::Error) > 0 || strict_warnings {
        Exit::DoesNotHold
    } else {
        Exit::Fine
    })
}
