//! Starts the process of an attempt.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use crate::model::{Action, Limits, Reason};

use super::super::Attempt;
use super::super::failure::Failure;
use super::super::fill::Facts;
use super::super::mask::Mask;
use super::super::runner::Surroundings;
use super::super::secrets::Secrets;
use super::Means;
use super::cgroup::RunGroup;
use super::children::{Children, Own};
use super::command::{Launch, prepare};
use super::explain::{explain, explain_step};
use super::group::Group;
use super::limit::{descriptor_limit, restore_descriptor_limit};
use super::trampoline::{self, Credentials, Plan, Told};
use super::umask;

/// A process that runs. Dropping it kills its group.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) group: Group,
    /// stdout and stderr, in one stream.
    pub(super) output: Option<pipe::Receiver>,
    pub(super) mask: Mask,
    pub(super) limits: Limits,
    /// Its control group, where there are any.
    pub(super) cgroup: Option<RunGroup>,
    /// Dropped after the child.
    _own: Own,
}

/// Reads what the job needs and starts its process; takes its time, so not for the loop.
pub(super) fn start(
    around: &Surroundings,
    means: &Means,
    attempt: &Attempt,
) -> Result<Started, Failure> {
    let definition = &attempt.job.definition;
    let Action::Process(process) = &definition.action else {
        return Err(Failure::internal(
            "a request came to where processes are started",
        ));
    };
    let secrets = Secrets::read(&definition.context, &around.env)?;
    let mask = secrets.mask()?;
    let facts = Facts {
        attempt,
        secrets: &secrets,
        server: around.server(),
    };
    let masked = |failure: Failure| Failure::new(failure.reason, mask.text(&failure.message));
    let launch = prepare(process, &facts, around).map_err(masked)?;
    let stdin = match (&process.stdin, &attempt.told) {
        (None, None) => Stdio::null(),
        _ => Stdio::piped(),
    };
    let limits = definition.context.limits;
    let children = &means.children;
    means.tell_of_limits(attempt.job.name(), &definition.context, around);
    let groups = around.cgroups.as_ref();
    let cgroup = groups.map(|all| all.begin(attempt.run, attempt.attempt, &limits));
    let cgroup = cgroup.transpose().map_err(|error| {
        let text = format!("no control group could be made for it: {error}");
        Failure::new(Reason::Spawn, text)
    })?;
    let spawned = if launch.identity.is_none() && limits == Limits::default() && cgroup.is_none() {
        straight(children, &launch, stdin)
    } else {
        let mut plan = plan(&launch, &limits, definition.policy.kill_grace);
        plan.cgroup = cgroup.as_ref().map(|group| group.path().to_owned());
        if groups.is_some_and(|all| all.limits_processes()) {
            plan.processes = None;
        }
        around_by(children, &launch, &plan, around, stdin)
    };
    let Spawned { child, own, output } = spawned.map_err(masked)?;
    Ok(Started {
        group: Group::of(own.pid()),
        child,
        output: Some(output),
        mask,
        limits,
        cgroup,
        _own: own,
    })
}

struct Spawned {
    child: Child,
    own: Own,
    output: pipe::Receiver,
}

/// The fast way: `posix_spawn` of the program itself.
fn straight(children: &Arc<Children>, launch: &Launch, stdin: Stdio) -> Result<Spawned, Failure> {
    let mut command = Command::new(&launch.program);
    command
        .arg0(&launch.name)
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(stdin);
    if let Some(folder) = &launch.folder {
        command.current_dir(folder);
    }
    let spawned = spawn(children, command, None).map_err(|error| explain(&error, launch))?;
    restore_descriptor_limit(spawned.own.pid());
    Ok(spawned)
}

/// The way round: elder's own binary, which does what `plan` says and becomes the program.
fn around_by(
    children: &Arc<Children>,
    launch: &Launch,
    plan: &Plan,
    around: &Surroundings,
    stdin: Stdio,
) -> Result<Spawned, Failure> {
    let Some(binary) = &around.own_binary else {
        return Err(Failure::setup(
            "elder could not open its own binary at its start, by which it starts jobs with `user` or `limits`: \
             is /proc mounted?",
        ));
    };
    let mut command = Command::new(binary.path());
    // What a job says comes after the rights are given up, so that no LD_PRELOAD of it has elder's.
    let by_which_it_is_found = ["ELDER_RUN_ID", "ELDER_STATE_DIR"];
    command
        .arg0("elder")
        .arg(trampoline::FACE)
        .env_clear()
        .envs(
            launch
                .environment
                .iter()
                .filter(|(name, _)| by_which_it_is_found.contains(&name.as_str()))
                .map(|(name, value)| (name, value)),
        )
        .stdin(stdin);
    let failed = |error: io::Error| explain(&error, launch);
    let (ours, theirs) = trampoline::control().map_err(failed)?;
    let spawned = spawn(children, command, Some(theirs.into())).map_err(failed)?;
    match trampoline::tell(ours, plan) {
        Ok(Told::Began) => Ok(spawned),
        Ok(Told::Stopped(step, number)) => Err(explain_step(step, number, launch)),
        Ok(Told::Complaint(text)) => Err(Failure::internal(&format!(
            "elder could not start its own binary: {text}"
        ))),
        Err(error) => Err(failed(error)),
    }
}

/// Starts what is described, with its output in one stream; `control` stands in for stderr.
fn spawn(
    children: &Arc<Children>,
    mut command: Command,
    control: Option<Stdio>,
) -> io::Result<Spawned> {
    let (reader, writer) = io::pipe()?;
    let output = pipe::Receiver::from_owned_fd(reader.into())?;
    command.stdout(writer.try_clone()?).process_group(0);
    match control {
        Some(control) => command.stderr(control),
        None => command.stderr(writer),
    };
    let starting = children.starting();
    let child = umask::as_started(|| command.spawn())?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    // A child that was not waited for always has its number.
    let pid = pid.ok_or_else(|| io::Error::other("the process has no number"))?;
    let own = starting.began(pid);
    Ok(Spawned { child, own, output })
}

/// What the way round is to do.
fn plan(launch: &Launch, limits: &Limits, kill_grace: Duration) -> Plan {
    // A later one replaces an earlier one of the same name.
    let environment: BTreeMap<&str, &OsString> = launch
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let entry = |(name, value): (&str, &OsString)| {
        let mut entry = OsString::from(name);
        entry.push("=");
        entry.push(value);
        entry
    };
    let cpu_seconds = limits.cpu_time.map(|time| {
        let seconds = time.as_secs();
        (seconds, seconds + kill_grace.as_secs().max(1))
    });
    Plan {
        program: launch.program.clone().into(),
        name: launch.name.clone().into(),
        arguments: launch.arguments.iter().map(OsString::from).collect(),
        environment: environment.into_iter().map(entry).collect(),
        folder: launch.folder.clone(),
        cgroup: None,
        credentials: launch.identity.as_ref().map(|user| Credentials {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups.clone(),
        }),
        open_files: limits
            .open_files
            .map(|most| (most, most))
            .or_else(descriptor_limit),
        no_core: launch.identity.is_some() || *limits != Limits::default(),
        cpu_seconds,
        // The system counts them by user: with elder's own, everything else of elder's would count.
        processes: limits.processes.filter(|_| launch.identity.is_some()),
        umask: umask::given(),
    }
}
