//! The answer for programs. Instants are RFC 3339 with the offset of the zone that was asked for.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::changes::Effect;
use super::table::written;
use super::{Answer, Decided, Fate, Silence};
use crate::ids::JobName;
use crate::model::{Outcome, Reason};

/// So many names stand in one list.
const NAMES: usize = 100;

/// The answer as one object.
#[must_use]
pub fn render(answer: &Answer<'_>) -> Value {
    let zone = &answer.zone.1;
    let at = |instant: Timestamp| written(instant, zone);
    let (_, slots) = super::table::slots(answer);
    let followed = &answer.followed;
    json!({
        "from": at(answer.from),
        "until": at(answer.until),
        "timezone": answer.zone.0,
        "jobs": answer.jobs,
        "fires": answer.counted.fires,
        "slots": slots.iter().map(|slot| json!({ "label": slot.label, "fires": slot.fires })).collect::<Vec<_>>(),
        "busiest_minutes": answer.counted.busiest().iter().map(|busy| json!({
            "at": at(busy.at),
            "fires": busy.fires,
            "jobs": names(busy.names.iter().copied()),
            "more_jobs": busy.more,
        })).collect::<Vec<_>>(),
        "followed": { "fires": followed.fires, "until": at(followed.until) },
        "peak": {
            "runs": followed.peak.runs,
            "at": followed.peak.at.map(at),
            "jobs": names(followed.peak.names.iter()),
        },
        "pools": followed.pools.iter().map(|pool| json!({
            "pool": &*pool.name,
            "named": pool.is_named,
            "places": pool.places,
            "peak": pool.peak,
            "peak_at": pool.peak_at.map(at),
            "waited": pool.waited,
            "longest_wait_seconds": pool.longest.as_ref().map(|(wait, ..)| wait.as_secs_f64()),
            "longest_wait_job": pool.longest.as_ref().map(|(_, job, _)| job.as_str()),
        })).collect::<Vec<_>>(),
        "waited_behind_own_job": followed.behind,
        "not_run": followed.unrun.iter().map(|row| json!({
            "job_id": row.job.as_str(),
            "outcome": row.outcome.as_str(),
            "reason": row.reason.as_str(),
            "count": row.count,
            "first": at(row.first),
            "last": at(row.last),
            "run_seconds": row.time.as_secs_f64(),
        })).collect::<Vec<_>>(),
        "clock_changes": answer.changes.iter().map(|change| json!({
            "timezone": change.zone,
            "at": at(change.at),
            "offset_before": change.before.to_string(),
            "offset_after": change.after.to_string(),
            "touched": change.touched.iter().map(|(what, jobs)| {
                let (effect, fires) = match what {
                    Effect::Moved => ("moved", 1),
                    Effect::Fewer(count) => ("fewer", *count),
                    Effect::More(count) => ("more", *count),
                };
                json!({
                    "effect": effect,
                    "fires": fires,
                    "jobs": names(jobs.iter().map(|job| job.name())),
                    "more_jobs": jobs.len().saturating_sub(NAMES),
                })
            }).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "without_fire": answer.silent.iter().map(|(job, why)| {
            let (word, next) = match why {
                Silence::NotByClock => ("manual_or_startup", None),
                Silence::Disabled => ("disabled", None),
                Silence::Later(None) => ("over", None),
                Silence::Later(Some(next)) => ("later", Some(at(*next))),
            };
            json!({ "job_id": job.name().as_str(), "why": word, "next": next })
        }).collect::<Vec<_>>(),
        "first": answer.first.iter().map(|(instant, job)| json!({
            "scheduled_at": at(*instant),
            "job_id": job.as_str(),
        })).collect::<Vec<_>>(),
        "run_times": {
            "said": answer.origins.said,
            "remembered": answer.origins.remembered,
            "fallback": answer.origins.fallback,
            "fallback_seconds": answer.fallback.as_secs_f64(),
            "fallback_is_guess": answer.fallback_is_guess,
            "cut_at_timeout": answer.origins.cut,
        },
        "spread_evenly_jobs": answer.counted.spread,
    })
}

fn names<'n>(names: impl Iterator<Item = &'n JobName>) -> Vec<&'n str> {
    names.take(NAMES).map(JobName::as_str).collect()
}

/// One followed fire as an object on a line.
#[must_use]
pub fn line(decided: &Decided<'_>, zone: &TimeZone) -> String {
    let at = |instant: Timestamp| written(instant, zone);
    let mut value = json!({
        "scheduled_at": at(decided.scheduled),
        "job_id": decided.job.as_str(),
    });
    match decided.fate {
        Fate::Runs { started, ended } => {
            value["outcome"] = json!("runs");
            value["started_at"] = json!(at(started));
            value["finished_at"] = json!(at(ended));
        }
        Fate::Replaced { started, ended } => {
            value["outcome"] = json!(Outcome::Cancelled.as_str());
            value["reason"] = json!(Reason::Replaced.as_str());
            value["started_at"] = json!(at(started));
            value["finished_at"] = json!(at(ended));
        }
        Fate::Not(outcome, reason) => {
            value["outcome"] = json!(outcome.as_str());
            value["reason"] = json!(reason.as_str());
        }
    }
    format!("{value}\n")
}
