//! Which revision the files are, and who made it: from a git-sync link, else from a git checkout.
//!
//! git-sync puts each commit into a folder of its own that is named after it; of a checkout HEAD
//! is read, and git is asked whether something below the PATH differs from it. It is also asked who
//! made a commit, once for each. Nobody needs git for the rest.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::git::Git;
use super::{Root, Watch};
use crate::model::{commit_of, is_commit};

/// The longest file of git's that is read: `packed-refs` of a large repository.
const MOST: u64 = 16 << 20;

/// What is added where files differ from the commit.
const DIRTY: &str = "-dirty";

/// Of so many files it is asked who changed them, after each look.
const MOST_FILES: usize = 20;

/// A git that hung is asked no more for so many looks at what is still the same: each would wait for it.
const RESTS: u8 = 10;

/// The revisions of PATHs, remembered from look to look.
#[derive(Debug, Default)]
pub struct Revisions {
    known: Vec<Known>,
    /// Who changed files after which revision, as far as somebody asked since the last look.
    authors: HashMap<Question, Option<Arc<str>>>,
    /// For the questions since the last look.
    git: Git,
}

/// A file, and the commit after which somebody changed it.
type Question = (Arc<str>, Option<Box<str>>);

/// What was last seen of a PATH.
#[derive(Clone, Debug)]
struct Known {
    path: Arc<str>,
    folder: Arc<Path>,
    commit: String,
    /// Who made it; `None` until somebody asks.
    author: Option<Option<Arc<str>>>,
    /// Whether files could differ from it: not where the folder is named after it.
    is_checkout: bool,
    /// Whether they do; `None` until git has said so.
    is_dirty: Option<bool>,
    /// For so many looks yet, git is left alone unless something changes.
    rests: u8,
    /// Whether the PATH is gone or unreadable: what was known of it stays.
    is_lost: bool,
}

/// The commit of a PATH.
struct Head {
    commit: String,
    /// Where a checkout says which commit it is: the files that are replaced when it moves.
    files: Vec<PathBuf>,
}

impl Revisions {
    /// Looks where each PATH's HEAD is, and adds to what is to be watched for it. Costs a few
    /// small reads.
    pub fn look(&mut self, roots: &mut [Root]) {
        let before = std::mem::take(&mut self.known);
        self.authors.clear();
        self.git = Git::default();
        for root in roots {
            let kept = before.iter().find(|known| known.path == root.path);
            if let Some(kept) = kept.filter(|_| root.lost.is_some()) {
                self.known.push(Known {
                    is_lost: true,
                    ..kept.clone()
                });
                continue;
            }
            let Some(head) = head(&root.folder) else {
                continue;
            };
            let was = before.iter().find(|known| known.folder == root.folder);
            let same = was.filter(|known| known.commit == head.commit);
            self.known.push(Known {
                author: same.and_then(|known| known.author.clone()),
                path: root.path.clone(),
                folder: root.folder.clone(),
                is_checkout: !head.files.is_empty(),
                is_dirty: same.and_then(|known| known.is_dirty),
                commit: head.commit,
                rests: same.map_or(0, |known| known.rests),
                is_lost: false,
            });
            root.watch
                .extend(head.files.iter().filter_map(|file| watch(file)));
        }
    }

    /// The revision of all PATHs, `None` where there is none; those of several repositories stand
    /// beside each other with a comma. git is asked only where HEAD moved or a file `changed`.
    pub fn revision(&mut self, changed: bool) -> Option<Arc<str>> {
        let mut texts: Vec<String> = Vec::new();
        for known in &mut self.known {
            known.is_dirty = match known.is_dirty {
                _ if !known.is_checkout => Some(false),
                was if known.is_lost => was,
                Some(was) if !changed => Some(was),
                None if known.rests > 0 && !changed => {
                    known.rests -= 1;
                    None
                }
                // Where git is silent, what differed does so still, and what did not may by now.
                was => {
                    let differs = self.git.differs(&known.folder);
                    known.rests = if self.git.is_silent() { RESTS } else { 0 };
                    differs.or(was.filter(|was| *was))
                }
            };
            let is_dirty = known.is_dirty == Some(true);
            let suffix = if is_dirty { DIRTY } else { "" };
            let text = format!("{}{suffix}", known.commit);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        (!texts.is_empty()).then(|| Arc::from(texts.join(",")))
    }

    /// Whether it is known of all PATHs that they are as the commit has them.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let mut known = self.known.iter();
        known.all(|known| known.is_dirty == Some(false))
    }

    /// Who made the revision, if git knows it; those of several repositories stand beside each other
    /// with a comma. What differs from its commit is nobody's yet.
    pub fn author(&mut self) -> Option<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for known in &mut self.known {
            if known.is_dirty != Some(false) {
                continue;
            }
            let (folder, commit) = (&known.folder, &known.commit);
            let git = &mut self.git;
            let ask = || git.author(folder, commit);
            let name = known.author.get_or_insert_with(ask);
            names.extend(name.clone().filter(|name| !names.contains(name)));
        }
        (!names.is_empty()).then(|| Arc::from(names.join(", ")))
    }

    /// Who last changed a file, given as people name it, in the commit of the last look; who made
    /// that commit where git cannot tell or too many were asked about.
    pub fn author_of(&mut self, file: &Arc<str>) -> Option<Arc<str>> {
        self.author_since(file, None)
    }

    /// As [`Self::author_of`], but who made that commit where the file is as it was in the revision
    /// `since`.
    pub fn author_since(&mut self, file: &Arc<str>, since: Option<&str>) -> Option<Arc<str>> {
        let known = self.known.iter().find_map(|known| {
            let below = file.strip_prefix(&*known.path)?;
            Some((known, below.strip_prefix('/')?))
        });
        let Some((known, below)) = known else {
            return self.author();
        };
        if known.is_dirty != Some(false) {
            return None;
        }
        let since = since.map(|since| since.trim_end_matches(DIRTY));
        let question = (file.clone(), since.map(Box::from));
        let found = match self.authors.get(&question) {
            Some(found) => found.clone(),
            None if self.authors.len() >= MOST_FILES => None,
            None => {
                let commits = (&*known.commit, since);
                let found = self.git.author_of(&known.folder, commits, below);
                self.authors.insert(question, found.clone());
                found
            }
        };
        found.or_else(|| self.author())
    }
}

fn watch(file: &Path) -> Option<Watch> {
    let folder = fs::canonicalize(file.parent()?).ok()?;
    let about = fs::metadata(&folder).ok()?;
    Some(Watch {
        identity: (about.dev(), about.ino()),
        only: Some(file.file_name()?.to_owned()),
        folder,
    })
}

fn head(folder: &Path) -> Option<Head> {
    if let Some(commit) = of_git_sync(folder) {
        return Some(Head {
            commit,
            files: Vec::new(),
        });
    }
    let git = folder.ancestors().map(|above| above.join(".git"));
    of_head(&git_folder(&git.into_iter().find(|git| git.exists())?)?)
}

/// A part of the resolved path that is a commit: `<commit>` or `rev-<commit>`.
fn of_git_sync(folder: &Path) -> Option<String> {
    folder.components().find_map(|part| match part {
        Component::Normal(name) => commit_of(name.to_str()?).map(str::to_owned),
        _ => None,
    })
}

/// Where the repository is: `.git` itself, or what that file names in a further work tree.
fn git_folder(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    let text = read(git)?;
    let named = Path::new(text.strip_prefix("gitdir: ")?.trim_end());
    Some(git.parent()?.join(named))
}

fn of_head(git: &Path) -> Option<Head> {
    let file = git.join("HEAD");
    let head = read(&file)?;
    let head = head.trim_end();
    let Some(name) = head.strip_prefix("ref: ") else {
        return is_commit(head).then(|| Head {
            commit: head.to_owned(),
            files: vec![file],
        });
    };
    // Branches of a further work tree are those of the first.
    let common = match read(&git.join("commondir")) {
        Some(text) => git.join(text.trim_end()),
        None => git.to_owned(),
    };
    let plain = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain {
        return None;
    }
    let (loose, packed) = (common.join(name), common.join("packed-refs"));
    let commit = read(&loose).map(|text| text.trim_end().to_owned());
    let commit = commit.filter(|text| is_commit(text)).or_else(|| {
        let packed = read(&packed)?;
        let mut lines = packed.lines();
        lines.find_map(|line| {
            let (commit, of) = line.split_once(' ')?;
            (of == name && is_commit(commit)).then(|| commit.to_owned())
        })
    })?;
    Some(Head {
        commit,
        files: vec![file, loose, packed],
    })
}

fn read(file: &Path) -> Option<String> {
    let about = fs::metadata(file).ok()?;
    if !about.is_file() || about.len() > MOST {
        return None;
    }
    fs::read_to_string(file).ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const A: &str = "3f2a91c0de3f2a91c0de3f2a91c0de3f2a91c0de";
    const B: &str = "0123456789abcdef0123456789abcdef01234567";

    fn root(folder: &Path) -> Root {
        Root {
            path: Arc::from("jobs.d"),
            folder: Arc::from(folder),
            lost: None,
            is_missing: false,
            files: Vec::new(),
            watch: Vec::new(),
        }
    }

    fn look(folder: &Path) -> Option<String> {
        let mut revisions = Revisions::default();
        revisions.look(&mut [root(folder)]);
        let found = revisions.revision(true);
        found.map(|text| text.to_string())
    }

    fn git(folder: &Path, line: &str) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
            .args(line.split_whitespace())
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A repository with `ops/jobs.d/a.yaml`, committed.
    fn repository(folder: &Path) -> PathBuf {
        let jobs = folder.join("ops/jobs.d");
        fs::create_dir_all(&jobs).unwrap();
        fs::write(jobs.join("a.yaml"), "jobs: {}\n").unwrap();
        git(folder, "init -q -b main .");
        git(folder, "add .");
        git(folder, "commit -q -m one");
        jobs
    }

    #[test]
    fn a_folder_of_git_sync_is_named_after_its_commit() {
        for (path, want) in [
            (format!("/git/.worktrees/{A}/jobs.d"), Some(A)),
            (format!("/tmp/git/rev-{A}/jobs.d"), Some(A)),
            ("/srv/deadbeef/jobs.d".to_owned(), None),
        ] {
            assert_eq!(of_git_sync(Path::new(&path)).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn head_is_read_loose_packed_detached_and_of_a_further_work_tree() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        fs::create_dir(&top).unwrap();
        let jobs = repository(&top);
        let one = git(&top, "rev-parse HEAD");
        assert_eq!(look(&jobs), Some(one.clone()));
        git(&top, "pack-refs --all");
        assert!(!top.join(".git/refs/heads/main").exists());
        assert_eq!(look(&jobs), Some(one.clone()));
        fs::write(top.join("other"), "x").unwrap();
        git(&top, "add .");
        git(&top, "commit -q -m two");
        let two = git(&top, "rev-parse HEAD");
        assert_eq!(look(&jobs), Some(two.clone()));
        git(
            &top,
            &format!("worktree add -q ../further -b further {one}"),
        );
        assert_eq!(
            look(&folder.path().join("further/ops/jobs.d")),
            Some(one.clone())
        );
        git(&top, &format!("checkout -q --detach {one}"));
        assert_eq!(look(&jobs), Some(one));
        assert_eq!(look(Path::new("/proc")), None);
    }

    #[test]
    fn what_differs_from_the_commit_is_dirty_until_it_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = repository(folder.path());
        let mut revisions = Revisions::default();
        let mut look = |changed| {
            revisions.look(&mut [root(&jobs)]);
            revisions.revision(changed).unwrap().to_string()
        };
        let one = git(folder.path(), "rev-parse HEAD");
        assert_eq!(look(true), one);
        fs::write(folder.path().join("README"), "elsewhere").unwrap();
        assert_eq!(look(true), one, "what is beside the PATH is not of it");
        for edit in ["b.yaml", "a.yaml"] {
            fs::write(jobs.join(edit), "jobs: { }\n").unwrap();
            assert_eq!(look(true), format!("{one}-dirty"), "{edit}");
            git(folder.path(), "add .");
            assert_eq!(look(false), format!("{one}-dirty"), "{edit}");
            git(folder.path(), "stash -q");
            assert_eq!(look(true), one);
            git(folder.path(), "stash pop -q");
        }
        git(folder.path(), "add .");
        git(folder.path(), "commit -q -m two");
        let two = git(folder.path(), "rev-parse HEAD");
        assert_eq!(look(false), two, "a commit moves HEAD and no file");
    }

    #[test]
    fn what_git_does_not_say_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = repository(folder.path());
        let index = folder.path().join(".git/index");
        let good = fs::read(&index).unwrap();
        let one = git(folder.path(), "rev-parse HEAD");
        let mut revisions = Revisions::default();
        let mut look = |changed, lost: Option<&str>| {
            let mut root = root(&jobs);
            root.lost = lost.map(str::to_owned);
            revisions.look(&mut [root]);
            let text = revisions.revision(changed).unwrap().to_string();
            let author = revisions.author_of(&Arc::from("jobs.d/a.yaml"));
            (text, revisions.is_clean(), author.is_some())
        };
        assert_eq!(look(true, None), (one.clone(), true, true));
        fs::write(&index, "no index").unwrap();
        assert_eq!(look(false, None), (one.clone(), true, true));
        assert_eq!(look(true, None), (one.clone(), false, false), "it may be");
        fs::write(&index, good).unwrap();
        fs::write(jobs.join("a.yaml"), "jobs: { }\n").unwrap();
        let dirty = (format!("{one}-dirty"), false, false);
        assert_eq!(look(false, None), dirty, "asked again");
        fs::write(&index, "no index").unwrap();
        assert_eq!(look(true, None), dirty);
        assert_eq!(look(true, Some("gone")), dirty);
    }

    #[test]
    fn a_git_that_hangs_is_not_waited_for_at_each_look() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let jobs = repository(folder.path());
        let at = |name: &str| folder.path().join(name);
        fs::write(at(".git/info/attributes"), "*.yaml filter=hang\n").unwrap();
        let hangs = format!(
            "#!/bin/sh\necho x >> {}\nexec sleep 20\n",
            at("hangs").display()
        );
        fs::write(at("hang"), hangs).unwrap();
        fs::set_permissions(at("hang"), PermissionsExt::from_mode(0o755)).unwrap();
        git(
            folder.path(),
            &format!("config filter.hang.clean {}", at("hang").display()),
        );
        // As long as before, so that git must look into it.
        fs::write(jobs.join("a.yaml"), "jobs:{} \n").unwrap();
        let mut revisions = Revisions::default();
        let mut asked = |looks: u8| {
            for _ in 0..looks {
                revisions.look(&mut [root(&jobs)]);
                revisions.revision(false).unwrap();
            }
            fs::read_to_string(at("hangs")).unwrap().lines().count()
        };
        assert_eq!(asked(1), 1);
        assert_eq!(asked(RESTS), 1);
        assert_eq!(asked(1), 2);
    }

    /// Commits whatever there is as somebody.
    fn commit_as(folder: &Path, name: &str) {
        git(folder, "add .");
        let output = Command::new("git")
            .args(["-c", &format!("user.name={name}")])
            .args([
                "-c",
                "user.email=ada@example.com",
                "commit",
                "-q",
                "-m",
                "x",
            ])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    #[test]
    fn a_commit_and_a_file_have_an_author_and_what_is_not_committed_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = repository(folder.path());
        fs::write(jobs.join("b.yaml"), "jobs: {}\n").unwrap();
        commit_as(folder.path(), "Ada Lovelace");
        fs::write(jobs.join("c.yaml"), "jobs: {}\n").unwrap();
        commit_as(folder.path(), "Grace");
        let mut revisions = Revisions::default();
        let mut look = |file: &str| {
            revisions.look(&mut [root(&jobs)]);
            revisions.revision(true).unwrap();
            let file = revisions.author_of(&Arc::from(file));
            (revisions.author(), file)
        };
        let some = |name: &str| Some(Arc::<str>::from(name));
        let grace = some("Grace");
        assert_eq!(look("jobs.d/b.yaml"), (grace.clone(), some("Ada Lovelace")));
        assert_eq!(look("jobs.d/c.yaml"), (grace.clone(), grace.clone()));
        for unknown in ["jobs.d/none.yaml", "elsewhere/b.yaml"] {
            assert_eq!(look(unknown), (grace.clone(), grace.clone()), "{unknown}");
        }
        fs::write(jobs.join("c.yaml"), "jobs: { }\n").unwrap();
        assert_eq!(look("jobs.d/c.yaml"), (None, None));
    }

    #[test]
    fn a_clone_without_history_has_the_author_of_its_commit() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        fs::create_dir(&top).unwrap();
        repository(&top);
        fs::write(top.join("other"), "x").unwrap();
        commit_as(&top, "Grace");
        let from = format!("file://{}", top.display());
        git(folder.path(), &format!("clone -q --depth 1 {from} shallow"));
        let jobs = folder.path().join("shallow/ops/jobs.d");
        let mut revisions = Revisions::default();
        revisions.look(&mut [root(&jobs)]);
        revisions.revision(true).unwrap();
        let of_file = revisions.author_of(&Arc::from("jobs.d/a.yaml"));
        assert_eq!(of_file.as_deref(), Some("Grace"));
    }

    #[test]
    fn paths_of_several_repositories_have_their_revisions_side_by_side() {
        let folder = |commit: &str| PathBuf::from(format!("/git/{commit}/jobs.d"));
        let (a, b) = (root(&folder(A)), root(&folder(B)));
        let mut revisions = Revisions::default();
        revisions.look(&mut [a, b, root(&folder(A))]);
        let found = revisions.revision(true);
        assert_eq!(found.unwrap().to_string(), format!("{A},{B}"));
    }
}
