//! What a sync says of jobs and files.

use jiff::Timestamp;
use rusqlite::params;

use super::apply::Transaction;
use super::{pauses, rows};
use crate::ids::JobName;
use crate::model::History;
use crate::store::{AppliedFile, Mark, Written, rules};

impl Transaction<'_> {
    pub(super) fn seen(
        &mut self,
        job: &JobName,
        at: Timestamp,
        history: History,
    ) -> rusqlite::Result<Written> {
        let own = (history != History::default()).then_some(history);
        let (index, is_new) = match self.seat(job)? {
            Some(index) => (index, false),
            None => (self.new_seat(job, at)?, true),
        };
        let seat = &mut self.memory.seats[index];
        if rules::seen(&mut seat.mark, at) {
            pauses::drop_of(self.conn, job)?;
        }
        // A new one says nothing yet: a first start may see a million.
        if own.is_some() || !is_new {
            self.conn
                .prepare_cached("UPDATE jobs SET keep = ?2, keep_for = ?3 WHERE id = ?1")?
                .execute(params![
                    seat.id,
                    own.map(|own| own.keep),
                    own.map(|own| rows::length(own.max_age))
                ])?;
        }
        Ok(Written::Done)
    }

    pub(super) fn file(&mut self, file: &AppliedFile) -> rusqlite::Result<Written> {
        self.conn
            .prepare_cached(
                "INSERT INTO files (root, path, hash, definitions) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (root, path) DO UPDATE SET hash = excluded.hash, \
                 definitions = excluded.definitions",
            )?
            .execute([&file.root, &file.path, &file.hash, &file.definitions])?;
        Ok(Written::Done)
    }

    /// Changes the memory of a job that is known, or sees it for the first time.
    pub(super) fn with_job(
        &mut self,
        job: &JobName,
        at: Timestamp,
        change: impl FnOnce(&mut Mark),
    ) -> rusqlite::Result<()> {
        match self.seat(job)? {
            Some(index) => change(&mut self.memory.seats[index].mark),
            None => {
                self.new_seat(job, at)?;
            }
        }
        Ok(())
    }
}
