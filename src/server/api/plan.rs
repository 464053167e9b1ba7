//! What other job files would change of what is in force.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::forecast::plan::{Plan, of_files};
use crate::forecast::trial::Files;
use crate::spec::InputFile;
use crate::sync::{SourceView, SyncStatus};

use super::super::guard::Large;
use super::super::problem::Problem;
use super::super::query::Pairs;
use super::super::shared::Shared;

/// The longest path of a file.
const MAX_PATH: usize = 4096;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanBody {
    /// In the order of this elder's own PATHs.
    #[serde(default)]
    paths: Vec<PathBody>,
    /// From when on fires are counted; now when absent.
    #[serde(default)]
    from: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PathBody {
    files: Vec<FileBody>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBody {
    /// Below the PATH, with `/`.
    path: String,
    text: String,
}

/// `POST /plan`: files in, what a sync of them would change out. Nothing is changed or kept.
///
/// The place among those who may hold a large body goes along to the thread that works on it: a
/// caller who hangs up does not end that work, and must not get another place meanwhile.
pub(in super::super) async fn plan(
    State(shared): State<Arc<Shared>>,
    Extension(place): Extension<Large>,
    pairs: Pairs,
    bytes: Bytes,
) -> Result<Json<Plan>, Problem> {
    pairs.check(&[])?;
    let planned = tokio::task::spawn_blocking(move || {
        let planned = planned(&shared, bytes);
        drop(place);
        planned
    });
    planned.await.map_err(|_| Problem::internal())?.map(Json)
}

fn planned(shared: &Shared, bytes: Bytes) -> Result<Plan, Problem> {
    let body: PlanBody = super::body(&bytes)?;
    drop(bytes);
    let status = shared.sync.status();
    let inputs = inputs(body.paths, &status)?;
    // Its caller may read jobs, and not elder's environment.
    let terms = (shared.terms)().lending(&status.variables, &status.in_force);
    let now = body.from.unwrap_or_else(|| {
        let now = shared.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    });
    let roots: Vec<Arc<str>> = status.sources.iter().map(|one| one.path.clone()).collect();
    let files = Files {
        roots: &roots,
        inputs: &inputs,
    };
    let against = match &status.revision {
        Some(revision) => format!("what runs (revision {revision})"),
        None => "what runs".to_owned(),
    };
    Ok(of_files(&files, &status.in_force, &terms, against, now))
}

/// The files as if they lay in this elder's own PATHs.
fn inputs(paths: Vec<PathBody>, status: &SyncStatus) -> Result<Vec<InputFile>, Problem> {
    if paths.len() != status.sources.len() {
        let own: Vec<&str> = status.sources.iter().map(|one| &*one.path).collect();
        return Err(Problem::bad_request(format!(
            "this elder runs {} PATH(s): {}; send as many, in that order",
            own.len(),
            own.join(", ")
        )));
    }
    let mut inputs = Vec::new();
    for (path, source) in paths.into_iter().zip(&status.sources) {
        // Ascending by path, each once.
        let mut files = BTreeMap::new();
        for file in path.files {
            check(&file.path)?;
            let name = file.path.clone();
            if files.insert(file.path, file.text).is_some() {
                return Err(Problem::bad_request(format!("{name} is there twice")));
            }
        }
        for (name, text) in files {
            inputs.push(input(source, &name, text));
        }
    }
    Ok(inputs)
}

fn input(source: &SourceView, name: &str, text: String) -> InputFile {
    let bytes = text.into_bytes();
    InputFile {
        root: source.path.clone(),
        root_folder: source.folder.clone(),
        path: Arc::from(name),
        shown: Arc::from(Path::new(&*source.path).join(name).to_string_lossy()),
        hash: Sha256::digest(&bytes).into(),
        content: Ok(Arc::from(bytes)),
        within: None,
    }
}

/// A path that stays below its PATH and names a job file or a calendar.
fn check(path: &str) -> Result<(), Problem> {
    let plain = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let known = [".yaml", ".yml", ".ics"];
    if !plain || path.is_empty() || path.len() > MAX_PATH || path.contains('\0') {
        return Err(Problem::bad_request(
            "a file's path is relative and stays below its PATH",
        ));
    }
    if !known.iter().any(|end| path.ends_with(end)) {
        return Err(Problem::bad_request(
            "a file's name ends in .yaml, .yml or .ics",
        ));
    }
    Ok(())
}
