//! The keys beside a schedule that need more than a cron line: the one place that knows them.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::calendar::{Calendar, Fold, Gap};
use super::cron_line::Refused;
use super::draft::{Draft, Value, When};
use crate::schedule::Zones;
use crate::spec;

/// A schedule for each span of years, in which the years are bounds.
pub(super) fn years(when: &When, years: &[(i16, i16)]) -> Result<Vec<When>, Refused> {
    if years.is_empty() {
        return Ok(vec![when.clone()]);
    }
    if years.len() > MOST_SPANS {
        return Err(Refused::new(
            format!("more than {MOST_SPANS} spans of years"),
            "write the instants as `at`",
        ));
    }
    let spans = years.iter().map(|(from, until)| {
        let mut when = when.clone();
        when.beside.push(("from", format!("{from}-01-01")));
        when.beside.push(("until", format!("{until}-12-31")));
        when
    });
    Ok(spans.collect())
}

/// Schedules that one job could bear to be read with.
const MOST_SPANS: usize = 20;

/// The source's rule for changes of the clock, where it is another one and a time is touched.
pub(super) fn dst(when: &mut When, calendar: &Calendar, zones: &Zones) {
    let (Some(natural), Ok(zone)) = (when.rule, zones.get(&calendar.zone)) else {
        return;
    };
    let wanted = calendar.rule;
    let (gaps, folds) = touched(calendar, zone.timezone());
    let mut words = Vec::new();
    let mut rule = natural;
    match (wanted.gap, natural.gap) {
        (Gap::Skip, Gap::After) if gaps => {
            rule.gap = Gap::Skip;
            words.push("gap: skip");
        }
        (Gap::After, Gap::Skip) if gaps => {
            rule.gap = Gap::After;
            words.push("gap: after");
        }
        // A time moved by the gap's length has no word.
        _ => {}
    }
    if wanted.fold != natural.fold && folds {
        rule.fold = wanted.fold;
        words.push(match wanted.fold {
            Fold::First => "fold: first",
            Fold::Both => "fold: both",
        });
    }
    if !words.is_empty() {
        when.beside
            .push(("dst", format!("{{ {} }}", words.join(", "))));
        when.rule = Some(rule);
    }
}

/// Whether one of its times falls into a gap, and into a fold, between 2026 and 2037.
fn touched(calendar: &Calendar, zone: &TimeZone) -> (bool, bool) {
    const FIRST: i64 = 1_767_225_600;
    const LAST: i64 = 2_145_916_800;
    let (mut gaps, mut folds) = (false, false);
    let Ok(first) = Timestamp::from_second(FIRST) else {
        return (false, false);
    };
    for change in zone.following(first) {
        let at = change.timestamp();
        if at.as_second() > LAST || (gaps && folds) {
            break;
        }
        let Ok(before) = at.checked_sub(Duration::from_secs(1)) else {
            break;
        };
        let shift =
            i64::from(change.offset().seconds()) - i64::from(zone.to_offset(before).seconds());
        let start = zone.to_datetime(at);
        // The readings passed over lie before the new one, the repeated ones after it.
        let from = match shift > 0 {
            true => start.checked_sub(shift.seconds()),
            false => Ok(start),
        };
        let Ok(from) = from else {
            continue;
        };
        // Nothing shifts by more than a day.
        let hit = (0..shift.abs().min(86_400)).step_by(60).any(|second| {
            from.checked_add(second.seconds())
                .is_ok_and(|reading| calendar.fires_in_minute(reading))
        });
        gaps |= hit && shift > 0;
        folds |= hit && shift < 0;
    }
    (gaps, folds)
}

/// A delay by chance.
pub(super) fn jitter(draft: &mut Draft, length: &str, source: &str) {
    draft.schedule_remarks.push(format!(
        "{source} is the jitter, which is never more than half the way to the next fire."
    ));
    draft.beside.push(("jitter", length.to_owned()));
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
pub(super) fn spread(draft: &mut Draft, length: Duration, source: &str) {
    draft.schedule_remarks.push(format!(
        "{source} is the spread: one fixed delay for the job."
    ));
    draft
        .beside
        .push(("spread", crate::duration::print(length)));
    draft.spread = Some(length);
}

/// The first and the last instant of a schedule. Elapsed time counts from the first.
pub(super) fn bounds(when: &mut When, from: Option<Timestamp>, until: Option<Timestamp>) {
    for (key, at) in [("from", from), ("until", until)] {
        if let Some(at) = at {
            when.beside.push((key, at.to_string()));
        }
    }
}

/// Puts what holds for all schedules of a job beside each that can have it.
pub(super) fn finish(draft: &mut Draft) {
    for when in &mut draft.schedule {
        if ["cron", "every", "at"].contains(&when.kind) {
            when.beside.extend(draft.beside.iter().cloned());
        }
    }
}

/// The user that a source runs a command as: `name` or `name:group`.
pub(super) fn user(draft: &mut Draft, user: &str) {
    if spec::is_user(user) {
        draft.key("user", Value::text(user)).remark(
            "elder has to be root for this. The working folder is one that this user may enter.",
        );
    } else if user == "root" {
        draft.remark("user root: elder runs it as its own user, which has to be root for this.");
    } else {
        draft.remark(format!(
            "user {user}: without a counterpart; `user` takes a name, or name:group. elder runs it as its own user."
        ));
    }
}
