//! `elder rules`: alert rules out of job files.

use crate::clock::{Clock, SystemClock};
use crate::finding::Severity;
use crate::finding::render::amount;
use crate::tools::rules::{DASHBOARD, Question, Wrapping, rules as made_of};

use super::args::{RulesArgs, RulesFormat};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree;

/// Prints the rules.
///
/// # Errors
/// When the files cannot be read, or one is bad: rules without its jobs would be silent about them.
pub fn rules(
    typed: &RulesArgs,
    environment: Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let wrapping = match typed.format {
        RulesFormat::Prometheus => Wrapping::File,
        RulesFormat::Prometheusrule => Wrapping::Resource,
        RulesFormat::Grafana => {
            console.answer(DASHBOARD)?;
            return Ok(Exit::Fine);
        }
    };
    let zones = environment.zones(typed.tzdata)?;
    let now = typed.from.unwrap_or_else(|| SystemClock::default().now());
    let tree = tree::check(&tree::Query {
        paths: &typed.paths,
        root: None,
        allow_empty: true,
        options: environment.into_options(typed.timezone.as_deref(), false),
        zones: &zones,
        now,
    })?;
    let errors = tree.findings.iter();
    let errors = errors.filter(|one| one.severity == Severity::Error).count();
    if errors > 0 {
        let errors = amount(errors as u64, "error");
        let message = format!("{errors} in job files: rules would leave their jobs out");
        return Err(Failure::does_not_hold(message).help("see `elder validate`"));
    }
    console.answer(&made_of(
        &Question {
            jobs: &tree.jobs,
            now,
            severity: &typed.severity,
            runbook: typed.runbook_url.as_deref(),
        },
        wrapping,
    ))?;
    Ok(Exit::Fine)
}
