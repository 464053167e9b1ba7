//! What is asked of the tables, on a connection that only reads.
//!
//! The indexes are made for these questions, so each names its own, and no growth of the tables
//! makes SQLite choose to walk through all rows.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::rows;
use crate::ids::{JobName, RunId};
use crate::model::{Outcome, Output, Run};
use crate::store::{
    AppliedFile, Cursor, JobSummary, MAX_PAGE, Mark, Recalled, RunPage, RunQuery, rules,
};

/// Everything that a start needs, as of one moment.
pub(super) fn recall(conn: &Connection) -> rusqlite::Result<Recalled> {
    let moment = conn.unchecked_transaction()?;
    let marks = moment
        .prepare_cached(&format!(
            "SELECT name, {} FROM jobs WHERE gone_at IS NULL",
            rows::MARK
        ))?
        .query_map([], |row| Ok((rows::name(row, 0)?, rows::mark(row, 1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let open = moment
        .prepare_cached(&format!(
            "SELECT {} FROM runs INDEXED BY runs_open JOIN jobs NOT INDEXED ON jobs.id = runs.job \
             WHERE runs.state <> 'done' ORDER BY runs.scheduled_at, runs.id",
            rows::RUN
        ))?
        .query_map([], rows::run)?
        .collect::<rusqlite::Result<_>>()?;
    let files = moment
        .prepare_cached("SELECT root, path, hash, definitions FROM files ORDER BY root, path")?
        .query_map([], |row| {
            Ok(AppliedFile {
                root: row.get(0)?,
                path: row.get(1)?,
                hash: row.get(2)?,
                definitions: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let said = super::outbox::said(&moment)?;
    let editions = super::editions::that_matter(&moment)?;
    let authors = super::editions::authors(&moment)?;
    let without_edition = super::editions::missing(&moment)?;
    let pauses = super::pauses::all(&moment)?;
    Ok(Recalled {
        marks,
        open,
        files,
        said,
        editions,
        authors,
        without_edition,
        pauses,
    })
}

/// The marks of these jobs, as of one moment.
pub(super) fn marks(conn: &Connection, jobs: &[JobName]) -> rusqlite::Result<Vec<Option<Mark>>> {
    let moment = conn.unchecked_transaction()?;
    let mut find =
        moment.prepare_cached(&format!("SELECT {} FROM jobs WHERE name = ?1", rows::MARK))?;
    jobs.iter()
        .map(|job| {
            find.query_row([job.as_str()], |row| rows::mark(row, 0))
                .optional()
        })
        .collect()
}

/// One page of rows.
pub(super) fn page(conn: &Connection, query: &RunQuery) -> rusqlite::Result<RunPage> {
    let limit = query.limit.min(MAX_PAGE);
    if limit == 0 {
        return Ok(RunPage::default());
    }
    let (text, values) = page_statement(query, limit);
    let mut runs: Vec<Run> = conn
        .prepare_cached(&text)?
        .query_map(params_from_iter(values), rows::run)?
        .collect::<rusqlite::Result<_>>()?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next = runs.last().filter(|_| more).map(|last| Cursor {
        scheduled_at: last.scheduled_at,
        id: last.id,
    });
    Ok(RunPage { runs, next })
}

/// The statement for a page, and one row more to see whether there is another.
pub(super) fn page_statement(query: &RunQuery, limit: usize) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = Vec::new();
    let mut bind = |value: Value| {
        values.push(value);
        format!("?{}", values.len())
    };
    let instant = |at: Timestamp| Value::Integer(rows::nanos(at));
    let mut filter = String::from("1");
    if let Some(since) = query.since {
        filter += &format!(" AND scheduled_at >= {}", bind(instant(since)));
    }
    if let Some(until) = query.until {
        filter += &format!(" AND scheduled_at <= {}", bind(instant(until)));
    }
    if let Some(after) = query.after {
        let at = bind(instant(after.scheduled_at));
        let id = bind(Value::Text(after.id.as_str().to_owned()));
        filter += &format!(" AND (scheduled_at, id) < ({at}, {id})");
    }
    if !query.outcomes.is_empty() {
        let words: Vec<String> = query
            .outcomes
            .iter()
            .map(|outcome| bind(Value::Text(outcome.as_str().to_owned())))
            .collect();
        filter += &format!(" AND outcome IN ({})", words.join(", "));
    }
    let amiss = !query.outcomes.is_empty() && !query.outcomes.contains(&Outcome::Success);
    let order = "ORDER BY scheduled_at DESC, id DESC LIMIT";
    let limit = limit + 1;
    let chosen = match &query.job {
        None if amiss => format!(
            "SELECT id FROM runs INDEXED BY runs_amiss \
             WHERE outcome <> 'success' AND {filter} {order} {limit}"
        ),
        None => format!("SELECT id FROM runs INDEXED BY runs_time WHERE {filter} {order} {limit}"),
        // A job's ended rows and its open ones each have their own index.
        Some(job) => {
            let name = bind(Value::Text(job.as_str().to_owned()));
            let half = |index: &str, which: &str| {
                format!(
                    "SELECT * FROM (SELECT id, scheduled_at FROM runs INDEXED BY {index} \
                     WHERE job = (SELECT id FROM jobs WHERE name = {name}) \
                     AND state {which} 'done' AND {filter} {order} {limit})"
                )
            };
            format!(
                "SELECT id FROM ({} UNION ALL {}) {order} {limit}",
                half("runs_job", "="),
                half("runs_open", "<>")
            )
        }
    };
    // CROSS keeps the order: first the few identities, then their rows.
    let text = format!(
        "SELECT {} FROM ({chosen}) AS chosen CROSS JOIN runs ON runs.id = chosen.id \
         CROSS JOIN jobs NOT INDEXED ON jobs.id = runs.job \
         ORDER BY runs.scheduled_at DESC, runs.id DESC",
        rows::RUN
    );
    (text, values)
}

/// One row with its output.
pub(super) fn run(conn: &Connection, id: RunId) -> rusqlite::Result<Option<(Run, Output)>> {
    conn.prepare_cached(&format!(
        "SELECT {}, outputs.head, outputs.tail, outputs.total FROM runs \
         JOIN jobs NOT INDEXED ON jobs.id = runs.job LEFT JOIN outputs ON outputs.run = runs.id \
         WHERE runs.id = ?1",
        rows::RUN
    ))?
    .query_row([id.as_str()], |row| {
        let run = rows::run(row)?;
        let head: Option<Vec<u8>> = row.get(rows::RUN_WIDTH)?;
        let output = match head {
            None => None,
            Some(head) => Some(Output {
                head,
                tail: row.get(rows::RUN_WIDTH + 1)?,
                total: rows::unsigned(row, rows::RUN_WIDTH + 2)?,
            }),
        };
        let output = rules::shown_output(&run, output);
        Ok((run, output))
    })
    .optional()
}

/// The run of a job under a request.
pub(super) fn run_of_request(
    conn: &Connection,
    job: &JobName,
    request: &str,
) -> rusqlite::Result<Option<Run>> {
    conn.prepare_cached(&format!(
        "SELECT {} FROM runs INDEXED BY runs_request JOIN jobs NOT INDEXED ON jobs.id = runs.job \
         WHERE runs.job = (SELECT id FROM jobs WHERE name = ?1) AND runs.request = ?2 \
         AND runs.request IS NOT NULL",
        rows::RUN
    ))?
    .query_row([job.as_str(), request], rows::run)
    .optional()
}

/// Sums per job over a span.
pub(super) fn summary(
    conn: &Connection,
    since: Timestamp,
    until: Timestamp,
) -> rusqlite::Result<Vec<JobSummary>> {
    // Seconds and the rest apart: the lengths of a busy span, summed in nanoseconds, do not fit.
    let mut statement = conn.prepare_cached(
        "SELECT jobs.name, sums.outcome, sums.fires, sums.seconds, sums.rest, sums.longest \
         FROM (SELECT job, outcome, sum(count) AS fires, \
         sum(duration / 1000000000) AS seconds, sum(duration % 1000000000) AS rest, \
         max(duration) AS longest FROM runs INDEXED BY runs_time \
         WHERE scheduled_at >= ?1 AND scheduled_at < ?2 AND outcome IS NOT NULL \
         GROUP BY job, outcome) AS sums JOIN jobs NOT INDEXED ON jobs.id = sums.job",
    )?;
    let mut found = statement.query(params![rows::nanos(since), rows::nanos(until)])?;
    let mut jobs: BTreeMap<JobName, JobSummary> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let job = rows::name(row, 0)?;
        let sums = jobs.entry(job.clone()).or_insert_with(|| JobSummary {
            job,
            outcomes: Vec::new(),
            total_duration: Duration::ZERO,
            longest: Duration::ZERO,
        });
        sums.outcomes
            .push((rows::outcome(row, 1)?, rows::unsigned(row, 2)?));
        let part = |index| {
            row.get::<_, Option<i64>>(index)
                .map(Option::unwrap_or_default)
        };
        let positive = |number: i64| u64::try_from(number).unwrap_or(0);
        sums.total_duration +=
            Duration::from_secs(positive(part(3)?)) + Duration::from_nanos(positive(part(4)?));
        let longest = Duration::from_nanos(positive(part(5)?));
        sums.longest = sums.longest.max(longest);
    }
    Ok(jobs
        .into_values()
        .map(|mut sums| {
            sums.outcomes.sort_unstable_by_key(|(outcome, _)| *outcome);
            sums
        })
        .collect())
}

/// Ended rows that are too old, oldest first, but for those of jobs that have bounds of their own.
pub(super) const AGED: &str = "SELECT id FROM runs INDEXED BY runs_time WHERE scheduled_at < ?1 \
     AND state = 'done' AND coalesce(finished_at, scheduled_at) < ?1 \
     AND job NOT IN (SELECT id FROM jobs INDEXED BY jobs_kept WHERE keep IS NOT NULL) \
     ORDER BY scheduled_at, id LIMIT ?2";

/// Ended rows of a job that are too old, oldest first.
pub(super) const AGED_OF: &str = "SELECT id FROM runs INDEXED BY runs_job WHERE job = ?1 \
     AND state = 'done' AND scheduled_at < ?2 AND coalesce(finished_at, scheduled_at) < ?2 \
     ORDER BY scheduled_at, id LIMIT ?3";

/// A job's oldest ended rows of one class.
pub(super) const OLDEST: &str = "SELECT id FROM runs INDEXED BY runs_job WHERE job = ?1 \
     AND state = 'done' AND (attempt > 0) = ?2 ORDER BY scheduled_at, id LIMIT ?3";

/// How many of a job's ended rows of one class are of instants that have not come.
pub(super) const TO_COME: &str = "SELECT count(*) FROM runs INDEXED BY runs_job WHERE job = ?1 \
     AND state = 'done' AND (attempt > 0) = ?2 AND scheduled_at > ?3";

/// At most `limit` rows that ended before `oldest_kept`.
pub(super) fn aged(
    conn: &Connection,
    oldest_kept: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<RunId>> {
    conn.prepare_cached(AGED)?
        .query_map([rows::nanos(oldest_kept), as_limit(limit)], |row| {
            rows::id(row, 0)
        })?
        .collect()
}

/// At most `limit` rows that are too old by what their own jobs say.
pub(super) fn aged_by_own(
    conn: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<RunId>> {
    let mut kept = conn.prepare_cached(
        "SELECT id, keep_for FROM jobs INDEXED BY jobs_kept WHERE keep IS NOT NULL",
    )?;
    let mut aged = conn.prepare_cached(AGED_OF)?;
    let mut found = Vec::new();
    let mut jobs = kept.query([])?;
    while let Some(job) = jobs.next()? {
        let id: i64 = job.get(0)?;
        let oldest_kept = rules::oldest_kept(now, Duration::from_nanos(rows::unsigned(job, 1)?));
        let room = as_limit(limit - found.len());
        let rows = aged.query_map(params![id, rows::nanos(oldest_kept), room], |row| {
            rows::id(row, 0)
        })?;
        for row in rows {
            found.push(row?);
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

/// At most `limit` rows beyond the newest `keep` of their job and class; of those that started a job
/// may have a number of its own.
pub(super) fn beyond(
    conn: &Connection,
    keep: u32,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<RunId>> {
    let mut too_many = conn.prepare_cached(
        "SELECT id, started_rows, quiet_rows, coalesce(keep, ?1) FROM jobs \
         WHERE started_rows > coalesce(keep, ?1) OR quiet_rows > ?1",
    )?;
    let mut oldest = conn.prepare_cached(OLDEST)?;
    // What has not come is no past: its rows keep it from running again.
    let mut to_come = conn.prepare_cached(TO_COME)?;
    let mut found = Vec::new();
    let mut jobs = too_many.query([keep])?;
    while let Some(job) = jobs.next()? {
        let id: i64 = job.get(0)?;
        for (column, keep, started) in [(1, job.get(3)?, true), (2, i64::from(keep), false)] {
            let coming: i64 =
                to_come.query_row(params![id, started, rows::nanos(now)], |row| row.get(0))?;
            let excess = job.get::<_, i64>(column)? - coming - keep;
            let room = as_limit(limit - found.len());
            if excess <= 0 || room == 0 {
                continue;
            }
            let rows = oldest.query_map(params![id, started, excess.min(room)], |row| {
                rows::id(row, 0)
            })?;
            for row in rows {
                found.push(row?);
            }
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
