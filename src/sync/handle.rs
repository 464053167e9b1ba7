//! The sync as everyone else sees it: requests in, a status out.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::decide::Freeze;
use crate::decide::merge::InForce;
use crate::finding::Finding;
use crate::model::{ReloadReport, ReloadTrigger};
use crate::spec::Variables;

/// Asks for syncs and shows the last one.
#[derive(Clone)]
pub struct SyncHandle {
    requests: mpsc::Sender<SyncRequest>,
    status: watch::Receiver<Arc<SyncStatus>>,
}

/// A sync that somebody asks for and waits for.
pub struct SyncRequest {
    /// Who.
    pub trigger: ReloadTrigger,
    /// Which held removals to carry out.
    pub confirm: Option<Confirm>,
    /// Whether no window holds this one.
    pub pass: Pass,
    /// Where the answer goes.
    pub answer: oneshot::Sender<SyncAnswer>,
}

/// Whether windows hold a sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pass {
    /// They do.
    #[default]
    Windows,
    /// They do not: an admin says so.
    Force,
}

/// Which held removals to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// These; `None` for all that are pending.
    pub names: Option<Vec<String>>,
    /// The hash of the pending set that the person saw; a pending set that has changed since is refused.
    pub pending: Option<String>,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum SyncAnswer {
    /// The sync was carried out.
    Done(Box<ReloadReport>),
    /// What is pending is not what was to be confirmed; nothing was done.
    PendingChanged {
        /// What is pending now.
        pending: Vec<String>,
        /// Its hash.
        hash: String,
    },
    /// The sync could not be carried out: the store does not record, or the engine has ended.
    Failed(String),
}

/// The first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// A PATH is gone or unreadable.
    SourceLost,
    /// At least one file is bad.
    Invalid,
    /// Removals wait for a confirmation, or a change for the end of a freeze.
    Held,
    /// What is in force is not what the files say.
    OutOfSync,
    /// What is in force is what the files say.
    Synced,
}

impl SyncState {
    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SyncState::SourceLost => "SourceLost",
            SyncState::Invalid => "Invalid",
            SyncState::Held => "Held",
            SyncState::OutOfSync => "OutOfSync",
            SyncState::Synced => "Synced",
        }
    }
}

/// How things stand after the last sync.
#[derive(Clone, Debug)]
pub struct SyncStatus {
    /// In one word.
    pub state: SyncState,
    /// A sentence; empty when synced.
    pub reason: String,
    /// The revision that is in force, if one is known.
    pub revision: Option<Arc<str>>,
    /// Who made it, if that is known.
    pub author: Option<Arc<str>>,
    /// SHA-256 over all files, in hexadecimal.
    pub content_hash: Arc<str>,
    /// When something was last put in force.
    pub applied_at: Option<Timestamp>,
    /// When the last sync came to its end; `None` before the first.
    pub observed_at: Option<Timestamp>,
    /// Everything found.
    pub findings: Vec<Finding>,
    /// The PATHs.
    pub sources: Vec<SourceView>,
    /// The variables of elder's environment that files ask for.
    pub variables: Arc<Variables>,
    /// Names whose removal waits for a confirmation.
    pub pending: Vec<String>,
    /// The hash to confirm them with; empty when there are none.
    pub pending_hash: String,
    /// Changes wait at the moment, by `sync_windows`.
    pub freeze: Option<Freeze>,
    /// A change that waits for that.
    pub waiting: Option<WaitingChange>,
    /// Everything that is in force.
    pub in_force: Arc<InForce>,
}

/// A change that waits for the end of a freeze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingChange {
    /// Since when.
    pub since: Timestamp,
    /// The revision of the files that are not in force, if one is known.
    pub revision: Option<Arc<str>>,
    /// What it would do: `1 added, 2 rescheduled`.
    pub text: String,
}

/// One PATH.
#[derive(Clone, Debug)]
pub struct SourceView {
    /// As the command line named it.
    pub path: Arc<str>,
    /// Absolute and resolved, as far as it is known.
    pub folder: Arc<Path>,
    /// Job files in it.
    pub files: usize,
    /// Bad ones.
    pub bad_files: usize,
    /// What is wrong with the PATH as a whole.
    pub lost: Option<String>,
}

impl SyncHandle {
    /// A handle, the requests that the sync reads, and the status that it writes.
    #[must_use]
    pub fn pair(
        first: SyncStatus,
    ) -> (
        Self,
        mpsc::Receiver<SyncRequest>,
        watch::Sender<Arc<SyncStatus>>,
    ) {
        let (requests, incoming) = mpsc::channel(64);
        let (writer, status) = watch::channel(Arc::new(first));
        (Self { requests, status }, incoming, writer)
    }

    /// Asks for a sync and waits for it.
    pub async fn sync(&self, trigger: ReloadTrigger, confirm: Option<Confirm>) -> SyncAnswer {
        self.sync_by(trigger, confirm, Pass::Windows).await
    }

    /// The same, and perhaps in spite of a freeze.
    pub async fn sync_by(
        &self,
        trigger: ReloadTrigger,
        confirm: Option<Confirm>,
        pass: Pass,
    ) -> SyncAnswer {
        let (answer, wait) = oneshot::channel();
        let request = SyncRequest {
            trigger,
            confirm,
            pass,
            answer,
        };
        let gone = || SyncAnswer::Failed("elder is stopping".to_owned());
        if self.requests.send(request).await.is_err() {
            return gone();
        }
        wait.await.unwrap_or_else(|_| gone())
    }

    /// How things stand.
    #[must_use]
    pub fn status(&self) -> Arc<SyncStatus> {
        self.status.borrow().clone()
    }

    /// Told of each new status.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<SyncStatus>> {
        self.status.clone()
    }
}
