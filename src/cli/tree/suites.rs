//! A tree together with its `*.test.yaml` files.

use std::path::{Path, PathBuf};

use crate::daemon::options::Paths;
use crate::finding::Finding;
use crate::model::Job;
use crate::source::{FileKind, is_test_file};
use crate::spec::InputFile;

use super::super::exit::Failure;
use super::super::settings::distinct_paths;
use super::targets::{absolute, folders_of, look_for, manifest_at, targets};
use super::{Query, Tree, check, checked};

/// Job files and tests, as they were found.
pub struct WithTests {
    /// The whole tree; of findings, those that were asked about.
    pub tree: Tree,
    /// The files of tests that were asked about, unread.
    pub tests: Vec<InputFile>,
    /// The job files that were asked about, absolute; `None` for all.
    only: Option<Vec<PathBuf>>,
}

impl WithTests {
    /// Whether all jobs of the tree were asked about.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.only.is_none()
    }

    /// Whether the job was asked about.
    #[must_use]
    pub fn concerns(&self, job: &Job) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.contains(&absolute(Path::new(&*job.origin.file))))
    }
}

/// Looks at everything; the jobs are checked, the tests are not.
///
/// # Errors
/// When a PATH cannot be read, or PATHs of several kinds are named at once.
pub fn with_tests(query: &Query<'_>) -> Result<WithTests, Failure> {
    let paths = match query.paths {
        [] => vec![Paths::DEFAULT.to_owned()],
        paths => distinct_paths(paths.to_vec())?,
    };
    let is_file = |path: &str| Path::new(path).is_file();
    let is_manifest = |path: &String| {
        path == "-" || is_file(path) && manifest_at(&absolute(Path::new(path)), path).is_some()
    };
    if !paths.is_empty() && paths.iter().all(is_manifest) {
        return in_manifests(query);
    }
    if paths.iter().any(|path| path == "-") {
        return Err(Failure::no_answer("standard input and files at once"));
    }
    let (files, folders): (Vec<String>, Vec<String>) = paths
        .into_iter()
        .partition(|path| Path::new(path).is_file());
    if files.is_empty() {
        return looked(&folders, query, None, None);
    }
    let (tests, jobs): (Vec<String>, Vec<String>) = files.into_iter().partition(|path| {
        let name = Path::new(path).file_name();
        name.is_some_and(|name| is_test_file(&name.to_string_lossy()))
    });
    if !folders.is_empty() || !(tests.is_empty() || jobs.is_empty()) {
        return Err(
            Failure::no_answer("PATHs of several kinds are named at once")
                .help("name folders, or job files, or *.test.yaml files"),
        );
    }
    let only = |paths: &[String]| {
        let paths = paths.iter().map(|path| absolute(Path::new(path)));
        Some(paths.collect::<Vec<_>>()).filter(|paths| !paths.is_empty())
    };
    let (only_tests, only_jobs) = (only(&tests), only(&jobs));
    let files = if tests.is_empty() { jobs } else { tests };
    let folders = folders_of(files, query.root)?;
    looked(&folders, query, only_tests, only_jobs)
}

/// ConfigMaps hold their tests beside their job files.
fn in_manifests(query: &Query<'_>) -> Result<WithTests, Failure> {
    let (mut looked, findings) = super::looked(targets(query)?, query)?;
    if looked.iter().any(|one| one.namespace.is_none()) {
        return Err(
            Failure::no_answer("standard input is no Kubernetes manifest")
                .help("elder test reads files, or manifests with tests in their ConfigMaps"),
        );
    }
    let tests = looked.iter_mut().map(|one| std::mem::take(&mut one.tests));
    let tests = tests.flatten().collect();
    Ok(WithTests {
        tree: checked(&looked, findings, query, None),
        tests,
        only: None,
    })
}

fn looked(
    folders: &[String],
    query: &Query<'_>,
    only_tests: Option<Vec<PathBuf>>,
    only_jobs: Option<Vec<PathBuf>>,
) -> Result<WithTests, Failure> {
    let mut tests = Vec::new();
    for folder in folders {
        let root = look_for(folder, FileKind::Tests)?;
        for file in &root.files {
            let found = absolute(&root.folder.join(&*file.path));
            if only_tests.as_ref().is_none_or(|only| only.contains(&found)) {
                tests.push(root.input(file));
            }
        }
    }
    let mut tree = check(&Query {
        paths: folders,
        root: None,
        allow_empty: true,
        options: query.options.clone(),
        zones: query.zones,
        now: query.now,
    })?;
    if only_tests.is_some() {
        tree.findings.clear();
    }
    if let Some(only) = &only_jobs {
        let is_asked =
            |finding: &Finding| only.contains(&absolute(Path::new(&*finding.at.place.file)));
        tree.findings.retain(is_asked);
    }
    Ok(WithTests {
        tree,
        tests,
        only: only_jobs,
    })
}
