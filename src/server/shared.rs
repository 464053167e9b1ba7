//! What all routes share: the handles, the store, and how long to wait for them.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};

use crate::action::Live;
use crate::clock::Clock;
use crate::engine::{Gone, Handle};
use crate::store::{Answer, Store, StoreError};
use crate::sync::SyncHandle;
use crate::telemetry::Telemetry;
use crate::telemetry::feed::Feed;

use super::audit::Trail;
use super::auth::Access;
use super::listen::Bounds;
use super::problem::Problem;
use super::readers::Readers;

/// How long an answer may take that somebody waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a look at the store is good for: probes must not become writes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a probe waits.
pub(super) const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// Scrapes at once: each holds the whole text.
const SCRAPES: usize = 2;

/// Trees of job files that are read and planned at once: each is held whole.
const LARGE_BODIES: usize = 1;

/// Schedules that are looked at at once: some have much to look for, and runs keep a processor.
const PREVIEWS: usize = 2;

/// Changes that are carried out at once, those whose callers are gone too.
pub(super) const WRITES: u32 = 64;

/// Syncs among them: one that hangs takes no call with it that changes something else.
pub(super) const SYNCS: usize = 8;

/// How long a sync may take that somebody waits for: less than `elder sync` waits.
const SYNCED_WITHIN: Duration = Duration::from_secs(300);

/// What all routes share.
pub(super) struct Shared {
    pub(super) engine: Handle,
    pub(super) sync: SyncHandle,
    pub(super) store: Arc<dyn Store>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) live: Live,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) state_dir: PathBuf,
    pub(super) access: Access,
    pub(super) trail: Trail,
    pub(super) scrapes: Semaphore,
    pub(super) feed: Arc<Feed>,
    pub(super) readers: Readers,
    pub(super) terms: super::TermsNow,
    pub(super) large_bodies: Arc<Semaphore>,
    pub(super) previews: Arc<Semaphore>,
    /// Has [`WRITES`] places.
    pub(super) writes: Arc<Semaphore>,
    /// Has [`SYNCS`] places.
    pub(super) syncs: Arc<Semaphore>,
    /// How long a sync is waited for.
    pub(super) sync_patience: Duration,
    pub(super) stop: Arc<Notify>,
    look: Mutex<Option<Look>>,
}

/// What was last seen of the store.
#[derive(Clone, Copy)]
struct Look {
    at: Duration,
    reachable: bool,
}

impl Shared {
    /// Puts it together.
    pub(super) fn new(
        parts: super::Parts,
        state_dir: PathBuf,
        access: Access,
        bounds: Bounds,
    ) -> Self {
        Self {
            engine: parts.engine,
            sync: parts.sync,
            store: parts.store,
            telemetry: parts.telemetry,
            live: parts.live,
            clock: parts.clock,
            state_dir,
            access,
            trail: Trail::new(parts.observer),
            scrapes: Semaphore::new(SCRAPES),
            feed: parts.feed,
            readers: Readers::new(bounds.per_client),
            terms: parts.terms,
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES)),
            previews: Arc::new(Semaphore::new(PREVIEWS)),
            writes: Arc::new(Semaphore::new(WRITES as usize)),
            syncs: Arc::new(Semaphore::new(SYNCS)),
            sync_patience: SYNCED_WITHIN,
            stop: parts.stop,
            look: Mutex::new(None),
        }
    }

    /// Whether the store takes writes. Many who ask at once share one look.
    pub(super) async fn store_reachable(&self) -> bool {
        let mut look = self.look.lock().await;
        if let Some(last) = *look
            && self.clock.monotonic().saturating_sub(last.at) < LOOK_AGAIN
        {
            return last.reachable;
        }
        let check = tokio::time::timeout(PROBE_PATIENCE, self.store.check()).await;
        let reachable = matches!(check, Ok(Ok(())));
        *look = Some(Look {
            at: self.clock.monotonic(),
            reachable,
        });
        reachable
    }

    /// Waits for a place among the syncs that are carried out, with a bound.
    pub(super) async fn place_of_sync(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = self.syncs.clone().acquire_owned();
        match tokio::time::timeout(self.sync_patience, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(Problem::scheduler_stopped()),
            Err(_elapsed) => Err(Problem::not_synced_yet(self.sync_patience)),
        }
    }

    /// Waits for the engine's answer, with a bound.
    pub(super) async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, Gone>>,
    ) -> Result<T, Problem> {
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Gone)) | Err(_) => Err(Problem::scheduler_stopped()),
        }
    }

    /// Waits for the store's answer to a read, with a bound.
    pub(super) async fn read<T>(&self, answer: Answer<'_, T>) -> Result<T, Problem> {
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(|error| refused(&error)),
            Err(_elapsed) => Err(Problem::store_unreachable()),
        }
    }
}

/// A store's refusal: its words, with paths in them, are for the log.
pub(super) fn refused(error: &StoreError) -> Problem {
    tracing::error!(error = %error, "the store failed");
    Problem::store_unreachable()
}
