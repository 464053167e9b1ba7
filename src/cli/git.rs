//! A folder as it was at a revision of its git repository.

use std::path::Path;
use std::process::Command;

use super::exit::Failure;

/// Where [`check_out`] puts the files, below the folder that it is given.
pub const TREE: &str = "tree";

/// Writes the files of `folder` as `revision` has them into `scratch`, without touching the work
/// tree, the index or any branch, and says which commit that is. A folder that the revision does
/// not have is empty.
///
/// # Errors
/// When there is no git, no repository or no such revision.
pub fn check_out(folder: &Path, revision: &str, scratch: &Path) -> Result<String, Failure> {
    let tree = scratch.join(TREE);
    std::fs::create_dir_all(&tree)
        .map_err(|error| Failure::no_answer(format!("cannot make a folder: {error}")))?;
    let index = scratch.join("index");
    let top = git(folder, &["rev-parse", "--show-toplevel"], None).map_err(|said| {
        Failure::no_answer(format!(
            "{} is in no git repository: {said}",
            folder.display()
        ))
        .help("name a folder to compare with: --against FOLDER")
    })?;
    let prefix = git(folder, &["rev-parse", "--show-prefix"], None).map_err(Failure::no_answer)?;
    let wanted = format!("{revision}^{{commit}}");
    let commit = git(
        folder,
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ],
        None,
    )
    .map_err(|_| {
        Failure::no_answer(format!("git knows no revision {revision} here"))
            .help(fetch_it(revision))
    })?;
    let at = format!("{commit}:{}", prefix.trim_end_matches('/'));
    let top = Path::new(&top);
    if git(top, &["cat-file", "-e", &at], None).is_ok() {
        let prefix = format!("--prefix={}/", tree.display());
        let steps: [&[&str]; 2] = [
            &["read-tree", &at],
            &["checkout-index", "--all", "--quiet", &prefix],
        ];
        for step in steps {
            git(top, step, Some(&index)).map_err(|said| {
                Failure::no_answer(format!("git cannot read {revision}: {said}"))
            })?;
        }
    }
    Ok(commit.chars().take(12).collect())
}

/// How to get it. A clone of one branch (what a pipeline makes) keeps no `origin/…` of another one,
/// unless the fetch says where.
fn fetch_it(revision: &str) -> String {
    let fetch = |branch: &str| format!("`git fetch origin {branch}:refs/remotes/origin/{branch}`");
    match revision.strip_prefix("origin/") {
        Some(branch) => format!("fetch it first: {}", fetch(branch)),
        None => format!(
            "fetch it first, such as {} for git:origin/main; a clone of one branch or one commit lacks the rest",
            fetch("main")
        ),
    }
}

/// What git answers, or says is wrong.
fn git(folder: &Path, words: &[&str], index: Option<&Path>) -> Result<String, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(words);
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    let output = command
        .output()
        .map_err(|error| format!("cannot start git: {error}"))?;
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return Ok(text.trim_end_matches(['\n', '\r']).to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().unwrap_or("it failed").to_owned())
}
