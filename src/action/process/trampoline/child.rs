//! The child's half: the binary's second face. It gives up what the program must not have, in an
//! order in which nothing can be had back, and becomes the program.
//!
//! Nothing of elder runs here but this: no thread, no log, no settings. Its own environment holds
//! nothing that a job says, so that no variable of a job reaches a loader that still has elder's rights.

use std::ffi::{CString, OsStr, OsString};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{
    Gid, Uid, execve, geteuid, getresgid, getresuid, setgroups, setresgid, setresuid,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
};

use super::super::limit::close_descriptors_on_exec;
use super::FACE;
use super::plan::{Credentials, Plan, Step, encode_failure};

/// More than the kernel takes of arguments and environment together.
const LARGEST: u64 = 16 << 20;

/// Where it went wrong, and the system's number for what.
type Stopped = (Step, i32);

/// Becomes a job's program, when elder was started for that; comes back when it was not, or when
/// something went wrong, which the parent has been told then.
#[must_use]
pub fn second_face() -> Option<ExitCode> {
    let is_it = std::env::args_os().nth(1).is_some_and(|word| word == FACE);
    is_it.then(|| {
        let Some(mut parent) = parent() else {
            return ExitCode::from(2);
        };
        let (step, errno) = match become_program(&mut parent) {
            Ok(never) => match never {},
            Err(stopped) => stopped,
        };
        // Who is gone needs no answer.
        let _ = parent.write_all(&encode_failure(step, errno));
        ExitCode::from(2)
    })
}

/// The parent is where errors usually go; those of the program go where its output goes.
fn parent() -> Option<UnixStream> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3).ok()?;
    let parent = UnixStream::from(control);
    // A person who types the word has no socket there.
    parent.peer_addr().ok()?;
    rustix::stdio::dup2_stderr(rustix::stdio::stdout()).ok()?;
    Some(parent)
}

fn become_program(parent: &mut UnixStream) -> Result<std::convert::Infallible, Stopped> {
    let plan = read_plan(parent).ok_or((Step::Plan, 0))?;
    if let Some(cgroup) = &plan.cgroup {
        let joined = std::fs::write(cgroup.join("cgroup.procs"), "0");
        joined.map_err(|error| (Step::Cgroup, error.raw_os_error().unwrap_or(0)))?;
    }
    close_descriptors_on_exec()
        .map_err(|error| (Step::Descriptors, error.raw_os_error().unwrap_or(0)))?;
    limit(&plan)?;
    if let Some(credentials) = &plan.credentials {
        leave_terminal()?;
        become_user(credentials)?;
        set_no_new_privs(true).map_err(|error| (Step::NoNewPrivileges, error.raw_os_error()))?;
    }
    if let Some(mask) = plan.umask {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
    }
    if let Some(folder) = &plan.folder {
        let entered = rustix::process::chdir(folder);
        entered.map_err(|error| (Step::Folder, error.raw_os_error()))?;
    }
    start(plan)
}

fn read_plan(parent: &mut UnixStream) -> Option<Plan> {
    let mut length = [0; 8];
    parent.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > LARGEST {
        return None;
    }
    let mut bytes = Vec::new();
    parent.take(length).read_to_end(&mut bytes).ok()?;
    Plan::decode(&bytes)
}

fn limit(plan: &Plan) -> Result<(), Stopped> {
    let set = |step, resource, (current, maximum): (u64, u64)| {
        let limit = |number: u64| (number != u64::MAX).then_some(number);
        let limit = Rlimit {
            current: limit(current),
            maximum: limit(maximum),
        };
        setrlimit(resource, limit).map_err(|error| (step, error.raw_os_error()))
    };
    if plan.no_core {
        set(Step::Core, Resource::Core, (0, 0))?;
    }
    if let Some(open) = plan.open_files {
        set(Step::OpenFiles, Resource::Nofile, open)?;
    }
    if let Some(most) = plan.processes {
        set(Step::Processes, Resource::Nproc, (most, most))?;
    }
    if let Some((soft, hard)) = plan.cpu_seconds {
        // Whoever is limited already may not be limited less.
        let given = getrlimit(Resource::Cpu).maximum.unwrap_or(u64::MAX);
        set(
            Step::CpuTime,
            Resource::Cpu,
            (soft.min(given), hard.min(given)),
        )?;
    }
    Ok(())
}

/// A process that has the terminal of elder's session could put words into it, which the shell there
/// takes for typed once elder ends. To open it by its own name again the user would need a right to it.
fn leave_terminal() -> Result<(), Stopped> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    // What cannot be opened here cannot be opened by whoever has less.
    let Ok(terminal) = open("/dev/tty", flags, Mode::empty()) else {
        return Ok(());
    };
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    // SAFETY: it takes an open descriptor and no pointer.
    let left = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY) };
    match Errno::result(left) {
        Ok(_) | Err(Errno::ENOTTY) => Ok(()),
        Err(error) => Err((Step::WayBack, error as i32)),
    }
}

/// Groups first: whoever is no longer root cannot change them. Then there is a look whether the way back is shut.
fn become_user(to: &Credentials) -> Result<(), Stopped> {
    let at = |step: Step| move |error: Errno| (step, error as i32);
    let (uid, gid) = (Uid::from_raw(to.uid), Gid::from_raw(to.gid));
    let is_it = geteuid() == uid && nix::unistd::getegid() == gid;
    // Who is it already has its groups, and needs no right to be it in every respect.
    if !is_it {
        let groups: Vec<Gid> = to.groups.iter().copied().map(Gid::from_raw).collect();
        setgroups(&groups).map_err(at(Step::User))?;
    }
    setresgid(gid, gid, gid).map_err(at(Step::User))?;
    setresuid(uid, uid, uid).map_err(at(Step::User))?;
    // Root's went with the user; those that a service manager gave did not.
    let rights = |error: rustix::io::Errno| (Step::WayBack, error.raw_os_error());
    clear_ambient_capability_set().map_err(rights)?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(rights)?;
    let (users, groups) = (
        getresuid().map_err(at(Step::WayBack))?,
        getresgid().map_err(at(Step::WayBack))?,
    );
    let is_whole = [users.real, users.effective, users.saved] == [uid; 3]
        && [groups.real, groups.effective, groups.saved] == [gid; 3];
    let root = Uid::from_raw(0);
    let can_return = setresuid(root, root, root).is_ok()
        || (gid.as_raw() != 0
            && setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0)).is_ok());
    match is_whole && !can_return {
        true => Ok(()),
        false => Err((Step::WayBack, 0)),
    }
}

fn start(plan: Plan) -> Result<std::convert::Infallible, Stopped> {
    let text = |text: OsString| CString::new(text.into_vec()).map_err(|_| (Step::Plan, 0));
    let list = |list: Vec<OsString>| list.into_iter().map(text).collect::<Result<Vec<_>, _>>();
    let program = CString::new(OsStr::as_bytes(&plan.program)).map_err(|_| (Step::Plan, 0))?;
    let mut words = vec![text(plan.name)?];
    words.extend(list(plan.arguments)?);
    let environment = list(plan.environment)?;
    #[expect(
        unsafe_code,
        reason = "a signal that is ignored stays so in the program, and Rust ignores this one at its start"
    )]
    // SAFETY: the default action runs no code of ours.
    let reset = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    reset.map_err(|error| (Step::Program, error as i32))?;
    execve(&program, &words, &environment).map_err(|error| (Step::Program, error as i32))
}
