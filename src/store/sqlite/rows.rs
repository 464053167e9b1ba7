//! Rows and what they mean, both ways.
//!
//! Instants and lengths are nanoseconds in 64 bits, which reach from 1677 to 2262; an instant
//! beyond is kept as the nearest end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Row, Statement};

use crate::decide::Failing;
use crate::ids::{DefinitionId, JobName, RunId};
use crate::model::{JobTimes, Outcome, Reason, Run, RunState, Trigger};
use crate::store::Mark;

/// What [`run`] reads, in its order, from `runs` joined with `jobs`.
pub(super) const RUN: &str = "runs.id, jobs.name, runs.scheduled_at, runs.scheduled_until, \
     runs.count, runs.trigger, runs.request, runs.state, runs.attempt, runs.started_at, \
     runs.finished_at, runs.next_attempt_at, runs.outcome, runs.reason, runs.detail, \
     runs.exit_code, runs.signal, runs.http_status, runs.duration, runs.revision, runs.source, \
     runs.output_bytes, runs.definition";

/// How many columns [`RUN`] has.
pub(super) const RUN_WIDTH: usize = 23;

/// Takes what [`bind_run`] gives.
pub(super) const INSERT_RUN: &str = "INSERT INTO runs (id, job, scheduled_at, trigger, request, \
     scheduled_until, count, state, attempt, started_at, finished_at, next_attempt_at, outcome, \
     reason, detail, exit_code, signal, http_status, duration, revision, source, output_bytes, \
     definition) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
     ?19, ?20, ?21, ?22, ?23) ON CONFLICT DO NOTHING";

/// Takes what [`bind_update`] gives; a row's key never changes.
pub(super) const UPDATE_RUN: &str = "UPDATE runs SET scheduled_until = ?2, count = ?3, \
     state = ?4, attempt = ?5, started_at = ?6, finished_at = ?7, next_attempt_at = ?8, \
     outcome = ?9, reason = ?10, detail = ?11, exit_code = ?12, signal = ?13, http_status = ?14, \
     duration = ?15, revision = ?16, source = ?17, output_bytes = ?18, definition = ?19 \
     WHERE id = ?1";

/// What [`mark`] reads, in its order, from `jobs`.
pub(super) const MARK: &str = "jobs.first_seen, jobs.mark, jobs.gone_at, \
     jobs.previous_success_at, jobs.last_startup_at, jobs.last_success, jobs.last_failure, \
     jobs.last_run, jobs.last_duration, jobs.since, \
     jobs.leap_from, jobs.leap_until, jobs.closed_from, jobs.closed_until, jobs.good, \
     jobs.failing_run, jobs.failing_at, jobs.failing_revision, jobs.failing_definition";

/// An instant as it is stored.
pub(super) fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at.as_second() < 0 {
        i64::MIN
    } else {
        i64::MAX
    })
}

/// A length as it is stored.
pub(super) fn length(length: Duration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}

/// A number as it is stored.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Binds a whole row.
pub(super) fn bind_run(statement: &mut Statement<'_>, job: i64, run: &Run) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, run.id.as_str())?;
    statement.raw_bind_parameter(2, job)?;
    statement.raw_bind_parameter(3, nanos(run.scheduled_at))?;
    statement.raw_bind_parameter(4, run.trigger.as_str())?;
    statement.raw_bind_parameter(5, run.request.as_deref())?;
    bind_rest(statement, 6, run)
}

/// Binds what may change of a row.
pub(super) fn bind_update(statement: &mut Statement<'_>, run: &Run) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, run.id.as_str())?;
    bind_rest(statement, 2, run)
}

fn bind_rest(statement: &mut Statement<'_>, from: usize, run: &Run) -> rusqlite::Result<()> {
    let mut index = from..;
    let mut next = || index.next().unwrap_or(0);
    statement.raw_bind_parameter(next(), run.scheduled_until.map(nanos))?;
    statement.raw_bind_parameter(next(), number(run.count))?;
    statement.raw_bind_parameter(next(), run.state.as_str())?;
    statement.raw_bind_parameter(next(), run.attempt)?;
    statement.raw_bind_parameter(next(), run.started_at.map(nanos))?;
    statement.raw_bind_parameter(next(), run.finished_at.map(nanos))?;
    statement.raw_bind_parameter(next(), run.next_attempt_at.map(nanos))?;
    statement.raw_bind_parameter(next(), run.outcome.map(Outcome::as_str))?;
    statement.raw_bind_parameter(next(), run.reason.map(Reason::as_str))?;
    statement.raw_bind_parameter(next(), run.detail.as_deref())?;
    statement.raw_bind_parameter(next(), run.exit_code)?;
    statement.raw_bind_parameter(next(), run.signal)?;
    statement.raw_bind_parameter(next(), run.http_status)?;
    statement.raw_bind_parameter(next(), run.duration.map(length))?;
    statement.raw_bind_parameter(next(), run.revision.as_deref())?;
    statement.raw_bind_parameter(next(), run.source.as_deref())?;
    statement.raw_bind_parameter(next(), number(run.output_bytes))?;
    statement.raw_bind_parameter(next(), run.definition.map(definition_number))
}

/// Reads [`RUN`].
pub(super) fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: word(row, 0, RunId::parse)?,
        job: name(row, 1)?,
        scheduled_at: instant(row, 2)?,
        scheduled_until: maybe_instant(row, 3)?,
        count: unsigned(row, 4)?,
        trigger: word(row, 5, Trigger::parse)?,
        request: maybe_text(row, 6)?,
        state: word(row, 7, RunState::parse)?,
        attempt: row.get(8)?,
        started_at: maybe_instant(row, 9)?,
        finished_at: maybe_instant(row, 10)?,
        next_attempt_at: maybe_instant(row, 11)?,
        outcome: maybe_word(row, 12, Outcome::parse)?,
        reason: maybe_word(row, 13, Reason::parse)?,
        detail: maybe_text(row, 14)?,
        exit_code: row.get(15)?,
        signal: row.get(16)?,
        http_status: row.get(17)?,
        duration: maybe_length(row, 18)?,
        revision: maybe_text(row, 19)?,
        source: maybe_text(row, 20)?,
        output_bytes: unsigned(row, 21)?,
        definition: maybe_definition(row, 22)?,
        author: None,
    })
}

/// Reads [`MARK`], which begins at column `from`.
pub(super) fn mark(row: &Row<'_>, from: usize) -> rusqlite::Result<Mark> {
    let first_seen = instant(row, from)?;
    Ok(Mark {
        first_seen,
        since: maybe_instant(row, from + 9)?.unwrap_or(first_seen),
        mark: instant(row, from + 1)?,
        gone_at: maybe_instant(row, from + 2)?,
        previous_success_at: maybe_instant(row, from + 3)?,
        last_startup_at: maybe_instant(row, from + 4)?,
        times: JobTimes {
            last_success: maybe_instant(row, from + 5)?,
            last_failure: maybe_instant(row, from + 6)?,
            last_run: maybe_instant(row, from + 7)?,
            last_duration: maybe_length(row, from + 8)?,
        },
        leap: maybe_stretch(row, from + 10)?,
        closed: maybe_stretch(row, from + 12)?,
        good: maybe_definition(row, from + 14)?,
        failing: failing(row, from + 15)?.map(Arc::new),
    })
}

fn failing(row: &Row<'_>, from: usize) -> rusqlite::Result<Option<Failing>> {
    let Some(run) = maybe_word(row, from, RunId::parse)? else {
        return Ok(None);
    };
    Ok(Some(Failing {
        run,
        at: instant(row, from + 1)?,
        revision: maybe_text(row, from + 2)?,
        definition: maybe_definition(row, from + 3)?,
    }))
}

/// What a definition is known by, as it is stored.
pub(super) fn definition_number(id: DefinitionId) -> i64 {
    number(id.number())
}

/// Reads what a definition is known by.
pub(super) fn definition(row: &Row<'_>, index: usize) -> rusqlite::Result<DefinitionId> {
    let number = unsigned(row, index)?;
    DefinitionId::from_number(number).ok_or_else(|| unreadable(index, &number.to_string()))
}

/// Reads what a definition is known by, where there is one.
pub(super) fn maybe_definition(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<Option<DefinitionId>> {
    match row.get_ref(index)? {
        ValueRef::Null => Ok(None),
        _ => definition(row, index).map(Some),
    }
}

/// Reads a job's name.
pub(super) fn name(row: &Row<'_>, index: usize) -> rusqlite::Result<JobName> {
    let text = row.get_ref(index)?.as_str()?;
    JobName::new(text).map_err(|_| unreadable(index, text))
}

/// Reads an outcome.
pub(super) fn outcome(row: &Row<'_>, index: usize) -> rusqlite::Result<Outcome> {
    word(row, index, Outcome::parse)
}

/// Reads what made a run.
pub(super) fn trigger(row: &Row<'_>, index: usize) -> rusqlite::Result<Trigger> {
    word(row, index, Trigger::parse)
}

/// Reads a run's identity.
pub(super) fn id(row: &Row<'_>, index: usize) -> rusqlite::Result<RunId> {
    word(row, index, RunId::parse)
}

/// Reads a number that is never below zero.
pub(super) fn unsigned(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|_| unreadable(index, &number.to_string()))
}

/// Reads an instant.
pub(super) fn instant(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    let nanos: i64 = row.get(index)?;
    Timestamp::from_nanosecond(nanos.into()).map_err(|error| unreadable(index, &error.to_string()))
}

/// Reads an instant that may not be there.
pub(super) fn maybe_instant(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get_ref(index)? {
        ValueRef::Null => Ok(None),
        _ => instant(row, index).map(Some),
    }
}

fn maybe_stretch(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<(Timestamp, Timestamp)>> {
    let ends = (maybe_instant(row, index)?, maybe_instant(row, index + 1)?);
    Ok(match ends {
        (Some(from), Some(until)) => Some((from, until)),
        _ => None,
    })
}

fn maybe_length(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Duration>> {
    match row.get_ref(index)? {
        ValueRef::Null => Ok(None),
        _ => Ok(Some(Duration::from_nanos(unsigned(row, index)?))),
    }
}

/// Reads text that may not be there.
pub(super) fn maybe_text(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Arc<str>>> {
    Ok(row.get_ref(index)?.as_str_or_null()?.map(Arc::from))
}

/// Reads a word of a closed list.
pub(super) fn word<T>(
    row: &Row<'_>,
    index: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    parse(text).ok_or_else(|| unreadable(index, text))
}

fn maybe_word<T>(
    row: &Row<'_>,
    index: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(index)? {
        ValueRef::Null => Ok(None),
        _ => word(row, index, parse).map(Some),
    }
}

fn unreadable(index: usize, text: &str) -> rusqlite::Error {
    let shown: String = text.chars().take(40).collect();
    let said = format!("a row holds {shown:?}, which elder never writes there");
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, said.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_beyond_64_bits_is_kept_as_the_nearest_end() {
        assert_eq!(nanos(Timestamp::MAX), i64::MAX);
        assert_eq!(nanos(Timestamp::MIN), i64::MIN);
        for nanos_in in [i64::MIN, -1, 0, 1, i64::MAX] {
            let at = Timestamp::from_nanosecond(nanos_in.into()).unwrap();
            assert_eq!(nanos(at), nanos_in);
        }
    }

    #[test]
    fn the_columns_are_as_many_as_are_read() {
        assert_eq!(RUN.split(',').count(), RUN_WIDTH);
        assert_eq!(MARK.split(',').count(), 19);
    }
}
