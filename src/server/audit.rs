//! What a call that changes something, or would have, leaves in the audit trail.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::model::{AuditEntry, AuditResult, Event, Observer};

/// So many refusals a minute have a row of their own: who guesses tokens must not drown the trail.
const REFUSALS: u32 = 60;

/// The longest identity of a request that is written down.
const MOST: usize = 255;

/// Writes the trail of calls.
pub(super) struct Trail {
    observer: Arc<dyn Observer>,
    refusals: Mutex<Refusals>,
}

#[derive(Default)]
struct Refusals {
    minute: i64,
    count: u32,
    left_out: u64,
}

/// A call, before it is answered.
pub(super) struct Call {
    pub(super) actor: Arc<str>,
    pub(super) peer: IpAddr,
    /// The route's path, such as `/api/v1/jobs/{id}/run`.
    pub(super) route: String,
    /// The path that was asked for.
    pub(super) path: String,
    pub(super) request: Option<Arc<str>>,
    /// Whether it confirms removals.
    pub(super) prunes: bool,
}

/// What a route says of a call that it has carried out, for its row in the trail.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(pub(super) Option<Arc<str>>);

impl From<Option<String>> for Said {
    fn from(text: Option<String>) -> Self {
        Self(text.map(Into::into))
    }
}

impl Trail {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            observer,
            refusals: Mutex::default(),
        }
    }

    /// A call was answered with this status, and `why` says more of a refusal.
    pub(super) fn answered(
        &self,
        call: Call,
        status: StatusCode,
        why: Option<&str>,
        at: Timestamp,
    ) {
        let result = match status.as_u16() {
            200..=299 => AuditResult::Done,
            // A reload that refuses a file or holds a removal has done the rest.
            409 | 422 if is_reload(&call.route) && !call.prunes => AuditResult::Partial,
            _ => AuditResult::Refused,
        };
        let mut detail = why.map(str::to_owned);
        if result == AuditResult::Refused {
            let Some(left_out) = self.may_refuse(at) else {
                return;
            };
            let said = detail.get_or_insert_with(|| format!("status {}", status.as_u16()));
            if left_out > 0 {
                said.push_str(&format!(
                    "; {left_out} further refusals before it have no row"
                ));
            }
        }
        let entry = AuditEntry {
            at,
            actor: call.actor.clone(),
            from: Some(call.peer.to_string().into()),
            action: action(&call),
            subject: subject(&call),
            result,
            detail: detail.map(Into::into),
            before: None,
            after: None,
            request: call.request,
        };
        self.observer.observe(&Event::Audit(&entry));
    }

    /// Whether a refusal gets a row, and how many before it got none.
    fn may_refuse(&self, at: Timestamp) -> Option<u64> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = at.as_second() / 60;
        if refusals.minute != minute {
            (refusals.minute, refusals.count) = (minute, 0);
        }
        if refusals.count >= REFUSALS {
            refusals.left_out += 1;
            return None;
        }
        refusals.count += 1;
        Some(std::mem::take(&mut refusals.left_out))
    }
}

/// The identity that a caller gave its request.
pub(super) fn request(headers: &HeaderMap) -> Option<Arc<str>> {
    let key = headers.get("idempotency-key")?.to_str().ok()?;
    Some(key.chars().take(MOST).collect::<String>().into())
}

/// Whether the body of a sync confirms removals.
pub(super) fn prunes(route: &str, body: &[u8]) -> bool {
    if !is_reload(route) {
        return false;
    }
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    !matches!(
        body["prune"],
        serde_json::Value::Null | serde_json::Value::Bool(false)
    )
}

fn is_reload(route: &str) -> bool {
    route.ends_with("/config/sync") || route.ends_with("/-/reload")
}

/// The last word of the route: `run`, `sync`, `backup`, …
fn action(call: &Call) -> Arc<str> {
    if call.prunes {
        return "prune".into();
    }
    let words = call.route.rsplit('/');
    let mut words = words.filter(|word| !word.is_empty() && !word.starts_with('{'));
    words.next().unwrap_or("unknown").into()
}

/// What stands for `{id}`; else the path, where there is no such route.
fn subject(call: &Call) -> Option<Arc<str>> {
    const MOST_PATH: usize = 200;
    let pairs = call.route.split('/').zip(call.path.split('/'));
    let mut ids = pairs.filter(|(word, _)| word.starts_with('{'));
    if let Some((_, id)) = ids.next() {
        return Some(id.chars().take(MOST).collect::<String>().into());
    }
    let unknown = call.route == "(none)";
    unknown.then(|| call.path.chars().take(MOST_PATH).collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Rows(Mutex<Vec<AuditEntry>>);

    impl Observer for Rows {
        fn observe(&self, event: &Event<'_>) {
            if let Event::Audit(entry) = event {
                self.0.lock().unwrap().push((*entry).clone());
            }
        }
    }

    fn call(path: &str, request: &str) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", request.parse().unwrap());
        Call {
            actor: "anonymous".into(),
            peer: IpAddr::from([10, 0, 0, 1]),
            route: "/api/v1/jobs/{id}/run".to_owned(),
            path: path.to_owned(),
            request: super::request(&headers),
            prunes: false,
        }
    }

    #[test]
    fn of_many_refusals_in_a_minute_most_are_only_counted() {
        let rows = Arc::new(Rows::default());
        let trail = Trail::new(rows.clone());
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let answer = |status, second| {
            let status = StatusCode::from_u16(status).unwrap();
            trail.answered(call("/api/v1/jobs/a/run", "r"), status, None, at(second));
        };
        for _ in 0..REFUSALS + 40 {
            answer(401, 0);
        }
        let count = || rows.0.lock().unwrap().len();
        assert_eq!(count(), REFUSALS as usize);
        answer(200, 1);
        assert_eq!(
            count(),
            REFUSALS as usize + 1,
            "what is done always has its row"
        );
        answer(401, 60);
        let last = rows.0.lock().unwrap().last().unwrap().clone();
        let detail = last.detail.as_deref().unwrap();
        let told = "status 401; 40 further refusals before it have no row";
        assert_eq!(detail, told);
        answer(401, 61);
        let last = rows.0.lock().unwrap().last().unwrap().clone();
        assert_eq!(
            last.detail.as_deref(),
            Some("status 401"),
            "it is told once"
        );
    }

    #[test]
    fn a_row_has_so_many_bytes_whatever_is_asked() {
        let rows = Arc::new(Rows::default());
        let trail = Trail::new(rows.clone());
        let long = "x".repeat(100_000);
        let mut calls = [
            call(&format!("/api/v1/jobs/{long}/run"), &long),
            call(&format!("/{long}"), &long),
        ];
        calls[1].route = "(none)".to_owned();
        for call in calls {
            trail.answered(call, StatusCode::NOT_FOUND, None, Timestamp::UNIX_EPOCH);
        }
        for row in &*rows.0.lock().unwrap() {
            let texts = [&row.subject, &row.request, &row.detail];
            for text in texts.into_iter().flatten() {
                assert!(text.len() <= MOST, "{} bytes", text.len());
            }
        }
    }
}
