//! `elder simulate`: what a span of time will bring.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::clock::{Clock, SystemClock};
use crate::engine;
use crate::finding::Severity;
use crate::forecast::simulate::{
    self, Answer, Decided, LONGEST_DAYS, Question, RunTimes, json, svg, table,
};
use crate::ids::JobName;
use crate::model::Job;
use crate::schedule::Zones;
use crate::store;

use super::args::{SimulateArgs, SimulateFormat, values};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree;

/// What a run takes when nobody knows.
const GUESS: Duration = Duration::from_secs(30);
/// So many runs of a job are looked at.
const REMEMBERED: usize = 20;

/// Shows the fires of a span.
///
/// # Errors
/// When the files cannot be read or the answer cannot be written.
pub fn simulate(
    typed: &SimulateArgs,
    environment: Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    if typed.all && typed.format == SimulateFormat::Svg {
        return Err(
            Failure::no_answer("--all lists fires, and --format svg draws them")
                .help("leave one of them out"),
        );
    }
    let zones = environment.zones(typed.tzdata)?;
    let now = SystemClock::default().now();
    let (from, until) = span(typed, now)?;
    let tree = tree::check(&tree::Query {
        paths: &typed.paths,
        root: None,
        allow_empty: true,
        options: environment.into_options(typed.timezone.as_deref(), false),
        zones: &zones,
        now,
    })?;
    let mut findings = tree.findings.iter();
    if findings.any(|finding| finding.severity == Severity::Error) {
        console
            .say("warning: some files are bad, and their jobs are left out; see `elder validate`");
    }
    let question = Question {
        times: run_times(typed, &tree.jobs)?,
        zone: shown_zone(typed, &tree.jobs, &zones)?,
        jobs: &tree.jobs,
        from,
        until,
        settings: engine::Settings {
            max_workers: typed.max_workers.get(),
            max_requests: typed.max_requests.get(),
        },
        follow: if typed.all { u64::MAX } else { typed.follow },
        zones: &zones,
    };
    let mut file = match &typed.output {
        Some(path) => Some(created(path)?),
        None => None,
    };
    let out: &mut dyn Write = match &mut file {
        Some(file) => file,
        None => console.out(),
    };
    let written = if typed.all {
        every_fire(&question, typed.format, out)
    } else {
        let answer = simulate::simulate(&question, typed.n as usize);
        let text = rendered(&answer, typed.format);
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::no_answer(
            format!("cannot write the answer: {error}"),
        )),
        _ => Ok(Exit::Fine),
    }
}

fn rendered(answer: &Answer<'_>, format: SimulateFormat) -> String {
    match format {
        SimulateFormat::Human => table::render(answer),
        SimulateFormat::Json => format!("{}\n", json::render(answer)),
        SimulateFormat::Svg => svg::render(answer),
    }
}

/// One line each, as it is decided: nothing is kept.
fn every_fire(
    question: &Question<'_>,
    format: SimulateFormat,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::with_capacity(256 << 10, out);
    let zone = &question.zone.1;
    let as_json = format == SimulateFormat::Json;
    if !as_json {
        out.write_all(table::CSV_HEAD.as_bytes())?;
    }
    let mut failed = None;
    simulate::follow::each(question, &mut |decided: &Decided<'_>| {
        let line = if as_json {
            json::line(decided, zone)
        } else {
            table::csv(decided, zone)
        };
        match out.write_all(line.as_bytes()) {
            Ok(()) => std::ops::ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                std::ops::ControlFlow::Break(())
            }
        }
    });
    match failed {
        Some(error) => Err(error),
        None => out.flush(),
    }
}

fn span(typed: &SimulateArgs, now: Timestamp) -> Result<(Timestamp, Timestamp), Failure> {
    let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let from = typed.from.unwrap_or(whole);
    let day = Duration::from_secs(86_400);
    let until = match typed.until {
        Some(until) => until,
        None => from
            .checked_add(day)
            .map_err(|_| Failure::no_answer("--from is too far ahead"))?,
    };
    if until <= from {
        return Err(Failure::no_answer("the span ends before it begins")
            .help("--until is an instant after --from"));
    }
    if until.duration_since(from).as_secs() > LONGEST_DAYS * 86_400 {
        return Err(
            Failure::no_answer(format!("the span is longer than {LONGEST_DAYS} days"))
                .help("simulate a year at a time"),
        );
    }
    Ok((from, until))
}

/// The zone that was asked for, else the one that all jobs share, else UTC.
fn shown_zone(
    typed: &SimulateArgs,
    jobs: &[Job],
    zones: &Zones,
) -> Result<(String, TimeZone), Failure> {
    let mut named = jobs.iter().map(|job| &*job.definition.timezone);
    let shared = named
        .next()
        .filter(|first| named.all(|other| other == *first));
    let name = typed.timezone.as_deref().or(shared).unwrap_or("UTC");
    let zone = zones
        .get(name)
        .map_err(|error| Failure::no_answer(error.to_string()).help(error.help))?;
    Ok((zone.name().to_owned(), zone.timezone().clone()))
}

fn run_times(typed: &SimulateArgs, jobs: &[Job]) -> Result<RunTimes, Failure> {
    let mut times = RunTimes {
        fallback: GUESS,
        fallback_is_guess: true,
        said: HashMap::new(),
        remembered: HashMap::new(),
    };
    for one in &typed.duration {
        match &one.job {
            None => {
                times.fallback = one.time;
                times.fallback_is_guess = false;
            }
            Some(job) if jobs.iter().any(|known| known.name() == job) => {
                times.said.insert(job.clone(), one.time);
            }
            Some(job) => {
                return Err(Failure::no_answer(format!(
                    "--duration: there is no good job {job}"
                )));
            }
        }
    }
    if typed.state.is_none() && typed.store.is_none() {
        return Ok(times);
    }
    let url = typed.store.as_deref().unwrap_or("sqlite:");
    values::check_store(url)
        .map_err(|message| Failure::no_answer(format!("--store: {message}")))?;
    let state = typed.state.as_deref().unwrap_or(Path::new("elder-state"));
    let names: Vec<JobName> = jobs.iter().map(|job| job.name().clone()).collect();
    let found = store::run_times(url, state, &names, REMEMBERED)
        .map_err(|error| Failure::no_answer(error.to_string()))?;
    for (name, mut lengths) in names.into_iter().zip(found) {
        if let Some(length) = percentile(&mut lengths, typed.percentile) {
            times.remembered.insert(name, length);
        }
    }
    Ok(times)
}

/// The smallest length that so many percent do not exceed.
fn percentile(lengths: &mut [Duration], percent: u8) -> Option<Duration> {
    lengths.sort_unstable();
    let rank = (lengths.len() * usize::from(percent)).div_ceil(100);
    lengths.get(rank.saturating_sub(1)).copied()
}

fn created(path: &Path) -> Result<std::fs::File, Failure> {
    std::fs::File::create(path)
        .map_err(|error| Failure::no_answer(format!("cannot write {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_length_that_was_seen() {
        let lengths = |seconds: &[u64]| -> Vec<Duration> {
            seconds.iter().copied().map(Duration::from_secs).collect()
        };
        for (seconds, percent, want) in [
            (&[][..], 50, None),
            (&[7], 1, Some(7)),
            (&[9, 1, 5], 50, Some(5)),
            (&[4, 1, 3, 2], 50, Some(2)),
            (&[4, 1, 3, 2], 95, Some(4)),
            (&[4, 1, 3, 2], 100, Some(4)),
        ] {
            let found = percentile(&mut lengths(seconds), percent);
            assert_eq!(
                found,
                want.map(Duration::from_secs),
                "{seconds:?} {percent}"
            );
        }
    }
}
