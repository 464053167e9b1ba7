//! What runs say, while they say it: whoever listens gets what is kept so far and then what comes.
//!
//! A listener holds nothing of its own but a place in what is kept anyway, so any number of them, however slow,
//! costs no memory: who falls behind hears how much was left out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::ids::RunId;

use super::output::Kept;

/// The outputs of all attempts under way.
#[derive(Clone, Default)]
pub struct Live(Arc<Mutex<HashMap<RunId, Entry>>>);

#[derive(Clone)]
struct Entry {
    kept: Arc<Mutex<Kept>>,
    grew: watch::Receiver<()>,
    attempt: u32,
}

/// Of which run an attempt is; its output can be listened to until this is dropped.
pub(super) struct OnAir {
    live: Live,
    run: RunId,
    attempt: u32,
}

/// A place in the output of an attempt.
pub struct Listener {
    entry: Entry,
    /// So many bytes were heard or left out.
    at: u64,
}

/// A part of an output; secrets masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// So many bytes are not kept.
    LeftOut(u64),
}

impl Live {
    fn entries(&self) -> MutexGuard<'_, HashMap<RunId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(
        &self,
        run: RunId,
        attempt: u32,
        kept: Arc<Mutex<Kept>>,
        grew: watch::Receiver<()>,
    ) -> OnAir {
        let entry = Entry {
            kept,
            grew,
            attempt,
        };
        self.entries().insert(run, entry);
        OnAir {
            live: self.clone(),
            run,
            attempt,
        }
    }

    /// Listens to the attempt of this run that is under way, from its beginning; `None` when there is none.
    #[must_use]
    pub fn listen(&self, run: RunId) -> Option<Listener> {
        let entry = self.entries().get(&run).cloned()?;
        Some(Listener { entry, at: 0 })
    }
}

impl Drop for OnAir {
    fn drop(&mut self) {
        let mut entries = self.live.entries();
        // An attempt that was abandoned may end after the next one began.
        if entries
            .get(&self.run)
            .is_some_and(|entry| entry.attempt == self.attempt)
        {
            entries.remove(&self.run);
        }
    }
}

impl Listener {
    /// Which attempt it is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.entry.attempt
    }

    /// What came since the last call, at once; empty when that is nothing.
    pub fn heard(&mut self) -> Vec<Piece> {
        let kept = self.entry.kept.lock();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        let pieces = kept.since(self.at);
        self.at = kept.total();
        pieces
    }

    /// Waits for what comes next; `None` when the attempt is over and all of it was heard.
    pub async fn next(&mut self) -> Option<Vec<Piece>> {
        loop {
            let goes_on = self.entry.grew.changed().await.is_ok();
            let pieces = self.heard();
            match (pieces.is_empty(), goes_on) {
                (false, _) => return Some(pieces),
                (true, false) => return None,
                (true, true) => {}
            }
        }
    }
}
