//! Who may: roles, tokens, and where a request may come from.
//!
//! On loopback reads are open and writes need a token; elsewhere reads need
//! one too, but for what is public. [`Access`] answers for every request, and
//! [`super::guard`] is the one place that asks.

mod network;
mod origin;
mod own_token;
mod tokens;

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::problem::Problem;

pub(super) use own_token::OwnToken;
pub use own_token::{OwnTokenError, token_path};
pub use tokens::TokensError;
pub(super) use tokens::{Tokens, read_tokens};

/// What a token's owner may do; each may all that the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads and plans.
    Viewer,
    /// Triggers and reloads.
    Operator,
    /// Prunes, backs up, tidies.
    Admin,
}

impl Role {
    /// The word in a tokens file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

/// Whether tokens are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// They are.
    #[default]
    Tokens,
    /// `--auth none`: nobody is asked, on a loopback address alone.
    None,
}

/// What needs no token on any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public {
    /// `/metrics`
    pub metrics: bool,
    /// `/healthz`, `/readyz` and their other names.
    pub health: bool,
}

impl Default for Public {
    fn default() -> Self {
        Self {
            metrics: true,
            health: true,
        }
    }
}

/// A text that is no list of public parts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be public: write metrics, health, both with a comma, or none")]
pub struct BadPublic(String);

impl FromStr for Public {
    type Err = BadPublic;

    fn from_str(text: &str) -> Result<Self, BadPublic> {
        let mut public = Public {
            metrics: false,
            health: false,
        };
        if matches!(text.trim(), "" | "none") {
            return Ok(public);
        }
        for part in text.split(',') {
            match part.trim() {
                "metrics" => public.metrics = true,
                "health" => public.health = true,
                other => return Err(BadPublic(other.to_owned())),
            }
        }
        Ok(public)
    }
}

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing where metrics are public, else as for a read.
    Metrics,
    /// Nothing where health is public, else as for a read.
    Health,
    /// A viewer; on loopback nobody in particular.
    Read,
    /// An operator.
    Operate,
    /// An admin.
    Administer,
}

impl Need {
    fn role(self) -> Role {
        match self {
            Need::Metrics | Need::Health | Need::Read => Role::Viewer,
            Need::Operate => Role::Operator,
            Need::Administer => Role::Admin,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The token's name, for the log.
    pub(super) name: Arc<str>,
    /// What it may.
    pub(super) role: Role,
}

impl Caller {
    fn anonymous(role: Role) -> Self {
        Self {
            name: "anonymous".into(),
            role,
        }
    }

    /// Whether that is an admin.
    pub(super) fn administers(&self) -> Result<(), Problem> {
        self.reaches(Role::Admin)
    }

    fn reaches(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        let (has, needs) = (self.role.as_str(), role.as_str());
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "role",
            format!("this needs the role {needs}, the token has {has}"),
        ))
    }
}

/// What somebody came in with whose answer takes long; asked again while it does.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    /// `None` where nobody was asked for one.
    token: Option<TokenHash>,
    peer: IpAddr,
}

impl Ticket {
    /// Of a request that was let in.
    pub(super) fn of(headers: &HeaderMap, peer: IpAddr) -> Self {
        let token = bearer(headers).ok().flatten().map(hash_token);
        Self { token, peer }
    }
}

/// The digest under which a token is known.
pub(super) type TokenHash = [u8; 32];

/// The digest of a token's text.
pub(super) fn hash_token(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// Decides who may what on one listener.
pub(super) struct Access {
    auth: Auth,
    public: Public,
    hosts: origin::Hosts,
    own: Option<TokenHash>,
    tokens: RwLock<Tokens>,
    loopback: bool,
}

/// What an [`Access`] is made of.
pub(super) struct AccessParts {
    pub(super) auth: Auth,
    pub(super) public: Public,
    pub(super) address: std::net::SocketAddr,
    pub(super) allowed_hosts: Vec<String>,
    pub(super) own: Option<TokenHash>,
    pub(super) tokens: Tokens,
}

impl Access {
    /// The rules of a listener at this address.
    pub(super) fn new(parts: AccessParts) -> Self {
        Self {
            auth: parts.auth,
            public: parts.public,
            hosts: origin::Hosts::new(parts.address, parts.allowed_hosts),
            own: parts.own,
            tokens: RwLock::new(parts.tokens),
            loopback: parts.address.ip().is_loopback(),
        }
    }

    /// Puts other tokens in the place of those of the file.
    pub(super) fn replace_tokens(&self, tokens: Tokens) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// Lets a request in, or says why not.
    pub(super) fn admit(
        &self,
        head: &request::Parts,
        need: Need,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Caller, Problem> {
        let open = match need {
            Need::Metrics => self.public.metrics,
            Need::Health => self.public.health,
            Need::Read | Need::Operate | Need::Administer => false,
        };
        if open {
            return Ok(Caller::anonymous(Role::Viewer));
        }
        let host = self.hosts.check(head)?;
        if !head.method.is_safe() {
            origin::check_origin(&head.headers, &host)?;
        }
        if self.auth == Auth::None {
            return Ok(Caller::anonymous(Role::Admin));
        }
        let Some(token) = bearer(&head.headers)? else {
            if self.loopback && need.role() == Role::Viewer && head.method.is_safe() {
                return Ok(Caller::anonymous(Role::Viewer));
            }
            return Err(unauthorized(
                "this needs a token: Authorization: Bearer TOKEN",
            ));
        };
        let caller = self.caller(token, peer, now)?;
        let reaches = caller.reaches(need.role());
        reaches.map_err(|problem| problem.of(&caller.name))?;
        Ok(caller)
    }

    /// Whether whoever was let in with it still would be.
    pub(super) fn is_good(&self, ticket: &Ticket, now: Timestamp) -> bool {
        match &ticket.token {
            Some(hash) if self.auth == Auth::Tokens => self.holder(hash, ticket.peer, now).is_ok(),
            Some(_) | None => true,
        }
    }

    fn caller(&self, token: &str, peer: IpAddr, now: Timestamp) -> Result<Caller, Problem> {
        self.holder(&hash_token(token), peer, now)
    }

    fn holder(&self, hash: &TokenHash, peer: IpAddr, now: Timestamp) -> Result<Caller, Problem> {
        if let Some(own) = &self.own
            && tokens::equal(own, hash)
        {
            return Ok(Caller {
                name: "elder".into(),
                role: Role::Admin,
            });
        }
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let entry = tokens
            .find(hash)
            .filter(|entry| entry.expires.is_none_or(|end| now < end))
            .filter(|entry| entry.covers(peer));
        // One sentence for all: who guesses learns nothing from it.
        let entry = entry.ok_or_else(|| {
            unauthorized("the token is not known, has expired, or is not for this network")
        })?;
        Ok(Caller {
            name: entry.name.clone(),
            role: entry.role,
        })
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match token {
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() =>
        {
            Ok(Some(token.trim()))
        }
        _ => Err(unauthorized("write Authorization: Bearer TOKEN")),
    }
}

fn unauthorized(detail: &str) -> Problem {
    let challenge = HeaderValue::from_static("Bearer realm=\"elder\"");
    Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
        .header(header::WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_public_is_read_from_a_list() {
        for (text, want) in [
            ("metrics,health", Some((true, true))),
            ("health", Some((false, true))),
            ("metrics, health", Some((true, true))),
            ("", Some((false, false))),
            ("none", Some((false, false))),
            ("jobs", None),
            ("metrics,", None),
        ] {
            let public: Option<Public> = text.parse().ok();
            assert_eq!(public.map(|p| (p.metrics, p.health)), want, "{text:?}");
        }
    }

    #[test]
    fn a_role_may_all_that_lower_ones_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        let operator = Caller::anonymous(Role::Operator);
        assert!(operator.reaches(Role::Viewer).is_ok());
        let refused = operator.administers().unwrap_err();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
}
