//! The one thread that writes. It takes what waits, puts it into one transaction, makes that
//! durable and answers: while it waits for the disk, the next group gathers.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::apply::{Memory, Transaction};
use super::lock::Lock;
use super::{Limits, audit, fault, schema};
use crate::ids::RunId;
use crate::store::{StoreError, Write, Written};

/// How many callers may wait before further ones are held back.
const QUEUE: usize = 4096;

/// A group is closed when it has so many writes: a caller behind a burst waits for one group, not for all.
const GROUP: usize = 8192;

/// After so many writes the pages that they left in memory, up to the whole cache, are given up at
/// the next quiet moment: after a load of files they serve nobody for hours. A storm of fires reads
/// the few that it needs again, once in some seconds.
const MANY: usize = 20_000;

/// How long cutting back may wait for readers. It holds up writes.
const LOG_PATIENCE: Duration = Duration::from_millis(100);

/// What the writer can do.
pub(super) enum Work {
    /// A caller's writes, all or none.
    Writes(Arc<Vec<Write>>),
    /// Rows to delete so far as they have ended; answers how many.
    Delete(Vec<RunId>),
    /// Jobs to forget.
    Forget {
        /// Gone since before this.
        gone_before: Timestamp,
        /// At most so many.
        limit: usize,
    },
    /// Rows of the audit trail to delete.
    CutTrail {
        /// Those from before this, and whatever is too much.
        oldest: Timestamp,
        /// At most so many.
        limit: usize,
    },
    /// Find out whether writing works.
    Probe,
    /// Give so many free pages back to the disk; answers how many are left.
    Shrink(u32),
    /// Bring the log into the file and empty it.
    EmptyLog,
}

/// What it answers; what does not apply is empty.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// For each write of [`Work::Writes`].
    pub(super) written: Vec<Written>,
    /// How many.
    pub(super) count: u64,
}

/// Talks to the thread. When it is dropped, what was sent is still written, and the file closed.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

struct Request {
    work: Work,
    answer: oneshot::Sender<Result<Reply, StoreError>>,
}

impl Writer {
    /// Starts the thread; it keeps the lock as long as it has the file open.
    pub(super) fn start(
        conn: Connection,
        place: PathBuf,
        lock: Lock,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let (queue, requests) = mpsc::channel(QUEUE);
        let log = schema::sibling(&place, "-wal");
        let mut desk = Desk {
            conn,
            file: file_at(&place),
            place: place.clone(),
            log,
            cut_log_at: limits.log,
            limits,
            written: 0,
            memory: Memory::default(),
        };
        let thread = std::thread::Builder::new()
            .name("elder-store".to_owned())
            .spawn(move || {
                desk.serve(requests);
                // The file is closed before another elder may open it.
                drop(desk);
                drop(lock);
            })
            .map_err(|error| fault::of_system(&place, "no thread for it", &error))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Has it done, in turn.
    pub(super) async fn ask(&self, work: Work) -> Result<Reply, StoreError> {
        let ended = || StoreError::Unavailable("the store's writer has ended".to_owned());
        let (answer, wait) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue
            .send(Request { work, answer })
            .await
            .map_err(|_| ended())?;
        wait.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // It ends by itself now that nobody can ask; a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

struct Desk {
    conn: Connection,
    place: PathBuf,
    /// Which file lay there when it was opened.
    file: Option<(u64, u64)>,
    log: PathBuf,
    limits: Limits,
    /// The size at which the log is next cut back.
    cut_log_at: u64,
    /// How many writes there were since memory was given up.
    written: usize,
    memory: Memory,
}

impl Desk {
    fn serve(&mut self, mut requests: mpsc::Receiver<Request>) {
        let mut kept_back = None;
        loop {
            let Some(first) = kept_back.take().or_else(|| requests.blocking_recv()) else {
                return;
            };
            if !first.work.is_transactional() {
                let reply = self.tidy(&first.work);
                first.reply(reply);
                continue;
            }
            let mut size = first.work.size();
            let mut group = vec![first];
            while size < GROUP {
                match requests.try_recv() {
                    Ok(next) if next.work.is_transactional() => {
                        size += next.work.size();
                        group.push(next);
                    }
                    Ok(next) => {
                        kept_back = Some(next);
                        break;
                    }
                    Err(_) => break,
                }
            }
            self.carry_out(group);
            self.bound_log();
            self.written += size;
            if self.written >= MANY && kept_back.is_none() && requests.is_empty() {
                self.written = 0;
                // What is committed stays so, whatever becomes of this.
                let _ = self.conn.execute_batch("PRAGMA shrink_memory");
            }
        }
    }

    fn carry_out(&mut self, group: Vec<Request>) {
        if let Err(error) = self.is_in_place() {
            for request in group {
                request.reply(Err(error.clone()));
            }
            return;
        }
        match self.transact(&group) {
            Ok(replies) => {
                for (request, reply) in group.into_iter().zip(replies) {
                    request.reply(Ok(reply));
                }
            }
            // One caller's unwritable value must not fail the others.
            Err(error) if group.len() > 1 && fault::is_about_data(&error) => {
                for request in group {
                    self.carry_out(vec![request]);
                }
            }
            Err(error) => {
                let error = fault::of_sqlite(&self.place, &error);
                for request in group {
                    request.reply(Err(error.clone()));
                }
            }
        }
    }

    /// Whether the open file still has its name: what is written to one without a name is gone with
    /// this process, and the next would begin anew.
    fn is_in_place(&self) -> Result<(), StoreError> {
        if file_at(&self.place) == self.file {
            return Ok(());
        }
        Err(StoreError::Unavailable(format!(
            "{} was moved or deleted while elder has it open; put it back, or stop elder and restore a backup",
            self.place.display()
        )))
    }

    fn transact(&mut self, group: &[Request]) -> rusqlite::Result<Vec<Reply>> {
        let mut transaction = Transaction::begin(&self.conn, &mut self.memory)?;
        let mut replies = Vec::with_capacity(group.len());
        for request in group {
            let mut reply = Reply::default();
            match &request.work {
                Work::Writes(writes) => {
                    reply.written.reserve_exact(writes.len());
                    for write in writes.iter() {
                        reply.written.push(transaction.write(write)?);
                    }
                }
                Work::Delete(runs) => reply.count = transaction.delete(runs)?,
                Work::Forget { gone_before, limit } => {
                    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
                    reply.count = transaction.forget(*gone_before, limit)?;
                }
                Work::CutTrail { oldest, limit } => {
                    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
                    reply.count = audit::cut(transaction.conn, *oldest, limit)?;
                }
                Work::Probe => transaction.probe()?,
                Work::Shrink(_) | Work::EmptyLog => {}
            }
            replies.push(reply);
        }
        transaction.commit()?;
        Ok(replies)
    }

    fn tidy(&self, work: &Work) -> Result<Reply, StoreError> {
        let done = match work {
            Work::Shrink(pages) => shrink(&self.conn, *pages),
            Work::EmptyLog => self.empty_log().map(|()| 0),
            Work::Writes(_)
            | Work::Delete(_)
            | Work::Forget { .. }
            | Work::CutTrail { .. }
            | Work::Probe => Ok(0),
        };
        done.map(|count| Reply {
            count,
            ..Reply::default()
        })
        .map_err(|error| fault::of_sqlite(&self.place, &error))
    }

    /// Cuts the log back when readers have kept it from being used anew from its beginning.
    fn bound_log(&mut self) {
        let size = log_size(&self.log);
        if size < self.cut_log_at {
            return;
        }
        // A failure shows itself in the commits; until then the log only grows.
        let _ = self.empty_log();
        let left = log_size(&self.log);
        // With a reader in the way, the next try comes when it has doubled: each holds up writes.
        self.cut_log_at = if left < self.limits.log {
            self.limits.log
        } else {
            left * 2
        };
    }

    fn empty_log(&self) -> rusqlite::Result<()> {
        self.conn.busy_timeout(LOG_PATIENCE)?;
        // Says in its first column whether a reader was in the way, which is no failure.
        let done = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.conn.busy_timeout(self.limits.lock_patience)?;
        done
    }
}

impl Work {
    fn is_transactional(&self) -> bool {
        !matches!(self, Work::Shrink(_) | Work::EmptyLog)
    }

    fn size(&self) -> usize {
        match self {
            Work::Writes(writes) => writes.len().max(1),
            Work::Delete(runs) => runs.len().max(1),
            _ => 1,
        }
    }
}

impl Request {
    fn reply(self, reply: Result<Reply, StoreError>) {
        // Who no longer waits has left; what was written stays written.
        let _ = self.answer.send(reply);
    }
}

fn shrink(conn: &Connection, pages: u32) -> rusqlite::Result<u64> {
    conn.execute_batch(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let left: i64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    Ok(u64::try_from(left).unwrap_or(0))
}

/// Device and number of the file of that name.
fn file_at(place: &Path) -> Option<(u64, u64)> {
    let data = std::fs::metadata(place).ok()?;
    Some((data.dev(), data.ino()))
}

fn log_size(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |data| data.len())
}
