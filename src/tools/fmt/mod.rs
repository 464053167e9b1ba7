//! The canonical layout of a YAML file: `elder fmt`.
//!
//! Comments, order, quotes and line breaks within values stay; a file says the same before and
//! after, and each layout is held against what it was made from before anybody sees it. What is
//! not understood is left as it is. This module knows no files, and no keys but `jobs` and the
//! names of the other parts of a job file, which have empty lines between them.

mod diff;
mod lex;
mod place;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;

pub use diff::diff;

/// What came of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// It is as it should be.
    Same,
    /// It should be this.
    Changed(String),
    /// It is left as it is, for this reason.
    Left(&'static str),
}

/// Lays a YAML text out.
///
/// - Levels are two blanks apart, also lists below their key; dashes and colons have one blank
///   after them and none before; `{ a: b }` has blanks inside, `[a, b]` has none.
/// - A comment has a blank after its `#`, and stands in the column of what it is beside. Blanks
///   before a comment at the end of a line are kept, so that comments may be aligned.
/// - Jobs, and the parts of a file, have an empty line between them where one of two takes several
///   lines. Elsewhere one empty line is kept, and several become one.
/// - Lines end in LF without blanks before it, the last one too; there is no byte order mark.
///
/// The text of values stays as it is to the byte, but for the blanks around the line breaks of
/// plain and quoted ones, which mean nothing.
#[must_use]
pub fn layout(text: &str) -> Layout {
    let plain = with_plain_ends(text.strip_prefix('\u{feff}').unwrap_or(text));
    match laid_out(&plain) {
        Ok(laid) if laid == text => Layout::Same,
        Ok(laid) if says_the_same(text, &plain, &laid) => Layout::Changed(laid),
        Ok(_) => Layout::Left("it would say something else in another layout"),
        Err(reason) => Layout::Left(reason),
    }
}

fn laid_out(plain: &str) -> Result<String, lex::Reason> {
    write::write(plain, &lex::lex(plain)?)
}

/// YAML knows three ends of a line, which mean the same.
fn with_plain_ends(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    }
}

/// The proof: the parser sees the same in both, and the comments are the same.
fn says_the_same(text: &str, plain: &str, laid: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (before, after) = (lex::events(text), lex::events(laid));
    if before.is_none() || before != after {
        return false;
    }
    let comments = |text| lex::lex(text).map(|tokens| write::comments(text, &tokens));
    let (before, after) = (comments(plain), comments(laid));
    before.is_ok() && before == after
}
