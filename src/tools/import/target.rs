//! The keys beside a schedule that need more than a cron line: the one place that knows them.

use super::calendar::Rule;
use super::cron_line::Refused;
use super::draft::{Draft, Value, When};

/// Years as bounds.
pub(super) fn years(when: &mut When, years: &[(i16, i16)]) -> Result<(), Refused> {
    let _ = when;
    match years {
        [] => Ok(()),
        _ => Err(Refused::new(
            "a year has no counterpart in this build",
            "write the instants as `at`",
        )),
    }
}

/// The source's rule for changes of the clock, where it is another one.
pub(super) fn dst(when: &mut When, rule: Rule, zone: &str) {
    let _ = (when, rule, zone);
}

/// A delay by chance.
pub(super) fn jitter(draft: &mut Draft, length: &str, source: &str) {
    draft.schedule_remarks.push(format!(
        "{source} delays each fire by up to {length}; `jitter` is not in this build."
    ));
}

/// What every cron does and elder does only when it is told: a second run beside one that is
/// under way, no catching up, no end.
pub(super) fn like_cron(draft: &mut Draft) {
    unbounded(draft, "cron");
    draft.key("misfire_grace_time", Value::raw("1m")).remark(
        "cron forgets what was due while it was down. Without this line elder catches up for \
             a while (`auto`).",
    );
    no_timeout(draft, "cron");
}

/// A source that starts a run beside one that is under way.
pub(super) fn unbounded(draft: &mut Draft, source: &str) {
    draft
        .key("max_instances", Value::raw("10000"))
        .remark(format!(
            "{source} starts a run also while an earlier one goes on. Without this line such a \
             fire is skipped, which is what most jobs want."
        ));
}

/// A source that lets a run take as long as it wants.
pub(super) fn no_timeout(draft: &mut Draft, source: &str) {
    draft.key("timeout", Value::raw("none")).remark(format!(
        "{source} lets a run take for ever. Without this line elder ends it after 24 hours."
    ));
}

/// A source that ends the old run and starts the new one.
pub(super) fn replace(draft: &mut Draft, source: &str) {
    draft.key("max_instances", Value::raw("1"));
    draft.key("overlap", Value::raw("replace")).remark(source);
}

/// A source that starts the new run when the old one is over.
pub(super) fn queue(draft: &mut Draft, source: &str) {
    draft.key("max_instances", Value::raw("1"));
    draft.key("overlap", Value::raw("queue")).remark(source);
}

/// A delay that stays the same for a job.
pub(super) fn spread(draft: &mut Draft, length: &str, source: &str) {
    draft.schedule_remarks.push(format!(
        "{source}: one fixed delay of up to {length}; `spread` is not in this build."
    ));
}

/// The first and the last instant of a schedule. Whether the first one is kept: what is elapsed
/// time counts from it.
pub(super) fn bounds(
    when: &mut When,
    from: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
) -> Result<bool, Refused> {
    if until.is_some() || (from.is_some() && when.kind != "every") {
        return Err(Refused::new(
            "a first or last day has no counterpart in this build",
            "write the job by hand, and remove it when it is over",
        ));
    }
    Ok(from.is_none() && when.kind != "every")
}

/// The user that a source runs a command as.
pub(super) fn user(draft: &mut Draft, user: &str) {
    draft.remark(format!(
        "user {user}: `user` is not in this build, so elder runs it as its own."
    ));
}
