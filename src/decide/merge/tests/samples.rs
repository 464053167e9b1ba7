//! Jobs and files for tests.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::JobName;
use crate::model::{Action, Command, Context, Definition, Job, Origin, Policy, Process, RetryOn};
use crate::schedule::{Item, Schedule};

/// A job that runs `line` every so many seconds, written in `file`; with `keep=5` in the line five
/// runs of it are kept, and with `aka=old` it was called so before.
pub(crate) fn job(name: &str, seconds: u64, line: &str, file: &str, at: u32) -> Job {
    let every = Item::Every {
        period: Duration::from_secs(seconds.max(1)),
        anchor: jiff::Timestamp::UNIX_EPOCH,
    };
    let mut policy = Policy::built_in(Policy::PROCESS_TIMEOUT);
    policy.retry.when = Arc::from([RetryOn::Exit]);
    if let Some((_, keep)) = line.split_once("keep=") {
        policy.history.keep = keep.parse().unwrap();
    }
    let aliases = line.split(' ').filter_map(|word| word.strip_prefix("aka="));
    Job {
        definition: Arc::new(Definition {
            aliases: aliases.map(|name| JobName::new(name).unwrap()).collect(),
            name: JobName::new(name).unwrap(),
            enabled: true,
            schedule: Arc::new(Schedule::new(vec![every])),
            schedule_text: format!("every: {seconds}s").into(),
            timezone: "UTC".into(),
            action: Action::Process(Box::new(Process {
                command: Command::Shell {
                    shell: Arc::from([Arc::from("/bin/sh"), Arc::from("-c")]),
                    line: line.into(),
                },
                stdin: None,
                success_exit_codes: Arc::from([0]),
            })),
            context: Arc::new(Context::default()),
            policy: Arc::new(policy),
            about: None,
            id: crate::model::IdCell::default(),
        }),
        origin: Origin {
            file: file.into(),
            line: at,
        },
    }
}
