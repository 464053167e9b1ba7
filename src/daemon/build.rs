//! Builds the parts and starts them, in the order in which they need each other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::action::{LocalRunner, Surroundings, process};
use crate::audit::{self, Recorder};
use crate::clock::Clock;
use crate::decide::merge::Rules;
use crate::engine::{Driver, Handle, Parts, Settings};
use crate::model::{Event, Observer, ReloadReport};
use crate::sage::{self, Deliveries, Stopper};
use crate::schedule::Zones;
use crate::server::{self, Bound, TokensHandle};
use crate::source::{Directory, DirectoryOptions};
use crate::spec;
use crate::store::{self, Recalled, Store};
use crate::sync::{self, BootError, Sync, SyncHandle};
use crate::telemetry::feed::Feed;
use crate::telemetry::{self, Telemetry};

use super::heartbeat::Beating;
use super::language::{self, JobFiles};
use super::manager::Manager;
use super::options::{Heartbeat, Paths, RunOptions};
use super::pulse::Pulse;
use super::{DaemonError, heartbeat, housekeeping, left_behind, settings};

/// The version of this build.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Several observers as one.
struct Ears(Vec<Arc<dyn Observer>>);

impl Observer for Ears {
    fn observe(&self, event: &Event<'_>) {
        for ear in &self.0 {
            ear.observe(event);
        }
    }
}

/// Everything that runs.
pub(super) struct Running {
    pub(super) engine: Handle,
    pub(super) engine_task: JoinHandle<()>,
    pub(super) sync: SyncHandle,
    pub(super) sync_task: JoinHandle<()>,
    pub(super) tokens: TokensHandle,
    /// Told when a call asks for the end.
    pub(super) stop_asked: Arc<Notify>,
    pub(super) telemetry: Arc<Telemetry>,
    housekeeping: Vec<JoinHandle<()>>,
    pub(super) recorder: Arc<Recorder>,
    trail: JoinHandle<()>,
    stop_trail: audit::Stopper,
    deliveries: JoinHandle<()>,
    stop_deliveries: Stopper,
    feed: Arc<Feed>,
    server: JoinHandle<()>,
    end_server: oneshot::Sender<()>,
    end_sync: oneshot::Sender<()>,
}

impl Running {
    /// Tells the manager that elder is ready, and from then on that it lives.
    pub(super) fn tell_manager(&mut self, manager: &Manager, clock: Arc<dyn Clock>) {
        manager.ready();
        let pulse = Pulse::new(self.engine.clone(), clock);
        let telling = manager.clone().keep_told(pulse, self.sync.clone());
        self.housekeeping.push(tokio::spawn(telling));
    }

    /// Tells the far end of the heartbeat that elder lives, as long as it does.
    fn tell_of_life(&mut self, heartbeat: Heartbeat, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
        let on = Beating {
            pulse: Pulse::new(self.engine.clone(), clock),
            store,
            observer: self.telemetry.clone(),
        };
        let beating = heartbeat::beat(heartbeat, on);
        self.housekeeping.push(tokio::spawn(beating));
    }

    /// Ends what is left once the engine has stopped.
    pub(super) async fn end(self) {
        self.housekeeping.iter().for_each(JoinHandle::abort);
        // A part that has ended already hears nothing.
        let _ = self.end_sync.send(());
        self.feed.close();
        let _ = self.end_server.send(());
        self.stop_deliveries.stop();
        let _ = self.deliveries.await;
        self.sync_task.abort();
        let _ = self.server.await;
        self.stop_trail.stop();
        let _ = self.trail.await;
    }
}

/// How to end elder while it starts.
#[derive(Default)]
pub(super) struct Reins {
    /// From where runs could begin, the one that can be told to let none begin.
    pub(super) scheduler: OnceLock<Handle>,
    /// Told when a call asks for the end.
    pub(super) stop_asked: Arc<Notify>,
}

/// Builds and starts everything; comes back when the first sync is done.
pub(super) async fn start(
    options: RunOptions,
    clock: Arc<dyn Clock>,
    reins: Arc<Reins>,
) -> Result<Running, DaemonError> {
    let zones = options.tzdata.open().map_err(DaemonError::environment)?;
    check_timezone(&options, &zones)?;
    let settings_file = settings_file(&options, &zones)?;
    let state = state_folder(&options.state)?;
    let store = store::open(&options.store, &state).map_err(DaemonError::environment)?;
    let mut recalled = store.recall().await.map_err(DaemonError::environment)?;
    let telemetry = telemetry(&options, &*clock);
    tell(&options, &telemetry);
    tell_tzdata(&zones, &telemetry);
    let remains = left_behind::end(&recalled.open, &state, &*telemetry).await;
    let cgroups = left_behind::take_cgroups(&recalled.open, &*telemetry);

    let server_url = Arc::new(OnceLock::new());
    let runner = LocalRunner::new(Surroundings {
        env: options.environment.clone(),
        server_url: server_url.clone(),
        state_dir: state.clone(),
        elder_bin: options.program.clone().unwrap_or_default(),
        cgroups,
        own_binary: process::OwnBinary::open().ok(),
        egress: options.egress.clone(),
        observer: telemetry.clone(),
        clock: clock.clone(),
    })
    .map_err(DaemonError::environment)?;
    #[cfg(debug_assertions)]
    let runner = runner.failing_at(options.fail_point.clone());
    let live = runner.live();
    let reaping = tokio::spawn(process::reap_strangers(runner.children()));
    let (engine, inbox) = Handle::pair();
    let runner = Arc::new(runner);
    let (herald, hints) = sage::herald();
    let file = options.audit_log.as_deref();
    let (recorder, keeper, stop_trail) =
        audit::start(store.clone(), clock.clone(), telemetry.clone(), file)
            .map_err(DaemonError::Environment)?;
    let feed = Arc::new(Feed::new(clock.now()));
    let ears: Vec<Arc<dyn Observer>> =
        vec![telemetry.clone(), herald, recorder.clone(), feed.clone()];
    let observer: Arc<dyn Observer> = Arc::new(Ears(ears));
    let told = sage::Parts {
        store: store.clone(),
        runner: runner.clone(),
        observer: telemetry.clone(),
        clock: clock.clone(),
        server_url: server_url.clone(),
        said: recalled.said.clone(),
    };
    let (deliveries, sages, stop_deliveries) = Deliveries::new(told, hints);
    let parts = Parts {
        clock: clock.clone(),
        store: store.clone(),
        runner,
        observer: observer.clone(),
        settings: settings(&options),
        open: std::mem::take(&mut recalled.open),
    };
    let said = std::mem::take(&mut recalled.said);
    let driver = Driver::new(parts, inbox).knowing(remains).remembering(said);
    let engine_task = tokio::spawn(driver.run());
    // Set once, here.
    let _ = reins.scheduler.set(engine.clone());
    let job_files = JobFiles::new(language_options(&options), options.tzdata.clone(), zones);
    let job_files = Arc::new(job_files.with_settings(settings_file));
    let (sync, syncing) = sync::start(
        sync::Services {
            language: job_files.clone(),
            store: store.clone(),
            engine: engine.clone(),
            sages,
            observer: observer.clone(),
            clock: clock.clone(),
        },
        directory(&options),
        sync_options(&options),
    );
    let stop_asked = reins.stop_asked.clone();
    let server_parts = server::Parts {
        engine: engine.clone(),
        sync: sync.clone(),
        store: store.clone(),
        telemetry: telemetry.clone(),
        live,
        feed: feed.clone(),
        observer,
        clock: clock.clone(),
        terms: terms(job_files, &options),
        stop: stop_asked.clone(),
    };
    // Whoever connects while the first sync is under way waits, or hears that elder is not ready.
    let bound = server::bind(server_config(&options, &state), server_parts)
        .await
        .map_err(DaemonError::environment)?;
    // Set once, here.
    let _ = server_url.set(bound.url.clone());
    tell_listening(&bound, &telemetry);
    let tokens = bound.tokens();
    let (end_server, server_ends) = oneshot::channel();
    let server = tokio::spawn(bound.serve(async {
        let _ = server_ends.await;
    }));
    let (end_sync, sync_ends) = oneshot::channel();
    let mut running = Running {
        engine,
        engine_task,
        sync,
        sync_task: tokio::spawn(std::future::pending()),
        tokens,
        stop_asked,
        housekeeping: vec![
            reaping,
            tokio::spawn(housekeeping::give_back_memory(clock.clone())),
            tokio::spawn(housekeeping::prune(
                store.clone(),
                clock.clone(),
                telemetry.clone(),
            )),
        ],
        telemetry,
        recorder,
        trail: tokio::spawn(keeper.run()),
        stop_trail,
        deliveries: tokio::spawn(deliveries.run()),
        stop_deliveries,
        feed,
        server,
        end_server,
        end_sync,
    };
    match boot(syncing, recalled).await {
        Ok((syncing, report)) => {
            tell_nothing_to_do(&options.paths, &report, &running.telemetry);
            let ended = async {
                let _ = sync_ends.await;
            };
            running.sync_task = tokio::spawn(syncing.run(ended));
            if let Some(heartbeat) = options.heartbeat {
                running.tell_of_life(heartbeat, store, clock);
            }
            Ok(running)
        }
        Err(error) => {
            running.end().await;
            Err(error)
        }
    }
}

/// The first sync.
async fn boot(mut syncing: Sync, recalled: Recalled) -> Result<(Sync, ReloadReport), DaemonError> {
    match syncing.boot(recalled).await {
        Ok(report) => Ok((syncing, report)),
        Err(error @ BootError::Strict { .. }) => Err(DaemonError::BadFiles(error.to_string())),
        Err(error) => Err(DaemonError::environment(error)),
    }
}

/// A daemon that has nothing to do looks like one that works.
fn tell_nothing_to_do(paths: &Paths, report: &ReloadReport, telemetry: &Telemetry) {
    if report.files > 0 || report.jobs > 0 {
        return;
    }
    let list = paths.list();
    let folder = list.first().map_or(Paths::DEFAULT, String::as_str);
    let text = format!(
        "there are no jobs: {} holds no job file. Write one, such as {folder}/hello.yaml with \
         `jobs: {{ hello: {{ schedule: {{ every: 1m }}, run: \"echo hello\" }} }}`; it is taken at once",
        list.join(", ")
    );
    telemetry.observe(&Event::Notice {
        warning: true,
        text: &text,
    });
}

fn language_options(options: &RunOptions) -> spec::Options {
    spec::Options {
        timezone: options.timezone.clone(),
        env: options.environment.clone(),
        env_allow: options.env_allow.clone(),
        ..spec::Options::default()
    }
}

fn settings(options: &RunOptions) -> Settings {
    Settings {
        max_workers: options.max_workers.get(),
        max_requests: options.max_requests.get(),
    }
}

fn terms(files: Arc<JobFiles>, options: &RunOptions) -> server::TermsNow {
    let settings = settings(options);
    let rules = Rules {
        prune_limit: options.prune_limit,
        ..Rules::default()
    };
    Arc::new(move || files.terms(rules.clone(), settings))
}

fn sync_options(options: &RunOptions) -> sync::Options {
    sync::Options {
        prune_limit: options.prune_limit,
        allow_empty: options.allow_empty,
        strict: options.strict,
        default_path: options.paths == Paths::Default,
        revision: options.revision.clone(),
        author: options.author.clone(),
    }
}

/// What is no flag, where a file says any of it.
fn settings_file(
    options: &RunOptions,
    zones: &Zones,
) -> Result<Option<settings::Settings>, DaemonError> {
    let file = options.config.as_deref();
    let open = |file: &Path| {
        let opened = settings::Settings::open(file, &language_options(options), zones);
        opened.map_err(|errors| {
            DaemonError::Environment(format!("--config {}:\n{errors}", file.display()))
        })
    };
    file.map(open).transpose()
}

fn directory(options: &RunOptions) -> Directory {
    let paths: Vec<_> = options
        .paths
        .list()
        .into_iter()
        .map(PathBuf::from)
        .collect();
    let look = DirectoryOptions {
        config: options.config.clone(),
        ..DirectoryOptions::default()
    };
    Directory::new(&paths, look)
}

fn server_config(options: &RunOptions, state: &Path) -> server::Config {
    server::Config {
        listen: options.listen.to_string(),
        auth: options.auth,
        tokens: options.tokens.clone(),
        public: options.public,
        allowed_hosts: options.allowed_hosts.clone(),
        state_dir: state.to_owned(),
        xdg_runtime_dir: options.runtime_dir.clone(),
    }
}

fn tell_listening(bound: &Bound, telemetry: &Telemetry) {
    for text in &bound.warnings {
        telemetry.observe(&Event::Notice {
            warning: true,
            text,
        });
    }
    let token = match &bound.token_file {
        Some(path) => format!("; token in {}", path.display()),
        None => "; no token needed (--auth none)".to_owned(),
    };
    let text = format!("listening on http://{}{token}", bound.address);
    telemetry.observe(&Event::Notice {
        warning: false,
        text: &text,
    });
}

fn check_timezone(options: &RunOptions, zones: &Zones) -> Result<(), DaemonError> {
    let Some(name) = options.timezone.as_deref() else {
        return Ok(());
    };
    match zones.get(name) {
        Ok(_) => Ok(()),
        Err(unknown) => Err(DaemonError::Environment(format!(
            "--timezone {name}: {unknown}; {}",
            unknown.help
        ))),
    }
}

/// The state folder, there and absolute, for nobody but elder's own user.
fn state_folder(path: &Path) -> Result<PathBuf, DaemonError> {
    use std::os::unix::fs::DirBuilderExt;
    let failed = |error| {
        let text = format!(
            "--state {}: {error}; elder needs a folder that it may write",
            path.display()
        );
        DaemonError::Environment(text)
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(failed)?;
    let state = path.canonicalize().map_err(failed)?;
    // The elder tasks' own folder.
    builder.create(state.join("var")).map_err(failed)?;
    Ok(state)
}

fn telemetry(options: &RunOptions, clock: &dyn Clock) -> Arc<Telemetry> {
    Arc::new(Telemetry::new(telemetry::Options {
        job_metrics: options.job_metrics,
        version: VERSION.into(),
        started_at: clock.now(),
    }))
}

fn tell_tzdata(zones: &Zones, telemetry: &Telemetry) {
    telemetry.observe(&Event::Tzdata {
        version: &language::version(zones),
        source: &language::source(zones),
        text: &language::in_use(zones),
    });
}

/// What is to be said before anything else.
fn tell(options: &RunOptions, telemetry: &Telemetry) {
    let say = |warning, text: &str| telemetry.observe(&Event::Notice { warning, text });
    for line in &options.notices {
        say(line.warning, &line.text);
    }
    if let Err(error) = process::raise_descriptor_limit() {
        say(
            true,
            &format!("the limit of open files stays as it is: {error}"),
        );
    }
    if let Err(error) = process::adopt_orphans() {
        say(
            true,
            &format!("what a job leaves behind is not elder's to end: {error}"),
        );
    }
    if options.store.starts_with("memory:") {
        say(
            true,
            "--store memory: forgets everything at the end, also which fires have run",
        );
    }
}
