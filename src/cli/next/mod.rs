//! `elder next`: when a job or a schedule fires.

mod stream;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::clock::{Clock, SystemClock};
use crate::finding::Severity;
use crate::ids::JobName;
use crate::schedule::{Fire, Schedule, Zones, written_offset};
use crate::spec;

use super::args::{NextArgs, TableFormat};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree;

/// What fires, and the zone to show it in.
struct Subject {
    schedule: Arc<Schedule>,
    zone: TimeZone,
    zone_name: String,
    /// What stands before the words.
    title: String,
    /// What stands behind them.
    remark: &'static str,
}

/// Prints the next fires of what was asked about.
///
/// # Errors
/// When the job is not known or the schedule is none.
pub fn next(
    typed: &NextArgs,
    environment: Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let zones = environment.zones(typed.tzdata)?;
    let timezone = typed.timezone.as_deref().unwrap_or("UTC");
    zones
        .get(timezone)
        .map_err(|error| Failure::no_answer(error.to_string()).help(error.help))?;
    let now = SystemClock::default().now();
    let from = typed.from.unwrap_or(now);
    if typed.stdin {
        let defaults = stream::Defaults {
            count: typed.n,
            from,
            timezone,
        };
        stream::answer(&zones, &defaults, console)?;
        return Ok(Exit::Fine);
    }
    let subject = match (&typed.schedule, &typed.job) {
        (Some(expression), _) => of_expression(expression, typed.name.as_ref(), timezone, &zones)?,
        (None, Some(job)) => of_job(job, typed, environment, &zones)?,
        (None, None) => return Err(Failure::no_answer("name a job or a --schedule")),
    };
    let count = usize::try_from(typed.n).unwrap_or(usize::MAX);
    let fires = fires(&subject.schedule, from, count);
    let text = match typed.format {
        TableFormat::Json => format!("{}\n", as_json(&subject, &fires)),
        TableFormat::Human => as_table(&subject, &fires, now),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

fn of_expression(
    text: &str,
    name: Option<&JobName>,
    timezone: &str,
    zones: &Zones,
) -> Result<Subject, Failure> {
    let job = name.map_or("", JobName::as_str);
    let parsed = spec::parse_schedule(text, timezone, zones, job).map_err(|findings| {
        let mut errors = findings.iter();
        match errors.find(|finding| finding.severity == Severity::Error) {
            Some(first) => Failure::no_answer(&*first.message).help(&*first.help),
            None => Failure::no_answer("this is no schedule"),
        }
    })?;
    Ok(Subject {
        schedule: parsed.schedule,
        zone: parsed.zone.timezone().clone(),
        zone_name: parsed.zone.name().to_owned(),
        title: name.map_or_else(String::new, |name| format!("{name}: ")),
        remark: match name {
            None if parsed.is_named => " (an example: it differs by name; see --name)",
            _ => "",
        },
    })
}

/// A job of the tree. A file that is bad elsewhere in the tree does not stand in the way.
fn of_job(
    name: &str,
    typed: &NextArgs,
    environment: Environment,
    zones: &Zones,
) -> Result<Subject, Failure> {
    let tree = tree::check(&tree::Query {
        paths: &typed.paths,
        root: None,
        allow_empty: true,
        options: environment.into_options(typed.timezone.as_deref(), false),
        zones,
        now: SystemClock::default().now(),
    })?;
    let mut jobs = tree.jobs.iter();
    if let Some(job) = jobs.find(|job| job.name().as_str() == name) {
        let definition = &job.definition;
        let zone = zones.get(&definition.timezone);
        return Ok(Subject {
            schedule: definition.schedule.clone(),
            zone: zone.map_or(TimeZone::UTC, |zone| zone.timezone().clone()),
            zone_name: definition.timezone.to_string(),
            title: format!("{name}: "),
            remark: if definition.enabled {
                ""
            } else {
                " (disabled: it does not fire)"
            },
        });
    }
    let failure = Failure::no_answer(format!("there is no good job {name}"));
    let names = tree.jobs.iter().map(|job| job.name().as_str());
    let near = names
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, known)| distance * 3 <= known.len().max(3))
        .min();
    let mut findings = tree.findings.iter();
    let bad = findings.any(|finding| finding.severity == Severity::Error);
    Err(match near {
        Some((_, near)) => failure.help(format!("did you mean {near}?")),
        None if bad => failure.help("some files are bad; see `elder validate`"),
        None => failure,
    })
}

fn fires(schedule: &Schedule, from: Timestamp, count: usize) -> Vec<Fire> {
    let mut fires = Vec::new();
    let mut next = schedule.next_due_after(from);
    while let Some(fire) = next.filter(|_| fires.len() < count) {
        next = schedule.next_after(fire.scheduled);
        fires.push(fire);
    }
    fires
}

/// RFC 3339 with the zone's offset.
fn written(instant: Timestamp, zone: &TimeZone) -> String {
    instant
        .display_with_offset(written_offset(zone, instant))
        .to_string()
}

fn as_json(subject: &Subject, fires: &[Fire]) -> Value {
    let instants = fires.iter().map(|fire| written(fire.due, &subject.zone));
    json!({
        "next": instants.collect::<Vec<_>>(),
        "description": subject.schedule.describe(),
        "timezone": subject.zone_name,
    })
}

fn as_table(subject: &Subject, fires: &[Fire], now: Timestamp) -> String {
    let zone = &subject.zone;
    let mut text = format!(
        "{}{}{}\n",
        subject.title,
        subject.schedule.describe(),
        subject.remark
    );
    for fire in fires {
        let at = fire.due;
        let day = at.to_zoned(zone.clone()).strftime("%a").to_string();
        let mut line = format!("{}  {day}  {}", written(at, zone), distance(at, now));
        if let Some(remark) = subject.schedule.remark(fire.scheduled) {
            line.push_str(&format!("  ({remark})"));
        }
        text.push_str(&line);
        text.push('\n');
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
