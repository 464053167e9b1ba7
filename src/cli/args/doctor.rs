//! `elder doctor` as it is typed.

use std::path::PathBuf;

use clap::Args;

use crate::schedule::TzdataChoice;

use super::files::TableFormat;

const EXAMPLES: &str = "\
Examples:
  elder doctor                                        the folder jobs.d and elder-state
  elder doctor /etc/elder/jobs.d --state /var/lib/elder
  elder doctor --format json

Ask with the flags of `elder run`, and as its user. Nothing is changed.
Exit status: 0 nothing fails, 1 something does, 2 no answer (no such PATH).";

/// The flags of `elder doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Folders of job files [default: jobs.d]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// The file of settings that `elder run` has
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder for all that elder writes
    #[arg(long, value_name = "FOLDER", default_value = "elder-state")]
    pub state: PathBuf,
    /// Where runs are remembered: sqlite:FILE or memory: [default: sqlite:STATE/elder.db]
    #[arg(
        long,
        value_name = "STORE",
        default_value = "sqlite:",
        hide_default_value = true
    )]
    pub store: String,
    /// The zone of jobs that name none [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Whose time zone data; auto takes the newer
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    pub tzdata: TzdataChoice,
    /// Tokens with their roles
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Files of NAME=value lines for ${NAME}
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// How to write the answer
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: TableFormat,
}
