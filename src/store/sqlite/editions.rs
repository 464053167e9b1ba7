//! Editions of definitions, in their table.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::apply::Transaction;
use super::rows;
use crate::decide::fields::Field;
use crate::decide::{Edit, Edition, MOST_EDITIONS, superfluous};
use crate::ids::JobName;
use crate::store::{EditionOrder, Written};

/// What [`edition`] reads, in its order.
const EDITION: &str =
    "editions.definition, editions.at, editions.revision, editions.author, editions.changed";

impl Transaction<'_> {
    /// Remembers an edition of a job.
    pub(super) fn edition(
        &mut self,
        job: &JobName,
        edition: &Edition,
        order: EditionOrder,
    ) -> rusqlite::Result<Written> {
        let Some(index) = self.seat(job)? else {
            return Ok(Written::Taken);
        };
        let id = self.memory.seats[index].id;
        let newest: Option<(i64, i64)> = self
            .conn
            .prepare_cached(
                "SELECT number, definition FROM editions WHERE job = ?1 \
                 ORDER BY number DESC LIMIT 1",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let definition = rows::definition_number(edition.definition);
        let Edit {
            at,
            revision,
            author,
        } = &edition.edit;
        let is_newest = newest.is_some_and(|(_, newest)| newest == definition);
        let number = match (newest, order) {
            (Some((number, _)), EditionOrder::Committed) if is_newest => {
                self.conn
                    .prepare_cached(
                        "UPDATE editions SET revision = ?3, author = ?4 \
                         WHERE job = ?1 AND number = ?2",
                    )?
                    .execute(params![id, number, revision.as_deref(), author.as_deref()])?;
                return Ok(Written::Done);
            }
            (_, EditionOrder::Committed) => return Ok(Written::Taken),
            (Some(_), EditionOrder::First) => return Ok(Written::Taken),
            _ if is_newest => return Ok(Written::Taken),
            (Some((number, _)), EditionOrder::Next) => number + 1,
            (None, _) => 1,
        };
        self.conn
            .prepare_cached(
                "INSERT INTO editions (job, number, definition, at, revision, author, changed) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id,
                number,
                definition,
                at.map(rows::nanos),
                revision.as_deref(),
                author.as_deref(),
                edition.changed.as_deref().map(print),
            ])?;
        if number > MOST_EDITIONS as i64 {
            self.bound_editions(index)?;
        }
        Ok(Written::Done)
    }

    /// Forgets a job's editions beyond the bound.
    pub(super) fn bound_editions(&self, seat: usize) -> rusqlite::Result<()> {
        let seat = &self.memory.seats[seat];
        let (good, failing) = (seat.mark.good, seat.mark.failing.as_deref());
        let (mut numbers, mut editions): (Vec<i64>, Vec<Edition>) = self
            .conn
            .prepare_cached(&format!(
                "SELECT {EDITION}, editions.number FROM editions WHERE job = ?1 ORDER BY number"
            ))?
            .query_map([seat.id], |row| {
                Ok((row.get::<_, i64>(5)?, edition(row, 0)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        while let Some(place) = superfluous(&editions, good, failing) {
            editions.remove(place);
            self.conn
                .prepare_cached("DELETE FROM editions WHERE job = ?1 AND number = ?2")?
                .execute([seat.id, numbers.remove(place)])?;
        }
        Ok(())
    }
}

/// Forgets the editions of jobs that are forgotten.
pub(super) fn forget(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM editions WHERE job NOT IN (SELECT id FROM jobs)")?
        .execute([])?;
    Ok(())
}

/// The editions of a job, the oldest first.
pub(super) fn of(conn: &Connection, job: &JobName) -> rusqlite::Result<Vec<Edition>> {
    conn.prepare_cached(&format!(
        "SELECT {EDITION} FROM editions WHERE job = (SELECT id FROM jobs WHERE name = ?1) \
         ORDER BY number"
    ))?
    .query_map([job.as_str()], |row| edition(row, 0))?
    .collect()
}

/// The editions of jobs for which they matter: those that fail, and those that have another edition
/// than that of their last success.
pub(super) fn that_matter(conn: &Connection) -> rusqlite::Result<Vec<(JobName, Vec<Edition>)>> {
    // A walk along both tables, and a look into the second one for few jobs: most have one edition.
    let mut statement = conn.prepare_cached(&format!(
        "WITH some (job) AS (SELECT id FROM jobs WHERE failing_run IS NOT NULL \
         UNION SELECT job FROM editions WHERE number > 1) \
         SELECT jobs.name, {EDITION} FROM some CROSS JOIN jobs ON jobs.id = some.job \
         CROSS JOIN editions ON editions.job = jobs.id \
         WHERE jobs.gone_at IS NULL AND (jobs.failing_run IS NOT NULL OR jobs.good IS NOT \
         (SELECT definition FROM editions AS newest WHERE newest.job = jobs.id \
         ORDER BY number DESC LIMIT 1)) ORDER BY jobs.id, editions.number"
    ))?;
    let mut found: Vec<(JobName, Vec<Edition>)> = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, edition) = (rows::name(row, 0)?, edition(row, 1)?);
        match found.last_mut() {
            Some((last, editions)) if *last == name => editions.push(edition),
            _ => found.push((name, vec![edition])),
        }
    }
    Ok(found)
}

/// Who made the newest edition of each job that is not gone, where that is known.
pub(super) fn authors(conn: &Connection) -> rusqlite::Result<Vec<(JobName, Arc<str>)>> {
    // Of a group with one `max` SQLite takes the other columns from the row that has it.
    let mut statement = conn.prepare_cached(
        "SELECT jobs.name, newest.author FROM (SELECT job, max(number), author FROM editions \
         GROUP BY job) AS newest CROSS JOIN jobs ON jobs.id = newest.job \
         WHERE newest.author IS NOT NULL AND jobs.gone_at IS NULL",
    )?;
    let mut known: HashSet<Arc<str>> = HashSet::new();
    let mut found = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A few people make a great many jobs.
        let author = row.get_ref(1)?.as_str()?;
        let author = known.get(author).cloned().unwrap_or_else(|| author.into());
        known.insert(author.clone());
        found.push((rows::name(row, 0)?, author));
    }
    Ok(found)
}

/// Jobs that are not gone and have no edition.
pub(super) fn missing(conn: &Connection) -> rusqlite::Result<Vec<JobName>> {
    // As good as always there is none: then nobody need look for each job.
    let is_complete: bool = conn
        .prepare_cached(
            "SELECT (SELECT count(*) FROM jobs) = (SELECT count(DISTINCT job) FROM editions)",
        )?
        .query_row([], |row| row.get(0))?;
    if is_complete {
        return Ok(Vec::new());
    }
    conn.prepare_cached(
        "SELECT name FROM jobs WHERE gone_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM editions WHERE job = jobs.id)",
    )?
    .query_map([], |row| rows::name(row, 0))?
    .collect()
}

fn edition(row: &Row<'_>, from: usize) -> rusqlite::Result<Edition> {
    Ok(Edition {
        definition: rows::definition(row, from)?,
        edit: Edit {
            at: rows::maybe_instant(row, from + 1)?,
            revision: rows::maybe_text(row, from + 2)?,
            author: rows::maybe_text(row, from + 3)?,
        },
        changed: rows::maybe_text(row, from + 4)?.map(|text| parse(&text)),
    })
}

fn print(fields: &[Field]) -> String {
    // Three texts each: nothing that JSON could refuse.
    serde_json::to_string(fields).unwrap_or_default()
}

fn parse(text: &str) -> Arc<[Field]> {
    let fields: Vec<Field> = serde_json::from_str(text).unwrap_or_default();
    fields.into()
}
