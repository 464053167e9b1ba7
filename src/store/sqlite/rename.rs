//! A job under another name: one row of `jobs` changes its name, and with it everything that belongs to it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::apply::Transaction;
use super::{outbox, pauses, rows};
use crate::ids::{JobName, RunId};
use crate::model::Run;
use crate::store::rules::{self, Stretch};
use crate::store::{AppliedFile, Mark, Written};

/// Rows of ?1 give their keys up to those of ?2, and beyond ?3: see [`rules::keeps_keys`].
const STAND_BESIDE: &str = "UPDATE runs SET request = ?4 || id WHERE job = ?1 \
    AND (request IS NULL AND (scheduled_at > ?3 OR EXISTS (SELECT 1 FROM runs AS theirs \
    WHERE theirs.scheduled_at = runs.scheduled_at AND theirs.job = ?2 AND theirs.request IS NULL)) \
    OR EXISTS (SELECT 1 FROM runs AS theirs WHERE theirs.job = ?2 \
    AND theirs.request = runs.request AND theirs.request IS NOT NULL))";

/// See [`rules::other_id`].
pub(super) fn other_id(conn: &Connection, job: i64, run: &Run) -> rusqlite::Result<Option<RunId>> {
    let request: Option<Option<String>> = conn
        .prepare_cached("SELECT request FROM runs WHERE id = ?1 AND job = ?2")?
        .query_row(params![run.id.as_str(), job], |row| row.get(0))
        .optional()?;
    Ok(rules::other_id(run, request.flatten().as_deref()))
}

/// See [`rules::other_of`].
pub(super) fn other_of(
    conn: &Connection,
    job: (i64, &JobName),
    id: RunId,
) -> rusqlite::Result<Option<RunId>> {
    let row: Option<(Option<String>, Timestamp)> = conn
        .prepare_cached("SELECT request, scheduled_at FROM runs WHERE id = ?1 AND job = ?2")?
        .query_row(params![id.as_str(), job.0], |row| {
            Ok((row.get(0)?, rows::instant(row, 1)?))
        })
        .optional()?;
    Ok(row.and_then(|(request, at)| rules::other_of(id, request.as_deref(), job.1, at)))
}

/// See [`rules::gives_way`].
const GIVE_WAY: &str = "UPDATE runs SET request = ?4 || id WHERE job = ?1 AND request IS NULL \
    AND trigger <> 'startup' AND scheduled_at > ?2 AND scheduled_at <= ?3 \
    AND state = 'done' AND attempt = 0";

pub(super) fn give_way(conn: &Connection, job: i64, over: Stretch) -> rusqlite::Result<()> {
    let (from, until) = (rows::nanos(over.0), rows::nanos(over.1));
    conn.prepare_cached(GIVE_WAY)?
        .execute(params![job, from, until, rules::BESIDE])?;
    Ok(())
}

impl Transaction<'_> {
    /// Gives jobs other names, with the files that say so.
    pub(super) fn rename_all(
        &mut self,
        moves: &[(JobName, JobName)],
        files: &[AppliedFile],
    ) -> rusqlite::Result<Written> {
        outbox::rename(self.conn, moves)?;
        for (from, to) in moves {
            self.rename(from, to)?;
        }
        for file in files {
            self.file(file)?;
        }
        Ok(Written::Done)
    }

    /// Gives a job another name. Where that name is known already, the two become one.
    fn rename(&mut self, from: &JobName, to: &JobName) -> rusqlite::Result<Written> {
        // What is in memory is under the old name.
        self.clear()?;
        let Some((old, old_mark)) = self.look_up(from)? else {
            return Ok(Written::Taken);
        };
        let Some((new, new_mark)) = self.look_up(to)? else {
            pauses::rename(self.conn, from, to)?;
            self.conn
                .prepare_cached("UPDATE jobs SET name = ?2 WHERE id = ?1")?
                .execute(params![old, to.as_str()])?;
            return Ok(Written::Done);
        };
        let (editions, history) = if rules::goes_on(&old_mark, &new_mark) {
            pauses::rename(self.conn, from, to)?;
            (
                "UPDATE editions SET job = ?2, number = number + coalesce((SELECT max(number) \
                 FROM editions WHERE job = ?2), 0) WHERE job = ?1",
                "UPDATE jobs SET (keep, keep_for) = (SELECT keep, keep_for FROM jobs WHERE id = ?1) \
                 WHERE id = ?2",
            )
        } else {
            // It keeps its own.
            pauses::drop_of(self.conn, from)?;
            (
                "DELETE FROM editions WHERE job = ?1 AND ?2 = ?2",
                "UPDATE jobs SET keep = keep WHERE id = ?2 AND ?1 = ?1",
            )
        };
        let (is_old, beyond) = rules::keeps_keys(&old_mark, &new_mark);
        let (gives, keeps) = if is_old { (new, old) } else { (old, new) };
        self.conn.prepare_cached(STAND_BESIDE)?.execute(params![
            gives,
            keeps,
            rows::nanos(beyond),
            rules::BESIDE
        ])?;
        for statement in [
            "UPDATE runs SET job = ?2 WHERE job = ?1",
            history,
            "DELETE FROM jobs WHERE id = ?1 AND ?2 = ?2",
            editions,
            "UPDATE jobs SET started_rows = (SELECT count(*) FROM runs WHERE job = ?2 \
             AND state = 'done' AND attempt > 0), quiet_rows = (SELECT count(*) FROM runs \
             WHERE job = ?2 AND state = 'done' AND attempt = 0) WHERE id = ?2 AND ?1 = ?1",
        ] {
            self.conn
                .prepare_cached(statement)?
                .execute(params![old, new])?;
        }
        if let Some(index) = self.seat(to)? {
            self.memory.seats[index].mark = rules::renamed(&old_mark, &new_mark);
            self.bound_editions(index)?;
        }
        Ok(Written::Done)
    }

    fn look_up(&self, name: &JobName) -> rusqlite::Result<Option<(i64, Mark)>> {
        let query = format!("SELECT id, {} FROM jobs WHERE name = ?1", rows::MARK);
        self.conn
            .prepare_cached(&query)?
            .query_row([name.as_str()], |row| {
                Ok((row.get(0)?, rows::mark(row, 1)?))
            })
            .optional()
    }
}
