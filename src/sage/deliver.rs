//! One delivery: the letter out of the store, and the sage's own action.

use std::sync::Arc;

use tokio::sync::watch;

use crate::action::{Attempt, Runner, Stop, Told};
use crate::ids::RunId;
use crate::model::{AttemptEnd, Job, Letter, Trigger};
use crate::store::{Store, StoreError};

/// Why there was no delivery.
#[derive(Debug)]
pub(super) enum NoLetter {
    /// The store did not answer; it may the next time.
    NotNow,
    /// The store does not have it any more.
    Gone,
    /// What the store has of it cannot be read.
    Unreadable,
}

/// What to deliver, and how.
pub(super) struct Delivering {
    pub(super) store: Arc<dyn Store>,
    pub(super) runner: Arc<dyn Runner>,
    /// Elder's own address.
    pub(super) server: String,
    /// The letter, where the store does not have it.
    pub(super) kept: Option<Letter>,
    pub(super) id: RunId,
    pub(super) attempt: u32,
    /// The sage as the runner knows jobs.
    pub(super) job: Job,
    pub(super) stop: watch::Receiver<Stop>,
}

impl Delivering {
    /// Delivers.
    pub(super) async fn deliver(self) -> Result<AttemptEnd, NoLetter> {
        let letter = match self.kept {
            Some(letter) => letter,
            None => match self.store.letter(self.id).await {
                Ok(Some(letter)) => letter,
                Ok(None) => return Err(NoLetter::Gone),
                Err(StoreError::Corrupt { .. }) => return Err(NoLetter::Unreadable),
                Err(_) => return Err(NoLetter::NotNow),
            },
        };
        let told = Arc::new(Told::new(&letter, &self.server));
        let attempt = Attempt {
            run: letter.id,
            job: self.job,
            scheduled_at: letter.at,
            attempt: self.attempt,
            trigger: Trigger::Api,
            previous_success_at: None,
            revision: None,
            told: Some(told),
            stop: self.stop,
        };
        Ok(self.runner.attempt(attempt).await)
    }
}
