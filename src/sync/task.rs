//! The loop: requests, hints and the regular look, one reload at a time.

use std::collections::HashSet;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::BootError;
use super::eye::pending_hash;
use super::handle::{Confirm, Pass, SyncAnswer, SyncRequest};
use super::reload::{Reloader, Request};
use crate::ids::JobName;
use crate::model::{ReloadReport, ReloadTrigger};
use crate::source::{Look, Wakeups, Watching};
use crate::store::Recalled;

/// The regular look comes after so long and up to half of it more.
const POLL: Duration = Duration::from_secs(30);

/// The regular look where the kernel does not report changes.
const POLL_WITHOUT_EVENTS: Duration = Duration::from_secs(2);

/// Such looks cost at most this part of a processor: one in so many.
const POLL_SHARE: u32 = 20;

/// What was not put in force is tried again after so long, doubled each time up to [`POLL`].
const RETRY: Duration = Duration::from_secs(1);

/// A sync: boots once, then runs until it is stopped.
pub struct Sync {
    reloader: Reloader,
    requests: mpsc::Receiver<SyncRequest>,
    wakeups: Wakeups,
    poll: Duration,
    retry: Duration,
    last_look: Duration,
}

impl Sync {
    pub(super) fn new(
        reloader: Reloader,
        requests: mpsc::Receiver<SyncRequest>,
        wakeups: Wakeups,
        paths: &[Arc<str>],
    ) -> Self {
        Self {
            reloader,
            requests,
            wakeups,
            poll: POLL + spread(paths),
            retry: RETRY,
            last_look: Duration::ZERO,
        }
    }

    /// Hears of no edit: only who asks makes it look.
    #[cfg(test)]
    pub(super) fn hear_nothing(&mut self) {
        (_, self.wakeups) = crate::source::Watcher::new();
    }

    /// The first sync, from what the store recalled. Until it is done, the engine decides nothing
    /// of what was due in the meantime.
    ///
    /// # Errors
    /// Why elder is not to start.
    pub async fn boot(&mut self, recalled: Recalled) -> Result<ReloadReport, BootError> {
        let report = self.reloader.boot(recalled).await?;
        self.last_look = report.took;
        Ok(report)
    }

    /// Reloads at each request and hint and every half minute, until `stop` ends. A reload under way is finished.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut watching = self.reloader.watching.clone();
        let mut poll = Box::pin(sleep(self.poll()));
        loop {
            let retry = self.retry();
            let thaw = self.reloader.thaw();
            tokio::select! {
                biased;
                () = &mut stop => return,
                request = self.requests.recv() => {
                    let Some(request) = request else { return };
                    self.answer(request).await;
                }
                () = self.wakeups.next() => {
                    self.reload(ReloadTrigger::Watch, Look::Changes).await;
                }
                () = retry => {
                    self.reload(ReloadTrigger::Poll, Look::Changes).await;
                }
                () = thaw => {
                    self.reload(ReloadTrigger::Poll, Look::Changes).await;
                }
                () = &mut poll => {
                    self.reload(ReloadTrigger::Poll, Look::Verify).await;
                    poll = Box::pin(sleep(self.poll()));
                }
            }
            if self.reloader.watching != watching {
                watching = self.reloader.watching.clone();
                poll = Box::pin(sleep(self.poll()));
            }
        }
    }

    /// How long until the next look that nobody asks for.
    fn poll(&self) -> Duration {
        interval(&self.reloader.watching, self.poll, self.last_look)
    }

    /// Ends when what was not put in force is to be tried again; never when all is in force.
    fn retry(&mut self) -> impl Future<Output = ()> + use<> {
        let wait = self.reloader.out_of_sync.is_some().then_some(self.retry);
        self.retry = match wait {
            Some(_) => (self.retry * 2).min(POLL),
            None => RETRY,
        };
        async move {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn reload(&mut self, trigger: ReloadTrigger, look: Look) {
        let request = Request {
            trigger,
            look,
            confirmed: Vec::new(),
            pass: Pass::Windows,
        };
        // Who is not asked for cannot be told; the status says it.
        if let Ok(report) = self.reloader.reload(request).await {
            self.last_look = report.took;
        }
    }

    /// Answers a request and all that wait behind it. Those that only want a reload share one.
    async fn answer(&mut self, first: SyncRequest) {
        let mut waiting = vec![first];
        while let Ok(more) = self.requests.try_recv() {
            waiting.push(more);
        }
        let (confirming, plain): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|request| request.confirm.is_some() || request.pass == Pass::Force);
        if let Some(last) = plain.last() {
            let done = self.asked(last.trigger, Vec::new(), Pass::Windows).await;
            for request in plain {
                let mut answer = done.clone();
                if let SyncAnswer::Done(report) = &mut answer {
                    report.trigger = request.trigger;
                }
                // Who asked may have gone away meanwhile.
                drop(request.answer.send(answer));
            }
        }
        for request in confirming {
            let answer = match request
                .confirm
                .as_ref()
                .map(|confirm| self.confirmed(confirm))
            {
                Some(None) => SyncAnswer::PendingChanged {
                    pending: self
                        .reloader
                        .held()
                        .iter()
                        .map(ToString::to_string)
                        .collect(),
                    hash: pending_hash(self.reloader.held()),
                },
                Some(Some(confirmed)) => self.asked(request.trigger, confirmed, request.pass).await,
                None => self.asked(request.trigger, Vec::new(), request.pass).await,
            };
            drop(request.answer.send(answer));
        }
    }

    async fn asked(
        &mut self,
        trigger: ReloadTrigger,
        confirmed: Vec<JobName>,
        pass: Pass,
    ) -> SyncAnswer {
        let request = Request {
            trigger,
            look: Look::Verify,
            confirmed,
            pass,
        };
        match self.reloader.reload(request).await {
            Ok(report) => SyncAnswer::Done(Box::new(report)),
            Err(why) => SyncAnswer::Failed(why),
        }
    }

    /// The names that a confirmation is for; `None` when it is not for what is pending.
    fn confirmed(&self, confirm: &Confirm) -> Option<Vec<JobName>> {
        let held = self.reloader.held();
        let hash = confirm.pending.as_ref();
        if hash.is_some_and(|hash| *hash != pending_hash(held)) {
            return None;
        }
        let Some(names) = &confirm.names else {
            return Some(held.to_vec());
        };
        let asked: HashSet<&str> = names.iter().map(String::as_str).collect();
        let confirmed: Vec<JobName> = held
            .iter()
            .filter(|name| asked.contains(name.as_str()))
            .cloned()
            .collect();
        (confirmed.len() == asked.len()).then_some(confirmed)
    }
}

/// How long from one regular look to the next, when the last one took so long.
fn interval(watching: &Watching, regular: Duration, last_look: Duration) -> Duration {
    match watching {
        Watching::Events => regular,
        Watching::Polling(_) => regular.min(POLL_WITHOUT_EVENTS.max(last_look * POLL_SHARE)),
    }
}

/// A part of half the interval that is the same at each start and another for other PATHs,
/// so that a machine's elders do not all look at once.
fn spread(paths: &[Arc<str>]) -> Duration {
    let mut hash = DefaultHasher::new();
    paths.hash(&mut hash);
    POLL / 2 / 1000 * u32::try_from(hash.finish() % 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_often_only_where_the_kernel_is_silent_and_they_are_cheap() {
        let regular = Duration::from_secs(37);
        let polling = Watching::Polling("no inotify".to_owned());
        for (what, watching, last, expected) in [
            ("the kernel reports", &Watching::Events, 0, 37_000),
            ("a small tree", &polling, 3, 2_000),
            ("a large tree", &polling, 400, 8_000),
            ("a huge tree", &polling, 60_000, 37_000),
        ] {
            let interval = interval(watching, regular, Duration::from_millis(last));
            assert_eq!(interval, Duration::from_millis(expected), "{what}");
        }
    }

    #[test]
    fn the_spread_is_the_same_at_each_start_and_stays_in_its_bounds() {
        let paths = |names: &[&str]| {
            names
                .iter()
                .map(|name| Arc::from(*name))
                .collect::<Vec<_>>()
        };
        let one = spread(&paths(&["jobs.d"]));
        assert_eq!(one, spread(&paths(&["jobs.d"])));
        assert_ne!(one, spread(&paths(&["other"])));
        assert!(one < POLL / 2);
    }
}
