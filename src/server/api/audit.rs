//! The audit trail, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::model::AuditEntry;
use crate::store::AuditQuery;

use super::super::problem::Problem;
use super::super::query::{Limit, Pairs};
use super::super::shared::Shared;

/// A page.
#[derive(Debug, Serialize)]
pub(in super::super) struct TrailJson {
    audit: Vec<RowJson>,
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct RowJson {
    number: u64,
    at: String,
    actor: Arc<str>,
    from: Option<Arc<str>>,
    action: Arc<str>,
    subject: Option<Arc<str>>,
    result: &'static str,
    detail: Option<Arc<str>>,
    before: Option<Arc<str>>,
    after: Option<Arc<str>>,
    request: Option<Arc<str>>,
}

impl From<(u64, AuditEntry)> for RowJson {
    fn from((number, entry): (u64, AuditEntry)) -> Self {
        Self {
            number,
            at: entry.at.to_string(),
            actor: entry.actor,
            from: entry.from,
            action: entry.action,
            subject: entry.subject,
            result: entry.result.as_str(),
            detail: entry.detail,
            before: entry.before,
            after: entry.after,
            request: entry.request,
        }
    }
}

/// `GET /audit`
pub(in super::super) async fn list(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
) -> Result<Json<TrailJson>, Problem> {
    let query = pairs.check(&["since", "limit", "cursor"])?;
    let before = query.get("cursor").map(|cursor| {
        let number: Result<u64, _> = cursor.parse();
        number.map_err(|_| Problem::bad_request("cursor is what a page before gave as next"))
    });
    let query = AuditQuery {
        since: query.instant("since", shared.clock.now())?,
        before: before.transpose()?,
        limit: query.limit(Limit::Page)?,
    };
    let page = shared.read(shared.store.audit(query)).await?;
    Ok(Json(TrailJson {
        audit: page.rows.into_iter().map(RowJson::from).collect(),
        next: page.next.map(|number| number.to_string()),
    }))
}
