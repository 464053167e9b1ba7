//! The command line as it is typed. What it means is worked out in `settings`.

mod client;
mod config;
mod doctor;
mod files;
mod forecast;
mod import;
pub mod run;
mod shell;
pub mod values;
pub mod variables;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

pub use client::{
    AskArgs, BackupArgs, CancelArgs, ClientArgs, DEFAULT_SERVER, ExplainArgs, ListArgs, LogsArgs,
    OptimizeArgs, OverridesArgs, PauseArgs, ReportArgs, RerunArgs, ResumeArgs, RunsArgs, ShowArgs,
    StatsArgs, StatusArgs, StopArgs, SyncArgs, TriggerArgs, WaitArgs,
};
pub use config::{ConfigArgs, ConfigCommand, ConfigShowArgs};
pub use doctor::DoctorArgs;
pub use files::{
    FindingFormat, FmtArgs, NextArgs, RestoreArgs, RulesArgs, RulesFormat, SchemaArgs, TableFormat,
    ValidateArgs,
};
pub use forecast::{PlanAgainst, PlanArgs, PlanFormat, SimulateArgs, SimulateFormat, TestArgs};
pub use import::{ImportArgs, SourceFormat};
pub use run::RunArgs;
pub use shell::{CompletionsArgs, InitArgs, ManArgs};

const EXAMPLES: &str = "\
Examples:
  elder run jobs.d                    load the folder, fire its jobs, watch it, serve :8000
  elder validate jobs.d               what `run` would refuse, with place and mend; for CI
  elder next --schedule '30 3 * * 1'  when that is, in words and as instants
  elder simulate jobs.d               what the next 24 hours bring";

/// A job scheduler that you run from a git repository
#[derive(Debug, Parser)]
#[command(
    name = "elder",
    version,
    after_help = EXAMPLES,
    after_long_help = EXAMPLES,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    infer_subcommands = false,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the jobs of a folder: load, schedule, watch, serve
    Run(Box<RunArgs>),
    /// Check job files without running anything (also `elder --validate`)
    Validate(ValidateArgs),
    /// Show what a change of job files would change: jobs, fires, collisions
    Plan(Box<PlanArgs>),
    /// Show when a job or a schedule fires next
    Next(NextArgs),
    /// Show every fire of a span: busiest minutes, peaks, overlaps, clock changes
    Simulate(Box<SimulateArgs>),
    /// Try the schedule tests (*.test.yaml) of a folder
    Test(TestArgs),
    /// Make job files of another scheduler's files
    Import(ImportArgs),
    /// Say what will hurt: tree, host, state folder
    Doctor(DoctorArgs),
    /// Make a folder of job files to begin with
    Init(InitArgs),
    /// Lay job files out: indentation, blanks, empty lines; comments stay
    Fmt(FmtArgs),
    /// Print the JSON Schema of job files
    Schema(SchemaArgs),
    /// Print Prometheus alert rules made of the definitions, or a Grafana dashboard
    Rules(RulesArgs),
    /// Show the settings of `elder run`, each with where it comes from
    Config(ConfigArgs),
    /// Print a script that completes words in a shell
    Completions(CompletionsArgs),
    /// Print the manual
    Man(ManArgs),
    /// Say why a fire ran, did not or waits; or what a finding means
    Explain(ExplainArgs),
    /// Say how a running elder is
    Status(StatusArgs),
    /// List the jobs of a running elder
    List(ListArgs),
    /// Show one job and its last runs
    Show(ShowArgs),
    /// List runs, the newest first
    Runs(RunsArgs),
    /// Show what a run says
    Logs(LogsArgs),
    /// Start a run of a job now
    Trigger(TriggerArgs),
    /// Run the job of a run once more
    Rerun(RerunArgs),
    /// End a run
    Cancel(CancelArgs),
    /// Pause a job: its fires are skipped
    Pause(PauseArgs),
    /// Let a paused job go on
    Resume(ResumeArgs),
    /// List what differs from the files on purpose: pauses, held removals
    Overrides(OverridesArgs),
    /// Read the files again; confirm held removals
    Sync(SyncArgs),
    /// Wait until a revision, or just these files, are in force
    Wait(WaitArgs),
    /// Copy the store while elder runs
    Backup(BackupArgs),
    /// Put a backup in the place of a store that no elder uses
    Restore(RestoreArgs),
    /// Tidy the store while elder runs
    Optimize(OptimizeArgs),
    /// Say how the jobs did in the last hours
    Report(ReportArgs),
    /// Show sums since a running elder began
    Stats(StatsArgs),
    /// End a running elder
    Stop(StopArgs),
}

/// Turns `elder [FLAG…] --validate [PATH…]` into `elder validate …`: the flag is
/// what people type out of habit.
#[must_use]
pub fn with_validate_as_command(arguments: Vec<OsString>) -> Vec<OsString> {
    let flags = arguments.iter().take_while(|argument| *argument != "--");
    let position = flags.skip(1).position(|argument| argument == "--validate");
    let starts_with_command = arguments
        .get(1)
        .is_some_and(|first| Command::has_subcommand(&first.to_string_lossy()));
    let (Some(position), false) = (position, starts_with_command) else {
        return arguments;
    };
    let mut arguments = arguments;
    arguments.remove(position + 1);
    arguments.insert(1, OsString::from("validate"));
    arguments
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn typed(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_flag_validate_is_the_command_validate() {
        for (line, want) in [
            ("elder --validate", "elder validate"),
            ("elder --validate jobs.d x", "elder validate jobs.d x"),
            ("elder --strict --validate a", "elder validate --strict a"),
            ("elder jobs.d --validate", "elder validate jobs.d"),
            ("elder run --validate", "elder run --validate"),
            (
                "elder validate -- --validate",
                "elder validate -- --validate",
            ),
            ("elder", "elder"),
        ] {
            assert_eq!(with_validate_as_command(typed(line)), typed(want), "{line}");
        }
    }

    #[test]
    fn every_command_has_a_sentence_and_every_flag_its_help() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string);
                let known = help.is_some_and(|help| !help.is_empty());
                assert!(known, "{} {}", command.get_name(), argument.get_id());
            }
        }
    }
}
