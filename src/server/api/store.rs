//! The store: an online copy, and tidying it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

use super::super::problem::Problem;
use super::super::query::Pairs;
use super::super::shared::{Shared, refused};

/// The longest path that is looked at.
const MAX_PATH: usize = 4096;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupBody {
    #[serde(default)]
    to: Option<String>,
}

/// The copy that was made.
#[derive(Debug, Serialize)]
pub(in super::super) struct BackupJson {
    path: String,
    bytes: u64,
}

/// `POST /backup`: elder itself writes the file, where its caller says or among its own backups.
pub(in super::super) async fn backup(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
    bytes: Bytes,
) -> Result<Json<BackupJson>, Problem> {
    pairs.check(&[])?;
    let body: BackupBody = super::body(&bytes)?;
    let to = match &body.to {
        Some(to) => asked(to)?,
        None => own(&shared.state_dir, shared.clock.now())?,
    };
    // It takes as long as it takes: a copy that is cut short is no copy.
    let copied = shared.store.backup(to.clone()).await;
    if let Err(error) = copied {
        return Err(not_copied(&shared, &error).await);
    }
    let bytes = fs::metadata(&to).map(|about| about.len()).unwrap_or(0);
    Ok(Json(BackupJson {
        path: to.display().to_string(),
        bytes,
    }))
}

/// Most often it is the place of the copy that is not in order, and not the store.
async fn not_copied(shared: &Shared, error: &StoreError) -> Problem {
    if !shared.store_reachable().await {
        return refused(error);
    }
    tracing::error!(error = %error, "a backup could not be made");
    let detail = "the copy cannot be made there; elder's log says why";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "backup-failed", detail)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OptimizeBody {}

/// What became of it.
#[derive(Debug, Serialize)]
pub(in super::super) struct OptimizeJson {
    status: &'static str,
    duration_seconds: f64,
}

/// `POST /optimize`
pub(in super::super) async fn optimize(
    State(shared): State<Arc<Shared>>,
    pairs: Pairs,
    bytes: Bytes,
) -> Result<Json<OptimizeJson>, Problem> {
    pairs.check(&[])?;
    let OptimizeBody {} = super::body(&bytes)?;
    let begun = shared.clock.monotonic();
    let tidied = shared.store.optimize().await;
    tidied.map_err(|error| refused(&error))?;
    let took = shared.clock.monotonic().saturating_sub(begun);
    Ok(Json(OptimizeJson {
        status: "optimized",
        duration_seconds: took.as_secs_f64(),
    }))
}

/// A path that the caller chose: one that cannot be mistaken for another, and where nothing is yet.
fn asked(to: &str) -> Result<PathBuf, Problem> {
    let path = Path::new(to);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let good = path.is_absolute()
        && to.len() <= MAX_PATH
        && !to.contains('\0')
        && !to.ends_with('/')
        && path.components().all(plain);
    if !good {
        let detail = "to is an absolute path of a file, without ..";
        return Err(Problem::bad_request(detail));
    }
    if !path.parent().is_some_and(Path::is_dir) {
        let detail = "the folder of to is not there, as elder sees it";
        return Err(Problem::bad_request(detail));
    }
    absent(path)?;
    Ok(path.to_owned())
}

/// A path among elder's own backups.
fn own(state_dir: &Path, now: Timestamp) -> Result<PathBuf, Problem> {
    let failed = |error: io::Error| {
        tracing::error!(error = %error, "the folder for backups cannot be made");
        let detail = "elder cannot make its folder for backups; see its log";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "backup-folder", detail)
    };
    let state_dir = std::path::absolute(state_dir).map_err(failed)?;
    let folder = state_dir.join("backups");
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true);
    builder.create(&folder).map_err(failed)?;
    let path = folder.join(format!("elder-{}.db", now.strftime("%Y%m%dT%H%M%S%.fZ")));
    absent(&path)?;
    Ok(path)
}

fn absent(path: &Path) -> Result<(), Problem> {
    // A link that leads nowhere is there, too.
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => {
            let detail = "there is something at that path already; a backup overwrites nothing";
            Err(Problem::new(StatusCode::CONFLICT, "exists", detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_goes_to_a_new_file_at_a_plain_path() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        fs::write(folder.path().join("there"), "x").unwrap();
        std::os::unix::fs::symlink("/nowhere", folder.path().join("link")).unwrap();
        for (to, want) in [
            (format!("{root}/new.db"), None),
            (format!("{root}/there"), Some(409)),
            (format!("{root}/link"), Some(409)),
            (root.to_owned(), Some(409)),
            (format!("{root}/"), Some(400)),
            (format!("{root}/x/../new.db"), Some(400)),
            (format!("{root}/none/new.db"), Some(400)),
            (format!("{root}/a\0b"), Some(400)),
            ("new.db".to_owned(), Some(400)),
            ("/".to_owned(), Some(400)),
            (String::new(), Some(400)),
            (format!("{root}/{}", "a".repeat(5000)), Some(400)),
        ] {
            let status = asked(&to).err().map(|problem| problem.status().as_u16());
            assert_eq!(status, want, "{to:.80}");
        }
    }

    #[test]
    fn elders_own_backups_are_named_by_their_instant() {
        let folder = tempfile::tempdir().unwrap();
        let now = "2027-01-01T02:03:04.5Z".parse().unwrap();
        let path = own(folder.path(), now).unwrap();
        assert_eq!(
            path,
            folder.path().join("backups/elder-20270101T020304.5Z.db")
        );
        assert!(path.parent().unwrap().is_dir());
        fs::write(&path, "x").unwrap();
        assert!(own(folder.path(), now).is_err());
    }
}
