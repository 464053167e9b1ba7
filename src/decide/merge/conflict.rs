//! Why a file that is good by itself cannot be beside the others, and how that is told.

use std::sync::Arc;

use super::MAX_JOBS;
use crate::finding::{Code, Excerpt, Finding};
use crate::ids::JobName;
use crate::model::NameKind;

/// Why a file that is good by itself is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The refused file, by root and place in what was given.
    pub file: (usize, usize),
    /// What is wrong with it.
    pub kind: ConflictKind,
}

/// What is wrong with a file beside other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// A name that is claimed twice.
    Name {
        /// What it is the name of.
        kind: NameKind,
        /// As the refused file writes it.
        name: JobName,
        /// The line in the refused file.
        line: u32,
        /// What it is there.
        other_kind: NameKind,
        /// As the other place writes it.
        other: JobName,
        /// The file of the other place, as a person would name it.
        other_file: Arc<str>,
        /// The line there; 0 when the file itself cannot tell any more.
        other_line: u32,
        /// Whether the other place keeps the name, or neither has it.
        kept: bool,
    },
    /// The tree has more jobs than [`MAX_JOBS`] with this file.
    TooMany,
}

impl Conflict {
    /// The finding, in the file that people know as `shown`. `place` says how the text of a file
    /// shows a name of it at a line; what it does not know is told by file and line.
    #[must_use]
    pub fn finding(
        &self,
        shown: &Arc<str>,
        place: impl Fn(&str, NameKind, &JobName, u32) -> Option<Excerpt>,
    ) -> Finding {
        let ConflictKind::Name {
            kind,
            name,
            line,
            other_kind,
            other,
            other_file,
            other_line,
            ..
        } = &self.kind
        else {
            return self.told(Excerpt::bare(shown.clone(), 0), None);
        };
        let at = place(shown, *kind, name, *line);
        let also = place(other_file, *other_kind, other, *other_line).or_else(|| {
            let is_known = *other_line > 0;
            is_known.then(|| Excerpt::bare(other_file.clone(), *other_line))
        });
        self.told(
            at.unwrap_or_else(|| Excerpt::bare(shown.clone(), *line)),
            also,
        )
    }

    fn told(&self, at: Excerpt, also: Option<Excerpt>) -> Finding {
        let (code, message, help) = match &self.kind {
            ConflictKind::TooMany => (
                Code::Limit,
                format!("with this file the tree has more than {MAX_JOBS} jobs"),
                "split the tree between two elders".to_owned(),
            ),
            ConflictKind::Name {
                kind,
                name,
                other_kind,
                other,
                other_file,
                other_line,
                kept,
                ..
            } => {
                let word = kind.word();
                let place = match other_line {
                    0 => other_file.to_string(),
                    line => format!("{other_file}:{line}"),
                };
                let message = if name == other {
                    match (kind, other_kind) {
                        (NameKind::Alias, NameKind::Alias) => {
                            format!("the alias \"{name}\" is also claimed in {place}")
                        }
                        (NameKind::Alias, _) => {
                            format!("the alias \"{name}\" is the name of a job in {place}")
                        }
                        (_, NameKind::Alias) => {
                            format!("the {word} name \"{name}\" is an alias of a job in {place}")
                        }
                        _ => format!("the {word} name \"{name}\" is also defined in {place}"),
                    }
                } else {
                    format!(
                        "the {word} name \"{name}\" differs only in case from \"{other}\" in {place}"
                    )
                };
                let help = if *kept {
                    let goes_on = match kind {
                        NameKind::Job => "keeps running",
                        NameKind::Calendar | NameKind::Pool | NameKind::Sage | NameKind::Alias => {
                            "stays in force"
                        }
                    };
                    format!(
                        "rename this one; the other has the name, and it {goes_on} from {other_file}"
                    )
                } else {
                    "rename one of the two; until then neither is in force".to_owned()
                };
                (Code::DuplicateName, message, help)
            }
        };
        Finding {
            code,
            severity: code.severity(),
            at,
            also,
            message,
            help,
        }
    }
}
