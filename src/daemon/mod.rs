//! The daemon: builds everything from its options, starts it, waits, stops it in phases.
//!
//! The only place that names concrete adapters. It holds no logic: what it
//! builds decides for itself.

mod build;
mod heartbeat;
mod housekeeping;
mod language;
mod left_behind;
mod manager;
pub mod options;
mod pulse;
mod settings;
mod signals;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use crate::action::process;
use crate::clock::{Clock, SystemClock};
use crate::engine::Handle;
use crate::model::{AuditEntry, AuditResult, Event, Observer, ReloadTrigger};
use crate::telemetry::log;

use build::{Reins, Running, VERSION};
use manager::Manager;
use options::{Notice, RunOptions};
pub use settings::settings_errors;
use signals::{Signals, Told};

/// Why the daemon ended otherwise than it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DaemonError {
    /// The environment prevents a start.
    #[error("{0}")]
    Environment(String),
    /// `--strict`, and a file is bad.
    #[error("{0}")]
    BadFiles(String),
    /// A part of elder ended by itself: a defect.
    #[error("{0}")]
    Broken(String),
}

impl DaemonError {
    fn environment(error: impl std::fmt::Display) -> Self {
        Self::Environment(error.to_string())
    }
}

/// How much longer than its own tasks the runtime is waited for.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Runs until it is told to stop.
///
/// # Errors
/// When it cannot start, or when a part of it breaks.
pub fn run(mut options: RunOptions) -> Result<(), DaemonError> {
    // What elder inherited is not for its children; first of all, so that its own is not touched.
    if let Err(error) = process::close_descriptors_on_exec() {
        options.notices.push(Notice {
            warning: true,
            text: format!("jobs inherit what elder has inherited: {error}"),
        });
    }
    process::keep_files_private();
    if options.no_new_privs {
        process::take_no_new_privileges()
            .map_err(|error| DaemonError::Environment(format!("--no-new-privs: {error}")))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| DaemonError::Environment(format!("no threads to be had: {error}")))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let logged = log::init(options.log, clock.clone())
        .map_err(|error| DaemonError::Environment(format!("no log: {error}")))?;
    let threads = runtime.spawn(threads::keep());
    let result = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(DaemonError::environment)?;
        let grace = options.shutdown_grace;
        let manager = Manager::of(options.service_manager.as_ref())
            .map_err(|error| DaemonError::Environment(format!("NOTIFY_SOCKET: {error}")))?;
        let started = start(options, &manager, &clock, &mut signals).await?;
        let Some((mut running, reload_asked)) = started else {
            return Ok(());
        };
        tell_trail(&running, &*clock, "start");
        running.tell_manager(&manager, clock.clone());
        if reload_asked {
            reload(&running, &manager);
        }
        let waited = wait(&mut running, &mut signals, &manager).await;
        manager.stopping();
        stop(running, &mut signals, &*clock, grace).await;
        waited
    });
    threads.abort();
    runtime.shutdown_timeout(LAST_WAIT);
    drop(logged);
    result
}

/// Starts everything, and says whether a reload was asked for meanwhile; `None` when it was told to
/// stop first. What hangs then, such as a store or a mount, is not waited for.
async fn start(
    options: RunOptions,
    manager: &Manager,
    clock: &Arc<dyn Clock>,
    signals: &mut Signals,
) -> Result<Option<(Running, bool)>, DaemonError> {
    let grace = options.shutdown_grace;
    let reins = Arc::new(Reins::default());
    // A task of its own, so that what blocks in it leaves the signals heard.
    let starting = build::start(options, clock.clone(), reins.clone());
    let mut starting = tokio::spawn(starting);
    let mut reload_asked = false;
    loop {
        tokio::select! {
            biased;
            started = &mut starting => {
                let broke = |error| {
                    let text = format!("the start broke: {error}; please report this");
                    DaemonError::Broken(text)
                };
                let running = started.map_err(broke)??;
                return Ok(Some((running, reload_asked)));
            }
            told = signals.next() => match told {
                Told::Reload => reload_asked = true,
                Told::Stop => break,
            },
            () = reins.stop_asked.notified() => break,
        }
    }
    manager.stopping();
    tracing::info!("stopping: told so before the start was over");
    if let Some(engine) = reins.scheduler.get() {
        // It takes no change from now on, so that nothing begins.
        end_runs(engine, signals, &**clock, grace).await;
        // Whoever waits for it hears so.
        if let Ok(Ok(Ok(running))) = tokio::time::timeout(LAST_WAIT, &mut starting).await {
            running.end().await;
        }
    }
    starting.abort();
    tracing::info!("stopped");
    Ok(None)
}

/// Waits for the order to stop, and reloads on SIGHUP.
async fn wait(
    running: &mut Running,
    signals: &mut Signals,
    manager: &Manager,
) -> Result<(), DaemonError> {
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::Stop => return Ok(()),
                Told::Reload => reload(running, manager),
            },
            () = running.stop_asked.notified() => return Ok(()),
            ended = &mut running.engine_task => {
                return Err(DaemonError::Broken(match ended {
                    Ok(()) => "the scheduler ended by itself".to_owned(),
                    Err(error) => format!("the scheduler broke: {error}; please report this"),
                }));
            }
            ended = &mut running.sync_task => {
                return Err(DaemonError::Broken(match ended {
                    Ok(()) => "the sync ended by itself".to_owned(),
                    Err(error) => format!("the sync broke: {error}; please report this"),
                }));
            }
        }
    }
}

fn reload(running: &Running, manager: &Manager) {
    manager.reloading();
    running.recorder.reopen();
    match running.tokens.reread() {
        Ok(None) => {}
        Ok(Some(count)) => notice(running, false, &format!("{count} tokens read anew")),
        Err(error) => notice(
            running,
            true,
            &format!("the tokens stay as they were: {error}"),
        ),
    }
    let sync = running.sync.clone();
    // The report of the reload tells what came of it.
    let manager = manager.clone();
    tokio::spawn(async move {
        sync.sync(ReloadTrigger::Signal, None).await;
        manager.reloaded();
    });
}

fn notice(running: &Running, warning: bool, text: &str) {
    running.telemetry.observe(&Event::Notice { warning, text });
}

/// The begin or the end of this elder, in the audit trail.
fn tell_trail(running: &Running, clock: &dyn Clock, action: &str) {
    running.recorder.tell(AuditEntry {
        at: clock.now(),
        actor: "elder".into(),
        from: None,
        action: action.into(),
        subject: None,
        result: AuditResult::Done,
        detail: Some(format!("process {}, version {}", std::process::id(), VERSION).into()),
        before: None,
        after: None,
        request: None,
    });
}

/// No new fire, runs end within the grace, rows are written, the server answers to the last.
async fn stop(running: Running, signals: &mut Signals, clock: &dyn Clock, grace: Duration) {
    let text = format!(
        "stopping: runs may end by themselves for {}; a second signal ends them at once",
        crate::duration::print(grace)
    );
    notice(&running, false, &text);
    tell_trail(&running, clock, "stop");
    end_runs(&running.engine, signals, clock, grace).await;
    notice(&running, false, "stopped");
    running.end().await;
}

/// Lets the scheduler end what runs, within the grace or, at a further signal, at once.
async fn end_runs(engine: &Handle, signals: &mut Signals, clock: &dyn Clock, grace: Duration) {
    let deadline = clock.now().saturating_add(grace);
    let deadline = deadline.unwrap_or(jiff::Timestamp::MAX);
    let stopping = engine.stop(deadline);
    tokio::pin!(stopping);
    loop {
        tokio::select! {
            () = &mut stopping => break,
            told = signals.next() => {
                if told == Told::Stop {
                    engine.stop_now().await;
                }
            }
        }
    }
}
