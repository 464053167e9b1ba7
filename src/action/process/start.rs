//! Starts the process of an attempt.

use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::pipe;

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
use super::leader::Leader;
use super::limit::{descriptor_limit, restore_descriptor_limit};
use super::spawn::{Birth, Spawned, entries};
use super::trampoline::{self, Credentials, Plan, Told};
use super::umask;

/// A process that runs. Dropping it kills its group.
pub(super) struct Started {
    pub(super) child: Leader,
    pub(super) group: Group,
    /// Where its text goes, if it is given any.
    pub(super) stdin: Option<pipe::Sender>,
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
    let is_fed = process.stdin.is_some() || attempt.told.is_some();
    let limits = definition.context.limits;
    let children = &means.children;
    means.tell_of_limits(attempt.job.name(), &definition.context, around);
    let groups = around.cgroups.as_ref();
    let cgroup = groups.map(|all| all.begin(attempt.run, attempt.attempt, &limits));
    let cgroup = cgroup.transpose().map_err(|error| {
        let text = format!("no control group could be made for it: {error}");
        Failure::new(Reason::Spawn, text)
    })?;
    // Where processes cannot begin in their group, the way round leads into it.
    let begins_inside = cgroup.as_ref().filter(|group| group.can_be_begun_in());
    let is_simple = launch.identity.is_none() && limits == Limits::default();
    let way = Way {
        children,
        launch: &launch,
        inside: begins_inside,
        is_fed,
    };
    let spawned = if is_simple && begins_inside.is_some() == cgroup.is_some() {
        way.straight()
    } else {
        let mut plan = plan(&launch, &limits, definition.policy.kill_grace);
        let entered = cgroup.as_ref().filter(|_| begins_inside.is_none());
        plan.cgroup = entered.map(|group| group.path().to_owned());
        if groups.is_some_and(|all| all.limits_processes()) {
            plan.processes = None;
        }
        way.around(&plan, around)
    };
    let Spawned {
        child,
        own,
        stdin,
        output,
    } = spawned.map_err(masked)?;
    Ok(Started {
        group: Group::of(own.pid()),
        child,
        stdin,
        output: Some(output),
        mask,
        limits,
        cgroup,
        _own: own,
    })
}

/// How a process comes to be.
struct Way<'a> {
    children: &'a Arc<Children>,
    launch: &'a Launch,
    /// The control group that it is to begin in.
    inside: Option<&'a RunGroup>,
    is_fed: bool,
}

impl Way<'_> {
    /// The fast way: the program itself.
    fn straight(&self) -> Result<Spawned, Failure> {
        let launch = self.launch;
        let birth = Birth {
            program: &launch.program,
            name: OsStr::new(&launch.name),
            arguments: launch.arguments.iter().map(OsStr::new).collect(),
            environment: launch.pairs().collect(),
            folder: launch.folder.as_deref(),
            is_fed: self.is_fed,
            control: None,
        };
        let spawned = birth.spawn(self.children, self.inside);
        let spawned = spawned.map_err(|error| explain(&error, launch))?;
        restore_descriptor_limit(spawned.own.pid());
        Ok(spawned)
    }

    /// The way round: elder's own binary, which does what `plan` says and becomes the program.
    fn around(&self, plan: &Plan, around: &Surroundings) -> Result<Spawned, Failure> {
        let launch = self.launch;
        let Some(binary) = &around.own_binary else {
            return Err(Failure::setup(
                "elder could not open its own binary at its start, by which it starts jobs with `user` or `limits`: \
                 is /proc mounted?",
            ));
        };
        let failed = |error: io::Error| explain(&error, launch);
        let (ours, theirs) = trampoline::control().map_err(failed)?;
        // What a job says comes after the rights are given up, so that no LD_PRELOAD of it has elder's.
        let by_which_it_is_found = ["ELDER_RUN_ID", "ELDER_STATE_DIR"];
        let birth = Birth {
            program: &binary.path(),
            name: OsStr::new("elder"),
            arguments: vec![OsStr::new(trampoline::FACE)],
            environment: launch
                .pairs()
                .filter(|(name, _)| by_which_it_is_found.iter().any(|known| name == known))
                .collect(),
            folder: None,
            is_fed: self.is_fed,
            control: Some(theirs.into()),
        };
        let spawned = birth.spawn(self.children, self.inside).map_err(failed)?;
        match trampoline::tell(ours, plan) {
            Ok(Told::Began) => Ok(spawned),
            Ok(Told::Stopped(step, number)) => Err(explain_step(step, number, launch)),
            Ok(Told::Complaint(text)) => Err(Failure::internal(&format!(
                "elder could not start its own binary: {text}"
            ))),
            Err(error) => Err(failed(error)),
        }
    }
}

/// What the way round is to do.
fn plan(launch: &Launch, limits: &Limits, kill_grace: Duration) -> Plan {
    let cpu_seconds = limits.cpu_time.map(|time| {
        let seconds = time.as_secs();
        (seconds, seconds + kill_grace.as_secs().max(1))
    });
    Plan {
        program: launch.program.clone().into(),
        name: launch.name.clone().into(),
        arguments: launch.arguments.iter().map(OsString::from).collect(),
        environment: entries(launch.pairs()),
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
