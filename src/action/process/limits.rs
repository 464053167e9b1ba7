//! Limits that this machine cannot keep, said once per job instead of at each run.

use std::sync::PoisonError;

use super::super::runner::Surroundings;
use super::{Cgroups, Means};
use crate::ids::JobName;
use crate::model::{Context, Event};

/// Lets nothing that elder starts get more rights than elder has, by a setuid program or otherwise;
/// for good. To be called before there is a second thread: what comes later inherits it.
///
/// # Errors
/// When the system refuses.
pub fn take_no_new_privileges() -> std::io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

impl Means {
    /// Says which limits of this job do not hold here, unless it was said before.
    pub(super) fn tell_of_limits(&self, job: &JobName, context: &Context, around: &Surroundings) {
        let unkept = unkept(context, around.cgroups.as_deref());
        if unkept.is_empty() {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(job.clone()) {
            let text = format!(
                "job {job}: {} not enforced: no cgroup v2 with {} is delegated to elder; \
                 under systemd write Delegate=yes, `elder doctor` says more",
                match unkept.len() {
                    1 => format!("limits.{} is", unkept[0].0),
                    _ => "limits.memory and limits.processes are".to_owned(),
                },
                match unkept.len() {
                    1 => format!("the controller {}", unkept[0].1),
                    _ => "the controllers memory and pids".to_owned(),
                },
            );
            around.observer.observe(&Event::Notice {
                warning: true,
                text: &text,
            });
        }
    }
}

/// Keys, and the controllers that would keep them.
fn unkept(context: &Context, groups: Option<&Cgroups>) -> Vec<(&'static str, &'static str)> {
    let limits = &context.limits;
    let mut unkept = Vec::new();
    if limits.memory.is_some() && !groups.is_some_and(Cgroups::limits_memory) {
        unkept.push(("memory", "memory"));
    }
    // With a user of its own, the system's count of that user's processes stands in.
    let is_kept = context.user.is_some() || groups.is_some_and(Cgroups::limits_processes);
    if limits.processes.is_some() && !is_kept {
        unkept.push(("processes", "pids"));
    }
    unkept
}
