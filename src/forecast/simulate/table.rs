//! The answer for people: bounded, the surprises with names.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::words::{amount, clocks, effect, grouped, listed, short};
use super::{Answer, PoolUse, Silence};
use crate::duration;
use crate::ids::JobName;
use crate::model::{Job, Reason};

/// So many hours, days or weeks are a line each.
const LINES: usize = 48;
/// So many jobs are listed of each kind.
const LISTED: usize = 10;
/// The longest bar.
const BAR: u64 = 40;

/// Fires of an hour, a day or a week.
pub(super) struct Slot {
    pub(super) label: String,
    pub(super) fires: u64,
}

/// The answer as text. Writing to memory does not fail, so what it says is not asked.
#[must_use]
pub fn render(answer: &Answer<'_>) -> String {
    let mut text = String::new();
    head(answer, &mut text);
    if answer.counted.fires > 0 {
        slots_of(answer, &mut text);
        busiest(answer, &mut text);
        load(answer, &mut text);
    }
    changes(answer, &mut text);
    silent(answer, &mut text);
    first(answer, &mut text);
    footnotes(answer, &mut text);
    text
}

fn head(answer: &Answer<'_>, text: &mut String) {
    let (name, zone) = &answer.zone;
    let _ = writeln!(
        text,
        "{} to {}, {name}: {}, {}",
        written(answer.from, zone),
        written(answer.until, zone),
        amount(answer.jobs as u64, "job"),
        amount(answer.counted.fires, "fire"),
    );
}

fn slots_of(answer: &Answer<'_>, text: &mut String) {
    let (word, slots) = slots(answer);
    let _ = writeln!(text, "\nFIRES BY {word}");
    let most = slots
        .iter()
        .map(|slot| slot.fires)
        .max()
        .unwrap_or(0)
        .max(1);
    let width = slots.iter().map(|slot| grouped(slot.fires).len()).max();
    let label = slots.iter().map(|slot| slot.label.chars().count()).max();
    for slot in &slots {
        // What is not nothing has a bar.
        let bar = (u128::from(slot.fires) * u128::from(BAR)).div_ceil(u128::from(most));
        let bar = "#".repeat(usize::try_from(bar).unwrap_or(0));
        let line = format!(
            "  {:<label$}  {:>width$}  {bar}",
            slot.label,
            grouped(slot.fires),
            label = label.unwrap_or(0),
            width = width.unwrap_or(0)
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// Hours, or days, or weeks: whatever makes few enough.
pub(super) fn slots(answer: &Answer<'_>) -> (&'static str, Vec<Slot>) {
    let hours =
        u64::try_from(answer.until.as_second() - answer.from.as_second()).unwrap_or(0) / 3_600;
    let (word, form) = match hours {
        0..=48 => ("HOUR", "%a %d %b %H:00 %Z"),
        49..=1_128 => ("DAY", "%a %d %b"),
        _ => ("WEEK", "week %V of %G"),
    };
    let zone = &answer.zone.1;
    let mut slots: Vec<Slot> = Vec::with_capacity(LINES);
    let mut known: Option<(i64, String)> = None;
    for (index, fires) in answer.counted.minutes.iter().enumerate() {
        let at = answer.counted.minute(index);
        // No zone changes its offset but at a quarter of an hour.
        let quarter = at.as_second().div_euclid(900);
        let label = match &known {
            Some((of, label)) if *of == quarter => label.clone(),
            _ => at.to_zoned(zone.clone()).strftime(form).to_string(),
        };
        known = Some((quarter, label.clone()));
        match slots.last_mut() {
            Some(last) if last.label == label => last.fires = last.fires.saturating_add(*fires),
            _ => slots.push(Slot {
                label,
                fires: *fires,
            }),
        }
    }
    (word, slots)
}

fn busiest(answer: &Answer<'_>, text: &mut String) {
    let mut busiest = answer.counted.busiest();
    busiest.retain(|busy| busy.fires > 1);
    if busiest.is_empty() {
        return;
    }
    text.push_str("\nBUSIEST MINUTES\n");
    let width = busiest.iter().map(|busy| grouped(busy.fires).len()).max();
    for busy in busiest {
        let all = busy.names.len() + busy.more;
        let _ = writeln!(
            text,
            "  {}  {:>width$}  {}",
            short(busy.at, &answer.zone.1),
            grouped(busy.fires),
            listed(busy.names.iter().copied(), busy.names.len(), all),
            width = width.unwrap_or(0)
        );
    }
}

fn load(answer: &Answer<'_>, text: &mut String) {
    let followed = &answer.followed;
    let zone = &answer.zone.1;
    if followed.fires == 0 {
        return;
    }
    text.push_str("\nAT ONCE\n");
    if let Some(at) = followed.peak.at {
        let names = &followed.peak.names;
        let _ = writeln!(
            text,
            "  at most {}, at {}: {}",
            amount(followed.peak.runs, "run"),
            short(at, zone),
            listed(names.iter(), names.len(), names.len())
                + if followed.peak.runs > names.len() as u64 {
                    ", …"
                } else {
                    ""
                }
        );
    }
    for pool in followed.pools.iter().filter(|pool| pool.peak > 0) {
        let _ = writeln!(text, "  {}", pool_line(pool, zone));
    }
    if followed.behind > 0 {
        let _ = writeln!(
            text,
            "  {} waited behind a run of their own job",
            amount(followed.behind, "fire")
        );
    }
    let reasons = [
        (Reason::Overlap, "SKIPPED: A RUN WAS STILL UNDER WAY"),
        (Reason::Replaced, "CUT SHORT: A NEWER FIRE TOOK THE PLACE"),
        (Reason::Pool, "MISSED: NO PLACE WITHIN THE GRACE"),
        (Reason::Coalesced, "MISSED: A NEWER FIRE STARTED INSTEAD"),
    ];
    let known = |reason: Reason| reasons.iter().any(|(known, _)| *known == reason);
    for (reason, title) in reasons {
        unrun(answer, title, |it| it == reason, text);
    }
    unrun(
        answer,
        "DID NOT RUN FOR ANOTHER REASON",
        |it| !known(it),
        text,
    );
}

fn pool_line(pool: &PoolUse, zone: &TimeZone) -> String {
    let mut line = format!(
        "{}{}: {} of {} places",
        if pool.is_named { "pool " } else { "" },
        pool.name,
        grouped(pool.peak),
        grouped(pool.places.into())
    );
    if let Some(at) = pool.peak_at {
        line += &format!(" taken, first at {}", short(at, zone));
    }
    match &pool.longest {
        None => line + "; nothing waited",
        Some((wait, job, at)) => {
            line + &format!(
                "; {} waited for a place, {job} of {} the longest: {}",
                amount(pool.waited, "fire"),
                short(*at, zone),
                whole(*wait)
            )
        }
    }
}

fn unrun(answer: &Answer<'_>, title: &str, wanted: impl Fn(Reason) -> bool, text: &mut String) {
    let rows: Vec<_> = answer
        .followed
        .unrun
        .iter()
        .filter(|row| wanted(row.reason))
        .collect();
    if rows.is_empty() {
        return;
    }
    let all: u64 = rows.iter().map(|row| row.count).sum();
    let _ = writeln!(
        text,
        "\n{title} ({} of {})",
        amount(all, "fire"),
        amount(rows.len() as u64, "job")
    );
    for row in rows.iter().take(LISTED) {
        let zone = &answer.zone.1;
        let span = if row.first == row.last {
            format!("at {}", short(row.first, zone))
        } else {
            format!("{} to {}", short(row.first, zone), short(row.last, zone))
        };
        let _ = writeln!(
            text,
            "  {}  {}, {span} (a run takes {})",
            row.job,
            amount(row.count, "fire"),
            whole(row.time)
        );
    }
    more(rows.len(), text);
}

fn changes(answer: &Answer<'_>, text: &mut String) {
    if answer.changes.is_empty() {
        return;
    }
    text.push_str("\nCLOCK CHANGES\n");
    for change in answer.changes.iter().take(LISTED) {
        let _ = writeln!(
            text,
            "  {}  {}: {}",
            short(change.at, &answer.zone.1),
            change.zone,
            clocks(change)
        );
        if change.touched.is_empty() {
            text.push_str("    touches no fire\n");
        }
        for (what, jobs) in change.touched.iter().take(LISTED) {
            let names = listed(jobs.iter().map(|job| job.name()), 5, jobs.len());
            let _ = writeln!(text, "    {}: {names}", effect(*what));
        }
        more(change.touched.len(), text);
    }
    more(answer.changes.len(), text);
}

fn silent(answer: &Answer<'_>, text: &mut String) {
    if answer.silent.is_empty() {
        return;
    }
    text.push_str("\nWITHOUT A FIRE\n");
    let of = |wanted: fn(Silence) -> bool| {
        let jobs = answer.silent.iter().filter(move |(_, why)| wanted(*why));
        jobs.map(|(job, why)| (*job, *why))
            .collect::<Vec<(&Job, Silence)>>()
    };
    for (title, jobs) in [
        ("manual or startup", of(|why| why == Silence::NotByClock)),
        ("disabled", of(|why| why == Silence::Disabled)),
        ("no fire any more", of(|why| why == Silence::Later(None))),
    ] {
        if !jobs.is_empty() {
            let names = listed(jobs.iter().map(|(job, _)| job.name()), LISTED, jobs.len());
            let _ = writeln!(text, "  {title}: {names}");
        }
    }
    let later = of(|why| matches!(why, Silence::Later(Some(_))));
    for (job, why) in later.iter().take(LISTED) {
        if let Silence::Later(Some(next)) = why {
            let _ = writeln!(
                text,
                "  {}  next at {}",
                job.name(),
                written(*next, &answer.zone.1)
            );
        }
    }
    more(later.len(), text);
}

fn first(answer: &Answer<'_>, text: &mut String) {
    if answer.first.is_empty() {
        return;
    }
    text.push_str("\nFIRST FIRES (--all for every one)\n");
    for (at, job) in &answer.first {
        let _ = writeln!(text, "  {}  {job}", written(*at, &answer.zone.1));
    }
}

fn footnotes(answer: &Answer<'_>, text: &mut String) {
    let origins = &answer.origins;
    let fallback = whole(answer.fallback);
    let mut known = Vec::new();
    if origins.said > 0 {
        known.push(format!(
            "{} by --duration JOB=TIME",
            grouped(origins.said as u64)
        ));
    }
    if origins.remembered > 0 {
        known.push(format!(
            "{} from the store",
            grouped(origins.remembered as u64)
        ));
    }
    if origins.fallback > 0 {
        let count = grouped(origins.fallback as u64);
        known.push(if answer.fallback_is_guess {
            format!("{count} guessed at {fallback}")
        } else {
            format!("{count} by --duration {fallback}")
        });
    }
    if !known.is_empty() {
        let _ = write!(
            text,
            "\nrun times of {}: {}",
            amount(answer.jobs as u64, "job"),
            known.join(", ")
        );
        if origins.cut > 0 {
            let _ = write!(text, "; {} cut at the job's timeout", origins.cut);
        }
        text.push('\n');
        if origins.fallback > 0 && answer.fallback_is_guess {
            text.push_str(
                "  better ones: --state FOLDER (what the store remembers), --duration [JOB=]TIME\n",
            );
        }
    }
    if answer.followed.until < answer.until && answer.counted.fires > 0 {
        let _ = writeln!(
            text,
            "only the first {}, before {}, were followed through overlaps and pools (--follow N for more); sums and minutes are of the whole span",
            amount(answer.followed.fires, "fire"),
            written(answer.followed.until, &answer.zone.1)
        );
    }
    if answer.counted.spread > 0 {
        let _ = writeln!(
            text,
            "{} fire too often to be put into their minutes one by one, and are spread evenly",
            amount(answer.counted.spread as u64, "job")
        );
    }
}

fn more(all: usize, text: &mut String) {
    if all > LISTED {
        let _ = writeln!(text, "  and {} more", grouped((all - LISTED) as u64));
    }
}

/// RFC 3339 with the zone's offset.
pub(super) fn written(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// Lengths are shown in whole seconds, where they have some.
fn whole(length: std::time::Duration) -> String {
    let seconds = length.as_secs();
    if seconds == 0 {
        duration::print(length)
    } else {
        duration::print(std::time::Duration::from_secs(seconds))
    }
}

/// One followed fire as a line of CSV; names hold nothing that would need quotes.
#[must_use]
pub fn csv(decided: &super::Decided<'_>, zone: &TimeZone) -> String {
    let at = written(decided.scheduled, zone);
    let job: &JobName = decided.job;
    match decided.fate {
        super::Fate::Runs { started, ended } => format!(
            "{at},{job},runs,,{},{}\n",
            written(started, zone),
            written(ended, zone)
        ),
        super::Fate::Replaced { started, ended } => format!(
            "{at},{job},cancelled,replaced,{},{}\n",
            written(started, zone),
            written(ended, zone)
        ),
        super::Fate::Not(outcome, reason) => format!("{at},{job},{outcome},{reason},,\n"),
    }
}

/// The first line of the CSV.
pub const CSV_HEAD: &str = "scheduled_at,job_id,outcome,reason,started_at,finished_at\n";
