//! Letters that wait, and what is remembered of those that went, in their tables.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows;
use crate::ids::{JobName, RunId};
use crate::model::{Letter, SageEvent};
use crate::store::{Telling, Waiting, Written};

/// Takes letters in, and what is remembered of them.
pub(super) fn take(conn: &Connection, telling: &Telling) -> rusqlite::Result<Written> {
    for letter in &telling.letters {
        conn.prepare_cached(
            "INSERT INTO letters (id, sage, job, event, at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            letter.id.as_str(),
            letter.sage.as_str(),
            letter.job.as_ref().map(JobName::as_str),
            letter.event.as_str(),
            rows::nanos(letter.at),
            &*letter.body,
        ])?;
    }
    for (subject, text) in &telling.said {
        match text {
            Some(text) => conn
                .prepare_cached(
                    "INSERT INTO said (subject, text) VALUES (?1, ?2) \
                     ON CONFLICT (subject) DO UPDATE SET text = excluded.text",
                )?
                .execute([subject, text])?,
            None => conn
                .prepare_cached("DELETE FROM said WHERE subject = ?1")?
                .execute([subject])?,
        };
    }
    Ok(Written::Done)
}

/// A letter was tried in vain.
pub(super) fn tried(
    conn: &Connection,
    id: RunId,
    attempts: u32,
    next: Timestamp,
) -> rusqlite::Result<Written> {
    let changed = conn
        .prepare_cached("UPDATE letters SET attempts = ?2, next_attempt_at = ?3 WHERE id = ?1")?
        .execute(params![id.as_str(), attempts, rows::nanos(next)])?;
    Ok(written(changed))
}

/// Jobs have other names: letters about them keep their order under these.
pub(super) fn rename(conn: &Connection, moves: &[(JobName, JobName)]) -> rusqlite::Result<()> {
    // Each change reads all letters: only for jobs about which there are any.
    let mut told: HashSet<String> = conn
        .prepare_cached("SELECT DISTINCT job FROM letters WHERE job IS NOT NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for (from, to) in moves {
        if told.remove(from.as_str()) {
            conn.prepare_cached("UPDATE letters SET job = ?2 WHERE job = ?1")?
                .execute([from.as_str(), to.as_str()])?;
            told.insert(to.as_str().to_owned());
        }
    }
    Ok(())
}

/// A letter leaves.
pub(super) fn over(conn: &Connection, id: RunId) -> rusqlite::Result<Written> {
    let changed = conn
        .prepare_cached("DELETE FROM letters WHERE id = ?1")?
        .execute([id.as_str()])?;
    Ok(written(changed))
}

fn written(changed: usize) -> Written {
    match changed {
        0 => Written::Taken,
        _ => Written::Done,
    }
}

/// Forgets what is remembered of jobs that are forgotten.
pub(super) fn forget(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "DELETE FROM said WHERE subject LIKE 'job/%' \
         AND NOT EXISTS (SELECT 1 FROM jobs WHERE name = substr(subject, 5))",
    )?
    .execute([])?;
    Ok(())
}

/// Letters that came after number `after`.
pub(super) fn waiting(
    conn: &Connection,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Waiting>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    conn.prepare_cached(
        "SELECT number, id, sage, job, at, attempts, next_attempt_at FROM letters \
         WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?
    .query_map([rows::number(after), limit], |row| {
        Ok(Waiting {
            number: rows::unsigned(row, 0)?,
            id: rows::id(row, 1)?,
            sage: rows::name(row, 2)?,
            job: job(row, 3)?,
            at: rows::instant(row, 4)?,
            attempts: row.get(5)?,
            next_attempt_at: rows::maybe_instant(row, 6)?,
        })
    })?
    .collect()
}

/// A letter with its text.
pub(super) fn letter(conn: &Connection, id: RunId) -> rusqlite::Result<Option<Letter>> {
    conn.prepare_cached("SELECT id, sage, job, event, at, body FROM letters WHERE id = ?1")?
        .query_row([id.as_str()], |row| {
            Ok(Letter {
                id: rows::id(row, 0)?,
                sage: rows::name(row, 1)?,
                job: job(row, 2)?,
                event: rows::word(row, 3, SageEvent::parse)?,
                at: rows::instant(row, 4)?,
                body: row.get_ref(5)?.as_str()?.into(),
            })
        })
        .optional()
}

/// All that is remembered of what was told.
pub(super) fn said(conn: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    conn.prepare_cached("SELECT subject, text FROM said")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn job(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<JobName>> {
    match row.get_ref(index)?.as_str_or_null()? {
        None => Ok(None),
        Some(_) => rows::name(row, index).map(Some),
    }
}
