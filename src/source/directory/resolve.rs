//! A path followed link by link, with every folder that the way leads through.
//!
//! A plain `canonicalize` says where a path ends. A watch needs the way too: a
//! link that is re-pointed anywhere along it changes what the path means, and no
//! event in the final folder tells of that.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, statat};

use crate::source::Watch;

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// Where a path leads.
pub(super) struct Way {
    /// Each folder that was asked for a name, as far as the path exists.
    pub(super) steps: Vec<Watch>,
    /// The end, free of links, or why there is none.
    pub(super) end: io::Result<PathBuf>,
}

/// Follows `path`; when it is relative, from `base`, which must be absolute and free of links.
pub(super) fn resolve(base: &Path, path: &Path) -> Way {
    let mut walker = Walker {
        at: base.to_owned(),
        rest: VecDeque::new(),
        steps: Vec::new(),
        links: 0,
    };
    walker.push(path);
    let end = walker.walk();
    Way {
        steps: walker.steps,
        end,
    }
}

enum Step {
    Root,
    Up,
    Name(OsString),
}

struct Walker {
    at: PathBuf,
    rest: VecDeque<Step>,
    steps: Vec<Watch>,
    links: usize,
}

impl Walker {
    /// Puts the parts of `path` before what is left to walk.
    fn push(&mut self, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::RootDir | Component::Prefix(_) => self.rest.push_front(Step::Root),
                Component::ParentDir => self.rest.push_front(Step::Up),
                Component::Normal(name) => self.rest.push_front(Step::Name(name.to_owned())),
                Component::CurDir => {}
            }
        }
    }

    fn walk(&mut self) -> io::Result<PathBuf> {
        while let Some(step) = self.rest.pop_front() {
            match step {
                Step::Root => self.at = PathBuf::from("/"),
                Step::Up => {
                    self.at.pop();
                }
                Step::Name(name) => self.enter(name)?,
            }
        }
        Ok(self.at.clone())
    }

    fn enter(&mut self, name: OsString) -> io::Result<()> {
        let folder = statat(CWD, &self.at, AtFlags::SYMLINK_NOFOLLOW)?;
        self.steps.push(Watch {
            folder: self.at.clone(),
            identity: (folder.st_dev, folder.st_ino),
            only: Some(name.clone()),
        });
        self.at.push(&name);
        let stat = statat(CWD, &self.at, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            self.links += 1;
            if self.links > MAX_LINKS {
                return Err(rustix::io::Errno::LOOP.into());
            }
            let target = std::fs::read_link(&self.at)?;
            self.at.pop();
            self.push(&target);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_way_ends_where_canonicalize_ends_and_names_each_folder() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("releases/42/jobs")).unwrap();
        symlink("releases/42", base.join("current")).unwrap();
        symlink(base.join("current/jobs"), base.join("jobs")).unwrap();
        let way = resolve(Path::new("/"), &base.join("jobs"));
        assert_eq!(
            way.end.unwrap(),
            base.join("jobs").canonicalize().unwrap(),
            "the end"
        );
        let names: Vec<_> = way
            .steps
            .iter()
            .filter(|step| step.folder.starts_with(&base))
            .map(|step| {
                let folder = step.folder.strip_prefix(&base).unwrap();
                let name = step.only.as_ref().unwrap();
                folder.join(name).to_string_lossy().into_owned()
            })
            .collect();
        assert_eq!(
            names,
            [
                "jobs",
                "current",
                "releases",
                "releases/42",
                "releases/42/jobs"
            ]
        );
    }

    #[test]
    fn a_circle_of_links_ends_and_a_missing_end_keeps_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        symlink("b", base.join("a")).unwrap();
        symlink("a", base.join("b")).unwrap();
        let way = resolve(&base, Path::new("a"));
        assert_eq!(
            way.end.unwrap_err().raw_os_error(),
            Some(rustix::io::Errno::LOOP.raw_os_error())
        );
        let way = resolve(&base, Path::new("x/y/../z"));
        assert_eq!(way.end.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(way.steps.len(), 1);
        let way = resolve(&base, Path::new("./../."));
        assert_eq!(way.end.unwrap(), base.parent().unwrap());
    }
}
