//! Hears what happens, and hints at what is to be done about it: letters to fetch, troubles of
//! elder's own to tell.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::finding::Severity;
use crate::ids::JobName;
use crate::model::{Event, Observer, ReloadReport};

use super::{NEWS, News};

/// So many findings are told in one letter.
const FINDINGS: usize = 5;

/// An observer that never blocks: it is called from the engine's own loop.
pub struct Herald {
    letters: Arc<Notify>,
    news: mpsc::Sender<Heard>,
    is_store_lost: AtomicBool,
}

/// What a herald leads to.
pub struct Hints {
    pub(super) letters: Arc<Notify>,
    pub(super) news: News,
}

/// What may be news.
#[derive(Debug)]
pub(super) enum Heard {
    /// A reload came to its end: the files that are bad and why, and the names that are held.
    Reload {
        rejected: BTreeSet<String>,
        why: String,
        held: BTreeSet<String>,
        /// A change that waits for the end of a freeze, in words.
        waits: Option<String>,
        revision: Option<Arc<str>>,
    },
    /// A PATH is gone, or back.
    Source {
        path: String,
        reason: Option<String>,
    },
    /// Jobs have other names in the store.
    Renamed { moves: HashMap<JobName, JobName> },
    /// The store cannot be written, or can again.
    Store { error: Option<String> },
}

pub(super) fn pair() -> (Arc<Herald>, Hints) {
    let letters = Arc::new(Notify::new());
    let (sender, news) = mpsc::channel(NEWS);
    let herald = Herald {
        letters: letters.clone(),
        news: sender,
        is_store_lost: AtomicBool::new(false),
    };
    (Arc::new(herald), Hints { letters, news })
}

impl Herald {
    fn tell(&self, heard: Heard) {
        if self.news.try_send(heard).is_err() {
            tracing::warn!("elder's own troubles came faster than sages could be told of them");
        }
    }

    fn store(&self, error: Option<&str>) {
        let is_lost = error.is_some();
        if self.is_store_lost.swap(is_lost, Ordering::Relaxed) != is_lost {
            self.tell(Heard::Store {
                error: error.map(str::to_owned),
            });
        }
    }

    fn reloaded(&self, report: &ReloadReport) {
        let is_bad = |finding: &&crate::finding::Finding| finding.severity == Severity::Error;
        let bad = report.findings.iter().filter(is_bad);
        let why: Vec<String> = bad
            .clone()
            .take(FINDINGS)
            .map(|finding| {
                let place = &finding.at.place;
                let (line, code) = (place.line, finding.code.as_str());
                format!("{}:{line}: {code} {}", place.file, finding.message)
            })
            .collect();
        self.tell(Heard::Reload {
            rejected: bad.map(|it| it.at.place.file.to_string()).collect(),
            why: why.join("; "),
            held: report.held.iter().cloned().collect(),
            waits: report.waits.clone(),
            revision: report.revision.clone(),
        });
    }
}

impl Observer for Herald {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::LettersWritten => self.letters.notify_one(),
            Event::Reloaded(report) => self.reloaded(report),
            Event::SourceState { path, reason } => self.tell(Heard::Source {
                path: (*path).to_owned(),
                reason: reason.map(str::to_owned),
            }),
            Event::StoreOperation {
                operation: "commit",
                error,
                ..
            } => self.store(*error),
            Event::StoreBack => self.store(None),
            Event::JobsRenamed { moves } => self.tell(Heard::Renamed {
                moves: moves.iter().cloned().collect(),
            }),
            _ => {}
        }
    }
}
