//! Folders on the way to a tree, of which only names that come, go or change hands matter.
//!
//! They are other people's: a home, `/etc`, a folder with a log that is written without end. `notify`
//! hears of every write in every folder that it watches, so these are watched here, with a mask that
//! leaves writes out: the kernel then does not even wake elder.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{PipeReader, PipeWriter, pipe};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// What is heard of: names in the folder, and the folder itself.
const HEARD: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// What happened on a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Something about that name; whole, if something was put in its place.
    Name {
        folder: PathBuf,
        name: OsString,
        is_whole: bool,
    },
    /// The folder itself went, moved, or changed hands; its watch may have ended.
    Folder(PathBuf),
    /// Something was lost: all may have changed.
    Lost,
}

/// The watched ways. Whoever hears is called on a thread of its own, which ends when this is dropped.
pub(super) struct Ways {
    kernel: Arc<OwnedFd>,
    folders: Arc<Mutex<Folders>>,
    /// The other end hears when it is closed.
    _alive: PipeWriter,
}

/// The kernel's number of each folder. One that is reached by several paths has one number.
#[derive(Default)]
struct Folders(HashMap<i32, Vec<PathBuf>>);

impl Ways {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the system gives no inotify or no thread.
    pub(super) fn new(hear: impl Fn(News) + Send + 'static) -> std::io::Result<Self> {
        let kernel = Arc::new(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?);
        let folders: Arc<Mutex<Folders>> = Arc::default();
        let (end, alive) = pipe()?;
        let (events, known) = (Arc::clone(&kernel), Arc::clone(&folders));
        thread::Builder::new()
            .name("elder-ways".to_owned())
            .spawn(move || listen(&events, &known, &end, &hear))?;
        Ok(Self {
            kernel,
            folders,
            _alive: alive,
        })
    }

    /// Watches this folder.
    pub(super) fn watch(&self, folder: &Path) -> Result<(), Errno> {
        let mut folders = lock(&self.folders);
        let number = inotify::add_watch(&*self.kernel, folder, HEARD)?;
        let paths = folders.0.entry(number).or_default();
        if !paths.iter().any(|path| path == folder) {
            paths.push(folder.to_owned());
        }
        Ok(())
    }

    /// Watches it no more.
    pub(super) fn unwatch(&self, folder: &Path) {
        let mut folders = lock(&self.folders);
        let kernel = &self.kernel;
        folders.0.retain(|number, paths| {
            let before = paths.len();
            paths.retain(|path| path != folder);
            let is_over = paths.is_empty() && before > 0;
            if is_over {
                // An error says that the folder is gone, and its watch with it.
                let _ = inotify::remove_watch(&**kernel, *number);
            }
            !is_over
        });
    }
}

fn lock(folders: &Mutex<Folders>) -> MutexGuard<'_, Folders> {
    folders.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears until the other end of `end` is closed.
fn listen(kernel: &OwnedFd, folders: &Mutex<Folders>, end: &PipeReader, hear: &dyn Fn(News)) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(kernel.as_fd(), &mut buffer);
    loop {
        match reader.next() {
            Ok(event) => {
                let name = event
                    .file_name()
                    .map(|name| OsStr::from_bytes(name.to_bytes()));
                let all = news(&lock(folders), event.wd(), event.events(), name);
                all.into_iter().for_each(hear);
            }
            Err(Errno::WOULDBLOCK) => {
                let mut wait = [
                    PollFd::new(kernel, PollFlags::IN),
                    PollFd::new(end, PollFlags::IN),
                ];
                match poll(&mut wait, None) {
                    Ok(_) if wait[1].revents().is_empty() => {}
                    Err(Errno::INTR) => {}
                    _ => return,
                }
            }
            Err(Errno::INTR) => {}
            // Without it, the regular look has to do.
            Err(_) => return,
        }
    }
}

/// What an event says; nothing, about a folder that is watched no more.
fn news(folders: &Folders, number: i32, flags: ReadFlags, name: Option<&OsStr>) -> Vec<News> {
    if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
        return vec![News::Lost];
    }
    let paths = folders.0.get(&number).into_iter().flatten();
    paths
        .map(|folder| match name {
            Some(name) => News::Name {
                folder: folder.clone(),
                name: name.to_owned(),
                is_whole: flags.contains(ReadFlags::MOVED_TO),
            },
            None => News::Folder(folder.clone()),
        })
        .collect()
}
