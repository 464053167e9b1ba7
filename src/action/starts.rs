//! Starts that are under way off the loop, so that what hangs in a file system does not take every
//! thread that there is.
//!
//! A thread that hangs in a file system cannot be ended: whoever gave its attempt up leaves it
//! behind. A job gets [`MOST_OF_ONE`] such threads and no more; an edited one begins anew, since the
//! edit may be the mend. All starts together have [`MOST`] threads, so that half of what the runtime
//! has (512) is left for the store, for names and for reloads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::model::{Definition, Reason};

use super::failure::Failure;

/// So many starts of one job may hang, given up.
const MOST_OF_ONE: usize = 2;

/// So many starts are under way at once.
const MOST: usize = 256;

/// For so long a start waits for a place among these.
const PATIENCE: Duration = Duration::from_secs(60);

/// All starts that are under way.
pub(super) struct Starts {
    places: Arc<Semaphore>,
    patience: Duration,
    /// By which definitions threads hang whose attempts were given up.
    hanging: Mutex<Vec<Arc<Definition>>>,
}

impl Default for Starts {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            patience: PATIENCE,
            hanging: Mutex::default(),
        }
    }
}

/// What is done with a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    UnderWay,
    GivenUp,
    Returned,
}

struct Shared {
    starts: Arc<Starts>,
    definition: Arc<Definition>,
    /// Changed only while `hanging` is locked.
    stage: Mutex<Stage>,
}

/// A start off the loop, for whoever waits for it; dropping it gives it up.
pub(super) struct Start<T> {
    shared: Arc<Shared>,
    pub(super) task: JoinHandle<T>,
}

/// The same within its thread.
struct Inside {
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Starts {
    /// Has `work` done off the loop, as what an attempt of `definition` begins with.
    ///
    /// # Errors
    /// When too many starts hang, of this job or in all.
    pub(super) async fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        definition: &Arc<Definition>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Start<T>, Failure> {
        if self.hanging_of(definition) >= MOST_OF_ONE {
            return Err(Failure::new(
                Reason::Spawn,
                format!(
                    "{MOST_OF_ONE} starts of it still hang in a file system: \
                     look at its mounts (cwd, env_file, secrets, program)"
                ),
            ));
        }
        let place = timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Failure::new(
                Reason::Spawn,
                format!("{MOST} starts of jobs hang: look at the machine's file systems (findmnt)"),
            ));
        };
        let shared = Arc::new(Shared {
            starts: Arc::clone(self),
            definition: Arc::clone(definition),
            stage: Mutex::new(Stage::UnderWay),
        });
        let inside = Inside {
            shared: Arc::clone(&shared),
            _place: place,
        };
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(inside);
            done
        });
        Ok(Start { shared, task })
    }

    fn hanging_of(&self, definition: &Arc<Definition>) -> usize {
        let hanging = self.hanging.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |other: &&Arc<Definition>| Arc::ptr_eq(other, definition) || *other == definition;
        hanging.iter().filter(same).count()
    }
}

impl Shared {
    /// Who waited waits no more, or the thread is back.
    fn is_now(&self, stage: Stage) {
        let hanging = &self.starts.hanging;
        let mut hanging = hanging.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match (*now, stage) {
            (Stage::UnderWay, Stage::GivenUp) => hanging.push(Arc::clone(&self.definition)),
            (Stage::GivenUp, Stage::Returned) => {
                let same = |other: &Arc<Definition>| Arc::ptr_eq(other, &self.definition);
                if let Some(index) = hanging.iter().position(same) {
                    hanging.swap_remove(index);
                }
            }
            (Stage::UnderWay, Stage::Returned) => {}
            _ => return,
        }
        *now = stage;
    }
}

impl<T> Drop for Start<T> {
    fn drop(&mut self) {
        // One that waits for its thread is not begun any more.
        self.task.abort();
        self.shared.is_now(Stage::GivenUp);
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.shared.is_now(Stage::Returned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::testing::exec;

    #[tokio::test]
    async fn a_start_that_returns_or_is_waited_for_is_none_that_hangs() {
        let starts = Arc::new(Starts::default());
        let (attempt, _stop) = exec(&["true"]).attempt();
        let definition = &attempt.job.definition;
        for _ in 0..10 {
            let mut start = starts.begin(definition, || 7).await.ok().unwrap();
            assert_eq!((&mut start.task).await.unwrap(), 7);
        }
        assert_eq!(starts.hanging_of(definition), 0);
        let mut let_go = Vec::new();
        for _ in 0..5 {
            let (sender, receiver) = std::sync::mpsc::channel::<()>();
            let start = starts.begin(definition, move || receiver.recv());
            let_go.push((start.await.ok().unwrap(), sender));
        }
        assert_eq!(starts.hanging_of(definition), 0, "somebody waits for each");
    }

    #[tokio::test]
    async fn all_together_have_so_many_threads_and_no_more() {
        let starts = Arc::new(Starts {
            patience: Duration::from_millis(1),
            ..Starts::default()
        });
        let (attempt, _stop) = exec(&["true"]).attempt();
        let definition = &attempt.job.definition;
        let taken = Arc::clone(&starts.places);
        let taken = taken.acquire_many_owned(u32::try_from(MOST).unwrap()).await;
        let failure = starts.begin(definition, || 7).await.err().unwrap();
        assert_eq!(failure.reason, Reason::Spawn);
        assert!(failure.message.starts_with("256 starts of jobs hang"));
        drop(taken);
        assert!(starts.begin(definition, || 7).await.is_ok());
    }
}
