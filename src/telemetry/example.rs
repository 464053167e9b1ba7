//! A job and a run to test with.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::{JobName, RunId};
use crate::model::{
    Action, Command, Context, Definition, Job, Origin, Policy, Process, Run, RunState, Trigger,
};
use crate::schedule::{Item, Schedule};

pub(crate) fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn job(name: &str) -> Job {
    let command = Command::Exec(Arc::from([crate::model::Text::plain("true")]));
    Job {
        definition: Arc::new(Definition {
            aliases: Arc::from([]),
            name: JobName::new(name).unwrap(),
            enabled: true,
            schedule: Arc::new(Schedule::new(vec![Item::Manual])),
            schedule_text: "every: 5m".into(),
            timezone: "Asia/Tokyo".into(),
            action: Action::Process(Box::new(Process {
                command,
                stdin: None,
                success_exit_codes: Arc::from([0]),
            })),
            context: Arc::new(Context::default()),
            policy: Arc::new(Policy::built_in(Duration::from_secs(60))),
            about: None,
            id: crate::model::IdCell::default(),
        }),
        origin: Origin {
            file: "jobs.d/a.yaml".into(),
            line: 3,
        },
    }
}

/// A run that began half a second after the begin of 2027.
pub(crate) fn run(job: &str, attempt: u32) -> Run {
    let job = JobName::new(job).unwrap();
    let at = instant("2027-01-01T00:00:00Z");
    let mut run = Run::new(RunId::of_fire(&job, at), job, at, Trigger::Schedule);
    run.state = RunState::Running;
    run.attempt = attempt;
    run.started_at = Some(instant("2027-01-01T00:00:00.5Z"));
    run
}
