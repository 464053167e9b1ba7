//! `elder plan`: what a change of job files would change.

use jiff::Timestamp;
use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::decide::merge::Rules;
use crate::engine;
use crate::forecast::plan::{self, Plan, Question, human, markdown};

use super::args::{ClientArgs, PlanAgainst, PlanArgs, PlanFormat};
use super::client::{Client, as_json, problem};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree::Query;
use super::tree::compare::{Against, compare, inputs};

/// Shows what would change.
///
/// # Errors
/// When the files, or what they are compared with, cannot be read.
pub fn plan(
    typed: &PlanArgs,
    environment: Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let zones = environment.zones(typed.tzdata)?;
    let now = typed
        .from
        .unwrap_or_else(|| whole(SystemClock::default().now()));
    let against = typed.against.clone();
    let against = against.unwrap_or_else(|| usual(&environment));
    let query = |environment: Environment| Query {
        paths: &typed.paths,
        root: None,
        allow_empty: true,
        options: environment.into_options(typed.timezone.as_deref(), typed.allow_missing_env),
        zones: &zones,
        now,
    };
    let against = match against {
        PlanAgainst::Folder(folder) => Against::Folder(folder),
        PlanAgainst::Git(revision) => Against::Git(revision),
        PlanAgainst::Server(server) => {
            let client = Client::new(
                &ClientArgs {
                    server,
                    token_file: typed.token_file.clone(),
                },
                &environment,
            )?;
            let client = match typed.format {
                PlanFormat::Json => client.for_programs(),
                PlanFormat::Human | PlanFormat::Markdown => client,
            };
            let plan = by_server(&client, &query(environment), typed.from)?;
            return told(&plan, typed, console);
        }
    };
    let rules = Rules {
        prune_limit: typed.prune_limit,
        ..Rules::default()
    };
    let compared = compare(&query(environment), &against, &rules)?;
    if compared.bad_before > 0 {
        console.say(&format!(
            "warning: {} of the files of {} are bad, and count as if they were not there",
            compared.bad_before, compared.against
        ));
    }
    let plan = plan::plan(&Question {
        before: &compared.before,
        after: &compared.after,
        findings: &compared.findings,
        against: compared.against,
        now,
        settings: engine::Settings {
            max_workers: typed.max_workers.get(),
            max_requests: typed.max_requests.get(),
        },
        zones: &zones,
    });
    told(&plan, typed, console)
}

fn told(plan: &Plan, typed: &PlanArgs, console: &mut Console) -> Result<Exit, Failure> {
    console.answer(&match typed.format {
        PlanFormat::Human => human::render(plan),
        PlanFormat::Markdown => markdown::render(plan),
        PlanFormat::Json => as_json(&json!(plan)),
    })?;
    Ok(if !plan.errors.is_empty() {
        Exit::DoesNotHold
    } else if typed.exit_code && plan.has_changes() {
        Exit::Changes
    } else {
        Exit::Fine
    })
}

/// The files go to that elder, which knows what it runs.
fn by_server(client: &Client, query: &Query<'_>, from: Option<Timestamp>) -> Result<Plan, Failure> {
    let mut paths = Vec::new();
    for inputs in inputs(query, || roots(client))? {
        let mut files = Vec::new();
        for input in inputs {
            let unreadable = |why: &str| {
                Failure::no_answer(format!("{}: {why}", input.shown))
                    .help("elder validate says more")
            };
            let bytes = input.content.as_ref().map_err(|why| unreadable(why))?;
            let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is no UTF-8"))?;
            files.push(json!({ "path": &*input.path, "text": text }));
        }
        paths.push(json!({ "files": files }));
    }
    let answer = client.post(&["plan"], &json!({ "paths": paths, "from": from }))?;
    if !answer.status.is_success() {
        let said = problem(&answer.body).unwrap_or_else(|| answer.status.to_string());
        return Err(Failure::no_answer(said));
    }
    serde_json::from_value(answer.body).map_err(|error| {
        Failure::no_answer(format!("the answer is no plan: {error}"))
            .help("is that elder of another version?")
    })
}

/// How many PATHs that elder has.
fn roots(client: &Client) -> Result<usize, Failure> {
    let answer = client.get(&["config"], &[])?;
    if !answer.status.is_success() {
        let said = problem(&answer.body).unwrap_or_else(|| answer.status.to_string());
        return Err(Failure::no_answer(said));
    }
    Ok(answer.body["sources"].as_array().map_or(0, Vec::len))
}

/// What a merge request would be merged into, where CI names it; else the last commit.
fn usual(environment: &Environment) -> PlanAgainst {
    let named = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    PlanAgainst::Git(match named("GITHUB_BASE_REF") {
        Some(branch) => format!("origin/{branch}"),
        None => named("CI_MERGE_REQUEST_DIFF_BASE_SHA")
            .unwrap_or("HEAD")
            .to_owned(),
    })
}

fn whole(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
