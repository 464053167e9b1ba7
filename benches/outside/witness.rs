//! Witnesses of actions: the checker's HTTP server, and a FIFO that stamps lines.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::checker::{Seen, Sink, seen_in};

/// What hears the actions of a storm.
pub enum Witness {
    /// Requests to a server.
    Requests(Sink),
    /// Lines in a FIFO.
    Lines(PathBuf, Arc<Mutex<Vec<Seen>>>),
}

impl Witness {
    /// One for `http` or `sh`; a FIFO lies in `folder`.
    pub fn of(action: &str, folder: &Path) -> Self {
        match action {
            "http" => Self::Requests(Sink::start(Timestamp::now)),
            _ => fifo(folder),
        }
    }

    /// What actions are to be sent to: an address or a path.
    pub fn target(&self) -> String {
        match self {
            Self::Requests(sink) => sink.address().to_string(),
            Self::Lines(path, _) => path.display().to_string(),
        }
    }

    pub fn count(&self) -> usize {
        match self {
            Self::Requests(sink) => sink.count(),
            Self::Lines(_, seen) => seen.lock().expect("no panic inside").len(),
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        match self {
            Self::Requests(sink) => sink.seen(),
            Self::Lines(_, seen) => seen.lock().expect("no panic inside").clone(),
        }
    }

    /// Waits until so many have come, or until nothing new came for `quiet`.
    pub fn wait(&self, n: usize, quiet: Duration) {
        let mut last = (self.count(), Instant::now());
        while last.0 < n && last.1.elapsed() < quiet {
            std::thread::sleep(Duration::from_millis(20));
            let count = self.count();
            if count != last.0 {
                last = (count, Instant::now());
            }
        }
        // Whoever comes twice comes soon after.
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// A FIFO to which children write the witness's line; opened for reading and writing, so it never ends.
fn fifo(folder: &Path) -> Witness {
    let path = folder.join("fifo");
    let _ = std::fs::remove_file(&path);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a FIFO");
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let fd: OwnedFd =
        rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).expect("the FIFO opens");
    let mut file = std::fs::File::from(fd);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let book = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut chunk = [0u8; 65_536];
        while let Ok(read) = file.read(&mut chunk) {
            let at = Timestamp::now();
            kept.extend_from_slice(&chunk[..read]);
            let Some(end) = kept.iter().rposition(|byte| *byte == b'\n') else {
                continue;
            };
            let lines: Vec<u8> = kept.drain(..=end).collect();
            let text = String::from_utf8_lossy(&lines);
            let mut came = seen_in(&text).expect("whole lines");
            for one in &mut came {
                one.began = Some(at);
            }
            book.lock().expect("no panic inside").append(&mut came);
        }
    });
    Witness::Lines(path, seen)
}
