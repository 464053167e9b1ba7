//! A process that is described whole, and two ways to start it: the library's `posix_spawn`, and `clone3`
//! where it is to begin inside a control group.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::Pid;
use tokio::net::unix::pipe;
use tokio::process::Command;

use super::cgroup::RunGroup;
use super::children::{Children, Own};
use super::clone;
use super::leader::Leader;
use super::umask;

/// What is to become a process: its output in one stream, the leader of a group.
pub(super) struct Birth<'a> {
    /// The file.
    pub(super) program: &'a Path,
    /// What it sees as its own name.
    pub(super) name: &'a OsStr,
    pub(super) arguments: Vec<&'a OsStr>,
    /// All of it, in order; a later one replaces an earlier one of the same name.
    pub(super) environment: Vec<(&'a OsStr, &'a OsStr)>,
    /// The working folder, when not elder's own.
    pub(super) folder: Option<&'a Path>,
    /// Whether it is given a text.
    pub(super) is_fed: bool,
    /// Stands in for stderr.
    pub(super) control: Option<OwnedFd>,
}

/// A process that has begun.
pub(super) struct Spawned {
    pub(super) child: Leader,
    pub(super) own: Own,
    pub(super) stdin: Option<pipe::Sender>,
    pub(super) output: pipe::Receiver,
}

/// The child's ends.
struct Streams {
    stdin: Option<PipeReader>,
    stdout: PipeWriter,
    stderr: OwnedFd,
}

impl Birth<'_> {
    /// Starts it: inside that control group, else in elder's own.
    ///
    /// # Errors
    /// The system's word; then there is no process.
    pub(super) fn spawn(
        mut self,
        children: &Arc<Children>,
        inside: Option<&RunGroup>,
    ) -> io::Result<Spawned> {
        let (reader, stdout) = io::pipe()?;
        let output = pipe::Receiver::from_owned_fd(reader.into())?;
        let (fed, stdin) = match self.is_fed.then(io::pipe).transpose()? {
            Some((theirs, ours)) => (
                Some(theirs),
                Some(pipe::Sender::from_owned_fd(ours.into())?),
            ),
            None => (None, None),
        };
        let stderr = match self.control.take() {
            Some(control) => control,
            None => stdout.try_clone()?.into(),
        };
        let streams = Streams {
            stdin: fed,
            stdout,
            stderr,
        };
        let starting = children.starting();
        let (child, own) = match inside {
            None => {
                let child = self.by_library(streams)?;
                let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
                // A child that was not waited for always has its number.
                let pid = pid.ok_or_else(|| io::Error::other("the process has no number"))?;
                (Leader::Spawned(child), starting.began(pid))
            }
            Some(group) => {
                let pid = self.by_clone(&streams, group)?;
                let own = starting.began(pid);
                (Leader::begun(pid)?, own)
            }
        };
        Ok(Spawned {
            child,
            own,
            stdin,
            output,
        })
    }

    fn by_library(self, streams: Streams) -> io::Result<tokio::process::Child> {
        let mut command = Command::new(self.program);
        command
            .arg0(self.name)
            .args(self.arguments)
            .env_clear()
            .envs(self.environment)
            .stdin(streams.stdin.map_or_else(Stdio::null, Stdio::from))
            .stdout(streams.stdout)
            .stderr(streams.stderr)
            .process_group(0);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        umask::as_started(|| command.spawn())
    }

    fn by_clone(self, streams: &Streams, group: &RunGroup) -> io::Result<Pid> {
        let words = [self.name].into_iter().chain(self.arguments);
        let words: Vec<_> = words.map(c_text).collect::<Result<_, _>>()?;
        let environment = entries(self.environment).into_iter();
        let environment = environment.map(|entry| CString::new(entry.into_vec()));
        let environment: Vec<_> = environment.collect::<Result<_, _>>()?;
        let path = c_text(self.program.as_os_str())?;
        let folder = self.folder.map(|folder| c_text(folder.as_os_str()));
        let folder = folder.transpose()?;
        let nothing;
        let stdin = match &streams.stdin {
            Some(stdin) => stdin.as_fd(),
            None => {
                nothing = File::open("/dev/null")?;
                nothing.as_fd()
            }
        };
        let program = clone::Program {
            path: &path,
            words: &words,
            environment: &environment,
            folder: folder.as_deref(),
            stdin,
            stdout: streams.stdout.as_fd(),
            stderr: streams.stderr.as_fd(),
        };
        let group = group.open()?;
        umask::as_started(|| clone::start(&program, group.as_fd()))
    }
}

/// `NAME=value`, as the library has it: each name once, by its last value, in the order of the names.
pub(super) fn entries<'a>(
    environment: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
) -> Vec<OsString> {
    let last_of_each: BTreeMap<_, _> = environment.into_iter().collect();
    let entry = |(name, value): (&OsStr, &OsStr)| {
        let mut entry = OsString::from(name);
        entry.push("=");
        entry.push(value);
        entry
    };
    last_of_each.into_iter().map(entry).collect()
}

fn c_text(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}
