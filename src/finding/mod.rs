//! A finding: one thing that is wrong with a job file, or worth knowing.
//!
//! A finding has a stable code, a severity, a place, a message and a mend.
//! Checks collect all of them; nothing stops at the first.

mod code;
mod page;
pub mod render;

use std::sync::Arc;

pub use code::Code;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// It is taken, and it probably is not what was meant.
    Warning,
    /// Worth knowing, and perhaps true today and not tomorrow; never fails anything.
    Note,
}

/// Where in which file; lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file as the user named it: the PATH argument joined with the path below it.
    pub file: Arc<str>,
    /// The line, from 1; 0 when the finding concerns the whole file.
    pub line: u32,
    /// The column of the first character, from 1.
    pub column: u32,
    /// How many characters are meant, at least 1.
    pub length: u32,
}

impl Place {
    /// A place that is the whole file.
    #[must_use]
    pub fn file(file: Arc<str>) -> Self {
        Self {
            file,
            line: 0,
            column: 0,
            length: 0,
        }
    }
}

/// A place with the text of its line, so that it can be shown without the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Where.
    pub place: Place,
    /// The line as it stands in the file, cut to a bearable length.
    pub line: String,
    /// What to write beside the carets; empty for none.
    pub label: String,
}

impl Excerpt {
    /// A place of which only the line is known; line 0 is the whole file.
    #[must_use]
    pub fn bare(file: Arc<str>, line: u32) -> Self {
        let one = u32::from(line > 0);
        Self {
            place: Place {
                file,
                line,
                column: one,
                length: one,
            },
            line: String::new(),
            label: String::new(),
        }
    }

    /// Up to this column, a long line is cut at its end only.
    pub const KEPT_WHOLE: u32 = 140;
    /// Of a line that is cut at its front, so many characters before the column are kept.
    pub const KEPT_BEFORE: u32 = 60;

    /// Where in `line` the place begins, from 1: the column, unless the front of a very long line
    /// was cut away (then `line` begins with `…`).
    #[must_use]
    pub fn caret_column(&self) -> u32 {
        let column = self.place.column;
        if column > Self::KEPT_WHOLE + 1 && self.line.starts_with('…') {
            return Self::KEPT_BEFORE + 2;
        }
        column
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Where, with the line.
    pub at: Excerpt,
    /// A second place that belongs to it, as with duplicates.
    pub also: Option<Excerpt>,
    /// What is wrong: a fragment in lower case, one cause.
    pub message: String,
    /// The mend; empty for none.
    pub help: String,
}
