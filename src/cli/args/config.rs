//! `elder config` as it is typed.

use clap::{Args, Subcommand};

use super::files::TableFormat;
use super::run::RunArgs;

const EXAMPLES: &str = "\
Examples:
  elder config show                             what `elder run` would do here
  elder config show --config /etc/elder/elder.yaml --format json

Secrets show as ***. What `elder run` would refuse is refused: status 2.";

/// The commands of `elder config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: ConfigCommand,
}

impl ConfigArgs {
    /// The flags of `elder run` that are asked about.
    #[must_use]
    pub fn run(&self) -> &RunArgs {
        let ConfigCommand::Show(typed) = &self.what;
        &typed.run
    }
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each setting of `elder run` and where it comes from
    Show(Box<ConfigShowArgs>),
}

/// The flags of `elder config show`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub struct ConfigShowArgs {
    /// Those of `elder run`.
    #[command(flatten)]
    pub run: RunArgs,
    /// How to write the answer
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: TableFormat,
}
