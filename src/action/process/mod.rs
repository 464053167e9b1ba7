//! Processes: `run` and `exec`.
//!
//! Each attempt is a process group. The group gets TERM, the job's grace, then
//! KILL, while its output goes on being read, and so does what left the group
//! but carries the run's identity; an attempt always ends, also when a
//! descendant that cannot be found holds the output open. A child that a
//! process left behind in the background is not killed when the process itself
//! ends in time: elder merely stops listening, so that what it writes later
//! meets a closed pipe. Let it write to a file of its own.
//!
//! A job with a `user` or with `limits` goes a way round, by [`trampoline`](second_face).
//!
//! Processes are started by `posix_spawn`, or by [`clone`] where they are to begin in a control group, and by
//! nothing else: `pre_exec`, `uid`, `gid` or a bare program name beside an own `PATH` would fall back to
//! `fork`, which is many times slower in a large daemon.

mod account;
mod census;
mod cgroup;
mod children;
mod clone;
mod command;
mod explain;
mod group;
mod kin;
mod leader;
mod limit;
mod limits;
mod program;
mod spawn;
mod start;
mod supervise;
mod trampoline;
mod umask;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::duration;
use crate::ids::JobName;
use crate::model::{AttemptEnd, Ended, Process, Reason};

use super::cut::{Cut, Cutter};
use super::failure::{self, Failure};
use super::live::Live;
use super::output::Collector;
use super::runner::Surroundings;
use super::starts::Starts;
use super::{Attempt, failure::never_began};

pub use cgroup::{Cgroups, is_delegated_to};
pub use children::{Children, adopt_orphans, reap_strangers};
pub use kin::{LeftBehind, end_left_behind};
pub use limit::{close_descriptors_on_exec, raise_descriptor_limit};
pub use limits::take_no_new_privileges;
pub use program::missing;
pub use trampoline::{OwnBinary, second_face};
pub use umask::keep_files_private;

use cgroup::RunGroup;
use kin::Kin;
use start::{Started, start};
use supervise::{Ending, supervise};

/// How long an attempt that is to end while it is being started is waited for.
const START_GRACE: Duration = Duration::from_millis(500);

/// How long a start waits for others to be done. No longer: one that hangs in a file system must not hold up the rest.
const PATIENCE: Duration = Duration::from_millis(50);

/// Lets few processes be started at the same moment: they share the processors
/// anyway, and the more threads are at it, the longer everything else waits for its turn.
pub(super) struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        const LEAST: usize = 4;
        let processors = std::thread::available_parallelism().map_or(LEAST, usize::from);
        Self(Semaphore::new(processors.max(LEAST)))
    }
}

/// What all attempts with processes have in common.
#[derive(Default)]
pub(super) struct Means {
    gate: Gate,
    pub(super) children: Arc<Children>,
    /// Jobs of whose limits it was said that they do not hold here.
    told: Mutex<HashSet<JobName>>,
    pub(super) live: Live,
    pub(super) starts: Arc<Starts>,
}

/// Carries the attempt out.
pub(super) async fn carry_out(
    surroundings: Arc<Surroundings>,
    means: Arc<Means>,
    attempt: Attempt,
    process: &Process,
) -> AttemptEnd {
    let mut cutter = Cutter::new(&attempt);
    if cutter.is_stopped() {
        return never_began();
    }
    let (run, number) = (attempt.run, attempt.attempt);
    let policy = attempt.job.definition.policy.clone();
    let kin = Kin::of(HashSet::from([attempt.run]), &surroundings.state_dir);
    let told = attempt.told.as_ref().map(|told| told.body().clone());
    let stdin = process.stdin.clone().or(told);
    let of_all = Arc::clone(&means);
    let place = timeout(PATIENCE, of_all.gate.0.acquire()).await;
    // Files are read and a process is started off the loop: both can take their time.
    let definition = Arc::clone(&attempt.job.definition);
    let work = move || start(&surroundings, &means, &attempt);
    let begun = tokio::select! {
        biased;
        begun = of_all.starts.begin(&definition, work) => begun,
        cut = cutter.next() => return not_started(Some(cut), &cutter),
    };
    let mut starting = match begun {
        Ok(starting) => starting,
        Err(failure) => return failure.end(),
    };
    let (started, cut) = tokio::select! {
        biased;
        started = &mut starting.task => (Some(started), None),
        cut = cutter.next() => {
            starting.task.abort();
            (timeout(START_GRACE, &mut starting.task).await.ok(), Some(cut))
        }
    };
    drop((starting, place));
    let mut started = match started {
        Some(Ok(Ok(started))) => started,
        Some(Ok(Err(failure))) => return failure.end(),
        Some(Err(error)) if error.is_panic() => {
            return Failure::internal("starting the process panicked").end();
        }
        // Not begun, or hanging in a file system; if it comes to a process after all, that is killed at once.
        Some(Err(_)) | None => return not_started(cut, &cutter),
    };
    let kin = kin.within(started.cgroup.as_ref().map(|group| group.path().into()));
    let collector = Collector::new(started.mask.clone(), policy.output_keep);
    let mut collector = collector.on_air(&of_all.live, run, number);
    let ending = supervise(
        &mut started,
        &kin,
        stdin,
        &mut collector,
        &mut cutter,
        policy.kill_grace,
        cut,
    )
    .await;
    end(started, ending, collector, process, &cutter)
}

fn not_started(cut: Option<Cut>, cutter: &Cutter) -> AttemptEnd {
    if let Some(Cut::Stopped | Cut::StoppedNow) = cut {
        return never_began();
    }
    let text = format!(
        "the process could not be started within {}: is a file system hanging?",
        cutter.timeout_text()
    );
    failure::end(Ended::TimedOut, Some(text))
}

fn end(
    started: Started,
    ending: Ending,
    collector: Collector,
    process: &Process,
    cutter: &Cutter,
) -> AttemptEnd {
    use std::os::unix::process::ExitStatusExt;

    let exit_code = ending.status.and_then(|status| status.code());
    let signal = ending.status.and_then(|status| status.signal());
    let fine = exit_code.is_some_and(|code| process.success_exit_codes.contains(&code));
    let allowed = started.limits.cpu_time;
    // Who does not end when it is told to is killed, as others are for other reasons; the kernel
    // counts by its ticks then, which come to more than the time that it shows.
    let went_on = allowed.zip(ending.spent);
    let used_up = signal == Some(SIGKILL) && went_on.is_some_and(|(most, spent)| spent >= most);
    let was_told = signal == Some(SIGXCPU) || exit_code == Some(128 + SIGXCPU);
    let is_over_limit = allowed.is_some() && (was_told || used_up);
    let ended = match (ending.cut, exit_code, signal) {
        (Some(Cut::TimedOut), ..) => Ended::TimedOut,
        (Some(Cut::Stopped | Cut::StoppedNow), ..) => Ended::Stopped,
        (None, ..) if fine => Ended::Success,
        (None, ..) if is_over_limit => Ended::Failed(Reason::Limit),
        (None, Some(_), _) => Ended::Failed(Reason::Exit),
        (None, None, Some(_)) => Ended::Failed(Reason::Signal),
        (None, None, None) => Ended::Failed(Reason::Internal),
    };
    let over_limit = match ended {
        Ended::Failed(Reason::Exit | Reason::Signal) => {
            started.cgroup.as_ref().and_then(RunGroup::over_limit)
        }
        _ => None,
    };
    let ended = match over_limit {
        Some(_) => Ended::Failed(Reason::Limit),
        None => ended,
    };
    let detail = match (ended, exit_code, signal) {
        _ if over_limit.is_some() => over_limit.map(str::to_owned),
        (Ended::Success, ..) => None,
        (Ended::TimedOut, ..) => Some(format!(
            "it took longer than {} and {}",
            cutter.timeout_text(),
            ending.how()
        )),
        (Ended::Stopped, ..) => Some(format!("it was told to end and {}", ending.how())),
        (Ended::Failed(Reason::Limit), ..) => Some(format!(
            "a process of it used more CPU time than limits.cpu_time allows, {} ({})",
            started
                .limits
                .cpu_time
                .map_or_else(String::new, duration::print),
            match was_told {
                true => "SIGXCPU",
                false => "SIGKILL, after it went on for kill_grace",
            }
        )),
        (_, Some(code), _) => Some(exit_text(code)),
        (_, None, Some(signal)) => Some(signal_text(signal)),
        (_, None, None) => {
            Some("its exit status was lost: something else in this process reaped it".to_owned())
        }
    };
    AttemptEnd {
        ended,
        output: collector.finish(),
        exit_code,
        signal,
        http_status: None,
        detail: detail.map(|text| started.mask.text(&text).into()),
        retry_after: None,
    }
}

/// The signal at the limit of CPU time; a shell whose program it ended says 128 and its number.
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;

fn exit_text(code: i32) -> String {
    match code {
        126 => "exit code 126: a shell says so when a file cannot be executed".to_owned(),
        127 => "exit code 127: a shell says so when it finds no such command".to_owned(),
        _ => format!("exit code {code}"),
    }
}

fn signal_text(signal: i32) -> String {
    const NAMES: [(i32, &str); 16] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (
            9,
            "SIGKILL, not by elder: perhaps the kernel, for lack of memory",
        ),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM, not by elder"),
        (24, "SIGXCPU: its limit of CPU time"),
        (25, "SIGXFSZ: its limit of file size"),
        (31, "SIGSYS"),
    ];
    match NAMES.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => format!("ended by signal {signal} ({name})"),
        None => format!("ended by signal {signal}"),
    }
}

#[cfg(test)]
mod tests;
