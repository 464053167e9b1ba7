//! Jobs, schedules and instants for the tests of state and driver.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::JobName;
use crate::model::{Action, Command, Context, Definition, Job, Origin, Policy, Process};
use crate::schedule::{Item, Schedule};

pub(crate) const START: i64 = 1_800_000_000;

pub(crate) fn second(after_start: i64) -> Timestamp {
    Timestamp::from_second(START + after_start).unwrap()
}

pub(crate) fn every(seconds: u64) -> Arc<Schedule> {
    Arc::new(Schedule::new(vec![Item::Every {
        period: Duration::from_secs(seconds),
        anchor: Timestamp::UNIX_EPOCH,
    }]))
}

pub(crate) fn job(name: &str, schedule: Arc<Schedule>, edit: impl FnOnce(&mut Policy)) -> Job {
    let mut policy = Policy::built_in(Policy::PROCESS_TIMEOUT);
    edit(&mut policy);
    let process = Process {
        command: Command::Shell {
            shell: ["/bin/sh".into(), "-c".into()].into(),
            line: "true".into(),
        },
        stdin: None,
        success_exit_codes: [0].into(),
    };
    Job {
        definition: Arc::new(Definition {
            name: JobName::new(name).unwrap(),
            enabled: true,
            schedule,
            schedule_text: "test".into(),
            timezone: "UTC".into(),
            action: Action::Process(Box::new(process)),
            context: Arc::new(Context::default()),
            policy: Arc::new(policy),
            about: None,
        }),
        origin: Origin {
            file: "jobs.d/a.yaml".into(),
            line: 1,
        },
    }
}
