//! The commands that need files and nothing else, as they are typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::values;
use crate::cli::console::Console;
use crate::cli::environment::Environment;
use crate::finding::render::Format;
use crate::ids::JobName;
use crate::schedule::TzdataChoice;

const VALIDATE_EXAMPLES: &str = "\
Examples:
  elder validate                          the folder jobs.d
  elder validate --strict --format json   for a pipeline: warnings fail, findings as JSON
  elder validate jobs.d/billing.yaml      one file, within its tree
  git show HEAD:jobs.d/a.yaml | elder validate -
  kubectl kustomize overlays/shop | elder validate -   the job files in its ConfigMaps
  elder validate --policy policy.yaml     by a team's own rules too: docs/policy.md

Exit status: 0 nothing to mend, 1 findings, 2 no answer (no such PATH, no job file).";

const NEXT_EXAMPLES: &str = "\
Examples:
  elder next billing                                    a job of jobs.d
  elder next --schedule '30 3 * * 1-5' --timezone Asia/Tokyo
  elder next --schedule '{ every: 5m }' -n 3 --format json
  echo '{\"schedule\": \"@daily\", \"n\": 2}' | elder next --stdin";

/// The flags of `elder restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder restore backups/elder-2027-01-31.db --state /var/lib/elder
  elder restore old.db --store sqlite:/srv/elder.db

elder must not run on that store. What is there is kept beside it.")]
pub struct RestoreArgs {
    /// The backup, as `elder backup` made it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The folder of the elder that is to have it (ELDER_STATE)
    #[arg(long, value_name = "FOLDER", default_value = "elder-state")]
    pub state: PathBuf,
    /// Its store, if that is elsewhere (ELDER_STORE) [default: sqlite:STATE/elder.db]
    #[arg(
        long,
        value_name = "STORE",
        default_value = "sqlite:",
        hide_default_value = true
    )]
    pub store: String,
}

/// The flags of `elder validate`.
#[derive(Debug, Args)]
#[command(after_help = VALIDATE_EXAMPLES)]
pub struct ValidateArgs {
    /// Folders of job files, single files, Kubernetes manifests, or - for standard input [default: jobs.d]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// How to write findings; auto is github where GITHUB_ACTIONS is set, else human
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: FindingFormat,
    /// Warnings fail too
    #[arg(long)]
    pub strict: bool,
    /// A team's own rules for its jobs, as a file: docs/policy.md
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Files of NAME=value lines for ${NAME}
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// A ${NAME} that is not set is a warning
    #[arg(long)]
    pub allow_missing_env: bool,
    /// A PATH without a job file is fine
    #[arg(long)]
    pub allow_empty: bool,
    /// The tree that a single file belongs to [default: the outermost parent with a _defaults.yaml, else its folder]
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<String>,
    /// Whose time zone data; bundled answers alike on every machine
    #[arg(long, value_name = "WHICH", default_value = "bundled")]
    pub tzdata: TzdataChoice,
}

/// `--format` of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FindingFormat {
    /// github where GITHUB_ACTIONS is set, else human
    Auto,
    /// The line, carets, the mend
    Human,
    /// One line each
    Concise,
    /// One JSON object
    Json,
    /// Annotations
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitLab's code quality report
    Gitlab,
}

impl FindingFormat {
    /// What it means here: `auto` looks at where elder runs, and people get colour where they have it.
    pub fn meant(self, environment: &Environment, console: &Console) -> Format {
        let on_github = environment.get("GITHUB_ACTIONS").is_some();
        match self {
            Self::Auto if on_github => Format::Github,
            Self::Auto | Self::Human => Format::Human(console.out_colour()),
            Self::Concise => Format::Concise,
            Self::Json => Format::Json,
            Self::Github => Format::Github,
            Self::Sarif => Format::Sarif,
            Self::Gitlab => Format::Gitlab,
        }
    }
}

/// The flags of `elder next`.
#[derive(Debug, Args)]
#[command(after_help = NEXT_EXAMPLES)]
pub struct NextArgs {
    /// A job's name
    #[arg(value_name = "JOB", required_unless_present_any = ["schedule", "stdin"])]
    pub job: Option<String>,
    /// Where the job files are [default: jobs.d]
    #[arg(value_name = "PATH", requires = "job")]
    pub paths: Vec<String>,
    /// A schedule in any form of the job file
    #[arg(long, value_name = "EXPR", conflicts_with = "job")]
    pub schedule: Option<String>,
    /// Whose fires: the job's name, which `random`, `jitter` and `spread` follow
    #[arg(long, value_name = "NAME", requires = "schedule", conflicts_with_all = ["job", "stdin"], value_parser = values::job_name)]
    pub name: Option<JobName>,
    /// How many fires
    #[arg(short, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub n: u32,
    /// Fires after this instant [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = values::instant)]
    pub from: Option<Timestamp>,
    /// The zone of a schedule that names none [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// How to write the answer
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: TableFormat,
    /// One JSON query a line in, one JSON answer a line out
    #[arg(long, conflicts_with_all = ["job", "schedule", "format"])]
    pub stdin: bool,
    /// Whose time zone data; auto takes the newer
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    pub tzdata: TzdataChoice,
    /// Files of NAME=value lines for ${NAME}
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
}

/// The flags of `elder fmt`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder fmt                        lays the files of jobs.d out
  elder fmt --check jobs.d         for CI: shows what would change, writes nothing
  elder fmt - < a.yaml > b.yaml    for editors

Comments, order and quotes stay; a file says the same before and after.
Exit status: 0 fine, 1 a file differs (--check) or is no YAML, 2 no answer.")]
pub struct FmtArgs {
    /// Folders of job files, single files, or - for standard input [default: jobs.d]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// Write nothing; show what would change, and end with 1 if anything would
    #[arg(long)]
    pub check: bool,
    /// The tree that a single file belongs to [default: the outermost parent with a _defaults.yaml, else its folder]
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<String>,
}

/// The flags of `elder schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The schema of *.test.yaml files instead
    #[arg(long)]
    pub tests: bool,
}

/// `--format` of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people
    Human,
    /// For programs
    Json,
}

/// The flags of `elder rules`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder rules jobs.d > elder.rules.yml && promtool check rules elder.rules.yml
  elder rules jobs.d --format prometheusrule | kubectl apply -f -
  elder rules --format grafana > dashboard.json

Exit status: 0 fine, 1 a file is bad, 2 no answer.")]
pub struct RulesArgs {
    /// Folders of job files, or single files [default: jobs.d]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// What to make
    #[arg(long, value_name = "FORMAT", default_value = "prometheus")]
    pub format: RulesFormat,
    /// The severity of jobs that have no label `severity`
    #[arg(long, value_name = "WORD", default_value = "warning")]
    pub severity: String,
    /// Where docs/runbook.md is; each alert then names its part of it
    #[arg(long, value_name = "URL")]
    pub runbook_url: Option<String>,
    /// The zone of jobs that name none [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Files of NAME=value lines for ${NAME}
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// From when on fires are looked at [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = values::instant)]
    pub from: Option<Timestamp>,
    /// Whose time zone data; bundled answers alike on every machine
    #[arg(long, value_name = "WHICH", default_value = "bundled")]
    pub tzdata: TzdataChoice,
}

/// `--format` of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RulesFormat {
    /// A rule file
    Prometheus,
    /// A PrometheusRule of the Prometheus operator
    Prometheusrule,
    /// A dashboard for Grafana; it needs no job files
    Grafana,
}
