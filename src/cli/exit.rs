//! How elder ends: the one table of exit codes, and the failures that lead there.

use std::fmt;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Fine.
    Fine,
    /// What was asked about does not hold: findings, a failed run, a refused sync.
    DoesNotHold,
    /// Wrong usage, or an environment that prevents an answer.
    NoAnswer,
    /// `plan --exit-code` found changes.
    Changes,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::DoesNotHold => 1,
            Exit::NoAnswer => 2,
            Exit::Changes => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do what it was asked: a sentence and, where there is one, the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How to end.
    pub exit: Exit,
    /// What is wrong: a fragment in lower case.
    pub message: String,
    /// What to do about it; empty for nothing.
    pub help: String,
    /// Whether asking again gives the same answer.
    pub is_lasting: bool,
}

impl Failure {
    /// Wrong usage, or an environment that prevents an answer.
    #[must_use]
    pub fn no_answer(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::NoAnswer,
            message: message.into(),
            help: String::new(),
            is_lasting: false,
        }
    }

    /// What was asked about does not hold.
    #[must_use]
    pub fn does_not_hold(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::DoesNotHold,
            ..Self::no_answer(message)
        }
    }

    /// The same, and asking again is of no use.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self {
            is_lasting: true,
            ..self
        }
    }

    /// The same with a mend.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if !self.help.is_empty() {
            write!(f, "\nhelp: {}", self.help)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_contract() {
        for (exit, code) in [(Exit::Fine, 0), (Exit::DoesNotHold, 1), (Exit::NoAnswer, 2)] {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }

    #[test]
    fn a_failure_is_a_sentence_with_its_mend() {
        let failure = Failure::no_answer("port 80 is taken").help("use --listen");
        assert_eq!(
            failure.to_string(),
            "error: port 80 is taken\nhelp: use --listen"
        );
        assert_eq!(failure.exit, Exit::NoAnswer);
        let bare = Failure::does_not_hold("the run failed");
        assert_eq!(bare.to_string(), "error: the run failed");
    }
}
