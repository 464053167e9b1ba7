//! `elder doctor`: gathers the facts about host, tree and state folder; what they mean is
//! decided in `tools::doctor`.

mod host;
mod mounts;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::action::process;
use crate::clock::{Clock, SystemClock};
use crate::finding::Severity;
use crate::model::{Action, Job, SecretSource};
use crate::schedule::Zones;
use crate::spec;
use crate::store::{self, Soundness, SqliteStore};
use crate::tools::doctor::{Diagnosis, Facts, Pages, Status, StoreFacts, TzdataFacts};

use super::args::{DoctorArgs, TableFormat};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree;
use crate::daemon::settings_errors;

/// Runs at once as `elder run` has it when nothing is said: two descriptors a process, one a request.
const PLACES: u64 = 64 * 2 + 1_024;

/// Looks at everything and says what will hurt.
///
/// # Errors
/// When there is no such PATH.
pub fn doctor(
    typed: &DoctorArgs,
    environment: Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let diagnosis = Diagnosis::of(&facts(typed, environment)?);
    let text = match typed.format {
        TableFormat::Human => diagnosis.table(),
        TableFormat::Json => format!("{}\n", diagnosis.json()),
    };
    console.answer(&text)?;
    Ok(match diagnosis.count(Status::Fail) {
        0 => Exit::Fine,
        _ => Exit::DoesNotHold,
    })
}

fn facts(typed: &DoctorArgs, environment: Environment) -> Result<Facts, Failure> {
    let zones = environment.zones(typed.tzdata)?;
    let now = SystemClock::default().now();
    let variables = Arc::new(environment.variables);
    let options = spec::Options {
        timezone: typed.timezone.as_deref().map(Arc::from),
        env: variables.clone(),
        allow_missing_env: true,
        ..spec::Options::default()
    };
    let tree = tree::check(&tree::Query {
        paths: &typed.paths,
        root: None,
        allow_empty: true,
        options: options.clone(),
        zones: &zones,
        now,
    })?;
    let errors = tree.findings.iter();
    let errors = errors.filter(|finding| finding.severity == Severity::Error);
    let paths = resolved(&typed.paths);
    let walked = walk::walk(&paths);
    let mounts = mounts::read();
    let state = existing(&typed.state);
    let store = store_facts(&typed.store, &typed.state);
    let holder = match &store {
        StoreFacts::File { holder, .. } => *holder,
        _ => None,
    };
    let own = [&typed.config, &typed.tokens];
    let own = own.into_iter().flatten().chain(&typed.env_file);
    let mut own: Vec<PathBuf> = own.cloned().collect();
    if let StoreFacts::File { at, .. } = &store {
        own.push(at.clone());
    }
    let others = own.into_iter().filter(|file| walk::mode(file) & 0o002 != 0);
    let writable = walked.writable.into_iter().chain(others).collect();
    let settings = typed.config.as_deref();
    let settings = settings.map(|file| (file.to_owned(), settings_errors(file, &options, &zones)));
    Ok(Facts {
        now,
        tzdata: tzdata_facts(&zones),
        clock: host::synchronised(),
        newest_file: walked.newest,
        inotify: host::inotify(walked.folders),
        mounts: mounts::concerning(&mounts, &paths),
        writable,
        readable_secrets: readable_secrets(&tree.jobs),
        unreadable: walked.unreadable,
        jobs: tree.jobs.len(),
        bad_files: errors.count(),
        missing: missing(&tree.jobs, &variables),
        disk: state.and_then(|state| host::disk(&state, &typed.state, &mounts)),
        store,
        open_files: host::open_files(),
        places: PLACES,
        cgroup: host::cgroup(holder.filter(|pid| *pid > 0)),
        limited: limited(&tree.jobs),
        settings,
        daemons: host::daemons(),
        paths,
    })
}

fn tzdata_facts(zones: &Zones) -> TzdataFacts {
    TzdataFacts {
        version: zones.version().map(str::to_owned),
        source: zones.source().to_string(),
        bundled: Zones::bundled().version().map(str::to_owned),
    }
}

/// The PATHs, absolute and without links.
fn resolved(typed: &[String]) -> Vec<PathBuf> {
    let default = [crate::daemon::options::Paths::DEFAULT.to_owned()];
    let paths = if typed.is_empty() { &default } else { typed };
    let paths = paths.iter().map(|path| Path::new(path).canonicalize());
    paths.filter_map(Result::ok).collect()
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(folder).ok()?;
    let mut above = absolute.ancestors();
    above.find_map(|folder| folder.canonicalize().ok())
}

fn missing(
    jobs: &[Job],
    environment: &std::collections::HashMap<String, String>,
) -> Vec<(String, String)> {
    let enabled = jobs.iter().filter(|job| job.definition.enabled);
    let missing = enabled.filter_map(|job| {
        let Action::Process(process) = &job.definition.action else {
            return None;
        };
        let why = process::missing(process, &job.definition.context, environment)?;
        Some((job.name().to_string(), why))
    });
    missing.collect()
}

/// Jobs with limits that only control groups enforce.
fn limited(jobs: &[Job]) -> Vec<String> {
    let has = |job: &&Job| {
        let limits = &job.definition.context.limits;
        limits.memory.is_some() || limits.processes.is_some()
    };
    let limited = jobs.iter().filter(has);
    limited.map(|job| job.name().to_string()).collect()
}

fn readable_secrets(jobs: &[Job]) -> Vec<PathBuf> {
    let secrets = jobs.iter().flat_map(|job| &job.definition.context.secrets);
    let files = secrets.filter_map(|(_, source)| match source {
        SecretSource::File(file) => Some(file.path.to_path_buf()),
        SecretSource::Env(_) => None,
    });
    let mut files: Vec<PathBuf> = files.filter(|file| walk::mode(file) & 0o004 != 0).collect();
    files.sort();
    files.dedup();
    files
}

fn store_facts(url: &str, state: &Path) -> StoreFacts {
    let file = match store::file_of(url, state) {
        Err(error) => return StoreFacts::Unusable(error.to_string()),
        Ok(None) => return StoreFacts::Memory,
        Ok(Some(file)) => file,
    };
    let Some(inspected) = SqliteStore::inspect(&file) else {
        return StoreFacts::None(file);
    };
    StoreFacts::File {
        at: file,
        holder: inspected.holder,
        pages: match inspected.pages {
            Ok(Soundness::Sound) => Pages::Sound,
            Ok(Soundness::Damaged(said)) => Pages::Damaged(said),
            Err(why) => Pages::Unseen(why),
        },
    }
}
