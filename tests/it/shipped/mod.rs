//! What is shipped is input of tests: job folders run, snippets validate, lists are complete.

mod documents;
mod examples;
mod japanese;
mod layout;
mod needs;
mod pipelines;
mod reference;
mod sages;
mod tasks;

use std::path::{Path, PathBuf};

use crate::support::{Daemon, Finished, Folder, elder};

/// A file or folder of the repository.
fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    let file = shipped(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A temporary folder whose `jobs.d` is a copy of that folder.
pub fn copied(path: &str) -> Folder {
    let folder = Folder::new();
    copy(&shipped(path), &folder.join("jobs.d"));
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs a client command against this elder.
pub fn ask(daemon: &Daemon, folder: &Folder, line: &str) -> Finished {
    elder(line)
        .env("ELDER_SERVER", &format!("http://{}", daemon.address()))
        .env(
            "XDG_RUNTIME_DIR",
            &folder.join("runtime").display().to_string(),
        )
        .run()
}

/// The newest run of a job that had an attempt, with its output.
pub fn last_run(daemon: &Daemon, job: &str) -> serde_json::Value {
    let job = daemon.get(&format!("/api/v1/jobs/{job}")).json();
    let id = job["last_run"]["run_id"].as_str().unwrap().to_owned();
    daemon.get(&format!("/api/v1/runs/{id}")).json()
}
