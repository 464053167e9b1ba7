//! A job under another name: one row of `jobs` changes its name, and with it everything that belongs to it.

use rusqlite::{OptionalExtension, params};

use super::apply::Transaction;
use super::{pauses, rows};
use crate::ids::JobName;
use crate::store::{AppliedFile, Mark, Written, rules};

/// Rows of the job ?2 that have ended, and have the key of an open one of ?1.
macro_rules! gives_way {
    () => {
        "SELECT theirs.id FROM runs AS ours JOIN runs AS theirs \
         ON theirs.job = ?2 AND theirs.state = 'done' AND (theirs.request = ours.request \
         OR theirs.request IS NULL AND ours.request IS NULL \
         AND theirs.scheduled_at = ours.scheduled_at) \
         WHERE ours.job = ?1 AND ours.state <> 'done'"
    };
}

impl Transaction<'_> {
    /// Gives jobs other names, with the files that say so.
    pub(super) fn rename_all(
        &mut self,
        moves: &[(JobName, JobName)],
        files: &[AppliedFile],
    ) -> rusqlite::Result<Written> {
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
        // Of two rows with one key that which is open stays, else the new name's.
        for statement in [
            concat!("DELETE FROM outputs WHERE run IN (", gives_way!(), ")"),
            concat!("DELETE FROM runs WHERE id IN (", gives_way!(), ")"),
            "UPDATE OR IGNORE runs SET job = ?2 WHERE job = ?1",
            "DELETE FROM outputs WHERE run IN (SELECT id FROM runs WHERE job = ?1) AND ?2 = ?2",
            "DELETE FROM runs WHERE job = ?1 AND ?2 = ?2",
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
