//! Jobs and attempts made by hand, for the tests of this folder.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::HandClock;
use crate::ids::{JobName, RunId};
use crate::model::{
    About, Action, Command, Context, Definition, Http, Job, Origin, Policy, Process, Text, Trigger,
};
use crate::schedule::{Item, Schedule};

use super::{Attempt, Stop};

/// A clock that shows the begin of 2027.
pub(super) fn clock() -> HandClock {
    HandClock::new("2027-01-01T00:00:00Z".parse().unwrap())
}

/// A job under construction.
pub(super) struct TestJob {
    definition: Definition,
}

/// A job that starts this program, with a timeout of a minute and a grace of five seconds.
pub(super) fn exec(command: &[&str]) -> TestJob {
    let command = command.iter().map(|word| Text::plain(word)).collect();
    job(process(Command::Exec(command)))
}

/// A job that gives this line to `/bin/sh`.
pub(super) fn shell(line: &str) -> TestJob {
    job(process(Command::Shell {
        shell: ["/bin/sh".into(), "-c".into()].into(),
        line: line.into(),
    }))
}

/// A job that sends this request.
pub(super) fn request(http: Http) -> TestJob {
    job(Action::Http(Box::new(http)))
}

/// A GET of this address, with nothing expected but a 2xx.
pub(super) fn get(url: &str) -> Http {
    Http {
        method: "GET".into(),
        url: Text::plain(url),
        query: Vec::new(),
        headers: Vec::new(),
        body: crate::model::Body::Empty,
        follow_redirects: false,
        sign: None,
        tls: None,
        expect: crate::model::Expect::default(),
    }
}

fn process(command: Command) -> Action {
    Action::Process(Box::new(Process {
        command,
        stdin: None,
        success_exit_codes: [0].into(),
    }))
}

fn job(action: Action) -> TestJob {
    let mut policy = Policy::built_in(Duration::from_secs(60));
    policy.kill_grace = Duration::from_secs(5);
    TestJob {
        definition: Definition {
            aliases: Arc::from([]),
            name: JobName::new("test").unwrap(),
            enabled: true,
            schedule: Arc::new(Schedule::new(vec![Item::Manual])),
            schedule_text: "manual".into(),
            timezone: "UTC".into(),
            action,
            context: Arc::default(),
            policy: Arc::new(policy),
            about: None,
            id: crate::model::IdCell::default(),
        },
    }
}

impl TestJob {
    pub(super) fn about(mut self, about: About) -> Self {
        self.definition.about = Some(Arc::new(about));
        self
    }

    pub(super) fn process(mut self, edit: impl FnOnce(&mut Process)) -> Self {
        if let Action::Process(process) = &mut self.definition.action {
            edit(process);
        }
        self
    }

    pub(super) fn context(mut self, edit: impl FnOnce(&mut Context)) -> Self {
        edit(Arc::make_mut(&mut self.definition.context));
        self
    }

    pub(super) fn cwd(self, folder: &Path) -> Self {
        self.context(|context| context.cwd = Some(folder.into()))
    }

    pub(super) fn timeout(self, timeout: Duration) -> Self {
        self.policy(|policy| policy.timeout = Some(timeout))
    }

    pub(super) fn grace(self, grace: Duration) -> Self {
        self.policy(|policy| policy.kill_grace = grace)
    }

    pub(super) fn retries(self, max: u32) -> Self {
        self.policy(|policy| policy.retry.max = max)
    }

    pub(super) fn keep(self, bytes: u64) -> Self {
        self.policy(|policy| policy.output_keep = bytes)
    }

    fn policy(mut self, edit: impl FnOnce(&mut Policy)) -> Self {
        edit(Arc::make_mut(&mut self.definition.policy));
        self
    }

    /// The first attempt of the job's run at the begin of 2027, and what stops it. Each run of a process has
    /// an identity of its own: what belongs to it is found, and ended, by that.
    pub(super) fn attempt(self) -> (Attempt, watch::Sender<Stop>) {
        let (stopper, stop) = watch::channel(Stop::No);
        let scheduled_at = "2027-01-01T00:00:00Z".parse().unwrap();
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let name = &self.definition.name;
        let run = match &self.definition.action {
            Action::Http(_) => RunId::of_fire(name, scheduled_at),
            Action::Process(_) => {
                let request = RUNS.fetch_add(1, Ordering::Relaxed).to_string();
                RunId::of_request(name, scheduled_at, &request)
            }
        };
        let origin = Origin {
            file: "jobs.d/test.yaml".into(),
            line: 1,
        };
        let attempt = Attempt {
            run,
            job: Job {
                definition: Arc::new(self.definition),
                origin,
            },
            scheduled_at,
            attempt: 1,
            trigger: Trigger::Schedule,
            previous_success_at: None,
            revision: None,
            told: None,
            stop,
        };
        (attempt, stopper)
    }
}
