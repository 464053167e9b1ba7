//! Pauses of jobs, and everything that differs from the files on purpose.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Deserialize;

use crate::duration;
use crate::engine::{PauseAnswer, PauseRequest, PauseWish};

use super::super::audit::Said;
use super::super::auth::Caller;
use super::super::problem::{Problem, RECORDED_WITHIN};
use super::super::query::Pairs;
use super::super::shared::Shared;
use super::super::wire::overrides::{MOST_SHOWN, OverridesJson, PausedJson};

/// The longest reason, in characters.
pub(super) const MAX_REASON: usize = 500;

/// What may be said of a pause.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseBody {
    /// Why, in a line.
    #[serde(default)]
    reason: Option<String>,
    /// How long.
    #[serde(default, rename = "for")]
    length: Option<String>,
    /// When it ends, in its stead.
    #[serde(default)]
    until: Option<String>,
}

/// `POST /jobs/{id}/pause`
pub(in super::super) async fn pause(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    pairs: Pairs,
    bytes: Bytes,
) -> Result<(Extension<Said>, Json<PausedJson>), Problem> {
    pairs.check(&[])?;
    let job = super::jobs::name(&id)?;
    let body: PauseBody = super::body(&bytes)?;
    let until = end(&body, shared.clock.now())?;
    let reason = reason(body.reason)?;
    let wish = PauseWish::Pause { until, reason };
    let request = PauseRequest {
        job: job.clone(),
        author: caller.name,
        wish,
    };
    let answer = ask(&shared, request).await?;
    let said = answer.pause.as_ref().map(|pause| pause.words());
    let json = PausedJson::new(&job, "paused", &answer);
    Ok((Extension(Said::from(said)), Json(json)))
}

/// There is nothing to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeBody {}

/// `POST /jobs/{id}/resume`: of a job that is not paused, too.
pub(in super::super) async fn resume(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    pairs: Pairs,
    bytes: Bytes,
) -> Result<Json<PausedJson>, Problem> {
    pairs.check(&[])?;
    let job = super::jobs::name(&id)?;
    let ResumeBody {} = super::body(&bytes)?;
    let request = PauseRequest {
        job: job.clone(),
        author: caller.name,
        wish: PauseWish::Resume,
    };
    let answer = ask(&shared, request).await?;
    Ok(Json(PausedJson::new(&job, "resumed", &answer)))
}

/// `GET /overrides`
pub(in super::super) async fn list(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
) -> Result<Json<OverridesJson>, Problem> {
    pairs.check(&[])?;
    let pauses = shared.ask(shared.engine.pauses(MOST_SHOWN)).await?;
    let status = shared.sync.status();
    Ok(Json(OverridesJson::new(&pauses, &status)))
}

async fn ask(shared: &Shared, request: PauseRequest) -> Result<PauseAnswer, Problem> {
    let answer = tokio::time::timeout(RECORDED_WITHIN, shared.engine.pause(request));
    let late = "may come in force all the same: `elder overrides` tells";
    let answer = answer.await;
    let answer = answer.map_err(|_elapsed| Problem::not_recorded_yet(late))?;
    answer.map_err(|refusal| super::jobs::refused(shared, refusal))
}

/// When a pause ends by itself.
fn end(body: &PauseBody, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let until = match (&body.length, &body.until) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let detail = "a pause has one end: write \"for\" or \"until\"";
            return Err(Problem::bad_request(detail));
        }
        (Some(length), None) => {
            let bad = |why: String| Problem::bad_request(format!("for is a length of time: {why}"));
            let length = duration::parse(length).map_err(|error| bad(error.to_string()))?;
            let until = now.checked_add(length);
            until.map_err(|_| bad("that is longer than time lasts".to_owned()))?
        }
        (None, Some(until)) => until.parse().map_err(|_| {
            let detail = "until is an instant: 2027-01-01T02:00:00Z, with its offset";
            Problem::bad_request(detail)
        })?,
    };
    if until <= now {
        let detail = format!("a pause ends in the future, and {until} is not");
        return Err(Problem::bad_request(detail));
    }
    Ok(Some(until))
}

/// A reason, as it stands in rows, log and trail.
pub(super) fn reason(text: Option<String>) -> Result<Option<Arc<str>>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
        let detail = format!("reason is one line of {MAX_REASON} characters at most");
        return Err(Problem::bad_request(detail));
    }
    Ok((!text.is_empty()).then(|| text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_in_the_future_or_not_by_itself() {
        let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        for (length, until, want) in [
            (None, None, Ok(None)),
            (Some("2h"), None, Ok(Some("2027-01-01T02:00:00Z"))),
            (
                None,
                Some("2027-01-01T02:00:00+01:00"),
                Ok(Some("2027-01-01T01:00:00Z")),
            ),
            (Some("2h"), Some("2027-01-01T02:00:00Z"), Err("one end")),
            (Some("2"), None, Err("length of time")),
            (Some("0s"), None, Err("in the future")),
            (Some("999999w"), None, Err("length of time")),
            (None, Some("2026-12-31T23:59:59Z"), Err("in the future")),
            (None, Some("tomorrow"), Err("an instant")),
            (None, Some("2027-01-01T02:00:00"), Err("an instant")),
        ] {
            let body = PauseBody {
                reason: None,
                length: length.map(str::to_owned),
                until: until.map(str::to_owned),
            };
            let found = end(&body, now);
            match (found, want) {
                (Ok(found), Ok(want)) => {
                    let want = want.map(|at| at.parse().unwrap());
                    assert_eq!(found, want, "{length:?} {until:?}");
                }
                (Err(problem), Err(why)) => {
                    let said = format!("{problem:?}");
                    assert!(said.contains(why), "{said}");
                }
                (found, want) => panic!("{length:?} {until:?}: {found:?}, not {want:?}"),
            }
        }
    }

    #[test]
    fn a_reason_is_one_line() {
        let of = |text: &str| reason(Some(text.to_owned()));
        assert_eq!(
            of("  the database moves ").unwrap().as_deref(),
            Some("the database moves")
        );
        assert_eq!(of(" ").unwrap(), None);
        assert!(of("a\nb").is_err());
        assert!(of("\u{1b}[2J").is_err());
        assert!(of(&"\u{e4}".repeat(MAX_REASON)).is_ok());
        assert!(of(&"a".repeat(MAX_REASON + 1)).is_err());
    }
}
