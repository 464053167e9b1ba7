//! Why a process was not started, and the mend.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::super::failure::{Failure, errno};
use super::command::Launch;
use super::trampoline::Step;
use crate::model::Reason;

/// What went wrong, and the mend. `spawn` is what another attempt may find otherwise, `setup` what somebody must mend.
pub(super) fn explain(error: &io::Error, launch: &Launch) -> Failure {
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
            match &launch.identity {
                None => {
                    "chmod +x it; is it a folder, or is its file system mounted noexec?".to_owned()
                }
                Some(user) => format!(
                    "may {} execute it, and enter every folder above it? Is its file system mounted noexec?",
                    user.name
                ),
            },
        ),
        Some(Errno::NOENT) => (Reason::Setup, not_there(&launch.program, Path::new(NULL))),
        _ => (Reason::Setup, "elder cannot tell why".to_owned()),
    };
    Failure::new(reason, format!("{program} was not started: {text}: {mend}"))
}

/// What a process without `stdin` reads from.
const NULL: &str = "/dev/null";

/// What is missing where something is.
fn not_there(program: &Path, null: &Path) -> String {
    let what = match (program.exists(), null.exists()) {
        (false, _) => "mend the path",
        (true, false) => "this machine has no /dev/null, which jobs read from: mount /dev",
        (true, true) => "the program is there, but what its #! line names, or its loader, is not",
    };
    what.to_owned()
}

/// The same for what went wrong on the way round.
pub(super) fn explain_step(step: Step, number: i32, launch: &Launch) -> Failure {
    let error = io::Error::from_raw_os_error(number);
    let text = errno(&error);
    let user = launch.identity.as_ref().map_or("", |user| &user.name);
    let is_refused = number == Errno::PERM.raw_os_error();
    match step {
        Step::Program => explain(&error, launch),
        Step::Folder => {
            let folder = launch.folder.as_deref().unwrap_or(Path::new("?"));
            let folder = folder.display();
            Failure::setup(match user {
                "" => format!("the working folder {folder} cannot be entered: {text}: mend cwd"),
                user => format!(
                    "{user} cannot enter the working folder {folder}: {text}: mend cwd, or let {user} enter it"
                ),
            })
        }
        Step::User if is_refused => Failure::setup(format!(
            "EPERM: elder may not start a process as {user}: run elder as root, or leave `user` out"
        )),
        Step::User => Failure::setup(format!("the process could not become {user}: {text}")),
        Step::WayBack => Failure::setup(format!(
            "the process could have become root again, so it was not started as {user}: {text}"
        )),
        Step::OpenFiles if is_refused => Failure::setup(
            "limits.open_files is more than elder itself may have: raise LimitNOFILE of elder, or lower the limit",
        ),
        Step::OpenFiles | Step::CpuTime | Step::Processes | Step::Core => {
            Failure::setup(format!("a limit could not be set ({step:?}): {text}"))
        }
        Step::NoNewPrivileges => Failure::setup(format!("no_new_privs could not be set: {text}")),
        Step::Cgroup => Failure::new(
            Reason::Spawn,
            format!("the process could not go into its control group: {text}"),
        ),
        Step::Plan | Step::Descriptors => Failure::internal(&format!(
            "the process was not started: step {step:?}: {text}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        Launch {
            program: "/no/such/program".into(),
            name: "program".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: Some("/srv/jobs".into()),
            identity: None,
        }
    }

    #[test]
    fn only_what_passes_by_itself_is_called_spawn() {
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
            for failure in [
                explain(&error.into(), &launch()),
                explain_step(Step::Program, error.raw_os_error(), &launch()),
            ] {
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

    #[test]
    fn what_is_not_there_is_named() {
        let (there, gone) = (Path::new("/"), Path::new("/no/such/file"));
        for (program, null, said) in [
            (gone, there, "mend the path"),
            (gone, gone, "mend the path"),
            (there, gone, "no /dev/null"),
            (there, there, "#! line"),
        ] {
            let mend = not_there(program, null);
            assert!(mend.contains(said), "{mend}");
        }
    }

    #[test]
    fn each_step_of_the_way_round_has_its_mend() {
        let mut launch = launch();
        launch.identity = Some(super::super::account::Identity {
            name: "deploy".to_owned(),
            uid: 1000,
            gid: 1000,
            groups: vec![1000],
            home: "/srv/deploy".into(),
            shell: "/bin/sh".into(),
        });
        for (step, error, said) in [
            (Step::User, Errno::PERM, "run elder as root"),
            (
                Step::Folder,
                Errno::ACCESS,
                "deploy cannot enter the working folder /srv/jobs: EACCES",
            ),
            (Step::Program, Errno::ACCESS, "may deploy execute it"),
            (Step::OpenFiles, Errno::PERM, "raise LimitNOFILE of elder"),
            (Step::WayBack, Errno::PERM, "become root again"),
        ] {
            let failure = explain_step(step, error.raw_os_error(), &launch);
            assert_eq!(failure.reason, Reason::Setup);
            assert!(failure.message.contains(said), "{}", failure.message);
        }
    }
}
