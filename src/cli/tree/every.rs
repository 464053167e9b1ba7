//! The files themselves, whatever they define: job files, defaults and tests.

use std::path::Path;

use crate::daemon::options::Paths;
use crate::source::FileKind;
use crate::spec::InputFile;
use crate::spec::calendars::is_ics;

use super::super::exit::Failure;
use super::super::settings::distinct_paths;
use super::targets::{look_for, no_job_file, stdin, trees_of};

/// Every YAML file that a PATH names or holds, unchecked, in order; `-` is standard input.
///
/// # Errors
/// When a PATH cannot be read or holds no such file.
pub fn every(paths: &[String], root: Option<&str>) -> Result<Vec<InputFile>, Failure> {
    let paths = match paths {
        [] if !Path::new(Paths::DEFAULT).exists() => {
            let message = format!("there is no folder {} here", Paths::DEFAULT);
            return Err(Failure::no_answer(message).help("name a folder of job files"));
        }
        [] => vec![Paths::DEFAULT.to_owned()],
        paths => distinct_paths(paths.to_vec())?,
    };
    let (files, folders): (Vec<String>, Vec<String>) = paths
        .into_iter()
        .partition(|path| path != "-" && Path::new(path).is_file());
    if files.is_empty() && root.is_some() {
        return Err(Failure::no_answer(
            "--root is for a PATH that is a single file",
        ));
    }
    let mut every = Vec::new();
    for folder in folders {
        if folder == "-" {
            every.push(stdin()?);
            continue;
        }
        let found = of_folder(&folder)?;
        if found.is_empty() {
            let message = format!("there is no job file in {folder}");
            return Err(Failure::no_answer(message).help("a job file's name ends in .yaml or .yml"));
        }
        every.extend(found);
    }
    for tree in trees_of(files, root)? {
        let found = of_folder(&tree.shown_tree())?;
        for file in &tree.files {
            let own = found.iter().find(|input| tree.names(file, input));
            let mut own = own.cloned().ok_or_else(|| no_job_file(&file.typed))?;
            own.shown = file.typed.as_str().into();
            every.push(own);
        }
    }
    Ok(every)
}

/// The files of a folder by their names.
fn of_folder(folder: &str) -> Result<Vec<InputFile>, Failure> {
    let mut found = Vec::new();
    for kind in [FileKind::Jobs, FileKind::Tests] {
        let root = look_for(folder, kind)?;
        let files = root.files.iter().filter(|file| !is_ics(&file.path));
        found.extend(files.map(|file| root.input(file)));
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}
