//! A server on a free port, what it asks, and a client that sends any bytes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::action::Live;
use crate::clock::HandClock;
use crate::decide::Edition;
use crate::engine::{
    Handle, JobPage, JobStatus, JobView, Message, PauseAnswer, PausePage, PauseRequest, PauseWish,
    PausedJob, Refusal, Stats, TriggerRequest, Triggered,
};
use crate::ids::{JobName, RunId};
use crate::model::{AuditEntry, Event, History, Letter, Observer, Output, Pause, Run};
use crate::server::{Bound, Config, Parts, bind};
use crate::store::{
    Answer, AuditPage, AuditQuery, JobSummary, Mark, Recalled, RunPage, RunQuery, Store,
    StoreError, Waiting, Write, Written,
};
use crate::sync::{SyncAnswer, SyncHandle, SyncRequest, SyncState, SyncStatus};
use crate::telemetry::example::{instant, job};
use crate::telemetry::feed::Feed;
use crate::telemetry::{JobMetrics, Options, Telemetry};

/// How long a test waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How the engine made by hand behaves.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) jobs: Arc<Mutex<Vec<JobView>>>,
    pub(super) stats: Arc<Mutex<Stats>>,
    pub(super) triggered: Arc<Mutex<Vec<TriggerRequest>>>,
    pub(super) refusal: Arc<Mutex<Option<Refusal>>>,
    /// It takes messages and answers none.
    pub(super) stuck: Arc<AtomicBool>,
    /// Messages that it took while stuck.
    pub(super) held: Arc<AtomicUsize>,
    released: Arc<Notify>,
}

impl Engine {
    async fn run(self, mut inbox: mpsc::Receiver<Message>) {
        let mut held = Vec::new();
        loop {
            tokio::select! {
                message = inbox.recv() => match message {
                    None => return,
                    Some(message) if self.stuck.load(Ordering::SeqCst) => {
                        held.push(message);
                        self.held.fetch_add(1, Ordering::SeqCst);
                    }
                    Some(message) => self.answer(message),
                },
                () = self.released.notified() => {
                    held.drain(..).for_each(|message| self.answer(message));
                }
            }
        }
    }

    /// Lets it answer again, also what it took while stuck.
    pub(super) fn release(&self) {
        self.stuck.store(false, Ordering::SeqCst);
        self.released.notify_one();
    }

    fn answer(&self, message: Message) {
        let jobs = self.jobs.lock().unwrap().clone();
        match message {
            Message::Jobs(query, to) => {
                let after = query.after.unwrap_or_default();
                let mut hits = jobs.iter().filter(|view| {
                    let name = view.job.name().as_str();
                    name > after.as_str()
                        && query.status.is_none_or(|status| view.status == status)
                        && query.name.as_ref().is_none_or(|part| name.contains(part))
                });
                let page: Vec<_> = hits.by_ref().take(query.limit).cloned().collect();
                let more = hits.next().is_some();
                drop(to.send(JobPage { jobs: page, more }));
            }
            Message::Job(name, to) => {
                let found = jobs.iter().find(|view| *view.job.name() == name);
                drop(to.send(found.cloned()));
            }
            Message::Stats(to) => drop(to.send(self.stats.lock().unwrap().clone())),
            Message::Trigger(request, to) => drop(to.send(self.trigger(request))),
            Message::Cancel(run, to) => drop(to.send(Ok(self.cancel(run)))),
            Message::Pause(request, to) => drop(to.send(self.pause(request))),
            Message::Pauses(limit, to) => {
                let paused = jobs.iter().filter_map(|view| {
                    let (job, pause) = (view.job.clone(), view.pause.clone()?);
                    Some(PausedJob { job, pause })
                });
                let pauses: Vec<_> = paused.collect();
                let total = pauses.len() as u64;
                let pauses = pauses.into_iter().take(limit).collect();
                drop(to.send(PausePage { pauses, total }));
            }
            Message::Apply(..) | Message::Recorded(_) | Message::Stop(..) | Message::StopNow => {}
        }
    }

    /// The runs that its jobs show as active can be cancelled.
    fn cancel(&self, run: RunId) -> bool {
        let jobs = self.jobs.lock().unwrap();
        let mut active = jobs.iter().flat_map(|view| &view.active);
        active.any(|head| head.id == run)
    }

    fn pause(&self, request: PauseRequest) -> Result<PauseAnswer, Refusal> {
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let mut jobs = self.jobs.lock().unwrap();
        let view = jobs.iter_mut().find(|view| *view.job.name() == request.job);
        let Some(view) = view else {
            return Err(Refusal::NoSuchJob(request.job.to_string()));
        };
        view.pause = match request.wish {
            PauseWish::Resume => None,
            PauseWish::Pause { until, reason } => Some(Pause {
                since: instant("2027-01-01T00:01:00Z"),
                until,
                ended_at: None,
                reason,
                author: request.author,
            }),
        };
        Ok(PauseAnswer {
            pause: view.pause.clone(),
            active: view.active.clone(),
            next: view.next,
        })
    }

    fn trigger(&self, request: TriggerRequest) -> Result<Triggered, Refusal> {
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let mut triggered = self.triggered.lock().unwrap();
        let repeated = triggered
            .iter()
            .any(|known| known.request == request.request);
        let at = instant("2027-01-01T00:00:00Z");
        let run = RunId::of_request(&request.job, at, &request.request);
        triggered.push(request);
        Ok(Triggered { run, repeated })
    }
}

/// A store of rows in memory.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) rows: Mutex<Vec<(Run, Output)>>,
    pub(super) trail: Mutex<Vec<AuditEntry>>,
    pub(super) editions: Mutex<HashMap<JobName, Vec<Edition>>>,
    pub(super) down: AtomicBool,
    pub(super) stuck: AtomicBool,
    pub(super) checks: AtomicUsize,
    pub(super) backups: Mutex<Vec<PathBuf>>,
    pub(super) optimized: AtomicUsize,
}

impl Rows {
    fn answer<T: Send + 'static>(&self, value: impl FnOnce() -> T) -> Answer<'_, T> {
        if self.stuck.load(Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        let answer = match self.down.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("/secret/path: SELECT 1".into())),
            false => Ok(value()),
        };
        Box::pin(async move { answer })
    }
}

impl Observer for Rows {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Audit(entry) = event {
            self.trail.lock().unwrap().push((*entry).clone());
        }
    }
}

impl Store for Rows {
    fn commit_shared(&self, writes: Arc<Vec<Write>>) -> Answer<'_, Vec<Written>> {
        self.answer(|| vec![Written::Done; writes.len()])
    }

    fn recall(&self) -> Answer<'_, Recalled> {
        self.answer(Recalled::default)
    }

    fn marks(&self, jobs: Vec<JobName>) -> Answer<'_, Vec<Option<Mark>>> {
        self.answer(|| vec![None; jobs.len()])
    }

    fn pauses(&self) -> Answer<'_, Vec<(JobName, crate::model::Pause)>> {
        self.answer(Vec::new)
    }

    fn editions(&self, job: JobName) -> Answer<'_, Vec<Edition>> {
        let editions = self.editions.lock().unwrap();
        let editions = editions.get(&job).cloned().unwrap_or_default();
        self.answer(|| editions)
    }

    fn runs(&self, query: RunQuery) -> Answer<'_, RunPage> {
        let rows = self.rows.lock().unwrap();
        let mut hits: Vec<Run> = rows
            .iter()
            .map(|(run, _)| run.clone())
            .filter(|run| query.job.as_ref().is_none_or(|job| run.job == *job))
            .filter(|run| {
                query.outcomes.is_empty()
                    || run
                        .outcome
                        .is_some_and(|outcome| query.outcomes.contains(&outcome))
            })
            .filter(|run| query.since.is_none_or(|since| run.scheduled_at >= since))
            .filter(|run| query.until.is_none_or(|until| run.scheduled_at <= until))
            .filter(|run| {
                query
                    .after
                    .is_none_or(|after| (run.scheduled_at, run.id) < (after.scheduled_at, after.id))
            })
            .collect();
        hits.sort_by_key(|run| std::cmp::Reverse((run.scheduled_at, run.id)));
        let more = hits.len() > query.limit;
        hits.truncate(query.limit);
        let next = hits
            .last()
            .filter(|_| more)
            .map(|run| crate::store::Cursor {
                scheduled_at: run.scheduled_at,
                id: run.id,
            });
        self.answer(|| RunPage { runs: hits, next })
    }

    fn run(&self, id: RunId) -> Answer<'_, Option<(Run, Output)>> {
        let rows = self.rows.lock().unwrap();
        let found = rows.iter().find(|(run, _)| run.id == id).cloned();
        self.answer(|| found)
    }

    fn run_of_request(&self, _: JobName, _: String) -> Answer<'_, Option<Run>> {
        self.answer(|| None)
    }

    fn outbox(&self, _: u64, _: usize) -> Answer<'_, Vec<Waiting>> {
        self.answer(Vec::new)
    }

    fn letter(&self, _: RunId) -> Answer<'_, Option<Letter>> {
        self.answer(|| None)
    }

    fn audit(&self, query: AuditQuery) -> Answer<'_, AuditPage> {
        let trail = self.trail.lock().unwrap();
        let before = |number: u64| query.before.is_none_or(|before| number < before);
        let mut rows: Vec<_> = (1..)
            .zip(trail.iter().cloned())
            .filter(|(number, row)| {
                before(*number) && query.since.is_none_or(|since| row.at >= since)
            })
            .collect();
        rows.reverse();
        let more = rows.len() > query.limit;
        rows.truncate(query.limit);
        let next = rows.last().filter(|_| more).map(|(number, _)| *number);
        self.answer(|| AuditPage { rows, next })
    }

    fn summary(&self, _: Timestamp, _: Timestamp) -> Answer<'_, Vec<JobSummary>> {
        let rows = self.rows.lock().unwrap();
        let sums: Vec<_> = rows
            .iter()
            .map(|(run, _)| JobSummary {
                job: run.job.clone(),
                outcomes: run
                    .outcome
                    .map(|outcome| (outcome, run.count))
                    .into_iter()
                    .collect(),
                total_duration: run.duration.unwrap_or_default(),
                longest: run.duration.unwrap_or_default(),
            })
            .collect();
        self.answer(|| sums)
    }

    fn prune(&self, _: History, _: Timestamp, _: usize) -> Answer<'_, u64> {
        self.answer(|| 0)
    }

    fn backup(&self, to: PathBuf) -> Answer<'_, ()> {
        if to.ends_with("full-disk.db") {
            let error = StoreError::Unavailable(format!("{}: no space", to.display()));
            return Box::pin(async { Err(error) });
        }
        if !self.down.load(Ordering::SeqCst) {
            std::fs::write(&to, b"copy").unwrap();
            self.backups.lock().unwrap().push(to);
        }
        self.answer(|| ())
    }

    fn optimize(&self) -> Answer<'_, ()> {
        self.optimized.fetch_add(1, Ordering::SeqCst);
        self.answer(|| ())
    }

    fn check(&self) -> Answer<'_, ()> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        self.answer(|| ())
    }

    fn kind(&self) -> &'static str {
        "memory"
    }
}

/// A server that serves, and everything around it.
pub(super) struct Server {
    pub(super) address: std::net::SocketAddr,
    pub(super) token: String,
    pub(super) token_file: Option<PathBuf>,
    pub(super) tokens: crate::server::TokensHandle,
    pub(super) engine: Engine,
    pub(super) store: Arc<Rows>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) feed: Arc<Feed>,
    pub(super) clock: HandClock,
    pub(super) status: watch::Sender<Arc<SyncStatus>>,
    pub(super) answers: Arc<Mutex<Vec<SyncAnswer>>>,
    pub(super) requests: Arc<Mutex<Vec<Option<crate::sync::Confirm>>>>,
    /// The sync takes requests and answers none.
    pub(super) sync_hangs: Arc<AtomicBool>,
    pub(super) folder: TempDir,
    pub(super) engine_task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
    /// Told when a call asks for the end.
    pub(super) stop_asked: Arc<tokio::sync::Notify>,
}

pub(super) fn synced() -> SyncStatus {
    SyncStatus {
        state: SyncState::Synced,
        reason: String::new(),
        revision: Some("3f2a91c".into()),
        author: Some("Ada".into()),
        content_hash: "abc".into(),
        applied_at: Some(instant("2027-01-01T00:00:00Z")),
        observed_at: Some(instant("2027-01-01T00:00:00Z")),
        findings: vec![],
        sources: vec![],
        variables: Arc::default(),
        pending: vec![],
        pending_hash: String::new(),
        freeze: None,
        waiting: None,
        in_force: Arc::default(),
    }
}

pub(super) fn terms() -> crate::forecast::plan::Terms {
    crate::forecast::plan::Terms {
        options: crate::spec::Options::default(),
        zones: crate::schedule::Zones::bundled(),
        rules: crate::decide::merge::Rules::default(),
        settings: crate::engine::Settings {
            max_workers: 64,
            max_requests: 1024,
        },
    }
}

pub(super) fn view(name: &str) -> JobView {
    let seen = instant("2026-12-01T00:00:00Z");
    JobView {
        job: job(name),
        status: JobStatus::Active,
        next: Some(instant("2027-01-01T00:05:00Z")),
        pause: None,
        active: vec![],
        last: None,
        mark: Mark::first_sight(seen),
        failing: None,
        success_deadline: None,
        is_stale: false,
        ahead: None,
    }
}

impl Server {
    /// On loopback, with the defaults.
    pub(super) async fn start() -> Self {
        Self::with("127.0.0.1:0", |_| {}, |_| {}).await
    }

    /// Anywhere, with anything.
    pub(super) async fn with(
        listen: &str,
        change: impl FnOnce(&mut Config),
        bounds: impl FnOnce(&mut Bound),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (handle, inbox) = Handle::pair();
        let engine = Engine {
            jobs: Arc::new(Mutex::new(vec![view("backup"), view("billing")])),
            stats: Arc::new(Mutex::new(Stats {
                active_jobs: 2,
                jobs: 2,
                ..Stats::default()
            })),
            triggered: Arc::default(),
            refusal: Arc::default(),
            stuck: Arc::default(),
            held: Arc::default(),
            released: Arc::default(),
        };
        let engine_task = tokio::spawn(engine.clone().run(inbox));
        let (sync, incoming, status) = SyncHandle::pair(synced());
        let answers = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let sync_hangs = Arc::new(AtomicBool::new(false));
        let hangs = sync_hangs.clone();
        let answering = answer_syncs(incoming, answers.clone(), requests.clone(), hangs);
        tokio::spawn(answering);
        let store = Arc::new(Rows::default());
        let clock = HandClock::new(instant("2027-01-01T00:01:00Z"));
        let telemetry = Arc::new(Telemetry::new(Options {
            job_metrics: JobMetrics::Auto,
            version: "0.1.0".into(),
            started_at: instant("2027-01-01T00:00:00Z"),
        }));
        let feed = Arc::new(Feed::new(instant("2027-01-01T00:00:00Z")));
        let mut config = Config::new(listen, folder.path());
        config.xdg_runtime_dir = Some(folder.path().to_owned());
        change(&mut config);
        let stop_asked = Arc::new(tokio::sync::Notify::new());
        let parts = Parts {
            engine: handle,
            sync,
            store: store.clone(),
            telemetry: telemetry.clone(),
            observer: store.clone(),
            live: Live::default(),
            feed: feed.clone(),
            clock: Arc::new(clock.clone()),
            terms: Arc::new(terms),
            stop: stop_asked.clone(),
        };
        let mut bound = bind(config, parts).await.unwrap();
        bounds(&mut bound);
        let (stop, stopped) = oneshot::channel::<()>();
        let token_file = bound.token_file.clone();
        let token = token_file
            .as_ref()
            .map(|path| std::fs::read_to_string(path).unwrap());
        let (address, tokens) = (bound.address, bound.tokens());
        let task = tokio::spawn(bound.serve(async {
            // Also when the sender is dropped.
            let _ = stopped.await;
        }));
        Self {
            address,
            token: token.unwrap_or_default().trim_end().to_owned(),
            token_file,
            tokens,
            engine,
            store,
            telemetry,
            feed,
            clock,
            status,
            answers,
            requests,
            sync_hangs,
            folder,
            stop_asked,
            engine_task,
            stop: Some(stop),
            task: Some(task),
        }
    }

    /// Stops and waits until it has.
    pub(super) async fn stop(&mut self) {
        drop(self.stop.take());
        let task = self.task.take().unwrap();
        tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port()))
            .await
            .unwrap()
    }

    /// Sends a request as it stands and reads until the server closes.
    pub(super) async fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_reply(&mut stream).await
    }

    /// Sends a request with these headers and this body.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            text.push_str(&format!("Host: 127.0.0.1:{}\r\n", self.port()));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.raw(text.as_bytes()).await
    }

    /// Reads without a token.
    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    /// Writes with elder's own token.
    pub(super) async fn post(&self, path: &str, body: &str) -> Reply {
        self.post_with(path, &[], body).await
    }

    /// The same with more headers.
    pub(super) async fn post_with(&self, path: &str, more: &[(&str, &str)], body: &str) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        self.send("POST", path, &[&headers, more].concat(), body)
            .await
    }
}

async fn answer_syncs(
    mut incoming: mpsc::Receiver<SyncRequest>,
    answers: Arc<Mutex<Vec<SyncAnswer>>>,
    requests: Arc<Mutex<Vec<Option<crate::sync::Confirm>>>>,
    hangs: Arc<AtomicBool>,
) {
    let mut held = Vec::new();
    while let Some(request) = incoming.recv().await {
        requests.lock().unwrap().push(request.confirm);
        if hangs.load(Ordering::SeqCst) {
            held.push(request.answer);
            continue;
        }
        let answer = answers.lock().unwrap().pop();
        let answer = answer.unwrap_or_else(|| SyncAnswer::Failed("/secret/path".into()));
        drop(request.answer.send(answer));
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn json(&self) -> Value {
        let json = serde_json::from_str(&self.body);
        json.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The word of a problem document; the answer must be one.
    pub(super) fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let json = self.json();
        assert_eq!(json["status"], self.status);
        let kind = json["type"].as_str().unwrap();
        kind.strip_prefix("urn:elder:problem:").unwrap().to_owned()
    }
}

/// Reads an answer until the server closes. Bodies here are never chunked.
pub(super) async fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let read = read.expect("the server closes");
    // A connection that is cut while we still send is reset; what came before counts.
    if bytes.is_empty() {
        read.unwrap();
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Reply {
        status: status.unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
