//! The one layer around every route, the paths without one and the methods
//! that no route takes: host, origin, token, body; and on the way back the
//! headers that keep a browser from doing more than show what is there.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode, request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;

use super::audit::{self, Call};
use super::auth::Need;
use super::problem::{self, Problem};
use super::routes;
use super::shared::Shared;

/// What the guard knows.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) shared: Arc<Shared>,
    /// How long a body may take to arrive.
    pub(super) body: Duration,
}

/// The other end's address, put in by the listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Lets a request through to its route, or answers why not.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match through(&guard, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    harden(response.headers_mut());
    response
}

async fn through(guard: &Guard, request: Request, next: Next) -> Result<Response, Problem> {
    let shared = &*guard.shared;
    let (mut head, body) = request.into_parts();
    let matched = head.extensions.get::<MatchedPath>().cloned();
    let matched = matched.as_ref().map(MatchedPath::as_str);
    let (need, allow) = routes::need(matched, &head.method);
    let Some(Peer(peer)) = head.extensions.get::<Peer>().copied() else {
        // No listener of ours lets such a request in.
        return Err(Problem::scheduler_stopped());
    };
    let admitted = shared.access.admit(&head, need, peer, shared.clock.now());
    let path = matched.unwrap_or("(none)").to_owned();
    let method = head.method.clone();
    let writes = !method.is_safe();
    // What only reads, whatever its method, changes nothing.
    let changes = writes && matches!(need, Need::Operate | Need::Administer);
    let mut call = Call {
        actor: "anonymous".into(),
        peer,
        route: path.clone(),
        path: head.uri.path().to_owned(),
        request: audit::request(&head.headers),
        prunes: false,
    };
    // Who was refused something has a row as well.
    let refuse = |call: Call, problem: Problem| {
        if changes {
            let (status, why) = (problem.status(), Some(problem.kind()));
            shared.trail.answered(call, status, why, shared.clock.now());
        }
        problem
    };
    let caller = match admitted {
        Ok(caller) => caller,
        Err(problem) => {
            tracing::warn!(
                method = method.as_str(),
                path,
                peer = %peer,
                status = problem.status().as_u16(),
                why = problem.kind(),
                "request refused"
            );
            if let Some(name) = problem.caller() {
                call.actor = name.clone();
            }
            return Err(refuse(call, problem));
        }
    };
    call.actor = caller.name.clone();
    if let Some(allow) = allow {
        let detail = format!("this path takes {allow}");
        let allow = HeaderValue::from_str(&allow).unwrap_or(HeaderValue::from_static("GET"));
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail);
        return Err(refuse(call, problem.header(header::ALLOW, allow)));
    }
    let most = matched
        .and_then(routes::find)
        .map_or(routes::MAX_BODY, routes::Route::max_body);
    if most > routes::MAX_BODY
        && let Ok(place) = shared.large_bodies.clone().acquire_owned().await
    {
        head.extensions.insert(Large(Arc::new(place)));
    }
    let body = match writes {
        true => match read(&head, body, guard.body, most).await {
            Ok(body) => body,
            Err(problem) => return Err(refuse(call, problem)),
        },
        false => Bytes::new(),
    };
    // Before a place among all changes, for whoever waited there would hold one.
    let of_sync = match matched.and_then(routes::find) {
        Some(route) if route.syncs() => match shared.place_of_sync().await {
            Ok(place) => Some(place),
            Err(problem) => return Err(refuse(call, problem)),
        },
        _ => None,
    };
    call.prunes = changes && audit::prunes(&path, &body);
    head.extensions.insert(caller);
    let answering = Answering {
        shared: guard.shared.clone(),
        method,
        call,
        changes,
    };
    let answer = answering.answer(next, Request::from_parts(head, Body::from(body)));
    if !changes {
        return Ok(answer.await);
    }
    // Whoever hangs up takes nothing back, so what was done is told all the same.
    let place = shared.writes.clone().acquire_owned().await;
    let done = tokio::spawn(async move {
        let _places = (of_sync, place);
        answer.await
    });
    done.await.map_err(|_| Problem::internal())
}

/// Keeps a place among those who hold a large body in memory; whoever works on it takes it along.
#[derive(Clone)]
pub(super) struct Large(
    #[expect(dead_code, reason = "held, and never looked at")] Arc<OwnedSemaphorePermit>,
);

/// A call that is let through.
struct Answering {
    shared: Arc<Shared>,
    method: Method,
    call: Call,
    changes: bool,
}

impl Answering {
    /// Has its route answer it, and tells of that.
    async fn answer(self, next: Next, request: Request) -> Response {
        let response = next.run(request).await;
        let Self {
            shared,
            method,
            call,
            changes,
        } = self;
        let status = response.status();
        if !method.is_safe() {
            tracing::info!(
                method = method.as_str(),
                path = call.route,
                caller = &*call.actor,
                peer = %call.peer,
                status = status.as_u16(),
                "request answered"
            );
        }
        if changes {
            let said = response.extensions().get::<audit::Said>();
            let said = said.and_then(|said| said.0.as_deref());
            shared
                .trail
                .answered(call, status, said, shared.clock.now());
        }
        in_our_words(response)
    }
}

/// An error that came from below the routes, such as a path that is no UTF-8, as a problem document.
fn in_our_words(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let ours = kind.is_some_and(|kind| kind == problem::MEDIA_TYPE);
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    // Readiness and health say what they say in their own bodies.
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return response;
    }
    Problem::new(status, "bad-request", "the request cannot be read").into_response()
}

/// The whole body of a write, within its bounds.
async fn read(
    head: &request::Parts,
    body: Body,
    patience: Duration,
    most: usize,
) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("a body has at most {} MiB here", most >> 20);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    };
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    if body.size_hint().exact() != Some(0) && !is_json(&head.headers) {
        let detail = "a body is JSON: Content-Type: application/json";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            detail,
        ));
    }
    match tokio::time::timeout(patience, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_over_the_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("the body broke off")),
        Err(_elapsed) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "too-slow",
            "the body took too long to arrive",
        )),
    }
}

fn is_over_the_limit(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(|cause| cause.to_string().contains("length limit"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

/// What every answer says to a browser.
fn harden(headers: &mut HeaderMap) {
    const HEADERS: [(HeaderName, &str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
