//! The comparison in words.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::calendar::{Fold, Gap, Rule};
use super::{JobProof, Old, Proof, Verdict, scan};

/// Differences of a job that are shown; the others are counted.
const SHOWN: usize = 3;

pub(super) fn render(proof: &Proof) -> String {
    let mut text = format!(
        "proof: the next {} fires after {}, old and new\n",
        proof.count, proof.from
    );
    for job in &proof.jobs {
        text.push_str(&of_job(job));
    }
    let count = |verdict| {
        proof
            .jobs
            .iter()
            .filter(|job| job.verdict == verdict)
            .count()
    };
    let mut parts = Vec::new();
    for (verdict, words) in [
        (Verdict::Equal, "equal"),
        (Verdict::ClockChange, "equal but for changes of the clock"),
        (Verdict::Phase, "equal but for where counting begins"),
        (Verdict::NoTime, "without a time"),
        (Verdict::Differs, "DIFFERENT"),
    ] {
        let count = count(verdict);
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    if parts.is_empty() {
        parts.push("nothing to compare".to_owned());
    }
    text.push_str(&format!("proof: {}\n", parts.join(", ")));
    text
}

fn of_job(job: &JobProof) -> String {
    let fires = match job.compared {
        1 => "1 fire".to_owned(),
        n => format!("{n} fires"),
    };
    let until = match job.until {
        Some(until) => format!(" until {}{}", shown(until, &job.zone), changes(job)),
        None => String::new(),
    };
    let fires = match job.delay {
        Some(delay) => format!(
            "{fires}, delayed by {} (spread),",
            crate::duration::print(delay)
        ),
        None => fires,
    };
    match job.verdict {
        Verdict::Equal if job.compared == 0 => {
            format!("{}: neither side fires any more\n", job.name)
        }
        Verdict::Equal => format!("{}: {fires} equal{until}\n", job.name),
        Verdict::NoTime => format!(
            "{}: fires at a start, there is no time to compare\n",
            job.name
        ),
        Verdict::Phase => format!(
            "{}: {fires} each {} apart{until}; class phase: the old side counts from its own \
             start\n",
            job.name, job.why
        ),
        Verdict::ClockChange => format!(
            "{}: {fires}{until}; class clock change: {}\n{}",
            job.name,
            job.why,
            differences(job)
        ),
        Verdict::Differs => {
            let why = if job.why.is_empty() {
                String::new()
            } else {
                format!(": {}", job.why)
            };
            format!("{}: DIFFERENT{why}{until}\n{}", job.name, differences(job))
        }
    }
}

/// The changes of the clock that lie beyond the fires compared.
fn changes(job: &JobProof) -> String {
    let dates = job
        .changes
        .iter()
        .map(|at| scan::date_of(*at, &job.zone).to_string());
    let dates: Vec<_> = dates.collect();
    match dates.is_empty() {
        true => String::new(),
        false => format!(" and around {}", dates.join(", ")),
    }
}

fn differences(job: &JobProof) -> String {
    let mut text = String::new();
    for group in job.differences.iter().take(SHOWN) {
        let first = group.old.iter().chain(&group.new).min();
        let date = first.map(|at| scan::date_of(*at, &job.zone).to_string());
        text.push_str(&format!(
            "  {}  old {}  new {}\n",
            date.unwrap_or_default(),
            times(&group.old, &job.zone),
            times(&group.new, &job.zone)
        ));
    }
    let more = job.differences.len().saturating_sub(SHOWN);
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    text
}

fn times(instants: &[Timestamp], zone: &TimeZone) -> String {
    const MOST: usize = 4;
    if instants.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<_> = instants
        .iter()
        .take(MOST)
        .map(|at| {
            let local = at.to_zoned(zone.clone());
            local.strftime("%H:%M:%S%:z").to_string()
        })
        .collect();
    let more = instants.len().saturating_sub(MOST);
    let mut text = shown.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn shown(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// Both rules in words, as far as they differ.
pub(super) fn why(old: &[&Old], rules: &[Rule]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (index, item) in old.iter().enumerate() {
        let Old::Calendar { calendar, .. } = item else {
            continue;
        };
        let Some(new) = rules.get(index).or_else(|| rules.first()) else {
            continue;
        };
        let was = calendar.rule;
        if was.gap != new.gap {
            parts.push(format!(
                "a time that the clock passes over {}, in elder {}",
                gap(was.gap),
                gap(new.gap)
            ));
        }
        if was.fold != new.fold {
            parts.push(format!(
                "a time that comes twice {}, in elder {}",
                fold(was.fold),
                fold(new.fold)
            ));
        }
    }
    parts.dedup();
    parts.join("; ")
}

fn gap(gap: Gap) -> &'static str {
    match gap {
        Gap::Skip => "does not fire",
        Gap::After => "fires when the gap ends",
        Gap::Shift => "fires later by the gap's length",
    }
}

fn fold(fold: Fold) -> &'static str {
    match fold {
        Fold::First => "fires once",
        Fold::Both => "fires twice",
    }
}
