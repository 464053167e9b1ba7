//! A plan for people.

use std::fmt::Write as _;

use super::super::simulate::words::grouped;
use super::load::some_of;
use super::{Fate, Field, Fires, Plan, Rescheduled, Shared, Span, Times};
use crate::finding::render::on_one_line;

/// So many jobs of each kind are listed, and so many fields of each.
const JOBS: usize = 50;
const FIELDS: usize = 20;
/// So many characters of a value are shown.
const VALUE: usize = 120;

/// The plan as text; its last line is a count.
#[must_use]
pub fn render(plan: &Plan) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "Against {}, from {} on: {} jobs, then {}",
        plan.against,
        plan.at,
        grouped(plan.jobs.before as u64),
        grouped(plan.jobs.after as u64)
    );
    if plan.has_changes() {
        text.push('\n');
    }
    jobs(plan, &mut text);
    if plan.has_changes() {
        fires(&plan.fires, &mut text);
        load(plan, &mut text);
    }
    if !plan.errors.is_empty() {
        text.push_str("\nTo mend: these files are refused, and what they last defined goes on\n");
        for error in plan.errors.iter().take(JOBS) {
            let _ = writeln!(
                text,
                "  {}:{}:{}: {} {}",
                on_one_line(&error.file),
                error.line,
                error.column,
                error.code,
                on_one_line(&error.message)
            );
        }
        more(plan.errors.len(), &mut text);
    }
    if plan.held() > 0 {
        text.push_str("\nHeld removals keep firing until `elder sync --prune` confirms them.\n");
    }
    let _ = writeln!(text, "\n{}", plan.counts());
    text
}

fn jobs(plan: &Plan, text: &mut String) {
    for removed in plan.removed.iter().take(JOBS) {
        let held = removed.held.as_deref().map_or("", |why| match why {
            "too_many" => " (HELD: too many would go at once)",
            _ => " (HELD: another file or PATH cannot be read)",
        });
        head(text, '-', "removed", &removed.job_id, &removed.source);
        let _ = writeln!(text, "    {}{held}", schedule(&removed.times));
    }
    more(plan.removed.len(), text);
    for job in plan.renamed.iter().take(JOBS) {
        let _ = writeln!(text, "~ {:<12} {} -> {}", "renamed", job.was, job.job_id);
    }
    more(plan.renamed.len(), text);
    for job in plan.rescheduled.iter().take(JOBS) {
        head(text, '~', "rescheduled", &job.job_id, &job.source);
        let (was, is) = (schedule(&job.before), schedule(&job.after));
        let _ = match was == is {
            // What it names is another, such as its calendar.
            true => writeln!(text, "    {is}"),
            false => writeln!(text, "    {was} -> {is}"),
        };
        let _ = match (differing(job), next(&job.before), next(&job.after)) {
            (Some((was, is)), next, _) => {
                writeln!(
                    text,
                    "    next {next}; the first that differs: {was} -> {is}"
                )
            }
            (None, was, is) if was == is => writeln!(text, "    next {is}"),
            (None, was, is) => writeln!(text, "    next {was} -> {is}"),
        };
        if job.will_not_fire_today {
            text.push_str("    WILL NOT FIRE TODAY: its time moved from after now to before now\n");
        }
        fields(&job.fields, text);
    }
    more(plan.rescheduled.len(), text);
    for job in plan.changed.iter().take(JOBS) {
        head(text, '~', "changed", &job.job_id, &job.source);
        fields(&job.fields, text);
    }
    more(plan.changed.len(), text);
    for job in plan.added.iter().take(JOBS) {
        head(text, '+', "added", &job.job_id, &job.source);
        let _ = writeln!(text, "    {}", schedule(&job.times));
        let _ = writeln!(
            text,
            "    {}; next {}",
            job.times.description,
            next(&job.times)
        );
    }
    more(plan.added.len(), text);
    for one in plan.shared.iter().take(JOBS) {
        let sign = match one.change {
            Fate::Removed => '-',
            Fate::Changed => '~',
            Fate::Added => '+',
        };
        let what = format!("{} {}", one.kind, one.name);
        head(text, sign, one.change.word(), &what, &one.source);
        fields(&one.fields, text);
        let _ = writeln!(text, "    {}", users(one, str::to_owned));
    }
    more(plan.shared.len(), text);
}

/// Which jobs name a sage, calendar or pool.
pub(super) fn users(shared: &Shared, name: impl Fn(&str) -> String) -> String {
    let verb = match shared.change {
        Fate::Removed => "was named by",
        Fate::Changed | Fate::Added => "named by",
    };
    match shared.jobs.is_empty() {
        true => format!("{verb} no job"),
        false => format!("{verb} {}", some_of(&shared.jobs, shared.more, name)),
    }
}

fn head(text: &mut String, sign: char, what: &str, job: &str, source: &str) {
    let _ = writeln!(text, "{sign} {what:<12} {job}  {}", on_one_line(source));
}

fn fields(fields: &[Field], text: &mut String) {
    for field in fields.iter().take(FIELDS) {
        let _ = writeln!(
            text,
            "    {}: {} -> {}",
            on_one_line(&field.key),
            value(field.before.as_deref()),
            value(field.after.as_deref())
        );
    }
    if fields.len() > FIELDS {
        let _ = writeln!(text, "    and {} more", fields.len() - FIELDS);
    }
}

/// A value on one line, cut where it is long.
pub(super) fn value(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "(none)".to_owned();
    };
    let line = on_one_line(value);
    match line.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "\"\"".to_owned(),
        None => line,
    }
}

/// `daily: "02:00" (Asia/Tokyo)`.
pub(super) fn schedule(times: &Times) -> String {
    let disabled = if times.enabled { "" } else { ", disabled" };
    format!(
        "{} ({}{disabled})",
        value(Some(&times.schedule)),
        times.timezone
    )
}

/// The next fire.
pub(super) fn next(times: &Times) -> &str {
    times.next.first().map_or("never", String::as_str)
}

/// The first fires that differ, where they are not the next ones.
pub(super) fn differing(job: &Rescheduled) -> Option<(&str, &str)> {
    if next(&job.before) != next(&job.after) {
        return None;
    }
    let first = &job.first_change;
    let (was, is) = (first.before.as_deref(), first.after.as_deref());
    (was != is).then(|| (was.unwrap_or("never"), is.unwrap_or("never")))
}

fn fires(fires: &Fires, text: &mut String) {
    let _ = writeln!(text, "\nFires   next 24 hours: {}", span(&fires.day));
    let _ = writeln!(text, "        next 30 days:  {}", span(&fires.month));
}

/// `2 gained, 3 lost`.
pub(super) fn span(span: &Span) -> String {
    let at_least = if span.at_least { "at least " } else { "" };
    format!(
        "{at_least}{} gained, {at_least}{} lost",
        grouped(span.gained),
        grouped(span.lost)
    )
}

fn load(plan: &Plan, text: &mut String) {
    let load = &plan.load;
    let before = load.busiest_minute.before.as_ref();
    let before = before.map_or(0, |busy| busy.fires);
    if let Some(busy) = &load.busiest_minute.after
        && busy.fires != before
    {
        let _ = writeln!(
            text,
            "Busiest minute   {} -> {} fires, at {}",
            grouped(before),
            grouped(busy.fires),
            busy.at
        );
    }
    if load.peak.before.runs != load.peak.after.runs {
        let _ = writeln!(
            text,
            "At once          {} -> {} runs, if each takes {} s",
            grouped(load.peak.before.runs),
            grouped(load.peak.after.runs),
            load.run_seconds
        );
    }
    for collision in &load.collisions {
        let _ = writeln!(
            text,
            "Collision        {}: {} -> {} fires in this minute, new ones of {}",
            collision.at,
            grouped(collision.fires.before),
            grouped(collision.fires.after),
            collision.names(str::to_owned)
        );
    }
}

fn more(all: usize, text: &mut String) {
    if all > JOBS {
        let _ = writeln!(text, "  and {} more", grouped((all - JOBS) as u64));
    }
}
