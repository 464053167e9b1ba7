//! What is wrong at a place of the text, before it is tied to a file.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::tree::Span;
use super::within::{self, Within};
use super::{InputFile, limits};
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
            message: bounded(message),
            help: bounded(help),
        }
    }
}

/// What a file holds may stand in a message, and a file may hold one name of megabytes.
fn bounded(text: &str) -> String {
    match text.char_indices().nth(limits::MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The problems of a tree, as many as anybody could want to see.
#[derive(Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    pub fn add(&mut self, problem: Problem) {
        // One more than is shown, so that the rest is spoken of.
        if self.list.len() <= limits::FINDINGS {
            self.list.push(problem);
        }
    }

    pub fn into_list(self) -> Vec<Problem> {
        self.list
    }
}

/// A file's text with its name; cuts the line beside a finding out of it.
pub(super) struct Page<'t> {
    shown: Arc<str>,
    text: &'t str,
    /// Where the text stands, if it is no file of its own: then places are told there.
    within: Option<&'t Within>,
    starts: OnceCell<Vec<usize>>,
    /// Of each long line that was asked for, the byte at every [`STEP`]th character.
    steps: RefCell<HashMap<u32, Vec<usize>>>,
}

/// Lines up to this length are walked; in longer ones the way is remembered.
const STEP: usize = 1_024;

impl<'t> Page<'t> {
    pub fn new(shown: Arc<str>, text: &'t str) -> Self {
        Self {
            shown,
            text,
            within: None,
            starts: OnceCell::new(),
            steps: RefCell::default(),
        }
    }

    /// The same of a file as it was read.
    pub fn of(input: &'t InputFile, text: &'t str) -> Self {
        Self {
            within: input.within.as_deref(),
            ..Self::new(input.shown.clone(), text)
        }
    }

    /// The finding that a problem is in this file.
    pub fn finding(&self, problem: Problem) -> Finding {
        let remark = self.within.map(|within| within.remark(problem.span));
        Finding {
            code: problem.code,
            severity: problem.code.severity(),
            at: self.excerpt(problem.span, ""),
            also: problem.also.map(|(span, label)| self.excerpt(span, label)),
            message: problem.message + &remark.unwrap_or_default(),
            help: problem.help,
        }
    }

    /// Where the place is in the file that people see.
    fn place(&self, span: Span) -> Span {
        self.within.map_or(span, |within| within.place(span))
    }

    /// The line of a place in the file that people see.
    pub fn line_of(&self, span: Span) -> u32 {
        self.place(span).line
    }

    /// The place with its line. Of a long line, what is near the column is kept: see
    /// [`Excerpt::caret_column`](crate::finding::Excerpt::caret_column).
    pub fn excerpt(&self, span: Span, label: &str) -> Excerpt {
        let span = self.place(span);
        if span.line == 0 {
            return Excerpt {
                place: Place::file(self.shown.clone()),
                line: String::new(),
                label: label.to_owned(),
            };
        }
        let (line, length) = self.cut(span);
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

    /// The line, cut to what one can look at, and how many characters of it are meant.
    fn cut(&self, span: Span) -> (String, u32) {
        let line = self.line(span.line);
        let before = span.column.saturating_sub(1) as usize;
        let value = &line[self.byte_of(line, span.line, before)..];
        let length = match span.length {
            0 => to_u32(value.chars().take(limits::LINE).count()),
            given => given,
        };
        let length = length.clamp(1, to_u32(limits::LINE));
        if line.len() <= limits::LINE * 4 && line.chars().count() <= limits::LINE {
            return (line.to_owned(), length);
        }
        let (mut kept, from) = if before <= Excerpt::KEPT_WHOLE as usize {
            (String::new(), line)
        } else {
            let from = before - Excerpt::KEPT_BEFORE as usize;
            let from = self.byte_of(line, span.line, from);
            ("…".to_owned(), &line[from..])
        };
        let mut rest = from.chars();
        kept.extend(rest.by_ref().take(limits::LINE - 2));
        if rest.next().is_some() {
            kept.push('…');
        }
        (kept, length)
    }

    /// The byte at which a character of a line begins.
    fn byte_of(&self, line: &str, number: u32, characters: usize) -> usize {
        let walk = |from: usize, steps: usize| {
            let mut rest = line[from..].char_indices();
            rest.nth(steps).map_or(line.len(), |(at, _)| from + at)
        };
        if line.len() <= STEP {
            return walk(0, characters);
        }
        let mut known = self.steps.borrow_mut();
        let steps = known.entry(number).or_insert_with(|| {
            let marks = line.char_indices().step_by(STEP).map(|(at, _)| at);
            marks.collect()
        });
        match steps.get(characters / STEP) {
            Some(from) => walk(*from, characters % STEP),
            None => line.len(),
        }
    }

    fn line(&self, number: u32) -> &'t str {
        if let Some(within) = self.within {
            return within.line(number);
        }
        let starts = self.starts.get_or_init(|| within::line_starts(self.text));
        within::line(self.text, starts, number)
    }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
