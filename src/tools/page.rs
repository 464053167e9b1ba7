//! A file of another program, and what is wrong at a place of it.

use std::sync::Arc;

use crate::finding::{Code, Excerpt, Finding, Place};

/// A file of another scheduler, as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// As a person would name it.
    pub name: Arc<str>,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// The name's last part.
    pub(super) fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The finding that a trouble is; `lines` are those of the text.
    pub(super) fn finding(&self, trouble: Trouble, lines: &[&str]) -> Finding {
        Finding {
            code: trouble.code,
            severity: trouble.code.severity(),
            at: self.excerpt(trouble.at, lines),
            also: None,
            message: trouble.message,
            help: trouble.help,
        }
    }

    fn excerpt(&self, at: Spot, lines: &[&str]) -> Excerpt {
        if at.line == 0 {
            return Excerpt {
                place: Place::file(self.name.clone()),
                line: String::new(),
                label: String::new(),
            };
        }
        let line = lines.get(at.line as usize - 1).copied().unwrap_or("");
        let length = match at.length {
            0 => {
                let rest = line.chars().skip(at.column.saturating_sub(1) as usize);
                u32::try_from(rest.count()).unwrap_or(1).clamp(1, LINE)
            }
            given => given.min(LINE),
        };
        let column = at.column.max(1);
        let mut kept: String;
        if column <= Excerpt::KEPT_WHOLE + 1 {
            kept = line.chars().take(LINE as usize).collect();
        } else {
            kept = "…".to_owned();
            let from = column - 1 - Excerpt::KEPT_BEFORE;
            kept.extend(line.chars().skip(from as usize).take(LINE as usize));
        }
        if line.chars().count() > LINE as usize && column <= Excerpt::KEPT_WHOLE + 1 {
            kept.push('…');
        }
        Excerpt {
            place: Place {
                file: self.name.clone(),
                line: at.line,
                column,
                length,
            },
            line: kept,
            label: String::new(),
        }
    }
}

/// Characters of a line that are shown.
const LINE: u32 = 200;

/// Where something stands: line and column from 1, in characters; line 0 is the whole file and
/// length 0 the rest of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub line: u32,
    pub column: u32,
    pub length: u32,
}

impl Spot {
    /// The part of `line` that begins at byte `from` and is `length` bytes long.
    pub fn within(number: u32, line: &str, from: usize, length: usize) -> Self {
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let from = floor(line, from);
        let until = floor(line, from.saturating_add(length)).max(from);
        Self {
            line: number,
            column: count(&line[..from]).saturating_add(1),
            length: count(&line[from..until]).max(1),
        }
    }

    /// The whole of a line without the blanks around it.
    pub fn line(number: u32, line: &str) -> Self {
        let start = line.len() - line.trim_start().len();
        Self::within(number, line, start, line.trim().len())
    }
}

/// The nearest boundary of a character at or before a byte.
fn floor(text: &str, byte: usize) -> usize {
    let mut at = byte.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// One thing that is wrong in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub code: Code,
    pub at: Spot,
    pub message: String,
    pub help: String,
}

impl Trouble {
    pub fn new(code: Code, at: Spot, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            at,
            message: bounded(message.into()),
            help: bounded(help.into()),
        }
    }

    /// What elder has no word for.
    pub fn untranslated(at: Spot, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Code::NotImported, at, message, help)
    }
}

/// A file may hold one word of megabytes.
fn bounded(text: String) -> String {
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_and_stays_in_its_line() {
        let line = "ä 61 * * *";
        assert_eq!(
            Spot::within(3, line, 3, 2),
            Spot {
                line: 3,
                column: 3,
                length: 2
            }
        );
        assert_eq!(Spot::within(1, line, 1, 1).column, 1);
        assert_eq!(Spot::within(1, line, 90, 5).length, 1);
        let file = SourceFile {
            name: "x".into(),
            text: format!("{}\n", "é".repeat(5_000)),
        };
        for column in [1, 141, 142, 400, 5_000, 9_000] {
            let at = Spot {
                line: 1,
                column,
                length: 0,
            };
            let lines: Vec<&str> = file.text.lines().collect();
            let found = file.finding(Trouble::new(Code::BadCron, at, "m", "h"), &lines);
            assert!(found.at.line.chars().count() <= 202);
        }
    }
}
