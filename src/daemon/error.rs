//! Why a daemon did not start, or did not go on.

/// Why a daemon did not start, or did not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// `--strict`, and a file is bad.
    #[error("{0}")]
    BadFiles(String),
    /// Something around elder stands in the way: the store, the port, a PATH, a file of tokens.
    #[error("{message}")]
    Environment {
        /// What is wrong: a fragment in lower case.
        message: String,
        /// What to do about it; empty for nothing.
        help: String,
    },
}
