//! What is wrong at a place of the text, before it is tied to a file.

use std::cell::OnceCell;
use std::sync::Arc;

use super::limits;
use super::tree::Span;
use crate::finding::{Code, Excerpt, Finding, Place};

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub code: Code,
    pub span: Span,
    pub also: Option<(Span, &'static str)>,
    pub message: String,
    pub help: String,
}

impl Problem {
    pub fn new(code: Code, span: Span, message: &str, help: &str) -> Self {
        Self {
            code,
            span,
            also: None,
            message: message.to_owned(),
            help: help.to_owned(),
        }
    }
}

/// A file's text with its name; cuts the line beside a finding out of it.
pub(super) struct Page<'t> {
    shown: Arc<str>,
    text: &'t str,
    starts: OnceCell<Vec<usize>>,
}

impl<'t> Page<'t> {
    pub fn new(shown: Arc<str>, text: &'t str) -> Self {
        Self {
            shown,
            text,
            starts: OnceCell::new(),
        }
    }

    /// The finding that a problem is in this file.
    pub fn finding(&self, problem: Problem) -> Finding {
        Finding {
            code: problem.code,
            severity: problem.code.severity(),
            at: self.excerpt(problem.span, ""),
            also: problem.also.map(|(span, label)| self.excerpt(span, label)),
            message: problem.message,
            help: problem.help,
        }
    }

    /// The place with its line. Of a long line, what is near the column is kept: see
    /// [`Excerpt::caret_column`](crate::finding::Excerpt::caret_column).
    pub fn excerpt(&self, span: Span, label: &str) -> Excerpt {
        if span.line == 0 {
            return Excerpt {
                place: Place::file(self.shown.clone()),
                line: String::new(),
                label: label.to_owned(),
            };
        }
        let line = self.line(span.line);
        let (line, length) = cut(line, span);
        Excerpt {
            place: Place {
                file: self.shown.clone(),
                line: span.line,
                column: span.column,
                length,
            },
            line,
            label: label.to_owned(),
        }
    }

    fn line(&self, number: u32) -> &'t str {
        let starts = self.starts.get_or_init(|| line_starts(self.text));
        let index = number.saturating_sub(1) as usize;
        let Some(start) = starts.get(index) else {
            return "";
        };
        let end = starts.get(index + 1).copied().unwrap_or(self.text.len());
        self.text[*start..end].trim_end_matches(['\n', '\r'])
    }
}

/// YAML counts LF, CR LF and a lone CR as one line break each.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (index, byte) in bytes.iter().enumerate() {
        let ends = match byte {
            b'\n' => true,
            b'\r' => bytes.get(index + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends {
            starts.push(index + 1);
        }
    }
    starts
}

/// The line, cut to what one can look at, and how many characters of it are meant.
fn cut(line: &str, span: Span) -> (String, u32) {
    let before = span.column.saturating_sub(1) as usize;
    // Never walk a line of megabytes for each of a thousand findings.
    let near = line.len() <= limits::LINE * 4;
    let rest_of_line = || {
        let rest = line.chars().skip(before).take(limits::LINE).count();
        u32::try_from(rest).unwrap_or(u32::MAX)
    };
    let length = match span.length {
        0 => rest_of_line(),
        given => given,
    };
    let length = length.clamp(1, limits::LINE as u32);
    if near && line.chars().count() <= limits::LINE {
        return (line.to_owned(), length);
    }
    if before <= Excerpt::KEPT_WHOLE as usize {
        let mut kept: String = line.chars().take(limits::LINE - 1).collect();
        if kept.len() < line.len() {
            kept.push('…');
        }
        return (kept, length);
    }
    let from = before - Excerpt::KEPT_BEFORE as usize;
    let mut rest = line.chars().skip(from);
    let mut kept = String::from("…");
    kept.extend(rest.by_ref().take(limits::LINE - 2));
    if rest.next().is_some() {
        kept.push('…');
    }
    (kept, length)
}
