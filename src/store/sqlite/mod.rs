//! The default store: one SQLite file, one thread that writes, a few connections that read.
//!
//! A commit is answered when the disk has it (`synchronous=FULL`), and what waits meanwhile shares
//! the next trip to the disk. Only one elder may have the file open. A file that is damaged, newer
//! or not elder's is refused and left as it is. Nothing here reads a clock.

mod apply;
mod audit;
mod backup;
mod editions;
mod fault;
mod history;
mod inspect;
mod lock;
mod outbox;
mod pauses;
mod queries;
mod reader;
mod rename;
mod restore;
mod rows;
mod schema;
mod seen;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use history::run_times;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use self::inspect::{Inspected, Soundness};
use self::reader::Readers;
use self::writer::{Work, Writer};
use super::{
    AUDIT_AGE, Answer, AuditPage, AuditQuery, JobSummary, Mark, Recalled, Restored, RunPage,
    RunQuery, Store, StoreError, Waiting, Write, Written, rules,
};
use crate::decide::Edition;
use crate::ids::{JobName, RunId};
use crate::model::{History, Letter, Output, Pause, Run};

/// So many rows are deleted in one transaction, so that commits get their turn between.
const SLICE: usize = 500;

/// So many free pages are given back in one transaction.
const SHRINK: u32 = 512;

/// A file with fewer free pages than this is not worth making smaller.
const WORTH_SHRINKING: u64 = 1024;

/// What is set once for an open store. Tests set it low.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// The patience with other programs that lock the file.
    lock_patience: Duration,
    /// The log is cut back when it is larger than this, as soon as no reader needs it.
    log: u64,
    /// A file up to this size is checked page by page at each start; a larger one by `optimize`.
    check_at_start: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lock_patience: Duration::from_secs(5),
            log: 64 << 20,
            check_at_start: 16 << 20,
        }
    }
}

/// A ledger in an SQLite file.
pub struct SqliteStore {
    place: PathBuf,
    // Before the writer: the last connection to close tidies the log away, and readers cannot.
    /// For what is found by its key, which a reload waits for.
    lookups: Readers,
    /// For what walks along many rows, however long somebody's question takes.
    walks: Readers,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the store in this file, makes it when there is none, and holds it until dropped.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another elder has it; [`StoreError::Newer`] and
    /// [`StoreError::Corrupt`] for a file that is not to be touched; [`StoreError::Unavailable`]
    /// with what the system says.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, Limits::default())
    }

    fn open_with(path: &Path, limits: Limits) -> Result<Self, StoreError> {
        let place = schema::place(path)?;
        let lock = lock::Lock::take(&place)?;
        let conn = schema::open(&place, &limits)?;
        Ok(Self {
            lookups: Readers::new(&place, 1),
            walks: Readers::new(&place, 2),
            writer: Writer::start(conn, place.clone(), lock, limits)?,
            place,
        })
    }

    /// Looks at the store in this file without opening it; `None` when there is none.
    #[must_use]
    pub fn inspect(path: &Path) -> Option<Inspected> {
        inspect::inspect(path)
    }

    /// The file, absolute and without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place
    }

    /// Puts the backup `from` in the place of the store in this file, which no elder may have open. The
    /// store of before is kept beside it, under a name with `now` in it.
    ///
    /// # Errors
    /// When an elder has the store, or the backup is not whole, not elder's or newer: then nothing
    /// has changed. Otherwise what the system says.
    pub fn restore(path: &Path, from: &Path, now: Timestamp) -> Result<Restored, StoreError> {
        restore::restore(path, from, now)
    }

    async fn delete(&self, runs: &[RunId]) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for slice in runs.chunks(SLICE) {
            deleted += self.writer.ask(Work::Delete(slice.to_vec())).await?.count;
        }
        Ok(deleted)
    }
}

impl Store for SqliteStore {
    fn commit_shared(&self, writes: Arc<Vec<Write>>) -> Answer<'_, Vec<Written>> {
        Box::pin(async move {
            if writes.is_empty() {
                return Ok(Vec::new());
            }
            Ok(self.writer.ask(Work::Writes(writes)).await?.written)
        })
    }

    fn recall(&self) -> Answer<'_, Recalled> {
        Box::pin(self.walks.read(queries::recall))
    }

    fn marks(&self, jobs: Vec<JobName>) -> Answer<'_, Vec<Option<Mark>>> {
        Box::pin(self.lookups.read(move |conn| queries::marks(conn, &jobs)))
    }

    fn pauses(&self) -> Answer<'_, Vec<(JobName, Pause)>> {
        Box::pin(self.lookups.read(pauses::all))
    }

    fn editions(&self, job: JobName) -> Answer<'_, Vec<Edition>> {
        Box::pin(self.lookups.read(move |conn| editions::of(conn, &job)))
    }

    fn runs(&self, query: RunQuery) -> Answer<'_, RunPage> {
        Box::pin(self.walks.read(move |conn| queries::page(conn, &query)))
    }

    fn run(&self, id: RunId) -> Answer<'_, Option<(Run, Output)>> {
        Box::pin(self.lookups.read(move |conn| queries::run(conn, id)))
    }

    fn run_of_request(&self, job: JobName, request: String) -> Answer<'_, Option<Run>> {
        Box::pin(
            self.lookups
                .read(move |conn| queries::run_of_request(conn, &job, &request)),
        )
    }

    fn outbox(&self, after: u64, limit: usize) -> Answer<'_, Vec<Waiting>> {
        Box::pin(
            self.lookups
                .read(move |conn| outbox::waiting(conn, after, limit)),
        )
    }

    fn letter(&self, id: RunId) -> Answer<'_, Option<Letter>> {
        Box::pin(self.lookups.read(move |conn| outbox::letter(conn, id)))
    }

    fn audit(&self, query: AuditQuery) -> Answer<'_, AuditPage> {
        Box::pin(self.walks.read(move |conn| audit::page(conn, &query)))
    }

    fn summary(&self, since: Timestamp, until: Timestamp) -> Answer<'_, Vec<JobSummary>> {
        Box::pin(
            self.walks
                .read(move |conn| queries::summary(conn, since, until)),
        )
    }

    fn prune(&self, bounds: History, now: Timestamp, limit: usize) -> Answer<'_, u64> {
        Box::pin(async move {
            let oldest_kept = rules::oldest_kept(now, bounds.max_age);
            let aged = self
                .walks
                .read(move |conn| {
                    let mut aged = queries::aged(conn, oldest_kept, limit)?;
                    let room = limit - aged.len();
                    aged.extend(queries::aged_by_own(conn, now, room)?);
                    Ok(aged)
                })
                .await?;
            let mut deleted = self.delete(&aged).await?;
            let room = limit.saturating_sub(aged.len());
            if room > 0 {
                let beyond = self
                    .walks
                    .read(move |conn| queries::beyond(conn, bounds.keep, now, room))
                    .await?;
                deleted += self.delete(&beyond).await?;
                let forget = Work::Forget {
                    gone_before: oldest_kept,
                    limit,
                };
                self.writer.ask(forget).await?;
                let cut = Work::CutTrail {
                    oldest: rules::oldest_kept(now, AUDIT_AGE),
                    limit,
                };
                self.writer.ask(cut).await?;
            }
            Ok(deleted)
        })
    }

    fn backup(&self, to: PathBuf) -> Answer<'_, ()> {
        let place = self.place.clone();
        Box::pin(async move {
            tokio::task::spawn_blocking(move || backup::copy(&place, &to))
                .await
                .map_err(|error| {
                    StoreError::Unavailable(format!("the backup broke off: {error}"))
                })?
        })
    }

    fn optimize(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            // No statistics: each question names its index, and numbers of an hour when the tables
            // were small would only mislead.
            let place = self.place.clone();
            self.walks
                .read(move |conn| Ok(schema::check_pages(conn, &place)))
                .await??;
            let mut free = self.writer.ask(Work::Shrink(1)).await?.count;
            if free >= WORTH_SHRINKING {
                loop {
                    let left = self.writer.ask(Work::Shrink(SHRINK)).await?.count;
                    // Writes may need pages meanwhile; without progress there is nothing to win.
                    if left == 0 || left >= free {
                        break;
                    }
                    free = left;
                }
            }
            self.writer.ask(Work::EmptyLog).await?;
            Ok(())
        })
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.writer.ask(Work::Probe).await.map(drop) })
    }

    fn kind(&self) -> &'static str {
        "sqlite"
    }
}
