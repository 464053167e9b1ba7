//! Finds the program before it is started, by the `PATH` that the child will have.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::account;
use crate::model::{Command, Context, Process};

/// Where programs are looked for when the child gets no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The file that `program` names: itself when it has a slash (relative to
/// `folder`), else the first executable one on `path`.
pub(super) fn find(
    program: &str,
    path: Option<&OsStr>,
    folder: Option<&Path>,
) -> Result<PathBuf, Failure> {
    if program.is_empty() {
        return Err(Failure::setup("the name of the program is empty"));
    }
    if program.contains('/') {
        return Ok(below(folder, Path::new(program)));
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut forbidden = None;
    for entry in path.as_bytes().split(|byte| *byte == b':') {
        // An empty entry is the working folder, by an old custom.
        let candidate = below(folder, Path::new(OsStr::from_bytes(entry))).join(program);
        match std::fs::metadata(&candidate) {
            Ok(found) if !found.is_file() => {}
            Ok(found) if found.permissions().mode() & 0o111 == 0 => forbidden = Some(candidate),
            Ok(_) => return Ok(candidate),
            Err(_) => {}
        }
    }
    Err(match forbidden {
        Some(file) => Failure::setup(format!(
            "EACCES: {} is not executable: chmod +x it",
            file.display()
        )),
        None => Failure::setup(format!(
            "ENOENT: {program} was not found in PATH {}: install it, write its full path, or set PATH in env",
            path.display()
        )),
    })
}

/// Why the program of a job cannot be started, as far as that can be told before a run: its
/// environment files and the `${…}` of its words are not read.
#[must_use]
pub fn missing(
    process: &Process,
    context: &Context,
    environment: &HashMap<String, String>,
) -> Option<String> {
    if let Some(folder) = &context.cwd
        && !folder.is_dir()
    {
        return Some(format!(
            "the working folder {} is not there: mend cwd or make the folder",
            folder.display()
        ));
    }
    if let Some(account) = &context.user
        && let Err(failure) = account::find(account)
    {
        return Some(failure.message);
    }
    let program = match &process.command {
        Command::Shell { shell, .. } => shell.first()?.to_string(),
        Command::Exec(words) => words.first()?.fixed()?,
    };
    let own = context.env.iter().rev().find(|(name, _)| **name == *"PATH");
    let path = match own {
        Some((_, text)) => Some(text.fixed()?),
        // A file may set it, and is read at each attempt only.
        None if !context.env_files.is_empty() => return None,
        None => environment.get("PATH").cloned(),
    };
    let folder = context.cwd.as_deref();
    match find(&program, path.as_deref().map(OsStr::new), folder) {
        Err(failure) => Some(failure.message),
        Ok(file) => match std::fs::metadata(&file) {
            Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => None,
            Ok(_) => Some(format!("{} is not executable: chmod +x it", file.display())),
            Err(error) => Some(format!("{} cannot be started: {error}", file.display())),
        },
    }
}

fn below(folder: Option<&Path>, path: &Path) -> PathBuf {
    match folder {
        Some(folder) => folder.join(path),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_as_a_shell_would_find_it() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            file
        };
        let second = make("b/tool", 0o755);
        make("a/tool", 0o644);
        make("tool/inner", 0o755);
        let here = make("here", 0o755);
        make("plain", 0o644);
        let path = |text: &str| text.replace('@', folder.path().to_str().unwrap());
        for (program, search, want) in [
            ("tool", "@/missing:@/a:@/b", Ok(second.clone())),
            ("tool", "@:b", Ok(second.clone())),
            ("here", "@/a:", Ok(here.clone())),
            ("./here", "", Ok(folder.path().join("./here"))),
            ("/bin/sh", "", Ok("/bin/sh".into())),
            ("tool", "@/a", Err("EACCES")),
            ("plain", "@", Err("chmod +x")),
            ("nothing", "@/a:@/b", Err("nothing was not found in PATH")),
            ("", "@", Err("empty")),
        ] {
            let search = path(search);
            let found = find(program, Some(OsStr::new(&search)), Some(folder.path()));
            match want {
                Ok(file) => assert_eq!(found.ok(), Some(file), "{program} on {search}"),
                Err(part) => {
                    let message = found.unwrap_err().message;
                    assert!(message.contains(part), "{program} on {search}: {message}");
                }
            }
        }
        assert!(find("sh", None, None).unwrap().is_absolute());
    }
}
