//! Hints that another look at the files is worth it, and nothing more.
//!
//! What the kernel reports is incomplete in many ways (a file written into a
//! new folder at once, a link re-pointed, a queue that ran over), so an event is
//! never believed, only followed by a look. What to watch is what the last look
//! went through: every folder of the tree, and every folder on the way to it.

mod ways;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecursiveMode, Watcher as _};
use rustix::io::Errno;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Snapshot;
use ways::{News, Ways};

/// A burst of changes is over when nothing came for so long.
const QUIET: Duration = Duration::from_millis(50);

/// So long when the last thing that came was a whole one: a file closed after writing, or put in place.
const QUIET_AFTER_WHOLE: Duration = Duration::from_millis(25);

/// A burst that does not end is looked at all the same.
const AT_MOST: Duration = Duration::from_millis(500);

/// Whether hints can be relied on to come soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watching {
    /// The kernel reports changes.
    Events,
    /// It does not, or not for all folders, for this reason: look again every few seconds.
    Polling(String),
}

/// The set of watched folders. Its calls may block.
pub struct Watcher {
    kernel: Result<Kernel, String>,
    watched: HashMap<PathBuf, Watched>,
    shared: Arc<Shared>,
}

/// Through what the kernel is heard.
struct Kernel {
    /// Folders of trees: everything in them.
    trees: notify::RecommendedWatcher,
    /// Folders on the way to them: names alone.
    ways: Ways,
}

/// A folder as it is watched: which one, and whether all in it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Watched {
    identity: (u64, u64),
    is_tree: bool,
}

/// Where the hints arrive.
pub struct Wakeups {
    shared: Arc<Shared>,
    /// A hint came and its burst is not over; kept here so that dropping a wait loses nothing.
    pending: bool,
}

#[derive(Default)]
struct Shared {
    wake: Notify,
    interest: Mutex<Interest>,
    /// Whether the last event that mattered left a file whole.
    is_whole: AtomicBool,
}

/// Which events matter.
#[derive(Default)]
struct Interest {
    /// Folders of a tree: everything in them matters.
    trees: HashSet<PathBuf>,
    /// Folders on the way to a tree: only these names matter.
    ways: HashMap<PathBuf, HashSet<OsString>>,
    /// Folders whose watch may have ended with the folder: inode numbers are used again.
    ended: HashSet<PathBuf>,
    /// Whether that is to be thought of all of them.
    all_ended: bool,
}

impl Watcher {
    /// A watcher that watches nothing yet, and where its hints arrive.
    #[must_use]
    pub fn new() -> (Self, Wakeups) {
        let shared = Arc::new(Shared::default());
        let heard = shared.clone();
        let trees = notify::recommended_watcher(move |event| heard.hear(event))
            .map_err(|error| sentence(&error));
        let heard = shared.clone();
        let kernel = trees.and_then(|trees| {
            let ways = Ways::new(move |news| heard.hear_of_way(news));
            let ways = ways.map_err(|error| no_events(&error))?;
            Ok(Kernel { trees, ways })
        });
        let watcher = Self {
            kernel,
            watched: HashMap::new(),
            shared: shared.clone(),
        };
        let wakeups = Wakeups {
            shared,
            pending: false,
        };
        (watcher, wakeups)
    }

    /// Watches what `snapshot` went through, and nothing else. Each new watch gives a hint, since
    /// something may have changed between the look and the watch.
    pub fn update(&mut self, snapshot: &Snapshot) -> Watching {
        let mut wanted: HashMap<&Path, Watched> = HashMap::new();
        for watch in snapshot.roots.iter().flat_map(|root| &root.watch) {
            let folder = wanted.entry(&watch.folder).or_insert(Watched {
                identity: watch.identity,
                is_tree: false,
            });
            folder.identity = watch.identity;
            folder.is_tree |= watch.only.is_none();
        }
        let kernel = match &mut self.kernel {
            Ok(kernel) => kernel,
            Err(reason) => return Watching::Polling(reason.clone()),
        };
        let ended = {
            let mut interest = self.shared.interest();
            interest.replace(snapshot);
            if std::mem::take(&mut interest.all_ended) {
                self.watched.keys().cloned().collect()
            } else {
                std::mem::take(&mut interest.ended)
            }
        };
        self.watched.retain(|folder, how| {
            let keep = wanted.get(folder.as_path()) == Some(how) && !ended.contains(folder);
            if !keep {
                kernel.unwatch(folder, *how);
            }
            keep
        });
        let mut state = Watching::Events;
        let mut added = false;
        for (folder, how) in wanted {
            if self.watched.contains_key(folder) {
                continue;
            }
            match kernel.watch(folder, how) {
                Ok(()) => {
                    self.watched.insert(folder.to_owned(), how);
                    added = true;
                }
                // The folder above it is watched.
                Err(NotWatched::Gone) => added = true,
                // A folder that one may pass and not read, such as /home: the regular look has to do.
                Err(NotWatched::Forbidden(_)) if !how.is_tree => {}
                Err(NotWatched::Forbidden(why) | NotWatched::Other(why)) => {
                    state = Watching::Polling(why);
                    break;
                }
            }
        }
        if added {
            self.shared.wake.notify_one();
        }
        state
    }
}

impl Kernel {
    fn watch(&mut self, folder: &Path, how: Watched) -> Result<(), NotWatched> {
        if how.is_tree {
            let watched = self.trees.watch(folder, RecursiveMode::NonRecursive);
            watched.map_err(|error| NotWatched::of(&error))
        } else {
            let watched = self.ways.watch(folder);
            watched.map_err(|error| NotWatched::of(&notify_error(error)))
        }
    }

    fn unwatch(&mut self, folder: &Path, how: Watched) {
        if how.is_tree {
            // An error says that the folder is gone, and its watch with it.
            let _ = self.trees.unwatch(folder);
        } else {
            self.ways.unwatch(folder);
        }
    }
}

/// Why a folder is not watched.
enum NotWatched {
    /// Gone since the look.
    Gone,
    Forbidden(String),
    Other(String),
}

impl NotWatched {
    fn of(error: &notify::Error) -> Self {
        if is_gone(error) {
            Self::Gone
        } else if is_forbidden(error) {
            Self::Forbidden(sentence(error))
        } else {
            Self::Other(sentence(error))
        }
    }
}

/// As `notify` would say it.
fn notify_error(error: Errno) -> notify::Error {
    match error {
        Errno::NOSPC => notify::Error::new(notify::ErrorKind::MaxFilesWatch),
        other => notify::Error::io(other.into()),
    }
}

impl Wakeups {
    /// Waits for a hint and for the end of its burst. Dropping the wait loses no hint.
    pub async fn next(&mut self) {
        if !self.pending {
            self.shared.wake.notified().await;
            self.pending = true;
        }
        let end = sleep(AT_MOST);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                more = timeout(self.shared.quiet(), self.shared.wake.notified()) => {
                    if more.is_err() {
                        break;
                    }
                }
            }
        }
        self.pending = false;
    }
}

impl Shared {
    fn interest(&self) -> MutexGuard<'_, Interest> {
        self.interest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called on the watcher's own thread.
    fn hear(&self, event: notify::Result<notify::Event>) {
        let (matters, is_whole) = match event {
            Ok(event) => (self.interest().matters(&event), leaves_whole(event.kind)),
            // Something went wrong in between: what, does not matter to a look.
            Err(_) => (true, false),
        };
        if matters {
            self.is_whole.store(is_whole, Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    /// The same, of a folder on the way to a tree.
    fn hear_of_way(&self, news: News) {
        let is_whole = matches!(news, News::Name { is_whole: true, .. });
        if self.interest().matters_on_way(news) {
            self.is_whole.store(is_whole, Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    fn quiet(&self) -> Duration {
        if self.is_whole.load(Ordering::Relaxed) {
            QUIET_AFTER_WHOLE
        } else {
            QUIET
        }
    }
}

impl Interest {
    fn replace(&mut self, snapshot: &Snapshot) {
        self.trees.clear();
        self.ways.clear();
        for watch in snapshot.roots.iter().flat_map(|root| &root.watch) {
            match &watch.only {
                None => {
                    self.trees.insert(watch.folder.clone());
                }
                Some(name) => {
                    let names = self.ways.entry(watch.folder.clone()).or_default();
                    names.insert(name.clone());
                }
            }
        }
    }

    fn matters(&mut self, event: &notify::Event) -> bool {
        if event.need_rescan() {
            self.all_ended = true;
            return true;
        }
        let ends = match event.kind {
            // Our own looks open files and folders; only the end of a write tells something.
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => return false,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
            _ => false,
        };
        let mut matters = false;
        for path in &event.paths {
            let watched = self.trees.contains(path) || self.ways.contains_key(path);
            if watched && ends {
                self.ended.insert(path.clone());
                matters = true;
            }
            matters |= self.trees.contains(path) || self.names(path);
        }
        matters
    }

    fn matters_on_way(&mut self, news: News) -> bool {
        match news {
            News::Lost => {
                self.all_ended = true;
                true
            }
            News::Folder(folder) => {
                let is_watched = self.ways.contains_key(&folder);
                if is_watched {
                    self.ended.insert(folder);
                }
                is_watched
            }
            News::Name { folder, name, .. } => {
                let names = self.ways.get(&folder);
                names.is_some_and(|names| names.contains(&name))
            }
        }
    }

    /// Whether `path` is something in a folder of a tree, or a name on the way to one.
    fn names(&self, path: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return false;
        };
        self.trees.contains(folder)
            || self
                .ways
                .get(folder)
                .is_some_and(|names| names.contains(name))
    }
}

/// Whether a file is complete after this.
fn leaves_whole(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
    )
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound | notify::ErrorKind::WatchNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn is_forbidden(error: &notify::Error) -> bool {
    matches!(&error.kind, notify::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied)
}

fn sentence(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => "no inotify watch is left for a folder; raise \
             fs.inotify.max_user_watches (until then elder looks every few seconds)"
            .to_owned(),
        _ => no_events(error),
    }
}

fn no_events(error: &dyn std::fmt::Display) -> String {
    format!("the kernel does not report changes of files ({error}); elder looks every few seconds")
}

#[cfg(test)]
mod tests;
