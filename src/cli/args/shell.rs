//! The commands that make files for people, shells and manuals, as they are typed.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// The flags of `elder init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder init && elder run jobs.d
  elder init ops/jobs.d

It writes _defaults.yaml, first.yaml and elder.schema.json (for editors), and nothing over what is there.")]
pub struct InitArgs {
    /// The folder of job files to make; it must be new or empty
    #[arg(value_name = "FOLDER", default_value = "jobs.d")]
    pub folder: PathBuf,
}

/// The flags of `elder completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder completions bash > /etc/bash_completion.d/elder
  elder completions zsh > \"${fpath[1]}/_elder\"
  elder completions fish > ~/.config/fish/completions/elder.fish")]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// The flags of `elder man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder man | man -l -
  elder man run | man -l -
  elder man --dir /usr/local/share/man/man1    elder.1, elder-run.1, …")]
pub struct ManArgs {
    /// The page of a command, such as run or config-show [default: that of elder itself]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}
