//! Files to engine: one reload at a time, the latest request wins.
//!
//! A reload looks at the files, decides what is to be in force, records it and
//! tells the engine. It never waits for running runs. A start is a reload from
//! what the store last applied.

mod commons;
mod editions;
mod eye;
mod file_state;
mod frozen;
mod handle;
mod language;
mod ledger;
mod marks;
mod recast;
mod reload;
mod status;
mod task;
mod tree;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::engine;
use crate::finding::Finding;
use crate::model::Observer;
use crate::sage;
use crate::source::{Directory, Watcher};
use crate::store::{Store, StoreError};

use eye::{Eye, Missing, Told};
use reload::Reloader;

pub use handle::{
    Confirm, Pass, SourceView, SyncAnswer, SyncHandle, SyncRequest, SyncState, SyncStatus,
    WaitingChange,
};
pub use language::{DefaultsTexts, Language, Refreshed};
pub use task::Sync;

/// What a sync goes by.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--prune-limit`, in percent.
    pub prune_limit: u8,
    /// `--allow-empty`: a PATH without a job file is fine.
    pub allow_empty: bool,
    /// `--strict`: refuse to start with a bad file.
    pub strict: bool,
    /// Nobody named the PATH: that it is missing or empty is fine as long as it never held a job.
    pub default_path: bool,
    /// `--revision`
    pub revision: Option<Arc<str>>,
    /// `--author`
    pub author: Option<Arc<str>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prune_limit: 50,
            allow_empty: false,
            strict: false,
            default_path: false,
            revision: None,
            author: None,
        }
    }
}

/// What a sync works with.
pub struct Services {
    /// Checks, prints and reads definitions.
    pub language: Arc<dyn Language>,
    /// Remembers what is in force.
    pub store: Arc<dyn Store>,
    /// Puts it in force.
    pub engine: engine::Handle,
    /// Is told which sages there are.
    pub sages: sage::Book,
    /// Is told of each reload.
    pub observer: Arc<dyn Observer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The services, and where the status goes.
struct Parts {
    language: Arc<dyn Language>,
    store: Arc<dyn Store>,
    engine: engine::Handle,
    sages: sage::Book,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    status: watch::Sender<Arc<SyncStatus>>,
}

/// Why elder is not to start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BootError {
    /// `--strict`, and a file is bad. Exit status 1.
    #[error("{bad} bad file(s), and --strict refuses to start with one")]
    Strict {
        /// How many.
        bad: usize,
        /// Everything found.
        findings: Vec<Finding>,
    },
    /// A PATH cannot be read, and this store never loaded it. Exit status 2, as all that follow.
    #[error("cannot read {path}: {reason}")]
    NeverLoaded {
        /// As the command line named it.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A named PATH holds no job file, and this store never loaded it.
    #[error("there is no job file in {path}; --allow-empty starts without one")]
    Empty {
        /// As the command line named it.
        path: String,
    },
    /// The store does not record.
    #[error(transparent)]
    Store(StoreError),
    /// The engine has ended.
    #[error("the scheduler has stopped")]
    Stopped,
    /// Something inside elder.
    #[error("{0}")]
    Broken(String),
}

/// A sync of `directory`, not yet started: first [`Sync::boot`], then [`Sync::run`].
/// The handle answers from the first moment; requests wait for the boot.
#[must_use]
pub fn start(services: Services, directory: Directory, options: Options) -> (SyncHandle, Sync) {
    let (handle, requests, status) = SyncHandle::pair(before_the_first(&directory));
    let (watcher, wakeups) = Watcher::new();
    let missing = if options.default_path {
        Missing::Empty
    } else {
        Missing::Lost
    };
    let paths = directory.paths();
    let eye = Eye::new(
        directory,
        watcher,
        services.language.clone(),
        missing,
        Told {
            revision: options.revision.clone(),
            author: options.author.clone(),
        },
    );
    let parts = Parts {
        language: services.language,
        store: services.store,
        engine: services.engine,
        sages: services.sages,
        observer: services.observer,
        clock: services.clock,
        status,
    };
    let reloader = Reloader::new(parts, options, eye);
    (handle, Sync::new(reloader, requests, wakeups, &paths))
}

fn before_the_first(directory: &Directory) -> SyncStatus {
    let source = |path: Arc<str>| SourceView {
        folder: Arc::from(Path::new(&*path)),
        path,
        files: 0,
        bad_files: 0,
        lost: None,
    };
    SyncStatus {
        state: SyncState::OutOfSync,
        reason: "the first sync is under way".to_owned(),
        revision: None,
        author: None,
        content_hash: Arc::default(),
        applied_at: None,
        observed_at: None,
        findings: Vec::new(),
        sources: directory.paths().into_iter().map(source).collect(),
        variables: Arc::default(),
        pending: Vec::new(),
        pending_hash: String::new(),
        freeze: None,
        waiting: None,
        in_force: Arc::default(),
    }
}
