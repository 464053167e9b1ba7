//! Starts the process of an attempt.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::Pid;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use crate::model::{Action, Reason};

use super::super::Attempt;
use super::super::failure::{Failure, errno};
use super::super::fill::Facts;
use super::super::mask::Mask;
use super::super::runner::Surroundings;
use super::super::secrets::Secrets;
use super::children::{Children, Own};
use super::command::{Launch, prepare};
use super::group::Group;
use super::limit::restore_descriptor_limit;

/// A process that runs. Dropping it kills its group.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) group: Group,
    /// stdout and stderr, in one stream.
    pub(super) output: Option<pipe::Receiver>,
    pub(super) mask: Mask,
    /// Dropped after the child.
    _own: Own,
}

/// Reads what the job needs and starts its process; takes its time, so not for the loop.
pub(super) fn start(
    around: &Surroundings,
    children: &Arc<Children>,
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
    let folder = definition.context.cwd.as_deref();
    let stdin = if process.stdin.is_some() || attempt.told.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let (child, own, group, output) = spawn(children, &launch, folder, stdin)
        .map_err(|error| explain(&error, &launch))
        .map_err(masked)?;
    Ok(Started {
        child,
        group,
        output: Some(output),
        mask,
        _own: own,
    })
}

fn spawn(
    children: &Arc<Children>,
    launch: &Launch,
    folder: Option<&std::path::Path>,
    stdin: Stdio,
) -> io::Result<(Child, Own, Group, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    let output = pipe::Receiver::from_owned_fd(reader.into())?;
    let mut command = Command::new(&launch.program);
    command
        .arg0(&launch.name)
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(stdin)
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let starting = children.starting();
    let child = command.spawn()?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    // A child that was not waited for always has its number.
    let pid = pid.ok_or_else(|| io::Error::other("the process has no number"))?;
    let own = starting.began(pid);
    restore_descriptor_limit(pid);
    Ok((child, own, Group::of(pid), output))
}

/// What went wrong, and the mend. `spawn` is what another attempt may find otherwise, `setup` what somebody must mend.
fn explain(error: &io::Error, launch: &Launch) -> Failure {
    let program = launch.program.display();
    let text = errno(error);
    let (reason, mend) = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::AGAIN) => (Reason::Spawn, "look at ulimit -u and pids.max".to_owned()),
        Some(Errno::NOMEM) => (
            Reason::Spawn,
            "free some, or lower --max-workers".to_owned(),
        ),
        Some(Errno::MFILE | Errno::NFILE) => (
            Reason::Spawn,
            "raise LimitNOFILE, or lower --max-workers".to_owned(),
        ),
        Some(Errno::TXTBSY) => (Reason::Spawn, "replace programs by renaming".to_owned()),
        Some(Errno::TOOBIG) => (
            Reason::Setup,
            "one argument has at most 128KiB: use stdin or a file".to_owned(),
        ),
        Some(Errno::NOEXEC) => (
            Reason::Setup,
            "a script needs a first line such as #!/bin/sh".to_owned(),
        ),
        Some(Errno::ACCESS) => (
            Reason::Setup,
            "chmod +x it; is it a folder, or is its file system mounted noexec?".to_owned(),
        ),
        Some(Errno::NOENT) if launch.program.exists() => (
            Reason::Setup,
            "the program is there, but what its #! line names, or its loader, is not".to_owned(),
        ),
        Some(Errno::NOENT) => (Reason::Setup, "mend the path".to_owned()),
        _ => (Reason::Setup, "elder cannot tell why".to_owned()),
    };
    Failure::new(reason, format!("{program} was not started: {text}: {mend}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_by_itself_is_called_spawn() {
        let launch = Launch {
            program: "/no/such/program".into(),
            name: "program".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
        };
        for (error, reason, said) in [
            (Errno::AGAIN, Reason::Spawn, "EAGAIN"),
            (Errno::NOMEM, Reason::Spawn, "ENOMEM"),
            (Errno::MFILE, Reason::Spawn, "raise LimitNOFILE"),
            (Errno::NFILE, Reason::Spawn, "ENFILE"),
            (Errno::TXTBSY, Reason::Spawn, "ETXTBSY"),
            (Errno::TOOBIG, Reason::Setup, "E2BIG"),
            (Errno::NOENT, Reason::Setup, "ENOENT"),
            (Errno::ACCESS, Reason::Setup, "mounted noexec"),
            (Errno::NOEXEC, Reason::Setup, "ENOEXEC"),
            (Errno::IO, Reason::Setup, "os error 5"),
        ] {
            let failure = explain(&error.into(), &launch);
            assert_eq!(failure.reason, reason, "{error}");
            assert!(failure.message.contains(said), "{}", failure.message);
            assert!(
                failure
                    .message
                    .starts_with("/no/such/program was not started")
            );
        }
    }
}
