//! Reading: a few connections of their own, used where blocking is allowed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{fault, schema};
use crate::store::StoreError;

/// The reading connections, opened when they are first needed.
pub(super) struct Readers {
    place: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    /// Readers of the store in `place`, so many at once. They do not wait for the writer.
    pub(super) fn new(place: &Path, connections: usize) -> Self {
        Self {
            place: place.to_owned(),
            idle: Arc::default(),
            turns: Arc::new(Semaphore::new(connections)),
        }
    }

    /// Carries out `look` on one connection.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let ended = |why: String| StoreError::Unavailable(format!("reading broke off: {why}"));
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|error| ended(error.to_string()))?;
        let (place, idle) = (self.place.clone(), Arc::clone(&self.idle));
        let reading = tokio::task::spawn_blocking(move || {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let answer = kept
                .map_or_else(|| schema::open_reader(&place), Ok)
                .and_then(|conn| look(&conn).map(|found| (found, conn)));
            let found = answer.map(|(found, conn)| {
                idle.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(conn);
                found
            });
            drop(turn);
            // After an error the connection is not kept: the next read begins with a fresh one.
            found.map_err(|error| fault::of_sqlite(&place, &error))
        });
        reading.await.map_err(|error| ended(error.to_string()))?
    }
}
