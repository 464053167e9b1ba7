//! The part of an address after `?`: known names only, each once, checked.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request;
use jiff::Timestamp;

use crate::duration;
use crate::model::Outcome;
use crate::store;

use super::problem::Problem;

/// How many rows a page has when nothing is said.
const PAGE: usize = 100;

/// How many rows a page has at most.
pub(super) const MAX_PAGE: usize = 1000;

/// The names and values of a query.
pub(super) struct Pairs(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut request::Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&head.uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|_| Problem::bad_request("the query cannot be read: write ?name=value&…"))
    }
}

impl Pairs {
    /// Takes the query apart; every name must be one of `known`.
    pub(super) fn check(self, known: &[&str]) -> Result<Checked, Problem> {
        let mut checked = Checked(Vec::new());
        for (name, value) in self.0 {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                let detail = match known.is_empty() {
                    true => format!("{name:?} is not known here: this takes no query"),
                    false => format!("{name:?} is not known here: there are {known}"),
                };
                return Err(Problem::bad_request(detail));
            }
            if checked.get(&name).is_some() {
                return Err(Problem::bad_request(format!("{name} is there twice")));
            }
            checked.0.push((name, value));
        }
        Ok(checked)
    }
}

/// A query without surprises.
pub(super) struct Checked(Vec<(String, String)>);

impl Checked {
    /// A value as text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `limit`, from 1 to [`MAX_PAGE`].
    pub(super) fn limit(&self, when_silent: Limit) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else {
            return Ok(match when_silent {
                Limit::Page => PAGE,
                Limit::Most => MAX_PAGE,
            });
        };
        let limit = text.parse().ok();
        let limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit));
        limit.ok_or_else(|| Problem::bad_request(format!("limit is a number from 1 to {MAX_PAGE}")))
    }

    /// An instant, or a length of time before now.
    pub(super) fn instant(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        if let Ok(at) = text.parse() {
            return Ok(Some(at));
        }
        let ago: Option<Duration> = duration::parse(text).ok();
        let at = ago.and_then(|ago| now.checked_sub(ago).ok());
        at.map(Some).ok_or_else(|| {
            let detail =
                format!("{name} is an instant (2027-01-01T00:00:00Z) or so long ago (24h, 7d)");
            Problem::bad_request(detail)
        })
    }

    /// `outcome`: words with commas between.
    pub(super) fn outcomes(&self) -> Result<Vec<Outcome>, Problem> {
        let Some(text) = self.get("outcome") else {
            return Ok(Vec::new());
        };
        let words = text.split(',').map(|word| {
            Outcome::parse(word).ok_or_else(|| {
                let known = Outcome::ALL.iter().map(|outcome| outcome.as_str());
                let known = known.collect::<Vec<_>>().join(", ");
                Problem::bad_request(format!("{word:?} is no outcome: there are {known}"))
            })
        });
        words.collect()
    }

    /// `cursor`, as a page before gave it.
    pub(super) fn cursor(&self) -> Result<Option<store::Cursor>, Problem> {
        self.get("cursor")
            .map(super::wire::cursor::read_run)
            .transpose()
    }
}

/// How long a page is when nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// As long as a person reads.
    Page,
    /// As long as may be.
    Most,
}
