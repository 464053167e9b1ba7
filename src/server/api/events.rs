//! What happens, as it happens: server-sent events for dashboards and scripts.
//!
//! A reader has a place in the feed and nothing of its own that grows; who is too slow hears how much
//! was missed.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::ids::JobName;
use crate::telemetry::feed::{Begin, Reader};

use super::super::auth::Ticket;
use super::super::guard::Peer;
use super::super::problem::Problem;
use super::super::query::{Checked, Pairs};
use super::super::shared::Shared;
use super::super::stream::{self, Events, Left};
use super::super::wire::news;

/// What an `EventSource` sends when it comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// A reader is told at most so often: what comes meanwhile is told at once.
const PAUSE: Duration = Duration::from_millis(50);

/// So many events are written before it is looked whether more were missed.
const AT_ONCE: usize = 256;

/// So long nothing is said, then a word that means nothing.
const SILENCE: Duration = Duration::from_secs(15);

/// After how long a reader that was cut off should come back.
const COME_BACK: Duration = Duration::from_secs(2);

/// `GET /events`
pub(in super::super) async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    pairs: Pairs,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(&pairs.check(&["event", "job"])?)?;
    let after = match headers.get(LAST_EVENT_ID).map(|id| id.to_str()) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(Problem::bad_request("Last-Event-ID is no id of an event")),
    };
    let place = shared.readers.follower(peer)?;
    let (reader, begin) = shared.feed.follow(after);
    let (events, response) = stream::events(&shared, Ticket::of(&headers, peer));
    tokio::spawn(async move {
        // Who reads no more needs no more.
        let _: Result<(), Left> = follow(&shared, reader, begin, &wanted, &events).await;
        drop(place);
    });
    Ok(response)
}

/// Which events a reader wants.
struct Wanted {
    /// These; all when there are none.
    names: Vec<String>,
    /// Of this job alone.
    job: Option<JobName>,
}

impl Wanted {
    fn read(query: &Checked) -> Result<Self, Problem> {
        let mut names = Vec::new();
        for name in query.get("event").into_iter().flat_map(|it| it.split(',')) {
            if !news::NAMES.contains(&name) {
                let known = news::NAMES.join(", ");
                let detail = format!("{name:?} is no event: there are {known}");
                return Err(Problem::bad_request(detail));
            }
            names.push(name.to_owned());
        }
        let job = query.get("job").map(super::jobs::name).transpose()?;
        Ok(Self { names, job })
    }

    fn has(&self, name: &str, job: Option<&JobName>) -> bool {
        let named = self.names.is_empty() || self.names.iter().any(|known| known == name);
        named && (self.job.is_none() || self.job.as_ref() == job)
    }
}

/// Tells everything until nobody reads or elder ends.
async fn follow(
    shared: &Shared,
    mut reader: Reader,
    begin: Begin,
    wanted: &Wanted,
    events: &Events,
) -> Result<(), Left> {
    events.begin(&reader.place(), COME_BACK).await?;
    if begin == Begin::Gap {
        missed(events, Value::Null).await?;
    }
    let mut syncs = shared.sync.watch();
    let mut status = news::of_status(&syncs.borrow_and_update());
    if wanted.has(news::SYNC_STATUS, None) {
        events.tell(news::SYNC_STATUS, &status).await?;
    }
    let mut spoke_at = Instant::now();
    loop {
        let mut spoke = false;
        let heard = reader.heard(AT_ONCE);
        if heard.missed > 0 {
            missed(events, json!(heard.missed)).await?;
            spoke = true;
        }
        for (id, news) in &heard.events {
            let name = news::name(news);
            if wanted.has(name, news::job(news)) {
                events.tell_as(id, name, &news::data(news)).await?;
                spoke = true;
            }
        }
        let now = news::of_status(&syncs.borrow_and_update());
        if status != now && wanted.has(news::SYNC_STATUS, None) {
            events.tell(news::SYNC_STATUS, &now).await?;
            spoke = true;
        }
        status = now;
        if spoke {
            spoke_at = Instant::now();
        } else if spoke_at.elapsed() >= SILENCE {
            // Also where much happens, and nothing of it is for this reader.
            spoke_at = Instant::now();
            events.breathe().await?;
        }
        if !heard.events.is_empty() {
            sleep(PAUSE).await;
        }
        let more = async {
            tokio::select! {
                more = reader.more() => more,
                () = events.left() => false,
                // A sync that has ended says nothing more, and elder is about to end.
                changed = syncs.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => std::future::pending().await,
                },
            }
        };
        if let Ok(false) = timeout(SILENCE.saturating_sub(spoke_at.elapsed()), more).await {
            return Ok(());
        }
    }
}

async fn missed(events: &Events, count: Value) -> Result<(), Left> {
    events.tell(news::MISSED, &json!({ "events": count })).await
}
