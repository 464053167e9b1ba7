//! A run on the wire.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::decide::Edition;
use crate::engine::RunHead;
use crate::ids::RunId;
use crate::model::{Output, Run};
use crate::store::RunPage;

use super::cursor;
use super::edition::EditionJson;

/// Requests for another run of what a run was for begin like this; its identity follows.
pub(in super::super) const RERUN: &str = "rerun/";

/// A run.
#[derive(Debug, Serialize)]
pub(in super::super) struct RunJson {
    run_id: String,
    job_id: String,
    scheduled_at: Timestamp,
    /// The last instant of a row that stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_until: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// Only while it waits for its next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    state: &'static str,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    detail: Option<String>,
    count: u64,
    trigger: &'static str,
    /// The run that this one is again.
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun_of: Option<String>,
    attempt: u32,
    exit_code: Option<i32>,
    signal: Option<i32>,
    http_status: Option<u16>,
    duration_seconds: Option<f64>,
    revision: Option<String>,
    source: Option<String>,
    definition_hash: Option<String>,
    /// Only where one run is asked for: how the definition came in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    edition: Option<EditionJson>,
    output_bytes: u64,
    /// Only where one run is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

impl From<&Run> for RunJson {
    fn from(run: &Run) -> Self {
        Self {
            run_id: run.id.to_string(),
            job_id: run.job.to_string(),
            scheduled_at: run.scheduled_at,
            scheduled_until: run.scheduled_until,
            started_at: run.started_at,
            finished_at: run.finished_at,
            next_attempt_at: run.next_attempt_at,
            state: run.state.as_str(),
            outcome: run.outcome.map(|outcome| outcome.as_str()),
            reason: run.reason.map(|reason| reason.as_str()),
            detail: run.detail.as_deref().map(str::to_owned),
            count: run.count,
            trigger: run.trigger.as_str(),
            rerun_of: rerun_of(run),
            attempt: run.attempt,
            exit_code: run.exit_code,
            signal: run.signal,
            http_status: run.http_status,
            duration_seconds: run.duration.as_ref().map(Duration::as_secs_f64),
            revision: run.revision.as_deref().map(str::to_owned),
            source: run.source.as_deref().map(str::to_owned),
            definition_hash: run.definition.map(|id| id.to_string()),
            edition: None,
            output_bytes: run.output_bytes,
            output: None,
        }
    }
}

/// The run that a request named to be run again.
fn rerun_of(run: &Run) -> Option<String> {
    let rest = run.request.as_deref()?.strip_prefix(RERUN)?;
    let (id, _) = rest.split_once('/')?;
    RunId::parse(id).map(|id| id.to_string())
}

impl RunJson {
    /// A run with what it said.
    pub(in super::super) fn with_output(
        run: &Run,
        output: &Output,
        edition: Option<&Edition>,
    ) -> Self {
        Self {
            output: Some(text(output)),
            edition: edition.map(EditionJson::from),
            ..Self::from(run)
        }
    }
}

/// Output as text: what is no UTF-8 is replaced, and a cut is named.
pub(in super::super) fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.head).into_owned();
    if output.is_truncated() {
        let kept = (output.head.len() + output.tail.len()) as u64;
        let cut = output.total.saturating_sub(kept);
        text.push_str(&left_out(cut));
    }
    text.push_str(&String::from_utf8_lossy(&output.tail));
    text
}

/// What stands for bytes that are not kept.
pub(in super::super) fn left_out(bytes: u64) -> String {
    format!("\n[… {bytes} bytes left out …]\n")
}

/// A page of runs, newest first.
#[derive(Debug, Serialize)]
pub(in super::super) struct RunsJson {
    runs: Vec<RunJson>,
    next: Option<String>,
}

impl RunsJson {
    /// Whether there is none.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl From<RunPage> for RunsJson {
    fn from(page: RunPage) -> Self {
        Self {
            runs: page.runs.iter().map(RunJson::from).collect(),
            next: page.next.map(cursor::write_run),
        }
    }
}

/// A run that is not over, as part of its job.
#[derive(Debug, Serialize)]
pub(in super::super) struct HeadJson {
    run_id: String,
    state: &'static str,
    scheduled_at: Timestamp,
    attempt: u32,
}

impl From<&RunHead> for HeadJson {
    fn from(head: &RunHead) -> Self {
        Self {
            run_id: head.id.to_string(),
            state: head.state.as_str(),
            scheduled_at: head.scheduled_at,
            attempt: head.attempt,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Outcome, Reason, RunState};
    use crate::telemetry::example::{instant, run};

    #[test]
    fn a_run_has_the_names_of_the_contract() {
        let mut run = run("billing", 2);
        let running = serde_json::to_value(RunJson::from(&run)).unwrap();
        assert_eq!(
            running,
            json!({
                "run_id": run.id.as_str(), "job_id": "billing",
                "scheduled_at": "2027-01-01T00:00:00Z", "started_at": "2027-01-01T00:00:00.5Z",
                "finished_at": null, "state": "running", "outcome": null, "reason": null,
                "detail": null, "count": 1, "trigger": "schedule", "attempt": 2,
                "exit_code": null, "signal": null, "http_status": null, "duration_seconds": null,
                "revision": null, "source": null, "definition_hash": null, "output_bytes": 0,
            })
        );
        run.state = RunState::Done;
        run.outcome = Some(Outcome::Failed);
        run.reason = Some(Reason::Exit);
        run.exit_code = Some(3);
        run.finished_at = Some(instant("2027-01-01T00:00:01Z"));
        run.duration = Some(Duration::from_millis(500));
        run.source = Some("jobs.d/a.yaml:3".into());
        let output = Output {
            head: b"first\xff".to_vec(),
            tail: b"last".to_vec(),
            total: 110,
        };
        let done = serde_json::to_value(RunJson::with_output(&run, &output, None)).unwrap();
        for (name, want) in [
            ("finished_at", json!("2027-01-01T00:00:01Z")),
            ("outcome", json!("failed")),
            ("reason", json!("exit")),
            ("exit_code", json!(3)),
            ("duration_seconds", json!(0.5)),
            ("source", json!("jobs.d/a.yaml:3")),
            (
                "output",
                json!("first\u{fffd}\n[… 100 bytes left out …]\nlast"),
            ),
        ] {
            assert_eq!(done[name], want, "{name}");
        }
    }
}
