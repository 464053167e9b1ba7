//! A plan as Markdown, fit for a comment on a pull request: bounded, and in a stable order.

use std::fmt::Write as _;

use super::super::simulate::words::grouped;
use super::human::{differing, next, schedule, span, users, value};
use super::{Field, Plan};

/// So many rows stand in a table.
const ROWS: usize = 40;
/// So many fields of a job stand in its row.
const FIELDS: usize = 10;
/// A comment on GitHub holds 65,536 characters.
const LIMIT: usize = 60_000;

/// The plan as Markdown; its last line is a count.
#[must_use]
pub fn render(plan: &Plan) -> String {
    let mut text = String::from("### elder plan\n\n");
    let _ = writeln!(
        text,
        "Against {}: **{}**.",
        code(&plan.against),
        plan.counts()
    );
    let sections = [
        mend,
        removed,
        renamed,
        rescheduled,
        changed,
        added,
        shared,
        fires,
    ];
    for section in sections {
        let mut part = String::new();
        section(plan, &mut part);
        if text.len() + part.len() > LIMIT {
            text.push_str("\n_The rest is too long for a comment: run `elder plan`._\n");
            break;
        }
        text.push_str(&part);
    }
    let _ = writeln!(text, "\n{}", plan.counts());
    text
}

fn mend(plan: &Plan, text: &mut String) {
    if plan.errors.is_empty() {
        return;
    }
    text.push_str("\n#### To mend\n\nThese files are refused; what they last defined goes on.\n\n| place | | |\n| --- | --- | --- |\n");
    for error in plan.errors.iter().take(ROWS) {
        let place = format!("{}:{}:{}", error.file, error.line, error.column);
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            code(&place),
            error.code,
            plain(&error.message)
        );
    }
    more(plan.errors.len(), text);
}

fn removed(plan: &Plan, text: &mut String) {
    if plan.removed.is_empty() {
        return;
    }
    text.push_str("\n#### Removed\n\n| job | schedule | |\n| --- | --- | --- |\n");
    for job in plan.removed.iter().take(ROWS) {
        let held = if job.held.is_some() {
            "⚠️ held: fires on until `elder sync --prune`"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "| {} | {} | {held} |",
            code(&job.job_id),
            code(&schedule(&job.times))
        );
    }
    more(plan.removed.len(), text);
}

fn renamed(plan: &Plan, text: &mut String) {
    if plan.renamed.is_empty() {
        return;
    }
    text.push_str("\n#### Renamed\n\n| job | was |\n| --- | --- |\n");
    for job in plan.renamed.iter().take(ROWS) {
        let _ = writeln!(text, "| {} | {} |", code(&job.job_id), code(&job.was));
    }
    more(plan.renamed.len(), text);
}

fn rescheduled(plan: &Plan, text: &mut String) {
    if plan.rescheduled.is_empty() {
        return;
    }
    text.push_str("\n#### Rescheduled\n\n| job | before | after | next before | next after | |\n| --- | --- | --- | --- | --- | --- |\n");
    for job in plan.rescheduled.iter().take(ROWS) {
        let today = if job.will_not_fire_today {
            "⚠️ will not fire today "
        } else {
            ""
        };
        let fire = |next: &str, differs: Option<&str>| match differs {
            Some(at) => format!("{next}; the first that differs: {at}"),
            None => next.to_owned(),
        };
        let differing = differing(job).unzip();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {today}{} |",
            code(&job.job_id),
            code(&schedule(&job.before)),
            code(&schedule(&job.after)),
            fire(next(&job.before), differing.0),
            fire(next(&job.after), differing.1),
            fields(&job.fields)
        );
    }
    more(plan.rescheduled.len(), text);
}

fn changed(plan: &Plan, text: &mut String) {
    if plan.changed.is_empty() {
        return;
    }
    text.push_str("\n#### Changed\n\n| job | what |\n| --- | --- |\n");
    for job in plan.changed.iter().take(ROWS) {
        let _ = writeln!(text, "| {} | {} |", code(&job.job_id), fields(&job.fields));
    }
    more(plan.changed.len(), text);
}

fn added(plan: &Plan, text: &mut String) {
    if plan.added.is_empty() {
        return;
    }
    text.push_str(
        "\n#### Added\n\n| job | schedule | in words | next |\n| --- | --- | --- | --- |\n",
    );
    for job in plan.added.iter().take(ROWS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            code(&job.job_id),
            code(&schedule(&job.times)),
            plain(&job.times.description),
            next(&job.times)
        );
    }
    more(plan.added.len(), text);
}

fn shared(plan: &Plan, text: &mut String) {
    if plan.shared.is_empty() {
        return;
    }
    text.push_str("\n#### Sages, calendars and pools\n\n| | what | jobs |\n| --- | --- | --- |\n");
    for one in plan.shared.iter().take(ROWS) {
        let _ = writeln!(
            text,
            "| {} {} {} | {} | {} |",
            one.kind,
            code(&one.name),
            one.change.word(),
            fields(&one.fields),
            users(one, code)
        );
    }
    more(plan.shared.len(), text);
}

fn fires(plan: &Plan, text: &mut String) {
    if !plan.has_changes() {
        return;
    }
    let load = &plan.load;
    text.push_str("\n#### Fires\n\n");
    let _ = writeln!(text, "- next 24 hours: {}", span(&plan.fires.day));
    let _ = writeln!(text, "- next 30 days: {}", span(&plan.fires.month));
    if load.peak.before.runs != load.peak.after.runs {
        let _ = writeln!(
            text,
            "- at once: {} → {} runs, if each takes {} s",
            grouped(load.peak.before.runs),
            grouped(load.peak.after.runs),
            load.run_seconds
        );
    }
    for collision in &load.collisions {
        let _ = writeln!(
            text,
            "- collision at {}: {} → {} fires in this minute, new ones of {}",
            collision.at,
            grouped(collision.fires.before),
            grouped(collision.fires.after),
            collision.names(code)
        );
    }
}

fn fields(fields: &[Field]) -> String {
    let mut rows: Vec<String> = fields
        .iter()
        .take(FIELDS)
        .map(|field| {
            format!(
                "{}: {} → {}",
                code(&field.key),
                code(&value(field.before.as_deref())),
                code(&value(field.after.as_deref()))
            )
        })
        .collect();
    if fields.len() > FIELDS {
        rows.push(format!("and {} more", fields.len() - FIELDS));
    }
    rows.join("<br>")
}

fn more(all: usize, text: &mut String) {
    if all > ROWS {
        let _ = writeln!(text, "\n… and {} more\n", grouped((all - ROWS) as u64));
    }
}

/// Text of a job file inside of a table: as code, so that nothing in it is a link, a mention or HTML.
fn code(text: &str) -> String {
    let text = crate::finding::render::on_one_line(text).replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Words of ours that may hold text of a job file.
fn plain(text: &str) -> String {
    let mut safe = String::new();
    for c in crate::finding::render::on_one_line(text).chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' => {
                safe.push('\\');
                safe.push(c);
            }
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '@' => safe.push_str("@\u{200b}"),
            c => safe.push(c),
        }
    }
    safe
}
