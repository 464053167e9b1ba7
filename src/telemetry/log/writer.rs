//! A thread that writes lines, behind a bounded queue.
//!
//! A terminal that is held, a pipe that nobody reads: the lines that find no
//! place are dropped and counted, and elder goes on.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Lines that may wait.
const QUEUE: usize = 8192;

/// Bytes that are written in one call, about.
const BATCH: usize = 64 * 1024;

/// How long the end of elder waits for a reader that does not read.
const PATIENCE: Duration = Duration::from_millis(500);

/// Makes the line that says how many were lost.
pub(super) type Note = Box<dyn Fn(u64) -> Vec<u8> + Send>;

/// Where lines are put in.
#[derive(Clone)]
pub(super) struct Writer {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

enum Line {
    Text(Vec<u8>),
    End,
}

/// Writes what is queued when it is dropped.
pub struct Guard {
    lines: SyncSender<Line>,
    thread: Option<JoinHandle<()>>,
    done: Receiver<()>,
    /// The queue was full at the end: the thread ends by this instead.
    stop: Arc<AtomicBool>,
}

impl Writer {
    /// Starts the thread. `note` is the line that says how many were lost.
    pub(super) fn start(stream: Box<dyn Write + Send>, note: Note) -> io::Result<(Self, Guard)> {
        let (lines, queue) = sync_channel(QUEUE);
        let (finished, done) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (lost, stop) = (lost.clone(), stop.clone());
            let work = move || {
                drain(&queue, stream, &lost, &note, &stop);
                // Nobody waits any more when this fails.
                let _ = finished.send(());
            };
            thread::Builder::new()
                .name("elder-log".into())
                .spawn(work)?
        };
        let guard = Guard {
            lines: lines.clone(),
            thread: Some(thread),
            done,
            stop,
        };
        Ok((Self { lines, lost }, guard))
    }

    /// Puts a line in; never waits.
    pub(super) fn send(&self, line: Vec<u8>) {
        if self.lines.try_send(Line::Text(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // A full queue wakes the thread as well.
        let _ = self.lines.try_send(Line::End);
        if self.done.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn drain(
    queue: &Receiver<Line>,
    mut stream: Box<dyn Write + Send>,
    lost: &AtomicU64,
    note: &Note,
    stop: &AtomicBool,
) {
    let mut batch: Vec<u8> = Vec::new();
    while let Ok(first) = queue.recv() {
        let mut next = Some(first);
        let mut ended = false;
        // What came meanwhile goes out with it, in one call.
        while let Some(line) = next {
            match line {
                Line::Text(line) => batch.extend(line),
                Line::End => ended = true,
            }
            next = match batch.len() < BATCH {
                true => queue.try_recv().ok(),
                false => None,
            };
        }
        put(&mut stream, &mut batch, lost, note);
        if ended || stop.load(Ordering::Acquire) {
            while let Ok(Line::Text(line)) = queue.try_recv() {
                batch.extend(line);
            }
            return put(&mut stream, &mut batch, lost, note);
        }
    }
}

fn put(stream: &mut dyn Write, batch: &mut Vec<u8>, lost: &AtomicU64, note: &Note) {
    let gone = lost.swap(0, Ordering::Relaxed);
    if gone > 0 {
        batch.extend(note(gone));
    }
    // Where standard error is gone, there is nobody to tell.
    let _ = stream.write_all(batch).and_then(|()| stream.flush());
    batch.clear();
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A stream whose reader waits until it is let go.
    struct Stuck(Arc<Mutex<Vec<u8>>>, Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The sender is dropped to let go for good.
            let _ = self.1.recv();
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up_and_lost_lines_are_counted() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (release, stuck) = sync_channel(0);
        let stream = Box::new(Stuck(kept.clone(), stuck));
        let note: Note = Box::new(|lost| format!("{lost} lines were lost\n").into_bytes());
        let (writer, guard) = Writer::start(stream, note).unwrap();
        // More than the queue and the batch on its way out can hold together: a line is at least a byte.
        let sent = 2 * QUEUE + BATCH;
        for _ in 0..sent {
            writer.send(b"x\n".to_vec());
        }
        drop(release);
        // The thread is free now; the count of what is lost comes with a later line.
        writer.send(b"last\n".to_vec());
        drop(guard);
        let text = String::from_utf8(kept.lock().unwrap().clone()).unwrap();
        let written = text.lines().filter(|line| *line == "x").count();
        assert!((QUEUE..sent).contains(&written), "{written}");
        let lost = text
            .lines()
            .filter_map(|line| line.strip_suffix(" lines were lost"));
        let lost: usize = lost.map(|count| count.parse::<usize>().unwrap()).sum();
        let last = text.lines().filter(|line| *line == "last").count();
        assert_eq!(written + last + lost, sent + 1);
    }
}
