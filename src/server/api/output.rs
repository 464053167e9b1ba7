//! What a run says: whole when it is over, as it comes while it is under way.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::action::{Listener, Piece};
use crate::ids::RunId;
use crate::model::{Output, Run, RunState};

use super::super::auth::Ticket;
use super::super::guard::Peer;
use super::super::problem::Problem;
use super::super::query::Pairs;
use super::super::shared::Shared;
use super::super::stream::{self, Events, Left};
use super::super::wire::run::{RunJson, left_out, text};

/// A reader is told at most so often: what comes meanwhile is one event.
const PAUSE: Duration = Duration::from_millis(50);

/// How soon and how seldom is looked what became of a run between two attempts.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LATER_LOOKS: Duration = Duration::from_millis(500);

/// So long nothing is said, then a word that means nothing.
const SILENCE: Duration = Duration::from_secs(15);

/// `GET /runs/{id}/output`
pub(in super::super) async fn output(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    pairs: Pairs,
) -> Result<Response, Problem> {
    let query = pairs.check(&["follow"])?;
    let follows = match query.get("follow") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Problem::bad_request("follow is true or false")),
    };
    let id = RunId::parse(&id).ok_or_else(super::runs::no_run)?;
    // First this: a run that ends meanwhile is whole in the store then.
    let listener = shared.live.listen(id);
    let (run, stored) = find(&shared, id).await?.ok_or_else(super::runs::no_run)?;
    let is_over = run.state == RunState::Done;
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let wants_events = accepts.is_some_and(|accepts| accepts.contains(stream::MEDIA_TYPE));
    if !follows || (is_over && !wants_events) {
        let text = match listener.filter(|_| !is_over) {
            Some(mut listener) => said(&listener.heard()),
            None => text(&stored),
        };
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        return Ok(([(CONTENT_TYPE, kind)], text).into_response());
    }
    let place = shared.readers.output(peer)?;
    let (events, response) = stream::events(&shared, Ticket::of(&headers, peer));
    tokio::spawn(async move {
        // Who reads no more needs no more.
        let _: Result<(), Left> = follow(&shared, id, listener, &events).await;
        drop(place);
    });
    Ok(response)
}

async fn find(shared: &Shared, id: RunId) -> Result<Option<(Run, Output)>, Problem> {
    shared.read(shared.store.run(id)).await
}

/// Tells everything until the run is over.
async fn follow(
    shared: &Shared,
    id: RunId,
    mut listener: Option<Listener>,
    events: &Events,
) -> Result<(), Left> {
    let mut heard = 0;
    let mut pause = FIRST_LOOK;
    let mut silent = Duration::ZERO;
    loop {
        if let Some(listener) = listener.take() {
            heard = listener.attempt();
            events.tell("attempt", &json!({ "attempt": heard })).await?;
            tell_attempt(listener, events).await?;
            pause = FIRST_LOOK;
        }
        match find(shared, id).await {
            Ok(Some((run, stored))) if run.state == RunState::Done => {
                // It began and ended between two looks, or was a request: its answer is there at once.
                if run.attempt > heard && stored.total > 0 {
                    let attempt = json!({ "attempt": run.attempt });
                    events.tell("attempt", &attempt).await?;
                    events.tell("output", &words(&text(&stored))).await?;
                }
                let end = serde_json::to_value(RunJson::from(&run)).unwrap_or_default();
                return events.tell("end", &end).await;
            }
            // A store that is away comes back; a row that is gone does not.
            Ok(Some(_)) | Err(_) => {}
            Ok(None) => return Ok(()),
        }
        listener = shared.live.listen(id);
        listener = listener.filter(|listener| listener.attempt() > heard);
        if listener.is_some() {
            continue;
        }
        sleep(pause).await;
        silent += pause;
        pause = LATER_LOOKS.min(pause * 2);
        if silent >= SILENCE {
            silent = Duration::ZERO;
            events.breathe().await?;
        }
        if shared.engine.is_gone() {
            return Ok(());
        }
    }
}

async fn tell_attempt(mut listener: Listener, events: &Events) -> Result<(), Left> {
    let mut characters = Characters::default();
    let mut pieces = listener.heard();
    loop {
        for piece in &pieces {
            match piece {
                Piece::Bytes(bytes) => {
                    let text = characters.take(bytes);
                    if !text.is_empty() {
                        events.tell("output", &words(&text)).await?;
                    }
                }
                Piece::LeftOut(bytes) => {
                    characters = Characters::default();
                    events.tell("left_out", &json!({ "bytes": bytes })).await?;
                }
            }
        }
        if !pieces.is_empty() {
            sleep(PAUSE).await;
        }
        pieces = loop {
            match timeout(SILENCE, listener.next()).await {
                Ok(Some(pieces)) => break pieces,
                Ok(None) => {
                    let rest = characters.rest();
                    return match rest.is_empty() {
                        true => Ok(()),
                        false => events.tell("output", &words(&rest)).await,
                    };
                }
                Err(_elapsed) => events.breathe().await?,
            }
        };
    }
}

fn words(text: &str) -> Value {
    json!({ "text": text })
}

fn said(pieces: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Piece::LeftOut(bytes) => left_out(*bytes),
    };
    pieces.iter().map(text).collect()
}

/// Bytes to text where a character may come in two pieces.
#[derive(Default)]
struct Characters {
    /// The beginning of one.
    held: Vec<u8>,
}

impl Characters {
    fn take(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut end = all.len();
        // A character has four bytes at most.
        for back in 1..=all.len().min(3) {
            let from = all.len() - back;
            let broken = std::str::from_utf8(&all[from..]).err();
            let is_begun = broken.is_some_and(|e| e.valid_up_to() == 0 && e.error_len().is_none());
            if is_begun {
                end = from;
            }
        }
        self.held = all.split_off(end);
        String::from_utf8_lossy(&all).into_owned()
    }

    fn rest(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_whole_wherever_the_stream_is_cut() {
        let text = "a€😀ü\u{0}z";
        for size in 1..6 {
            let mut characters = Characters::default();
            let pieces = text.as_bytes().chunks(size);
            let mut all: String = pieces.map(|piece| characters.take(piece)).collect();
            all.push_str(&characters.rest());
            assert_eq!(all, text, "in pieces of {size}");
        }
        let mut characters = Characters::default();
        assert_eq!(characters.take(b"\xff\xe2\x82"), "\u{fffd}");
        assert_eq!(characters.rest(), "\u{fffd}");
    }
}
