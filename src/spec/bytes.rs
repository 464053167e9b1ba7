//! Bytes to text: what is no UTF-8 is named precisely.

use std::sync::Arc;

use super::problem::{Page, Problem};
use super::tree::Span;
use super::{InputFile, limits};
use crate::finding::{Code, Finding};

/// The file's text without a byte order mark.
pub(super) fn text_of(input: &InputFile) -> Result<&str, Box<Finding>> {
    let whole = |code, message: &str, help: &str| {
        let problem = Problem::new(code, Span::default(), message, help);
        Box::new(Page::of(input, "").finding(problem))
    };
    let bytes = match &input.content {
        Ok(bytes) => bytes,
        Err(reason) => return Err(whole(Code::Unreadable, reason, "")),
    };
    if bytes.len() > limits::FILE_BYTES {
        let message = format!(
            "the file has {} MiB, and at most {} are read",
            bytes.len() >> 20,
            limits::FILE_BYTES >> 20
        );
        return Err(whole(Code::Limit, &message, "make several files of it"));
    }
    if is_utf16(bytes) {
        let help = "save it as UTF-8";
        return Err(whole(
            Code::Unreadable,
            "the file is UTF-16, not UTF-8",
            help,
        ));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let (valid, message) = match std::str::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            Some(at) => (at, "a NUL character: this is no text file"),
            None => return Ok(text),
        },
        Err(error) => (error.valid_up_to(), "these bytes are not UTF-8"),
    };
    if input.within.is_some() {
        // The text around it has no such bytes: they are written as an escape.
        return Err(whole(Code::Unreadable, message, "take them out"));
    }
    Err(Box::new(at_byte(&input.shown, bytes, valid, message)))
}

fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => true,
        // Without a mark: every second byte of plain text is NUL.
        [a, b, c, d, ..] => {
            (*a == 0 && *c == 0 && *b != 0 && *d != 0) || (*b == 0 && *d == 0 && *a != 0 && *c != 0)
        }
        _ => false,
    }
}

fn at_byte(shown: &Arc<str>, bytes: &[u8], at: usize, message: &str) -> Finding {
    let before = &bytes[..at];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let from = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |n| n + 1);
    let to = bytes[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |n| at + n);
    let column = String::from_utf8_lossy(&bytes[from..at]).chars().count() + 1;
    // The excerpt shows what is broken as replacement characters, and only a part of a giant line.
    let to = to.min(at + 1_000);
    let from = from.max(at.saturating_sub(1_000));
    let shown_line: String = String::from_utf8_lossy(&bytes[from..to])
        .chars()
        .map(|c| if c == '\0' { '\u{2400}' } else { c })
        .collect();
    let span = Span {
        line: 1,
        column: u32::try_from(column).unwrap_or(u32::MAX),
        length: 1,
    };
    let problem = Problem::new(
        Code::Unreadable,
        span,
        message,
        "save the file as UTF-8 text",
    );
    let mut finding = Page::new(shown.clone(), &shown_line).finding(problem);
    finding.at.place.line = u32::try_from(line).unwrap_or(u32::MAX);
    finding
}
