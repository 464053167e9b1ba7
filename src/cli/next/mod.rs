//! `elder next`: when a job or a schedule fires.

mod query;
mod stream;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::clock::{Clock, SystemClock};
use crate::model::Definition;
use crate::schedule::{HOST_TZDATA, Schedule, Zones};
use crate::spec;

use super::args::{NextArgs, TableFormat};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree;

use query::Question;

/// Prints the next fires of what was asked about.
///
/// # Errors
/// When the job is not known or the schedule is none.
pub fn next(
    typed: &NextArgs,
    environment: Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let zones = Zones::newest(HOST_TZDATA.as_ref());
    let now = SystemClock::default().now();
    let options = spec::Options {
        timezone: typed.timezone.as_deref().map(Arc::from),
        env: Arc::new(environment.variables),
        env_allow: None,
        allow_missing_env: false,
    };
    if let Some(zone) = &typed.timezone {
        zones
            .get(zone)
            .map_err(|error| Failure::no_answer(error.to_string()).help(error.help))?;
    }
    if typed.stdin {
        let checker = query::Checker::new(options, zones);
        let defaults = stream::Defaults {
            count: typed.n,
            from: typed.from.unwrap_or(now),
        };
        stream::answer(&checker, &defaults, console)?;
        return Ok(Exit::Fine);
    }
    let definition = match (&typed.schedule, &typed.job) {
        (Some(expression), _) => {
            let checker = query::Checker::new(options, zones.clone());
            let question = Question::of_expression(expression);
            checker
                .check_one(&question)
                .map_err(|said| said.failure())?
        }
        (None, Some(job)) => job_of(job, typed, options, &zones)?,
        (None, None) => return Err(Failure::no_answer("name a job or a --schedule")),
    };
    let count = usize::try_from(typed.n).unwrap_or(usize::MAX);
    let from = typed.from.unwrap_or(now);
    let fires = fires(&definition.schedule, from, count);
    let zone = zone_of(&definition, &zones);
    let text = match typed.format {
        TableFormat::Json => format!("{}\n", as_json(&definition, &fires, &zone)),
        TableFormat::Human => as_table(&definition, &fires, &zone, now, typed.job.as_deref()),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// A job of the tree. A file that is bad elsewhere in the tree does not stand in the way.
fn job_of(
    name: &str,
    typed: &NextArgs,
    options: spec::Options,
    zones: &Zones,
) -> Result<Arc<Definition>, Failure> {
    let tree = tree::check(&tree::Query {
        paths: &typed.paths,
        root: None,
        allow_empty: true,
        options,
        zones,
    })?;
    let mut jobs = tree.jobs.iter();
    if let Some(job) = jobs.find(|job| job.name().as_str() == name) {
        return Ok(job.definition.clone());
    }
    let failure = Failure::no_answer(format!("there is no good job {name}"));
    let near = tree
        .jobs
        .iter()
        .map(|job| job.name().as_str())
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, known)| distance * 3 <= known.len().max(3))
        .min();
    let bad = tree
        .findings
        .iter()
        .any(|found| found.code.severity() == crate::finding::Severity::Error);
    Err(match near {
        Some((_, near)) => failure.help(format!("did you mean {near}?")),
        None if bad => failure.help("some files are bad; see `elder validate`"),
        None => failure,
    })
}

fn fires(schedule: &Schedule, from: Timestamp, count: usize) -> Vec<Timestamp> {
    let mut fires = Vec::new();
    let mut after = from;
    while fires.len() < count {
        let Some(fire) = schedule.next_after(after) else {
            break;
        };
        after = fire.scheduled;
        fires.push(fire.due);
    }
    fires
}

fn zone_of(definition: &Definition, zones: &Zones) -> TimeZone {
    let zone = zones.get(&definition.timezone);
    zone.map_or(TimeZone::UTC, |zone| zone.timezone().clone())
}

/// RFC 3339 with the zone's offset.
fn written(instant: Timestamp, zone: &TimeZone) -> String {
    instant
        .display_with_offset(zone.to_offset(instant))
        .to_string()
}

fn as_json(definition: &Definition, fires: &[Timestamp], zone: &TimeZone) -> Value {
    json!({
        "next": fires.iter().map(|at| written(*at, zone)).collect::<Vec<_>>(),
        "description": definition.schedule.describe(),
        "timezone": &*definition.timezone,
    })
}

fn as_table(
    definition: &Definition,
    fires: &[Timestamp],
    zone: &TimeZone,
    now: Timestamp,
    job: Option<&str>,
) -> String {
    let mut text = String::new();
    if let Some(job) = job {
        text.push_str(&format!("{job}: "));
    }
    text.push_str(&definition.schedule.describe());
    if !definition.enabled {
        text.push_str(" (disabled: it does not fire)");
    }
    text.push('\n');
    for at in fires {
        let day = at.to_zoned(zone.clone()).strftime("%a").to_string();
        text.push_str(&format!(
            "{}  {day}  {}\n",
            written(*at, zone),
            distance(*at, now)
        ));
    }
    if fires.is_empty() {
        text.push_str("no fire that a date could name\n");
    }
    text
}

/// `in 2d3h`, `3m ago`: the two largest units.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let past = at < now;
    let length = at.duration_since(now).unsigned_abs();
    let seconds = length.as_secs();
    // Nobody reads the seconds of a day.
    let unit = match seconds {
        0..=59 => 1,
        60..=3_599 => 1,
        3_600..=86_399 => 60,
        _ => 3_600,
    };
    let rounded = std::time::Duration::from_secs(seconds / unit * unit);
    let text = crate::duration::print(rounded);
    if past {
        format!("{text} ago")
    } else {
        format!("in {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_as_exact_as_people_read_them() {
        let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        for (at, want) in [
            ("2027-01-01T00:00:00.5Z", "in 0s"),
            ("2027-01-01T00:01:05Z", "in 1m5s"),
            ("2027-01-01T05:06:07Z", "in 5h6m"),
            ("2027-01-03T05:06:07Z", "in 2d5h"),
            ("2026-12-31T23:59:00Z", "1m ago"),
        ] {
            assert_eq!(distance(at.parse().unwrap(), now), want);
        }
    }
}
