//! Jobs, schedules and instants for the tests of state and driver.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::{JobName, PoolName};
use crate::model::{
    Action, Body, Command, Context, Definition, Expect, Http, Job, Origin, Policy, Pool, Process,
    Text,
};
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
            aliases: Arc::from([]),
            name: JobName::new(name).unwrap(),
            enabled: true,
            schedule,
            schedule_text: "test".into(),
            timezone: "UTC".into(),
            action: Action::Process(Box::new(process)),
            context: Arc::new(Context::default()),
            policy: Arc::new(policy),
            about: None,
            id: crate::model::IdCell::default(),
        }),
        origin: Origin {
            file: "jobs.d/a.yaml".into(),
            line: 1,
        },
    }
}

/// The same job with a request in place of the process.
pub(crate) fn request(mut job: Job) -> Job {
    let http = Http {
        method: "GET".into(),
        url: Text::plain("http://example.com/"),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Empty,
        follow_redirects: false,
        sign: None,
        tls: None,
        expect: Expect::default(),
    };
    Arc::make_mut(&mut job.definition).action = Action::Http(Box::new(http));
    job
}

pub(crate) fn pool(name: &str, limit: u32) -> Arc<Pool> {
    Arc::new(Pool {
        name: PoolName::new(name).unwrap(),
        limit,
    })
}
