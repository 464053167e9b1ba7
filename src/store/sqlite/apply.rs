//! One transaction of the writer: writes go in, in order, and become rows and marks.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::{audit, editions, outbox, pauses, rename, rows};
use crate::ids::{JobName, RunId};
use crate::model::{Output, Run};
use crate::store::rules::{self, Class, Origin};
use crate::store::{Mark, Write, Written};

/// So many jobs are held in memory before they are written back: a first start may see a million.
const SEATS: usize = 16_384;

/// So many are still known to the next transaction: a job that fires is claimed and closed, soon
/// after each other, and need not be looked up again.
const KEPT: usize = 8_192;

/// The jobs that transactions have touched: read once, written back once in each.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) seats: Vec<Seat>,
    by_name: HashMap<JobName, usize>,
}

/// A transaction under way. Dropped without [`Transaction::commit`] it is rolled back.
pub(super) struct Transaction<'c> {
    pub(super) conn: &'c Connection,
    hot: Hot<'c>,
    /// What is in there after a commit is what the file says.
    pub(super) memory: &'c mut Memory,
    is_durable: bool,
}

pub(super) struct Seat {
    pub(super) id: i64,
    pub(super) mark: Mark,
    /// The mark as it is stored.
    stored: Mark,
    /// How many ended rows it gained by this transaction, by class.
    started: i64,
    quiet: i64,
}

/// The statements that nearly every transaction needs.
struct Hot<'c> {
    find_job: CachedStatement<'c>,
    insert_job: CachedStatement<'c>,
    update_job: CachedStatement<'c>,
    insert_run: CachedStatement<'c>,
    find_run: CachedStatement<'c>,
    update_run: CachedStatement<'c>,
}

/// What an update must know of the row that is there.
struct Found {
    job: i64,
    class: Option<Class>,
    origin: Origin,
}

impl<'c> Transaction<'c> {
    /// Begins. Takes the right to write at once, so that nothing later fails for another's lock.
    pub(super) fn begin(conn: &'c Connection, memory: &'c mut Memory) -> rusqlite::Result<Self> {
        let hot = Hot {
            find_job: conn.prepare_cached(&format!(
                "SELECT id, {} FROM jobs WHERE name = ?1",
                rows::MARK
            ))?,
            insert_job: conn
                .prepare_cached("INSERT INTO jobs (name, first_seen, mark) VALUES (?1, ?2, ?2)")?,
            update_job: conn.prepare_cached(
                "UPDATE jobs SET first_seen = ?2, mark = ?3, gone_at = ?4, \
                 previous_success_at = ?5, last_startup_at = ?6, last_success = ?7, \
                 last_failure = ?8, last_run = ?9, last_duration = ?10, \
                 started_rows = started_rows + ?11, quiet_rows = quiet_rows + ?12, since = ?13, \
                 leap_from = ?14, leap_until = ?15, closed_from = ?16, closed_until = ?17, \
                 good = ?18, failing_run = ?19, failing_at = ?20, failing_revision = ?21, \
                 failing_definition = ?22 WHERE id = ?1",
            )?,
            insert_run: conn.prepare_cached(rows::INSERT_RUN)?,
            find_run: conn.prepare_cached(
                "SELECT job, state = 'done', attempt > 0, scheduled_at, trigger FROM runs WHERE id = ?1",
            )?,
            update_run: conn.prepare_cached(rows::UPDATE_RUN)?,
        };
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self {
            conn,
            hot,
            memory,
            is_durable: false,
        })
    }

    /// Makes it durable.
    pub(super) fn commit(mut self) -> rusqlite::Result<()> {
        self.settle()?;
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        self.is_durable = true;
        Ok(())
    }

    /// One write of a caller.
    pub(super) fn write(&mut self, write: &Write) -> rusqlite::Result<Written> {
        match write {
            Write::Seen { job, at, history } => self.seen(job, *at, *history),
            Write::Mark { job, at } => {
                self.with_job(job, *at, |mark| rules::rescheduled(mark, *at))?;
                Ok(Written::Done)
            }
            Write::Mend { job, at } => {
                if let Some(index) = self.seat(job)? {
                    let seat = &mut self.memory.seats[index];
                    if let Some(over) = rules::mended(&mut seat.mark, *at) {
                        rename::give_way(self.conn, seat.id, over)?;
                    }
                }
                Ok(Written::Done)
            }
            Write::Gone { job, at } => {
                if let Some(index) = self.seat(job)? {
                    rules::gone(&mut self.memory.seats[index].mark, *at);
                }
                Ok(Written::Done)
            }
            Write::Claim { run } => self.claim(run),
            Write::Extend {
                id,
                job,
                count,
                until,
                at,
            } => self.extend(id, job, *count, *until, *at),
            Write::Update { run, output } => self.update(run, output.as_ref()),
            Write::Edition {
                job,
                edition,
                order,
            } => self.edition(job, edition, *order),
            Write::Rename { moves, files } => self.rename_all(moves, files),
            Write::Tell(telling) => outbox::take(self.conn, telling),
            Write::LetterTried {
                id,
                attempts,
                next_attempt_at,
            } => outbox::tried(self.conn, *id, *attempts, *next_attempt_at),
            Write::LetterOver { id } => outbox::over(self.conn, *id),
            Write::Pause { job, pause } => pauses::put(self.conn, job, pause),
            Write::Audit(entry) => audit::add(self.conn, entry),
            Write::File(file) => self.file(file),
            Write::DropFile { root, path } => {
                self.conn
                    .prepare_cached("DELETE FROM files WHERE root = ?1 AND path = ?2")?
                    .execute([root, path])?;
                Ok(Written::Done)
            }
        }
    }

    /// Deletes these rows so far as they have ended; says how many.
    pub(super) fn delete(&mut self, runs: &[RunId]) -> rusqlite::Result<u64> {
        let mut delete = self.conn.prepare_cached("DELETE FROM runs WHERE id = ?1")?;
        let mut delete_output = self
            .conn
            .prepare_cached("DELETE FROM outputs WHERE run = ?1")?;
        let mut fewer: HashMap<i64, (i64, i64)> = HashMap::new();
        let mut deleted = 0;
        for id in runs {
            let Some(found) = self.hot.find(id)? else {
                continue;
            };
            let (started, quiet) = fewer.entry(found.job).or_default();
            match found.class {
                Some(Class::Started) => *started += 1,
                Some(Class::Quiet) => *quiet += 1,
                None => continue,
            }
            delete.execute([id.as_str()])?;
            delete_output.execute([id.as_str()])?;
            deleted += 1;
        }
        let mut count = self.conn.prepare_cached(
            "UPDATE jobs SET started_rows = started_rows - ?2, quiet_rows = quiet_rows - ?3 \
             WHERE id = ?1",
        )?;
        for (job, (started, quiet)) in fewer {
            count.execute([job, started, quiet])?;
        }
        Ok(deleted)
    }

    /// Forgets jobs that are gone since before `gone_before` and have no row any more.
    pub(super) fn forget(&mut self, gone_before: Timestamp, limit: i64) -> rusqlite::Result<u64> {
        self.clear()?;
        let forgotten = self
            .conn
            .prepare_cached(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs INDEXED BY jobs_gone \
                 WHERE gone_at < ?1 AND NOT EXISTS (SELECT 1 FROM runs INDEXED BY runs_job \
                 WHERE job = jobs.id AND state = 'done') \
                 AND NOT EXISTS (SELECT 1 FROM runs INDEXED BY runs_open \
                 WHERE job = jobs.id AND state <> 'done') LIMIT ?2)",
            )?
            .execute([rows::nanos(gone_before), limit])?;
        if forgotten > 0 {
            outbox::forget(self.conn)?;
            editions::forget(self.conn)?;
            pauses::forget(self.conn)?;
        }
        Ok(forgotten as u64)
    }

    /// Writes something that means nothing.
    pub(super) fn probe(&mut self) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("UPDATE probe SET times = times + 1 WHERE id = 1")?
            .execute([])?;
        Ok(())
    }

    fn claim(&mut self, run: &Run) -> rusqlite::Result<Written> {
        let index = match self.seat(&run.job)? {
            Some(index) if !rules::admits(&self.memory.seats[index].mark, run) => {
                return Ok(Written::Taken);
            }
            Some(index) => index,
            // A row under this identity has its job; a refused claim must not leave a new one.
            None if self.hot.find(&run.id)?.is_some() => return Ok(Written::Taken),
            None => self.new_seat(&run.job, run.scheduled_at)?,
        };
        let seat = &mut self.memory.seats[index];
        rows::bind_run(&mut self.hot.insert_run, seat.id, run)?;
        let mut written = Written::Done;
        if self.hot.insert_run.raw_execute()? == 0 {
            let Some(id) = rename::other_id(self.conn, seat.id, run)? else {
                return Ok(Written::Taken);
            };
            let run = Run { id, ..run.clone() };
            rows::bind_run(&mut self.hot.insert_run, seat.id, &run)?;
            if self.hot.insert_run.raw_execute()? == 0 {
                return Ok(Written::Taken);
            }
            written = Written::Under(id);
        }
        rules::claimed(&mut seat.mark, run);
        seat.count(rules::class(run), 1);
        Ok(written)
    }

    fn update(&mut self, run: &Run, output: Option<&Output>) -> rusqlite::Result<Written> {
        let Some(index) = self.seat(&run.job)? else {
            return Ok(Written::Taken);
        };
        let seat = &mut self.memory.seats[index];
        let is_its =
            |row: &Found| row.job == seat.id && !rules::opens_again(row.class.is_some(), run);
        let Some(found) = self.hot.find(&run.id)?.filter(is_its) else {
            return Ok(Written::Taken);
        };
        rows::bind_update(&mut self.hot.update_run, run)?;
        self.hot.update_run.raw_execute()?;
        rules::written(&mut seat.mark, run, found.origin);
        seat.count(found.class, -1);
        seat.count(rules::class(run), 1);
        match output {
            Some(output) if rules::is_empty(output) => {
                self.conn
                    .prepare_cached("DELETE FROM outputs WHERE run = ?1")?
                    .execute([run.id.as_str()])?;
            }
            Some(output) => {
                let (head, tail) = (&output.head, &output.tail);
                self.conn
                    .prepare_cached(
                        "INSERT INTO outputs (run, head, tail, total) VALUES (?1, ?2, ?3, ?4) \
                         ON CONFLICT (run) DO UPDATE SET head = excluded.head, \
                         tail = excluded.tail, total = excluded.total",
                    )?
                    .execute(params![
                        run.id.as_str(),
                        head,
                        tail,
                        rows::number(output.total)
                    ])?;
            }
            None => {}
        }
        Ok(Written::Done)
    }

    fn extend(
        &mut self,
        id: &RunId,
        job: &JobName,
        count: u64,
        until: Timestamp,
        at: Timestamp,
    ) -> rusqlite::Result<Written> {
        let Some(index) = self.seat(job)? else {
            return Ok(Written::Taken);
        };
        let seat = &mut self.memory.seats[index];
        let row = (count, until, at);
        if !extend_row(self.conn, seat.id, *id, row)? {
            // A row of the name's past has this identity, and the series another.
            let other = rename::other_of(self.conn, (seat.id, job), *id)?;
            let Some(other) = other else {
                return Ok(Written::Taken);
            };
            if !extend_row(self.conn, seat.id, other, row)? {
                return Ok(Written::Taken);
            }
        }
        rules::advance(&mut seat.mark, until);
        Ok(Written::Done)
    }

    pub(super) fn seat(&mut self, job: &JobName) -> rusqlite::Result<Option<usize>> {
        if let Some(index) = self.memory.by_name.get(job) {
            return Ok(Some(*index));
        }
        let found = self
            .hot
            .find_job
            .query_row([job.as_str()], |row| {
                Ok((row.get::<_, i64>(0)?, rows::mark(row, 1)?))
            })
            .optional()?;
        found.map(|(id, mark)| self.sit(job, id, mark)).transpose()
    }

    pub(super) fn new_seat(&mut self, job: &JobName, at: Timestamp) -> rusqlite::Result<usize> {
        self.hot
            .insert_job
            .execute(params![job.as_str(), rows::nanos(at)])?;
        let id = self.conn.last_insert_rowid();
        self.sit(job, id, Mark::first_sight(at))
    }

    fn sit(&mut self, job: &JobName, id: i64, mark: Mark) -> rusqlite::Result<usize> {
        if self.memory.seats.len() >= SEATS {
            self.clear()?;
        }
        let index = self.memory.seats.len();
        self.memory.seats.push(Seat {
            id,
            stored: mark.clone(),
            mark,
            started: 0,
            quiet: 0,
        });
        self.memory.by_name.insert(job.clone(), index);
        Ok(index)
    }

    pub(super) fn clear(&mut self) -> rusqlite::Result<()> {
        self.settle()?;
        *self.memory = Memory::default();
        Ok(())
    }

    /// Writes the jobs back.
    fn settle(&mut self) -> rusqlite::Result<()> {
        for seat in &mut self.memory.seats {
            if seat.mark == seat.stored && seat.started == 0 && seat.quiet == 0 {
                continue;
            }
            let Mark {
                first_seen,
                since,
                mark,
                gone_at,
                previous_success_at,
                last_startup_at,
                times,
                leap,
                closed,
                good,
                ref failing,
            } = seat.mark;
            let failing = failing.as_deref();
            self.hot.update_job.execute(params![
                seat.id,
                rows::nanos(first_seen),
                rows::nanos(mark),
                gone_at.map(rows::nanos),
                previous_success_at.map(rows::nanos),
                last_startup_at.map(rows::nanos),
                times.last_success.map(rows::nanos),
                times.last_failure.map(rows::nanos),
                times.last_run.map(rows::nanos),
                times.last_duration.map(rows::length),
                seat.started,
                seat.quiet,
                rows::nanos(since),
                leap.map(|(from, _)| rows::nanos(from)),
                leap.map(|(_, until)| rows::nanos(until)),
                closed.map(|(from, _)| rows::nanos(from)),
                closed.map(|(_, until)| rows::nanos(until)),
                good.map(rows::definition_number),
                failing.map(|it| it.run.as_str()),
                failing.map(|it| rows::nanos(it.at)),
                failing.and_then(|it| it.revision.as_deref()),
                failing.and_then(|it| it.definition.map(rows::definition_number)),
            ])?;
            seat.stored.clone_from(&seat.mark);
            (seat.started, seat.quiet) = (0, 0);
        }
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SQLite itself has already rolled back after some errors. A failing rollback leaves the
        // transaction open, and the next `BEGIN` says so.
        if !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        if !self.is_durable || self.memory.seats.len() > KEPT {
            *self.memory = Memory::default();
        }
    }
}

impl Seat {
    fn count(&mut self, class: Option<Class>, by: i64) {
        match class {
            Some(Class::Started) => self.started += by,
            Some(Class::Quiet) => self.quiet += by,
            None => {}
        }
    }
}

/// As `rules::extend` has it.
fn extend_row(
    conn: &Connection,
    job: i64,
    id: RunId,
    (count, until, at): (u64, Timestamp, Timestamp),
) -> rusqlite::Result<bool> {
    let extended = conn
        .prepare_cached(
            "UPDATE runs SET count = max(count, ?3), \
             scheduled_until = max(coalesce(scheduled_until, scheduled_at), ?4), \
             finished_at = CASE WHEN state = 'done' \
             THEN max(coalesce(finished_at, ?5), ?5) ELSE finished_at END \
             WHERE id = ?1 AND job = ?2 AND request IS NULL",
        )?
        .execute(params![
            id.as_str(),
            job,
            rows::number(count),
            rows::nanos(until),
            rows::nanos(at)
        ])?;
    Ok(extended > 0)
}

impl Hot<'_> {
    fn find(&mut self, id: &RunId) -> rusqlite::Result<Option<Found>> {
        self.find_run
            .query_row([id.as_str()], |row| {
                let class = match (row.get(1)?, row.get(2)?) {
                    (false, _) => None,
                    (true, true) => Some(Class::Started),
                    (true, false) => Some(Class::Quiet),
                };
                Ok(Found {
                    job: row.get(0)?,
                    class,
                    origin: Origin {
                        scheduled_at: rows::instant(row, 3)?,
                        trigger: rows::trigger(row, 4)?,
                    },
                })
            })
            .optional()
    }
}

#[cfg(test)]
mod tests {
    use crate::model::RunState;

    #[test]
    fn the_statements_know_the_word_of_an_ended_row() {
        assert_eq!(RunState::Done.as_str(), "done");
    }
}
