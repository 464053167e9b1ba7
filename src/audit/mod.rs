//! The audit trail: what was done to elder, and what elder did to itself.
//!
//! [`Recorder`] is an observer: it hears of calls and reloads, and hands them to a task of its own,
//! which keeps them in the store and, where `--audit-log` names one, in a file of JSON lines. Runs
//! are rows of the ledger already and are written to the file alone, so that no start is slower for
//! the trail. Nothing waits for it: what cannot be written is counted and told.

mod file;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::model::{
    AuditEntry, AuditResult, Event, Job, Observer, Outcome, Pause, Reason, ReloadReport,
    ReloadResult, ReloadTrigger, Run,
};
use crate::store::{Store, Write};

use file::AuditFile;

/// So much waits to be written.
const QUEUE: usize = 8_192;

/// So much is written at once.
const AT_ONCE: usize = 256;

/// So many rows are kept while the store cannot take them.
const KEPT: usize = 1_000;

/// How long until the store is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How long the last rows may take at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

enum Item {
    Entry(Box<AuditEntry>),
    Line(Value),
    Reopen,
}

/// Hears what belongs into the trail. Never blocks.
pub struct Recorder {
    queue: mpsc::Sender<Item>,
    /// Who writes the lines of the log.
    log: Arc<dyn Observer>,
    /// Of all job files, as the last reload found them.
    hash: Mutex<Option<Arc<str>>>,
    left_out: Arc<AtomicU64>,
    /// Whether runs are wanted: by the file alone.
    wants_runs: bool,
}

/// Writes the trail until it is told to stop.
pub struct Keeper {
    items: mpsc::Receiver<Item>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    log: Arc<dyn Observer>,
    file: Option<AuditFile>,
    left_out: Arc<AtomicU64>,
    kept: Vec<AuditEntry>,
    ask_again: Option<Timestamp>,
    file_fails: bool,
    stopped: oneshot::Receiver<()>,
}

/// Ends [`Keeper::run`] once what waits is written.
pub struct Stopper(oneshot::Sender<()>);

impl Stopper {
    /// Writes what waits, and ends.
    pub fn stop(self) {
        // It may have ended already.
        let _ = self.0.send(());
    }
}

/// A trail into `store`, and into a file where one is named.
///
/// # Errors
/// When the file cannot be opened, with the mend.
pub fn start(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    log: Arc<dyn Observer>,
    file: Option<&Path>,
) -> Result<(Arc<Recorder>, Keeper, Stopper), String> {
    let (queue, items) = mpsc::channel(QUEUE);
    let (stop, stopped) = oneshot::channel();
    let file = file.map(AuditFile::open).transpose()?;
    let left_out = Arc::new(AtomicU64::new(0));
    let recorder = Recorder {
        queue,
        log: log.clone(),
        hash: Mutex::default(),
        left_out: left_out.clone(),
        wants_runs: file.is_some(),
    };
    let keeper = Keeper {
        items,
        store,
        clock,
        log,
        file,
        left_out,
        kept: Vec::new(),
        ask_again: None,
        file_fails: false,
        stopped,
    };
    Ok((Arc::new(recorder), keeper, Stopper(stop)))
}

impl Recorder {
    /// Opens the file anew, which a program that rotates logs has moved.
    pub fn reopen(&self) {
        self.send(Item::Reopen);
    }

    /// Something that elder itself did, with its line in the log.
    pub fn tell(&self, entry: AuditEntry) {
        self.log.observe(&Event::Audit(&entry));
        self.send(Item::Entry(Box::new(entry)));
    }

    fn send(&self, item: Item) {
        if self.queue.try_send(item).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn reloaded(&self, report: &ReloadReport) {
        let mut hash = self.hash.lock().unwrap_or_else(PoisonError::into_inner);
        let after = Some(report.content_hash.clone());
        let before = std::mem::replace(&mut *hash, after.clone());
        drop(hash);
        if report.result == ReloadResult::Unchanged {
            return;
        }
        let actor = match report.trigger {
            ReloadTrigger::Start => "elder",
            ReloadTrigger::Watch | ReloadTrigger::Poll => "files",
            ReloadTrigger::Signal => "signal",
            ReloadTrigger::Api => "api",
        };
        let result = match report.result {
            ReloadResult::Applied | ReloadResult::Unchanged => AuditResult::Done,
            ReloadResult::Partial | ReloadResult::Held => AuditResult::Partial,
            ReloadResult::Rejected => AuditResult::Refused,
        };
        self.tell(AuditEntry {
            at: report.at,
            actor: actor.into(),
            from: None,
            action: "reload".into(),
            subject: report.revision.clone(),
            result,
            detail: Some(changes(report).into()),
            before,
            after,
            request: None,
        });
    }

    /// A pause ended by itself; nobody called for it.
    fn pause_over(&self, job: &Job, pause: &Pause) {
        self.tell(AuditEntry {
            at: pause.ended_at.unwrap_or(pause.since),
            actor: "elder".into(),
            from: None,
            action: "resume".into(),
            subject: Some(job.name().as_str().into()),
            result: AuditResult::Done,
            detail: Some(format!("its time was over; {}", pause.words()).into()),
            before: None,
            after: None,
            request: None,
        });
    }

    fn run(&self, action: &str, run: &Run, at: Option<Timestamp>) {
        if self.wants_runs {
            let mut line = json!({
                "at": at.map(|at| at.to_string()),
                "actor": "elder",
                "action": action,
                "subject": run.job.as_str(),
                "run_id": run.id.as_str(),
                "scheduled_at": run.scheduled_at.to_string(),
                "trigger": run.trigger.as_str(),
                "attempt": run.attempt,
            });
            if let (Some(outcome), Some(members)) = (run.outcome, line.as_object_mut()) {
                members.insert("result".to_owned(), outcome.as_str().into());
                members.insert("reason".to_owned(), run.reason.map(Reason::as_str).into());
            }
            self.send(Item::Line(line));
        }
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Audit(entry) => self.send(Item::Entry(Box::new((*entry).clone()))),
            Event::Reloaded(report) => self.reloaded(report),
            Event::PauseOver {
                job,
                pause,
                by: None,
            } => self.pause_over(job, pause),
            Event::AttemptStarted { run, .. } if run.attempt == 1 => {
                self.run("run_started", run, run.started_at);
            }
            Event::RunEnded { run, .. } => self.run("run_ended", run, run.finished_at),
            Event::NotRun { run, .. } if run.outcome != Some(Outcome::Skipped) => {
                self.run("not_run", run, run.finished_at);
            }
            _ => {}
        }
    }
}

/// What a reload did, in a sentence.
fn changes(report: &ReloadReport) -> String {
    let mut parts = vec![format!(
        "{}: {} added, {} rescheduled, {} changed, {} removed",
        report.result.as_str(),
        report.added,
        report.rescheduled,
        report.changed,
        report.removed
    )];
    parts.extend(report.touched.iter().map(ToString::to_string));
    if !report.held.is_empty() {
        parts.push(format!("held: {}", few(&report.held)));
    }
    parts.extend(report.waits.clone());
    if !report.findings.is_empty() {
        parts.push(format!("{} findings", report.findings.len()));
    }
    parts.join("; ")
}

fn few(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

impl Keeper {
    /// Writes until it is told to stop.
    pub async fn run(mut self) {
        loop {
            let clock = self.clock.clone();
            let mut items = Vec::new();
            tokio::select! {
                biased;
                _ = &mut self.stopped => break,
                count = self.items.recv_many(&mut items, AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                }
                _ = clock.sleep_until(self.ask_again), if self.ask_again.is_some() => {}
            }
            self.take(items).await;
        }
        let mut items = Vec::new();
        while let Ok(item) = self.items.try_recv() {
            items.push(item);
        }
        self.ask_again = None;
        // A store that does not answer must not hold up the end.
        let _ = timeout(LAST_WORDS, self.take(items)).await;
    }

    async fn take(&mut self, items: Vec<Item>) {
        let mut lines = Vec::new();
        for item in items {
            match item {
                Item::Entry(entry) => {
                    lines.push(line_of(&entry));
                    self.kept.push(*entry);
                }
                Item::Line(line) => lines.push(line),
                Item::Reopen => {
                    self.write(std::mem::take(&mut lines)).await;
                    self.reopen();
                }
            }
        }
        self.write(lines).await;
        self.store().await;
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            self.warn(&format!(
                "{left_out} rows of the audit trail are lost: they came faster than they could be written"
            ));
        }
    }

    async fn store(&mut self) {
        let now = self.clock.now();
        if self.kept.is_empty() || self.ask_again.is_some_and(|at| at > now) {
            return;
        }
        self.ask_again = None;
        let rows = self.kept.iter().cloned();
        let writes = rows.map(|entry| Write::Audit(Box::new(entry))).collect();
        match self.store.commit(writes).await {
            Ok(_) => self.kept.clear(),
            // The engine's own commits tell that the store fails.
            Err(_) => {
                self.ask_again = now.saturating_add(ASK_AGAIN).ok();
                let more = self.kept.len().saturating_sub(KEPT);
                if more > 0 {
                    self.kept.drain(..more);
                    self.left_out.fetch_add(more as u64, Ordering::Relaxed);
                }
            }
        }
    }

    async fn write(&mut self, lines: Vec<Value>) {
        let Some(mut file) = self.file.take() else {
            return;
        };
        if lines.is_empty() {
            self.file = Some(file);
            return;
        }
        let writing = tokio::task::spawn_blocking(move || {
            let written = file.append(&lines);
            (file, written)
        });
        let Ok((file, written)) = writing.await else {
            self.warn("the audit log is written no more: writing it went wrong inside elder");
            return;
        };
        let path = file.path().display().to_string();
        self.file = Some(file);
        match written {
            Ok(()) if self.file_fails => {
                self.file_fails = false;
                self.say(false, &format!("the audit log {path} is written again"));
            }
            Ok(()) => {}
            Err(error) if !self.file_fails => {
                self.file_fails = true;
                self.warn(&format!(
                    "the audit log {path} cannot be written: {error}; what is missing there is in the store, but for runs, which are in the history"
                ));
            }
            Err(_) => {}
        }
    }

    fn reopen(&mut self) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.reopen() {
            self.warn(&format!("--audit-log stays at the file of before: {error}"));
        }
    }

    fn warn(&self, text: &str) {
        self.say(true, text);
    }

    fn say(&self, warning: bool, text: &str) {
        self.log.observe(&Event::Notice { warning, text });
    }
}

fn line_of(entry: &AuditEntry) -> Value {
    json!({
        "at": entry.at.to_string(),
        "actor": &*entry.actor,
        "from": entry.from.as_deref(),
        "action": &*entry.action,
        "subject": entry.subject.as_deref(),
        "result": entry.result.as_str(),
        "detail": entry.detail.as_deref(),
        "before": entry.before.as_deref(),
        "after": entry.after.as_deref(),
        "request": entry.request.as_deref(),
    })
}

#[cfg(test)]
mod tests;
