//! How long runs took, read from a store that somebody else may be using.

use std::path::Path;
use std::time::Duration;

use super::address::{OpenError, file_of};
use super::{StoreError, sqlite};
use crate::ids::JobName;

/// The lengths of each job's last `last` successful runs, newest first, from the store that `url`
/// names as [`open`](super::open) reads addresses; nothing for a job without one. This takes no
/// lock, makes nothing and changes nothing.
///
/// # Errors
/// An address without a file, and a file that is missing, newer or not elder's.
pub fn run_times(
    url: &str,
    state_dir: &Path,
    jobs: &[JobName],
    last: usize,
) -> Result<Vec<Vec<Duration>>, OpenError> {
    let place = file_of(url, state_dir)?.ok_or_else(|| {
        StoreError::Unavailable("a store in memory is read by nobody else".to_owned())
    })?;
    Ok(sqlite::run_times(&place, jobs, last)?)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ids::RunId;
    use crate::model::{History, Outcome, Run, RunState, Trigger};
    use crate::store::{SqliteStore, Store, Write};

    fn name(text: &str) -> JobName {
        JobName::new(text).unwrap()
    }

    fn row(job: &str, second: i64, outcome: Outcome, took: u64) -> Write {
        let at = Timestamp::from_second(1_800_000_000 + second).unwrap();
        let id = RunId::of_fire(&name(job), at);
        let mut run = Run::new(id, name(job), at, Trigger::Schedule);
        run.state = RunState::Done;
        run.attempt = 1;
        run.outcome = Some(outcome);
        run.duration = Some(Duration::from_secs(took));
        Write::Claim { run: Box::new(run) }
    }

    fn seen(job: &str) -> Write {
        Write::Seen {
            job: name(job),
            at: Timestamp::from_second(1_700_000_000).unwrap(),
            history: History::default(),
        }
    }

    #[tokio::test]
    async fn the_newest_successes_are_read_while_the_store_is_in_use_and_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("odd #%? name.db");
        let store = SqliteStore::open(&place).unwrap();
        let mut writes = vec![seen("a"), seen("b")];
        for second in 1..=5 {
            writes.push(row("a", second, Outcome::Success, second.unsigned_abs()));
        }
        writes.push(row("a", 6, Outcome::Failed, 99));
        store.commit(writes).await.unwrap();
        let url = format!("sqlite:{}", place.display());
        let jobs = [name("a"), name("b"), name("never-seen")];
        let read = || run_times(&url, folder.path(), &jobs, 3).unwrap();
        let want = [vec![5, 4, 3], vec![], vec![]].map(|times| {
            times
                .into_iter()
                .map(Duration::from_secs)
                .collect::<Vec<_>>()
        });
        assert_eq!(read(), want);
        drop(store);
        let files = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = files();
        assert_eq!(read(), want);
        assert_eq!(files(), before);
    }

    #[test]
    fn what_is_no_store_is_refused_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("text.db"), "hello").unwrap();
        let text = format!("sqlite:{}/text.db", folder.path().display());
        for (url, want) in [
            ("sqlite:", "there is no store"),
            ("memory:", "read by nobody else"),
            ("redis://x", "no Redis store"),
            (&text, "damaged"),
        ] {
            let error = run_times(url, folder.path(), &[], 3).unwrap_err();
            assert!(error.to_string().contains(want), "{url}: {error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
