//! The audit trail in its table.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::rows;
use crate::model::{AuditEntry, AuditResult};
use crate::store::{AUDIT_ROWS, AuditPage, AuditQuery, MAX_PAGE, Written};

/// Adds a row.
pub(super) fn add(conn: &Connection, entry: &AuditEntry) -> rusqlite::Result<Written> {
    conn.prepare_cached(
        "INSERT INTO audit (at, actor, origin, action, subject, result, detail, hash_before, \
         hash_after, request) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        rows::nanos(entry.at),
        &*entry.actor,
        entry.from.as_deref(),
        &*entry.action,
        entry.subject.as_deref(),
        entry.result.as_str(),
        entry.detail.as_deref(),
        entry.before.as_deref(),
        entry.after.as_deref(),
        entry.request.as_deref(),
    ])?;
    Ok(Written::Done)
}

/// Deletes the oldest rows that are too old or too many, at most `limit`.
pub(super) fn cut(conn: &Connection, oldest_kept: Timestamp, limit: i64) -> rusqlite::Result<u64> {
    let deleted = conn
        .prepare_cached(
            "DELETE FROM audit WHERE number IN (SELECT number FROM audit \
             WHERE number <= (SELECT max(number) FROM audit) - ?2 OR at < ?1 \
             ORDER BY number LIMIT ?3)",
        )?
        .execute(params![
            rows::nanos(oldest_kept),
            rows::number(AUDIT_ROWS),
            limit
        ])?;
    Ok(deleted as u64)
}

/// One page, newest first.
pub(super) fn page(conn: &Connection, query: &AuditQuery) -> rusqlite::Result<AuditPage> {
    let limit = query.limit.min(MAX_PAGE);
    if limit == 0 {
        return Ok(AuditPage::default());
    }
    let before = query.before.map_or(i64::MAX, rows::number);
    let since = query.since.map_or(i64::MIN, rows::nanos);
    let mut found: Vec<(u64, AuditEntry)> = conn
        .prepare_cached(
            "SELECT number, at, actor, origin, action, subject, result, detail, hash_before, \
             hash_after, request FROM audit WHERE number < ?1 AND at >= ?2 \
             ORDER BY number DESC LIMIT ?3",
        )?
        .query_map(
            params![before, since, i64::try_from(limit + 1).unwrap_or(i64::MAX)],
            |row| {
                let entry = AuditEntry {
                    at: rows::instant(row, 1)?,
                    actor: row.get_ref(2)?.as_str()?.into(),
                    from: rows::maybe_text(row, 3)?,
                    action: row.get_ref(4)?.as_str()?.into(),
                    subject: rows::maybe_text(row, 5)?,
                    result: rows::word(row, 6, AuditResult::parse)?,
                    detail: rows::maybe_text(row, 7)?,
                    before: rows::maybe_text(row, 8)?,
                    after: rows::maybe_text(row, 9)?,
                    request: rows::maybe_text(row, 10)?,
                };
                Ok((rows::unsigned(row, 0)?, entry))
            },
        )?
        .collect::<rusqlite::Result<_>>()?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(number, _)| *number);
    Ok(AuditPage { rows: found, next })
}
