//! Questions to git about a work tree: bounded in time and length, and answered by silence where there
//! is no git, it does not trust the owner of the repository, or it takes too long.
//!
//! Nothing is written, nothing is fetched, and no monitor or pager of the repository's is started. A
//! filter that its own configuration names (`filter.NAME.clean`) is run by `git status`, as it is for
//! whoever looks at such a work tree; it ends with the question.

use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::model::is_commit;

/// How long git may be silent.
const PATIENCE: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// The longest name of a person that is taken.
const MAX_NAME: usize = 100;

/// Somebody who asks git. Once it was silent for too long, nothing more is asked.
#[derive(Debug, Default)]
pub(super) struct Git {
    is_silent: bool,
}

impl Git {
    /// Whether it took too long.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Whether something below the folder is not as the commit has it; `None` where git does not say.
    pub(super) fn differs(&mut self, folder: &Path) -> Option<bool> {
        // Without its head, nothing to tell would look like no answer.
        let head = ["--branch", "--no-ahead-behind"];
        let question = [&["status", "--porcelain=v2"][..], &head, &["--", "."]].concat();
        let said = self.ask(folder, &question, 4 << 10)?;
        let has_head = said.starts_with("# branch.oid ");
        has_head.then(|| said.lines().any(|line| !line.starts_with('#')))
    }

    /// Who made the commit.
    pub(super) fn author(&mut self, folder: &Path, commit: &str) -> Option<Arc<str>> {
        let said = self.ask(folder, &["cat-file", "commit", commit], 64 << 10)?;
        let head = said.lines().take_while(|line| !line.is_empty());
        let line = head
            .filter_map(|line| line.strip_prefix("author "))
            .next()?;
        name(line.rsplit_once(" <")?.0)
    }

    /// Who last changed this file below the folder, up to the first of these commits and, if there is
    /// another, after that.
    pub(super) fn author_of(
        &mut self,
        folder: &Path,
        (commit, after): (&str, Option<&str>),
        file: &str,
    ) -> Option<Arc<str>> {
        let file = format!(":(literal){file}");
        // Several repositories' revisions are none of this one's.
        if after.is_some_and(|after| !is_commit(after)) {
            return None;
        }
        let after = after.map(|after| format!("^{after}"));
        let mut only = vec!["log", "-1", "--no-show-signature", "--format=%an", commit];
        only.extend(after.as_deref());
        only.extend(["--", &file]);
        name(self.ask(folder, &only, 1 << 10)?.lines().next()?)
    }

    /// The first `most` bytes that git says, to its end if that comes earlier.
    fn ask(&mut self, folder: &Path, question: &[&str], most: usize) -> Option<String> {
        if self.is_silent {
            return None;
        }
        let mut child = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["-c", "core.fsmonitor=false", "--no-optional-locks"])
            .arg("--no-pager")
            .args(question)
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What it starts, such as a filter, ends with it.
            .process_group(0)
            .spawn()
            .ok()?;
        let said = read(&mut child, most);
        // It may have more to say, or hang: its end is nobody's business but that it is no zombie.
        if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
            // Who is gone already needs no end.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let reap = move || drop(child.wait());
        // Where even its death takes long, nobody waits for that.
        let _ = std::thread::Builder::new()
            .name("git".to_owned())
            .spawn(reap);
        self.is_silent = said.is_none();
        said
    }
}

/// A person's name as it may stand on one line.
fn name(text: &str) -> Option<Arc<str>> {
    let kept = text.trim().chars().filter(|c| !c.is_control());
    let kept: String = kept.take(MAX_NAME).collect();
    (!kept.is_empty()).then(|| kept.into())
}

/// `None` where it took too long.
fn read(child: &mut Child, most: usize) -> Option<String> {
    let mut stdout = child.stdout.take()?;
    let mut said = Vec::new();
    let mut room = [0; 4096];
    while said.len() < most {
        let mut ready = [PollFd::new(&stdout, PollFlags::IN)];
        match poll(&mut ready, Some(&PATIENCE)) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        }
        match stdout.read(&mut room) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&room[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(String::from_utf8_lossy(&said).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_bearable_length() {
        for (text, want) in [
            (" Ada Lovelace ", Some("Ada Lovelace")),
            ("a\u{1b}[31mb", Some("a[31mb")),
            ("\u{7}", None),
            ("", None),
        ] {
            assert_eq!(name(text).as_deref(), want, "{text:?}");
        }
        assert_eq!(name(&"x".repeat(500)).unwrap().len(), MAX_NAME);
    }

    #[test]
    fn where_nobody_answers_nothing_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let mut git = Git::default();
        assert_eq!(git.differs(folder.path()), None);
        assert_eq!(git.author(folder.path(), "HEAD"), None);
        let nowhere = Path::new("/no/such/folder");
        assert_eq!(git.author_of(nowhere, ("HEAD", None), "a"), None);
        assert!(!git.is_silent, "it answered at once");
    }

    #[test]
    fn a_filter_that_hangs_holds_up_no_look_and_ends_with_it() {
        use std::fs;
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let git = |line: &str| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=x", "-c", "user.email=x@example.com"]);
            let done = git
                .args(line.split(' '))
                .current_dir(folder.path())
                .output();
            assert!(done.unwrap().status.success(), "git {line}");
        };
        fs::write(at("a.yaml"), "jobs: {}\n").unwrap();
        git("init -q -b main .");
        git("add .");
        git("commit -q -m one");
        git("config filter.hang.clean ./hang");
        fs::write(at(".git/info/attributes"), "*.yaml filter=hang\n").unwrap();
        fs::write(at("hang"), "#!/bin/sh\necho $$ > hangs\nexec sleep 300\n").unwrap();
        fs::set_permissions(at("hang"), PermissionsExt::from_mode(0o755)).unwrap();
        // As long as before, so that git must look into it.
        fs::write(at("a.yaml"), "jobs:{} \n").unwrap();
        assert_eq!(Git::default().differs(folder.path()), None);
        let pid = fs::read_to_string(at("hangs")).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let goes_on = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        for _ in 0..1_000 {
            if !goes_on() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the filter goes on");
    }
}
