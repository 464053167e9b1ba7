//! What is started: program, arguments, folder, and an environment built from empty.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::model::{Command, Context, Process};

use super::super::env_file;
use super::super::failure::Failure;
use super::super::fill::Facts;
use super::super::runner::Surroundings;
use super::super::secrets::read_text;
use super::super::trace::traceparent;
use super::account::{self, Identity};
use super::program;

/// What goes along from elder's own environment, unless `inherit_env` names more.
const INHERITED: [&str; 8] = [
    "PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR",
];

/// What is started.
pub(super) struct Launch {
    /// The file.
    pub(super) program: PathBuf,
    /// The program as it was named, which it sees as its own name.
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    /// In order; a later one replaces an earlier one of the same name.
    pub(super) environment: Vec<(String, OsString)>,
    /// The working folder.
    pub(super) folder: Option<PathBuf>,
    /// Whom it runs as, when not as elder's own user.
    pub(super) identity: Option<Identity>,
}

impl Launch {
    /// Its environment, name and value.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let all = self.environment.iter();
        all.map(|(name, value)| (OsStr::new(name), value.as_os_str()))
    }
}

/// Prepares the start of `process`.
pub(super) fn prepare(
    process: &Process,
    facts: &Facts<'_>,
    around: &Surroundings,
) -> Result<Launch, Failure> {
    let context = &*facts.attempt.job.definition.context;
    if let Some(folder) = &context.cwd
        && !folder.is_dir()
    {
        return Err(Failure::setup(format!(
            "ENOENT: the working folder {} is not there: mend cwd or make the folder",
            folder.display()
        )));
    }
    let identity = context.user.as_ref().map(account::find).transpose()?;
    let environment = environment(context, identity.as_ref(), facts, around)?;
    let mut words = match &process.command {
        Command::Shell { shell, line } => {
            let words = shell.iter().chain([line]);
            words.map(|word| word.to_string()).collect::<Vec<_>>()
        }
        Command::Exec(words) => {
            let words = words.iter().map(|word| facts.fill(word));
            words.collect::<Result<_, _>>()?
        }
    }
    .into_iter();
    let name = words.next().unwrap_or_default();
    let arguments: Vec<String> = words.collect();
    if name.contains('\0') || arguments.iter().any(|word| word.contains('\0')) {
        return Err(Failure::setup("an argument cannot hold a NUL byte"));
    }
    let path = environment.iter().rev().find(|(name, _)| name == "PATH");
    let program = program::find(
        &name,
        path.map(|(_, value)| value.as_os_str()),
        context.cwd.as_deref(),
    )?;
    Ok(Launch {
        program,
        name,
        arguments,
        environment,
        folder: context.cwd.as_deref().map(Into::into),
        identity,
    })
}

fn environment(
    context: &Context,
    identity: Option<&Identity>,
    facts: &Facts<'_>,
    around: &Surroundings,
) -> Result<Vec<(String, OsString)>, Failure> {
    let mut all = Vec::with_capacity(24);
    let asked = context.inherit_env.iter().map(|name| &**name);
    for name in INHERITED.into_iter().chain(asked) {
        if let Some(value) = around.env.get(name) {
            put(&mut all, name, value)?;
        }
    }
    if let Some(user) = identity {
        put(&mut all, "HOME", &user.home)?;
        put(&mut all, "USER", &user.name)?;
        put(&mut all, "LOGNAME", &user.name)?;
        put(&mut all, "SHELL", &user.shell)?;
    }
    let attempt = facts.attempt;
    match &attempt.told {
        None => put(&mut all, "ELDER_JOB", attempt.job.name().as_str())?,
        Some(told) => {
            put(&mut all, "ELDER_JOB", told.job())?;
            put(&mut all, "ELDER_SAGE", told.sage().as_str())?;
            put(&mut all, "ELDER_EVENT", told.event().as_str())?;
        }
    }
    put(&mut all, "ELDER_RUN_ID", attempt.run.as_str())?;
    put(
        &mut all,
        "ELDER_SCHEDULED_AT",
        attempt.scheduled_at.to_string(),
    )?;
    put(&mut all, "ELDER_ATTEMPT", attempt.attempt.to_string())?;
    put(&mut all, "ELDER_TRIGGER", attempt.trigger.as_str())?;
    put(
        &mut all,
        "ELDER_PREVIOUS_SUCCESS_AT",
        facts.previous_success(),
    )?;
    put(
        &mut all,
        "ELDER_REVISION",
        attempt.revision.as_deref().unwrap_or_default(),
    )?;
    put(&mut all, "ELDER_STATE_DIR", &around.state_dir)?;
    put(&mut all, "ELDER_SERVER", facts.server)?;
    put(&mut all, "ELDER_BIN", &around.elder_bin)?;
    put(
        &mut all,
        "TRACEPARENT",
        traceparent(attempt.run, attempt.attempt),
    )?;
    for file in &context.env_files {
        let told = |error: String| Failure::setup(format!("env_file {error}"));
        let text = read_text(file).map_err(told)?;
        let pairs = env_file::parse(&text)
            .map_err(|error| told(format!("{}: {error}", file.path.display())))?;
        for (name, value) in pairs {
            put(&mut all, &name, &value)?;
        }
    }
    for (name, value) in &context.env {
        put(&mut all, name, &facts.fill(value)?)?;
    }
    for (name, secret) in facts.secrets.iter() {
        put(&mut all, name, secret.expose())?;
    }
    Ok(all)
}

fn put(
    all: &mut Vec<(String, OsString)>,
    name: &str,
    value: impl AsRef<OsStr>,
) -> Result<(), Failure> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Failure::setup(format!(
            "{name:?} cannot be the name of an environment variable"
        )));
    }
    let value = value.as_ref();
    if value.as_encoded_bytes().contains(&0) {
        return Err(Failure::setup(format!(
            "the environment variable {name} cannot hold a NUL byte"
        )));
    }
    all.push((name.to_owned(), value.to_owned()));
    Ok(())
}
