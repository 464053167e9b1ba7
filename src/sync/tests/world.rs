//! Everything around the sync.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::decide::Edition;
use crate::decide::merge::tests::samples;
use crate::engine::{ApplyAnswer, Change, Handle, Message, NotApplied, Renamed};
use crate::finding::{Code, Excerpt, Finding, Place};
use crate::ids::{JobName, RunId};
use crate::model::{
    Commons, Definition, Event, History, Job, Letter, NameKind, Observer, Output, ReloadReport,
    Run, Sages, SyncWindow,
};
use crate::source::{Directory, DirectoryOptions};
use crate::spec::commons::{Said, Table};
use crate::spec::{Checked, CheckedFile, InputFile, NamePlace};
use crate::store::{
    Answer, AppliedFile, AuditPage, AuditQuery, EditionOrder, JobSummary, Mark, RETURN_WITHIN,
    Recalled, RunPage, RunQuery, Store, StoreError, Waiting, Write, Written,
};
use crate::sync::{
    BootError, DefaultsTexts, Language, Options, Refreshed, Services, Sync, SyncHandle, start,
};

/// `name seconds command` a line; `!` makes a file bad; a `_defaults.yaml` is one word that goes
/// before each command below it.
#[derive(Default)]
pub(super) struct Toy {
    pub(super) checked: AtomicUsize,
    /// Makes the next check panic.
    pub(super) explode: AtomicBool,
    /// What happens once between a look and the check of what it found.
    pub(super) meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// When changes are let in, and when they wait.
    pub(super) windows: Mutex<Vec<SyncWindow>>,
}

impl Language for Toy {
    fn said(&self, _: &InputFile) -> Said {
        if let Some(happens) = self.meanwhile.lock().unwrap().take() {
            happens();
        }
        Said::default()
    }

    fn check(&self, inputs: &[InputFile], last_good: &DefaultsTexts, _: &Table) -> Checked {
        assert!(
            !self.explode.swap(false, Ordering::SeqCst),
            "as the test asked for"
        );
        let mut defaults: HashMap<(&str, String), String> = HashMap::new();
        for input in inputs.iter().filter(|input| is_defaults(input)) {
            let key = (input.root.clone(), input.path.clone());
            let text = text_of(input).ok().filter(|text| text.trim() != "!");
            let text = text.or_else(|| Some(last_good.get(&key)?.to_string()));
            let folder = input.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            defaults.insert((&input.root, folder.to_owned()), text.unwrap_or_default());
        }
        let files = inputs.iter().map(|input| {
            self.checked.fetch_add(1, Ordering::SeqCst);
            let mut prefix = String::new();
            let mut folder = input.path.to_string();
            while let Some((above, _)) = folder.rsplit_once('/') {
                folder = above.to_owned();
                if let Some(text) = defaults.get(&(&*input.root, folder.clone())) {
                    prefix = format!("{} {prefix}", text.trim());
                }
            }
            if let Some(text) = defaults.get(&(&*input.root, String::new())) {
                prefix = format!("{} {prefix}", text.trim());
            }
            Arc::new(check_one(input, prefix.trim()))
        });
        Checked {
            files: files.collect(),
        }
    }

    fn print(&self, jobs: &[Job], _: &Commons) -> String {
        let line = |job: &Job| {
            let words = command(job);
            let (name, origin) = (job.name(), &job.origin);
            let seconds = &job.definition.schedule_text["every: ".len()..];
            let seconds = seconds.trim_end_matches('s');
            format!("{name} {seconds} {} {} {words}\n", origin.file, origin.line)
        };
        jobs.iter().map(line).collect()
    }

    fn read(&self, text: &str) -> Result<(Vec<Job>, Commons), String> {
        let line = |line: &str| {
            let mut words = line.splitn(5, ' ');
            let mut word = || words.next().ok_or_else(|| format!("not a job: {line:?}"));
            let (name, seconds, file, at) = (word()?, word()?, word()?, word()?);
            let seconds = seconds.parse().map_err(|_| "no number".to_owned())?;
            let at = at.parse().map_err(|_| "no line".to_owned())?;
            Ok(samples::job(name, seconds, word()?, file, at))
        };
        let jobs: Result<_, String> = text.lines().map(line).collect();
        Ok((jobs?, Commons::default()))
    }

    fn refresh(&self) -> Option<Refreshed> {
        None
    }

    fn windows(&self) -> Arc<[SyncWindow]> {
        self.windows.lock().unwrap().clone().into()
    }
}

fn is_defaults(input: &InputFile) -> bool {
    input.path.rsplit('/').next() == Some("_defaults.yaml")
}

fn text_of(input: &InputFile) -> Result<String, String> {
    let bytes = input.content.clone()?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn check_one(input: &InputFile, prefix: &str) -> CheckedFile {
    let excerpt = |number: u32, line: &str| Excerpt {
        place: Place {
            file: input.shown.clone(),
            line: number,
            column: 1,
            length: 1,
        },
        line: line.to_owned(),
        label: String::new(),
    };
    let mut file = CheckedFile {
        root: input.root.clone(),
        path: input.path.clone(),
        shown: input.shown.clone(),
        hash: input.hash,
        is_defaults: is_defaults(input),
        commons: Arc::default(),
        dates: None,
        uses: Box::default(),
        uses_state: 0,
        jobs: Vec::new(),
        given: Vec::new(),
        variables: crate::spec::Variables::default(),
        names: Vec::new(),
        findings: Vec::new(),
        defaults_text: None,
    };
    let mut complain = |number, line: &str, message: &str| {
        file.findings.push(Finding {
            code: Code::Syntax,
            severity: Code::Syntax.severity(),
            at: excerpt(number, line),
            also: None,
            message: message.to_owned(),
            help: String::new(),
        });
    };
    let text = match text_of(input) {
        Ok(text) => text,
        Err(why) => {
            complain(0, "", &why);
            return file;
        }
    };
    for (number, line) in (1..).zip(text.lines()) {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        match words.as_slice() {
            ["!", ..] => complain(number, line, "bad"),
            _ if file.is_defaults => {}
            [name, seconds, rest] if JobName::new(name).is_ok() => {
                let line_of_job = format!("{prefix} {rest}");
                let seconds = seconds.parse().unwrap_or(1);
                let shown = &input.shown;
                let line_of_job = line_of_job
                    .trim()
                    .replace("$PWD", &input.root_folder.to_string_lossy());
                file.jobs
                    .push(samples::job(name, seconds, &line_of_job, shown, number));
                file.names.push(NamePlace {
                    kind: NameKind::Job,
                    name: (*name).into(),
                    at: excerpt(number, line),
                });
            }
            _ => complain(number, line, "not a job"),
        }
    }
    if !file.findings.is_empty() {
        file.jobs.clear();
    } else if file.is_defaults {
        file.defaults_text = Some(text.into());
    }
    file
}

/// What a sample's shell line is.
pub(super) fn command(job: &Job) -> String {
    match &job.definition.action {
        crate::model::Action::Process(process) => match &process.command {
            crate::model::Command::Shell { line, .. } => line.to_string(),
            crate::model::Command::Exec(_) => String::new(),
        },
        crate::model::Action::Http(_) => String::new(),
    }
}

/// A store of what the sync writes. It can be told to fail.
#[derive(Default)]
pub(super) struct Ledger {
    state: Mutex<LedgerState>,
    log: Arc<Mutex<Vec<String>>>,
}

#[derive(Default)]
struct LedgerState {
    files: BTreeMap<(String, String), AppliedFile>,
    marks: HashMap<JobName, Mark>,
    editions: HashMap<JobName, Vec<Edition>>,
    /// This many operations still work; `None` for all.
    works: Option<usize>,
}

impl Ledger {
    /// Lets so many further operations work and no more.
    pub(super) fn works_for(&self, operations: Option<usize>) {
        self.state.lock().unwrap().works = operations;
    }

    /// `root/path` of every row, and what it defines.
    pub(super) fn rows(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let rows = state.files.values();
        rows.map(|row| {
            let lines = row.definitions.lines();
            let names: Vec<_> = lines.map(|line| line.split(' ').next().unwrap()).collect();
            format!("{}: {}", row.path, names.join(" "))
        })
        .collect()
    }

    pub(super) fn mark(&self, job: &str) -> Option<Mark> {
        self.state.lock().unwrap().marks.get(job).cloned()
    }

    pub(super) fn recalled(&self) -> Recalled {
        let state = self.state.lock().unwrap();
        let marks = state.marks.iter();
        Recalled {
            marks: marks
                .filter(|(_, mark)| mark.gone_at.is_none())
                .map(|(job, mark)| (job.clone(), mark.clone()))
                .collect(),
            open: Vec::new(),
            files: state.files.values().cloned().collect(),
            said: Vec::new(),
            editions: state.editions.clone().into_iter().collect(),
            authors: Vec::new(),
            without_edition: state
                .marks
                .keys()
                .filter(|job| !state.editions.contains_key(*job))
                .cloned()
                .collect(),
            pauses: Vec::new(),
        }
    }

    /// What is remembered of a job's definition, the oldest first.
    pub(super) fn editions(&self, job: &str) -> Vec<Edition> {
        let state = self.state.lock().unwrap();
        state.editions.get(job).cloned().unwrap_or_default()
    }

    /// As an elder of before left it.
    pub(super) fn forget_editions(&self) {
        self.state.lock().unwrap().editions.clear();
    }

    /// A run of the job succeeded by its newest edition.
    pub(super) fn succeed(&self, job: &str) {
        let mut state = self.state.lock().unwrap();
        let newest = state.editions[job].last().unwrap().definition;
        let mark = state.marks.get_mut(job).unwrap();
        mark.good = Some(newest);
    }

    /// Makes a row that this build cannot read.
    pub(super) fn spoil(&self, path: &str) {
        let mut state = self.state.lock().unwrap();
        let row = state
            .files
            .values_mut()
            .find(|row| row.path == path)
            .unwrap();
        row.definitions = "from the future".to_owned();
    }

    fn answer<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut LedgerState) -> T,
    ) -> Answer<'static, T> {
        let mut state = self.state.lock().unwrap();
        if let Some(works) = &mut state.works {
            if *works == 0 {
                self.log.lock().unwrap().push("store fails".to_owned());
                let error = StoreError::Unavailable("disk full".to_owned());
                return Box::pin(std::future::ready(Err(error)));
            }
            *works -= 1;
        }
        Box::pin(std::future::ready(Ok(act(&mut state))))
    }
}

impl LedgerState {
    fn write(&mut self, write: Write, log: &mut Vec<String>) {
        match write {
            Write::Seen { job, at, history } => {
                let own = (history != History::default())
                    .then(|| format!(" {} {:?}", history.keep, history.max_age));
                log.push(format!("seen {job}{}", own.unwrap_or_default()));
                let mark = self
                    .marks
                    .entry(job)
                    .or_insert_with(|| Mark::first_sight(at));
                if mark
                    .gone_at
                    .is_some_and(|gone| at.duration_since(gone).unsigned_abs() >= RETURN_WITHIN)
                {
                    *mark = Mark::first_sight(at);
                }
                mark.gone_at = None;
            }
            Write::Gone { job, at } => {
                log.push(format!("gone {job}"));
                if let Some(mark) = self.marks.get_mut(&job) {
                    mark.gone_at = Some(at);
                }
            }
            Write::Mark { job, at } => {
                log.push(format!("mark {job}"));
                let mark = self
                    .marks
                    .entry(job)
                    .or_insert_with(|| Mark::first_sight(at));
                mark.mark = mark.mark.max(at);
            }
            Write::Mend { .. } => {}
            Write::Edition {
                job,
                edition,
                order,
            } => {
                let known = self.editions.entry(job).or_default();
                if order == EditionOrder::Committed {
                    known.pop();
                }
                known.push(*edition);
            }
            Write::File(file) => {
                log.push(format!("file {}", file.path));
                self.files
                    .insert((file.root.clone(), file.path.clone()), file);
            }
            Write::Rename { moves, files } => {
                for (from, to) in moves {
                    log.push(format!("rename {from} {to}"));
                    if let Some(mark) = self.marks.remove(&from) {
                        self.marks.insert(to, mark);
                    }
                }
                for file in files {
                    self.write(Write::File(file), log);
                }
            }
            Write::DropFile { root, path } => {
                log.push(format!("drop {path}"));
                self.files.remove(&(root, path));
            }
            other => {
                panic!("a sync writes no {other:?}");
            }
        }
    }
}

fn not_here<T: Send + 'static>() -> Answer<'static, T> {
    let error = StoreError::Unavailable("no sync asks for this".to_owned());
    Box::pin(std::future::ready(Err(error)))
}

impl Store for Ledger {
    fn commit_shared(&self, writes: Arc<Vec<Write>>) -> Answer<'_, Vec<Written>> {
        assert!(!writes.is_empty(), "an empty transaction is a wasted fsync");
        let writes = Arc::unwrap_or_clone(writes);
        let log = self.log.clone();
        self.answer(move |state| {
            let mut words = Vec::new();
            let count = writes.len();
            writes
                .into_iter()
                .for_each(|write| state.write(write, &mut words));
            log.lock()
                .unwrap()
                .push(format!("commit: {}", words.join(", ")));
            vec![Written::Done; count]
        })
    }

    fn recall(&self) -> Answer<'_, Recalled> {
        let recalled = self.recalled();
        self.answer(|_| recalled)
    }

    fn pauses(&self) -> Answer<'_, Vec<(JobName, crate::model::Pause)>> {
        self.answer(|_| Vec::new())
    }

    fn marks(&self, jobs: Vec<JobName>) -> Answer<'_, Vec<Option<Mark>>> {
        self.answer(move |state| {
            jobs.iter()
                .map(|job| state.marks.get(job).cloned())
                .collect()
        })
    }

    fn check(&self) -> Answer<'_, ()> {
        self.answer(|_| ())
    }

    fn editions(&self, job: JobName) -> Answer<'_, Vec<Edition>> {
        self.answer(move |state| state.editions.get(&job).cloned().unwrap_or_default())
    }

    fn runs(&self, _: RunQuery) -> Answer<'_, RunPage> {
        not_here()
    }

    fn run(&self, _: RunId) -> Answer<'_, Option<(Run, Output)>> {
        not_here()
    }

    fn run_of_request(&self, _: JobName, _: String) -> Answer<'_, Option<Run>> {
        not_here()
    }

    fn outbox(&self, _: u64, _: usize) -> Answer<'_, Vec<Waiting>> {
        not_here()
    }

    fn letter(&self, _: RunId) -> Answer<'_, Option<Letter>> {
        not_here()
    }

    fn audit(&self, _: AuditQuery) -> Answer<'_, AuditPage> {
        not_here()
    }

    fn summary(&self, _: Timestamp, _: Timestamp) -> Answer<'_, Vec<JobSummary>> {
        not_here()
    }

    fn prune(&self, _: History, _: Timestamp, _: usize) -> Answer<'_, u64> {
        not_here()
    }

    fn backup(&self, _: PathBuf) -> Answer<'_, ()> {
        not_here()
    }

    fn optimize(&self) -> Answer<'_, ()> {
        not_here()
    }

    fn kind(&self) -> &'static str {
        "test"
    }
}

/// What the engine was told.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) jobs: BTreeMap<String, Job>,
    pub(super) held: Vec<String>,
    pub(super) marks: HashMap<String, Mark>,
    /// All editions that it was told of.
    pub(super) editions: HashMap<String, Vec<Edition>>,
    /// The definitions of the recalled set.
    pub(super) recalled: HashMap<String, Arc<Definition>>,
    /// What the engine says instead of obeying.
    pub(super) refuses: Option<String>,
    /// What it decided is not in the store.
    pub(super) refuses_to_record: bool,
    is_running: bool,
    pub(super) sages: Arc<Sages>,
}

impl Heard {
    /// Jobs have other names.
    fn rename(&mut self, moves: &[(JobName, JobName)]) {
        for (from, to) in moves {
            if let Some(mut job) = self.jobs.remove(from.as_str()) {
                Arc::make_mut(&mut job.definition).name = to.clone();
                self.jobs.insert(to.to_string(), job);
            }
        }
    }

    /// As the real engine would refuse or misread it, a wrong change fails the test.
    fn take(&mut self, change: Change) -> String {
        let mut words = Vec::new();
        if let Some(sages) = &change.sages {
            self.sages = sages.clone();
        }
        if change.recalled {
            assert!(self.jobs.is_empty() && !change.first);
            words.push("recalled".to_owned());
        } else {
            assert_eq!(
                change.first, !self.is_running,
                "`first` is for the first change"
            );
            self.is_running = true;
        }
        if change.first {
            words.push("first".to_owned());
        }
        for (job, editions) in change.editions {
            let known = self.editions.entry(job.to_string()).or_default();
            known.extend(editions);
        }
        for name in change.removed {
            words.push(format!("-{name}"));
            assert!(
                self.jobs.remove(name.as_str()).is_some(),
                "{name} was not there"
            );
        }
        for job in change.changed {
            words.push(format!("~{}", job.name()));
            let old = self.jobs.insert(job.name().to_string(), job);
            assert!(old.is_some(), "a changed job was not there");
        }
        for (job, mark) in change.added {
            words.push(format!("+{}", job.name()));
            assert!(mark.mark <= change.at && mark.gone_at.is_none());
            let name = job.name().to_string();
            self.marks.insert(name.clone(), mark);
            if change.recalled {
                self.recalled.insert(name, job.definition.clone());
            }
            let old = self.jobs.insert(job.name().to_string(), job);
            assert!(old.is_none(), "an added job was there");
        }
        self.held = change.held.iter().map(ToString::to_string).collect();
        for name in &self.held {
            assert!(self.jobs.contains_key(name), "a held job is not there");
        }
        words.join(" ")
    }
}

/// Keeps what is told.
#[derive(Default)]
pub(super) struct Ear {
    pub(super) reports: Mutex<Vec<ReloadReport>>,
    pub(super) notices: Mutex<Vec<String>>,
    pub(super) sources: Mutex<Vec<(String, bool)>>,
}

impl Observer for Ear {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Reloaded(report) => self.reports.lock().unwrap().push((*report).clone()),
            Event::Notice { text, .. } => self.notices.lock().unwrap().push((*text).to_owned()),
            Event::SourceState { path, reason } => {
                let entry = ((*path).to_owned(), reason.is_some());
                self.sources.lock().unwrap().push(entry);
            }
            _ => {}
        }
    }
}

/// A tree, a store that outlives starts, and one start after another.
pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: Arc<Ledger>,
    pub(super) toy: Arc<Toy>,
    /// What files are written in.
    pub(super) language: Arc<dyn Language>,
    pub(super) log: Arc<Mutex<Vec<String>>>,
    pub(super) options: Options,
    pub(super) paths: Vec<PathBuf>,
    pub(super) clock: Arc<dyn Clock>,
}

/// One start of elder.
pub(super) struct Elder {
    pub(super) handle: SyncHandle,
    pub(super) heard: Arc<Mutex<Heard>>,
    pub(super) ear: Arc<Ear>,
    stop: Option<oneshot::Sender<()>>,
    sync: Option<Sync>,
    task: Option<JoinHandle<()>>,
}

impl World {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let toy = Arc::new(Toy::default());
        let world = Self {
            language: toy.clone(),
            paths: vec![dir.path().join("jobs.d")],
            dir,
            store: Arc::new(Ledger {
                log: log.clone(),
                ..Ledger::default()
            }),
            toy,
            log,
            options: Options::default(),
            clock: Arc::new(SystemClock::default()),
        };
        fs::create_dir(world.path("")).unwrap();
        for (path, text) in files {
            world.write(path, text);
        }
        world
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("jobs.d").join(path)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// What happened in store and engine since the last call, in order.
    pub(super) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    pub(super) async fn boot(&self) -> Result<(Elder, ReloadReport), BootError> {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (engine, mut inbox) = Handle::pair();
        let (listener, log) = (heard.clone(), self.log.clone());
        let store = self.store.clone();
        tokio::spawn(async move {
            while let Some(message) = inbox.recv().await {
                let mut heard = listener.lock().unwrap();
                match message {
                    Message::Apply(change, answer) => {
                        if let Some(refusal) = heard.refuses.clone() {
                            let _ = answer.send(Err(NotApplied::Store(refusal)));
                            continue;
                        }
                        let mut words = Vec::new();
                        if let Some(Renamed { moves, files }) = change.renamed {
                            heard.rename(&moves);
                            let write = Write::Rename { moves, files };
                            store.state.lock().unwrap().write(write, &mut words);
                        } else {
                            words.push(heard.take(*change));
                        }
                        let words = words.join(", ");
                        log.lock().unwrap().push(format!("apply: {words}"));
                        let jobs = heard.jobs.len();
                        let _ = answer.send(Ok(ApplyAnswer {
                            open: Vec::new(),
                            jobs,
                            will_not_fire_today: Vec::new(),
                        }));
                    }
                    Message::Recorded(answer) => {
                        log.lock().unwrap().push("recorded?".to_owned());
                        let _ = answer.send(match heard.refuses_to_record {
                            true => Err(NotApplied::Store("disk full".to_owned())),
                            false => Ok(()),
                        });
                    }
                    _ => panic!("a sync only applies"),
                }
            }
        });
        let ear = Arc::new(Ear::default());
        let services = Services {
            language: self.language.clone(),
            store: self.store.clone(),
            engine,
            sages: crate::sage::Book::default(),
            observer: ear.clone(),
            clock: self.clock.clone(),
        };
        let directory = Directory::new(&self.paths, DirectoryOptions::default());
        let (handle, mut sync) = start(services, directory, self.options.clone());
        let report = sync.boot(self.store.recalled()).await?;
        let elder = Elder {
            handle,
            heard,
            ear,
            stop: None,
            sync: Some(sync),
            task: None,
        };
        Ok((elder, report))
    }

    /// A start that works, and runs, and hears of no edit: what a reload that is asked for tells is not told by
    /// one of a hint just before, on a machine that is slow enough.
    pub(super) async fn start_deaf(&self) -> Elder {
        let (mut elder, _) = self.boot().await.unwrap();
        elder.hear_nothing();
        elder.serve();
        elder
    }

    /// A start that works, and runs.
    pub(super) async fn start(&self) -> Elder {
        let (mut elder, _) = self.boot().await.unwrap();
        elder.serve();
        elder
    }
}

impl Elder {
    /// Only who asks makes it look; before it serves.
    pub(super) fn hear_nothing(&mut self) {
        self.sync.as_mut().unwrap().hear_nothing();
    }

    /// Begins to serve requests and hints.
    pub(super) fn serve(&mut self) {
        let (stop, stopped) = oneshot::channel();
        let sync = self.sync.take().unwrap();
        self.stop = Some(stop);
        self.task = Some(tokio::spawn(sync.run(async {
            let _ = stopped.await;
        })));
    }

    pub(super) async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }

    /// `name=command` of every job that the engine has; a held one with a `*`.
    pub(super) fn jobs(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let jobs = heard.jobs.iter();
        jobs.map(|(name, job)| {
            let star = if heard.held.contains(name) { "*" } else { "" };
            format!("{name}{star}={}", command(job))
        })
        .collect()
    }

    /// Waits until the engine has these jobs.
    pub(super) async fn has(&self, expected: &[&str]) {
        let all = tokio::time::timeout(Duration::from_secs(20), async {
            while self.jobs() != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        if all.await.is_err() {
            panic!("expected {expected:?}, the engine has {:?}", self.jobs());
        }
    }
}

pub(super) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
