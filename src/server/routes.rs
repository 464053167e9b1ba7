//! The one table of routes: it makes the router, tells the guard what each
//! route asks of its caller, and is what the test of the guard walks over.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::auth::Need;
use super::guard::Guard;
use super::problem::Problem;
use super::shared::Shared;
use super::{api, guard, health, metrics};

/// The largest body of most routes.
pub(super) const MAX_BODY: usize = 1 << 20;

/// The largest tree of job files that a plan is made of: some 100,000 jobs.
pub(super) const MAX_TREE: usize = 32 << 20;

/// Where the API answers: under its own name, and where the REST schedulers that elder replaces had it.
pub(super) const PREFIXES: [&str; 3] = ["/api/v1", "", "/scheduler"];

/// One route.
pub(super) struct Route {
    /// Its path, without the prefix of the API.
    pub(super) path: &'static str,
    /// Its methods; `GET` is also `HEAD`.
    pub(super) methods: &'static [Method],
    /// What it asks.
    pub(super) need: Need,
    /// Whether it is part of the API.
    pub(super) place: Place,
    /// What it does.
    endpoint: Endpoint,
}

/// Where a route stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At its path alone.
    Root,
    /// Under each of [`PREFIXES`].
    Api,
}

#[derive(Clone, Copy)]
enum Endpoint {
    Metrics,
    Health,
    Ready,
    Sync,
    Jobs,
    Job,
    JobRuns,
    RunJob,
    Pause,
    Resume,
    Overrides,
    Explain,
    Runs,
    Run,
    Output,
    Cancel,
    Stats,
    Config,
    Summary,
    Backup,
    Optimize,
    Audit,
    Events,
    Preview,
    Plan,
    Rerun,
    Stop,
}

const fn root(path: &'static str, need: Need, endpoint: Endpoint) -> Route {
    Route {
        path,
        methods: &[Method::GET],
        need,
        place: Place::Root,
        endpoint,
    }
}

const fn get(path: &'static str, endpoint: Endpoint) -> Route {
    Route {
        path,
        methods: &[Method::GET],
        need: Need::Read,
        place: Place::Api,
        endpoint,
    }
}

const fn post(path: &'static str, need: Need, endpoint: Endpoint) -> Route {
    Route {
        path,
        methods: &[Method::POST],
        need,
        place: Place::Api,
        endpoint,
    }
}

/// All of them.
pub(super) const ROUTES: &[Route] = &[
    root("/metrics", Need::Metrics, Endpoint::Metrics),
    root("/healthz", Need::Health, Endpoint::Health),
    root("/-/healthy", Need::Health, Endpoint::Health),
    root("/readyz", Need::Health, Endpoint::Ready),
    root("/-/ready", Need::Health, Endpoint::Ready),
    Route {
        path: "/-/reload",
        methods: &[Method::POST, Method::PUT],
        need: Need::Operate,
        place: Place::Root,
        endpoint: Endpoint::Sync,
    },
    get("/jobs", Endpoint::Jobs),
    get("/jobs/{id}", Endpoint::Job),
    get("/jobs/{id}/runs", Endpoint::JobRuns),
    get("/jobs/{id}/explain", Endpoint::Explain),
    post("/jobs/{id}/run", Need::Operate, Endpoint::RunJob),
    post("/jobs/{id}/pause", Need::Operate, Endpoint::Pause),
    post("/jobs/{id}/resume", Need::Operate, Endpoint::Resume),
    get("/overrides", Endpoint::Overrides),
    get("/runs", Endpoint::Runs),
    get("/runs/{id}", Endpoint::Run),
    get("/runs/{id}/output", Endpoint::Output),
    post("/runs/{id}/cancel", Need::Operate, Endpoint::Cancel),
    post("/runs/{id}/rerun", Need::Operate, Endpoint::Rerun),
    get("/stats", Endpoint::Stats),
    get("/summary", Endpoint::Summary),
    get("/config", Endpoint::Config),
    get("/events", Endpoint::Events),
    Route {
        path: "/audit",
        methods: &[Method::GET],
        need: Need::Operate,
        place: Place::Api,
        endpoint: Endpoint::Audit,
    },
    post("/config/sync", Need::Operate, Endpoint::Sync),
    Route {
        path: "/schedules/preview",
        methods: &[Method::GET, Method::POST],
        need: Need::Read,
        place: Place::Api,
        endpoint: Endpoint::Preview,
    },
    post("/plan", Need::Read, Endpoint::Plan),
    post("/backup", Need::Administer, Endpoint::Backup),
    post("/optimize", Need::Administer, Endpoint::Optimize),
    post("/stop", Need::Administer, Endpoint::Stop),
];

impl Route {
    /// The largest body that is read, in bytes: a whole tree of job files, or a question.
    pub(super) fn max_body(&self) -> usize {
        match self.endpoint {
            Endpoint::Plan => MAX_TREE,
            _ => MAX_BODY,
        }
    }

    /// Whether it waits for a sync.
    pub(super) fn syncs(&self) -> bool {
        matches!(self.endpoint, Endpoint::Sync)
    }

    /// Every path that leads here.
    pub(super) fn paths(&self) -> Vec<String> {
        match self.place {
            Place::Root => vec![self.path.to_owned()],
            Place::Api => PREFIXES
                .map(|prefix| format!("{prefix}{}", self.path))
                .into(),
        }
    }

    fn takes(&self, method: &Method) -> bool {
        let method = match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        };
        self.methods.contains(method)
    }

    /// The value of `Allow`.
    fn allow(&self) -> String {
        let mut words: Vec<_> = self.methods.iter().map(Method::as_str).collect();
        if self.methods.contains(&Method::GET) {
            words.push("HEAD");
        }
        words.join(", ")
    }
}

/// The route of a path as the router matched it.
pub(super) fn find(matched: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| match route.place {
        Place::Root => route.path == matched,
        Place::Api => PREFIXES
            .iter()
            .any(|prefix| matched.strip_prefix(prefix) == Some(route.path)),
    })
}

/// What a request asks of its caller, and the `Allow` of a path that does not take the method.
pub(super) fn need(matched: Option<&str>, method: &Method) -> (Need, Option<String>) {
    // Nothing is told of what is not there to who may not read.
    let otherwise = match method.is_safe() {
        true => Need::Read,
        false => Need::Operate,
    };
    match matched.and_then(find) {
        Some(route) if route.takes(method) => (route.need, None),
        Some(route) if method.is_safe() => (route.need, Some(route.allow())),
        Some(route) => (otherwise, Some(route.allow())),
        None => (otherwise, None),
    }
}

/// The router with the guard around all of it.
pub(super) fn router(shared: Arc<Shared>, body: Duration) -> Router {
    let guard = Guard {
        shared: shared.clone(),
        body,
    };
    let mut router = Router::new();
    for route in ROUTES {
        for path in route.paths() {
            router = router.route(&path, handler(route));
        }
    }
    router
        .fallback(nothing_here)
        // The guard has read the body already, with its own bound.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(guard, guard::guard))
        .with_state(shared)
}

fn handler(route: &Route) -> MethodRouter<Arc<Shared>> {
    let filter = route.methods.iter().filter_map(|method| match *method {
        Method::GET => Some(MethodFilter::GET),
        Method::POST => Some(MethodFilter::POST),
        Method::PUT => Some(MethodFilter::PUT),
        _ => None,
    });
    let Some(filter) = filter.reduce(MethodFilter::or) else {
        return MethodRouter::new();
    };
    match route.endpoint {
        Endpoint::Metrics => on(filter, metrics::metrics),
        Endpoint::Health => on(filter, health::health),
        Endpoint::Ready => on(filter, health::ready),
        Endpoint::Sync => on(filter, api::config::sync),
        Endpoint::Jobs => on(filter, api::jobs::list),
        Endpoint::Job => on(filter, api::jobs::one),
        Endpoint::JobRuns => on(filter, api::runs::of_job),
        Endpoint::RunJob => on(filter, api::jobs::run),
        Endpoint::Pause => on(filter, api::pauses::pause),
        Endpoint::Resume => on(filter, api::pauses::resume),
        Endpoint::Overrides => on(filter, api::pauses::list),
        Endpoint::Explain => on(filter, api::explain::explain),
        Endpoint::Runs => on(filter, api::runs::list),
        Endpoint::Run => on(filter, api::runs::one),
        Endpoint::Output => on(filter, api::output::output),
        Endpoint::Cancel => on(filter, api::runs::cancel),
        Endpoint::Stats => on(filter, api::stats::stats),
        Endpoint::Summary => on(filter, api::stats::summary),
        Endpoint::Config => on(filter, api::config::config),
        Endpoint::Events => on(filter, api::events::events),
        Endpoint::Audit => on(filter, api::audit::list),
        Endpoint::Backup => on(filter, api::store::backup),
        Endpoint::Optimize => on(filter, api::store::optimize),
        Endpoint::Preview => on(filter, api::preview::preview),
        Endpoint::Plan => on(filter, api::plan::plan),
        Endpoint::Rerun => on(filter, api::jobs::rerun),
        Endpoint::Stop => on(filter, api::stop::stop),
    }
}

async fn nothing_here() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-route",
        "there is nothing at this path",
    )
}
