//! The last pause of each job, in its table. Rows are by name: a pause is one of few, and the name is
//! what the engine knows.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::rows;
use crate::ids::JobName;
use crate::model::Pause;
use crate::store::Written;

/// Puts a job's pause in the place of the one before.
pub(super) fn put(conn: &Connection, job: &JobName, pause: &Pause) -> rusqlite::Result<Written> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO pauses (job, since, until, ended_at, reason, author) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        job.as_str(),
        rows::nanos(pause.since),
        pause.until.map(rows::nanos),
        pause.ended_at.map(rows::nanos),
        pause.reason.as_deref(),
        &*pause.author,
    ])?;
    Ok(Written::Done)
}

/// The name is another job's from now on.
pub(super) fn drop_of(conn: &Connection, job: &JobName) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM pauses WHERE job = ?1")?
        .execute([job.as_str()])?;
    Ok(())
}

/// The job has another name, and what was paused under that one is another matter.
pub(super) fn rename(conn: &Connection, from: &JobName, to: &JobName) -> rusqlite::Result<()> {
    drop_of(conn, to)?;
    conn.prepare_cached("UPDATE pauses SET job = ?2 WHERE job = ?1")?
        .execute([from.as_str(), to.as_str()])?;
    Ok(())
}

/// Forgets pauses of jobs that are forgotten.
pub(super) fn forget(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "DELETE FROM pauses WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE name = pauses.job)",
    )?
    .execute([])?;
    Ok(())
}

/// All of them.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<(JobName, Pause)>> {
    conn.prepare_cached("SELECT job, since, until, ended_at, reason, author FROM pauses")?
        .query_map([], |row| {
            let pause = Pause {
                since: rows::instant(row, 1)?,
                until: rows::maybe_instant(row, 2)?,
                ended_at: rows::maybe_instant(row, 3)?,
                reason: rows::maybe_text(row, 4)?,
                author: Arc::from(row.get_ref(5)?.as_str()?),
            };
            Ok((rows::name(row, 0)?, pause))
        })?
        .collect()
}
