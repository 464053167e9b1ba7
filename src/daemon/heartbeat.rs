//! A dead man's switch for elder itself: an address elsewhere hears from it as long as all is well.
//!
//! A beat is sent when the engine's own loop answers and the store can be written. Whoever hears
//! none for a while raises the alarm, which elder, its machine and its network could not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::model::{Event, Observer};
use crate::store::Store;

use super::options::Heartbeat;
use super::pulse::Pulse;

/// How long one beat may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a beat hangs on.
pub(super) struct Beating {
    pub(super) pulse: Pulse,
    pub(super) store: Arc<dyn Store>,
    pub(super) observer: Arc<dyn Observer>,
}

/// Beats for ever; a line in the log tells each change between being heard and not.
pub(super) async fn beat(options: Heartbeat, on: Beating) {
    let client = match client() {
        Ok(client) => client,
        Err(why) => {
            notice(&on, true, &format!("no heartbeat is sent: {why}"));
            return;
        }
    };
    let mut was: Option<Result<(), String>> = None;
    loop {
        let now = once(&client, &options, &on).await;
        if was.as_ref() != Some(&now) {
            match &now {
                Ok(()) => notice(&on, false, "the heartbeat is heard"),
                Err(why) => notice(&on, true, &format!("the heartbeat is not heard: {why}")),
            }
            was = Some(now);
        }
        sleep(options.every).await;
    }
}

async fn once(client: &reqwest::Client, options: &Heartbeat, on: &Beating) -> Result<(), String> {
    let stats = on.pulse.feel().await;
    let stats = stats.ok_or("it is not sent while the scheduler's loop stands still")?;
    let reachable = timeout(PATIENCE, on.store.check()).await;
    if stats.store_error.is_some() || !matches!(reachable, Ok(Ok(()))) {
        return Err("it is not sent while the store cannot be written".to_owned());
    }
    let sent = client.get(options.url.expose()).send().await;
    // The address is a secret of its own: whoever knows it can send beats.
    let answer = sent.map_err(|error| deepest(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("the answer is {status}"))
    }
}

fn client() -> Result<reqwest::Client, String> {
    // Whoever comes first installs it; that it is there already is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .user_agent(concat!("elder/", env!("CARGO_PKG_VERSION")))
        .build();
    built.map_err(|error| deepest(&error))
}

/// The cause of causes says what happened; what wraps it only says that something did.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

fn notice(on: &Beating, warning: bool, text: &str) {
    on.observer.observe(&Event::Notice { warning, text });
}
