//! Why an attempt could not do its work, and the attempt's end that follows from it.

use std::io;

use crate::model::{AttemptEnd, Ended, Output, Reason};

/// Why an attempt could not do its work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In one word.
    pub(super) reason: Reason,
    /// In a sentence for people; secrets are masked later, with everything else.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// A secret, file or folder was not there, or a value cannot be used.
    pub(super) fn setup(message: impl Into<String>) -> Self {
        Self::new(Reason::Setup, message)
    }

    /// A defect of elder itself.
    pub(super) fn internal(message: &str) -> Self {
        Self::new(
            Reason::Internal,
            format!("{message}; this is a defect of elder, please report it"),
        )
    }

    /// The attempt's end when nothing else is known of it.
    pub(super) fn end(self) -> AttemptEnd {
        end(Ended::Failed(self.reason), Some(self.message))
    }
}

/// An end without output, code, signal or status.
pub(super) fn end(ended: Ended, detail: Option<String>) -> AttemptEnd {
    AttemptEnd {
        ended,
        output: Output::default(),
        exit_code: None,
        signal: None,
        http_status: None,
        detail: detail.map(Into::into),
        retry_after: None,
    }
}

/// The end of an attempt that was told to end before it began.
pub(super) fn never_began() -> AttemptEnd {
    end(
        Ended::Stopped,
        Some("it was told to end before it began".to_owned()),
    )
}

/// An error of the system as people know it: `ENOENT: no such file or directory`.
pub(super) fn errno(error: &io::Error) -> String {
    use rustix::io::Errno;

    let text = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) => "ENOENT: no such file or folder",
        Some(Errno::ACCESS) => "EACCES: permission denied",
        Some(Errno::PERM) => "EPERM: not permitted",
        Some(Errno::TOOBIG) => "E2BIG: arguments and environment are too long",
        Some(Errno::NOEXEC) => "ENOEXEC: not a program for this machine",
        Some(Errno::AGAIN) => "EAGAIN: no more processes to be had",
        Some(Errno::NOMEM) => "ENOMEM: out of memory",
        Some(Errno::MFILE) => "EMFILE: elder has too many open files",
        Some(Errno::NFILE) => "ENFILE: the machine has too many open files",
        Some(Errno::TXTBSY) => "ETXTBSY: the program is being written",
        Some(Errno::NOTDIR) => "ENOTDIR: a part of the path is no folder",
        Some(Errno::ISDIR) => "EISDIR: it is a folder",
        Some(Errno::LOOP) => "ELOOP: too many links",
        Some(Errno::NAMETOOLONG) => "ENAMETOOLONG: the name is too long",
        _ => return error.to_string(),
    };
    text.to_owned()
}
