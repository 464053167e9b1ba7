//! A look at a store's past that takes no lock and leaves no trace.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::{fault, rows, schema};
use crate::ids::JobName;
use crate::store::StoreError;

/// The newest lengths of successful runs of a job.
const RUN_TIMES: &str = "SELECT duration FROM runs INDEXED BY runs_job \
     WHERE job = (SELECT id FROM jobs WHERE name = ?1) AND state = 'done' AND attempt > 0 \
     AND outcome = 'success' AND duration IS NOT NULL ORDER BY scheduled_at DESC, id DESC LIMIT ?2";

/// The lengths of each job's last `last` successful runs.
pub(in crate::store) fn run_times(
    place: &Path,
    jobs: &[JobName],
    last: usize,
) -> Result<Vec<Vec<Duration>>, StoreError> {
    if !place.exists() {
        return Err(StoreError::Unavailable(format!(
            "there is no store {}",
            place.display()
        )));
    }
    schema::look_at(place)?;
    let read = || {
        let conn = open(place)?;
        let moment = conn.unchecked_transaction()?;
        let mut find = moment.prepare(RUN_TIMES)?;
        let limit = i64::try_from(last).unwrap_or(i64::MAX);
        jobs.iter()
            .map(|job| {
                let found = find.query_map(params![job.as_str(), limit], |row| {
                    rows::unsigned(row, 0).map(Duration::from_nanos)
                })?;
                found.collect::<rusqlite::Result<Vec<_>>>()
            })
            .collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(|error| fault::of_sqlite(place, &error))
}

fn open(place: &Path) -> rusqlite::Result<Connection> {
    let log = fs::metadata(schema::sibling(place, "-wal"));
    if log.is_ok_and(|log| log.len() > 0) {
        return schema::open_reader(place);
    }
    // Nobody writes to it: without this, SQLite would make the files that go with a log.
    let mut address = "file:".to_owned();
    for byte in place.as_os_str().as_encoded_bytes() {
        match byte {
            b'?' | b'#' | b'%' => address.push_str(&format!("%{byte:02x}")),
            byte if byte.is_ascii_graphic() => address.push(char::from(*byte)),
            byte => address.push_str(&format!("%{byte:02x}")),
        }
    }
    address.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(address, flags)
}
