//! What a person can do about text that is no YAML.

use saphyr_parser::{ScanError, Tag};

use super::problem::Problem;
use super::span::{Span, column, line};
use super::tree::shorten;
use crate::finding::Code;

const TAB: &str = "a tab stands where YAML takes spaces only";

/// Turns the parser's words into ours.
pub(super) fn explain(error: &ScanError, text: &str) -> Problem {
    let at = Span {
        line: line(error.marker()).max(1),
        column: column(error.marker()),
        length: 1,
    };
    let info = error.info();
    if info.contains("recursion limit") {
        return Problem::new(Code::Limit, at, "nested too deeply", "");
    }
    if let Some(problem) = unquoted(at, text) {
        return problem;
    }
    let line = nth_line(text, at.line);
    let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
    if let Some(tab) = line[..indent].find('\t') {
        let at = Span {
            column: to_u32(tab).saturating_add(1),
            ..at
        };
        return Problem::new(Code::Syntax, at, TAB, "indent with spaces");
    }
    if let Some(problem) = unclosed(at, text) {
        return problem;
    }
    let (message, help) = if info.contains("tab") {
        (TAB, "write a space")
    } else if info.contains("mapping values are not allowed")
        || info.contains("illegal placement of ':'")
    {
        (
            "a `:` that cannot stand here",
            "quote the value when it holds `: `, or indent the line like its neighbours",
        )
    } else if info.contains("simple key expect") {
        (
            "a key without `:`, or a line that does not belong to what is above it",
            "write `key: value`, and indent it like its neighbours",
        )
    } else if info.contains("unknown anchor") {
        (
            "an alias whose anchor does not exist above it",
            "write `&name` at the value that is meant, or quote this value if it is text",
        )
    } else if info.contains("quoted scalar, found unexpected end") {
        ("a quote that is opened and never closed", "close the quote")
    } else if info.contains("unknown escape") {
        (
            "an escape that YAML does not know",
            "write `\\\\` for a backslash, or use single quotes",
        )
    } else if info.contains("trailing content") {
        (
            "text after a closing quote",
            "quote the whole value; a quote inside of double quotes is `\\\"`",
        )
    } else if info.contains("flow mapping") || info.contains("misplaced bracket") {
        ("a `{` or `}` without its partner, or a missing `,`", "")
    } else if info.contains("flow sequence") {
        ("a `[` or `]` without its partner, or a missing `,`", "")
    } else if info.contains("indentation")
        || info.contains("did not find expected key")
        || info.contains("expected '-'")
    {
        (
            "a line that is not indented like its neighbours",
            "indent it like the other keys of the same mapping",
        )
    } else if info.contains("block scalar") {
        ("a `|` or `>` whose text is not indented rightly", "")
    } else if info.contains("unprintable") {
        (
            "a control character",
            "remove it, or write it as an escape in double quotes",
        )
    } else if info.contains("byte order mark") {
        ("a byte order mark in the middle of the file", "remove it")
    } else {
        let message = format!("not valid YAML: {info}");
        return Problem::new(Code::Syntax, at, &message, "");
    };
    Problem::new(Code::Syntax, at, message, help)
}

/// A value that begins with a character that means something to YAML.
fn unquoted(at: Span, text: &str) -> Option<Problem> {
    // The parser often notices only on the line after.
    [at.line, at.line.saturating_sub(1)]
        .into_iter()
        .filter(|number| *number > 0)
        .find_map(|number| {
            let line = nth_line(text, number);
            let offset = value_offset(line)?;
            let value = &line[offset..];
            let first = value.chars().next()?;
            let suspect = match first {
                '@' | '%' | '`' => true,
                '*' => !is_name(&value[1..]),
                '&' | '!' => number == at.line && !value.contains(' '),
                _ => false,
            };
            if !suspect {
                return None;
            }
            let span = Span {
                line: number,
                column: to_u32(line[..offset].chars().count()).saturating_add(1),
                length: 0,
            };
            let value = value.trim_end();
            let quoted = if value.contains('"') { '\'' } else { '"' };
            let message = format!("a value cannot begin with `{first}` without quotes");
            let help = if value.len() <= 60 {
                format!("quote this value: {quoted}{value}{quoted}")
            } else {
                "quote this value".to_owned()
            };
            Some(Problem::new(Code::Syntax, span, &message, &help))
        })
}

/// A value that opens a quote or a bracket on its line and does not close it there.
fn unclosed(at: Span, text: &str) -> Option<Problem> {
    [at.line.saturating_sub(1), at.line]
        .into_iter()
        .filter(|number| *number > 0)
        .find_map(|number| {
            let line = nth_line(text, number);
            // What stands before the value is a key; brackets of the value are counted from the first.
            let offset = first_opening(line)?;
            let value = line[offset..].trim_end();
            let (message, help) = match value.chars().next()? {
                quote @ ('"' | '\'') if value[1..].chars().filter(|c| *c == quote).count() == 0 => {
                    (
                        "a quote that is opened and never closed",
                        "close the quote".to_owned(),
                    )
                }
                open @ ('[' | '{') if value.len() > 1 => {
                    let close = if open == '[' { ']' } else { '}' };
                    let count = |c: char| value.chars().filter(|found| *found == c).count();
                    if count(open) <= count(close) || value.contains(['"', '\'', '#']) {
                        return None;
                    }
                    (
                        "a bracket that is opened and not closed",
                        format!("close it with `{close}`"),
                    )
                }
                _ => return None,
            };
            let span = Span {
                line: number,
                column: to_u32(line[..offset].chars().count()).saturating_add(1),
                length: 1,
            };
            Some(Problem::new(Code::Syntax, span, message, &help))
        })
}

fn first_opening(line: &str) -> Option<usize> {
    let start = line.len() - line.trim_start_matches([' ', '-']).len();
    let rest = &line[start..];
    let after = match rest.find(": ") {
        Some(colon) => rest[colon + 2..].trim_start(),
        None => rest,
    };
    after
        .starts_with(['"', '\'', '[', '{'])
        .then(|| line.len() - after.len())
}

/// Whether what follows a `*` could be the name of an anchor and nothing else.
fn is_name(rest: &str) -> bool {
    let rest = rest.trim_end().trim_end_matches([',', '}', ']']);
    !rest.is_empty()
        && rest
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// Where the value of `key: value` or `- value` begins.
fn value_offset(line: &str) -> Option<usize> {
    let indent = line.len() - line.trim_start_matches([' ', '-']).len();
    let rest = &line[indent..];
    if rest.starts_with(['@', '%', '`', '*']) && indent > 0 {
        return Some(indent);
    }
    let colon = rest.find(": ")?;
    let value = rest[colon + 2..].trim_start();
    let value = value.trim_start_matches(['[', '{', ' ']);
    Some(line.len() - value.len())
}

fn nth_line(text: &str, number: u32) -> &str {
    text.lines()
        .nth(number.saturating_sub(1) as usize)
        .unwrap_or("")
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A tag that means nothing here.
pub(super) fn tag(tag: &Tag, span: Span) -> Problem {
    let shown = if tag.is_yaml_core_schema() {
        format!("!!{}", tag.suffix)
    } else {
        tag.to_string()
    };
    let message = format!("the tag `{}` means nothing here", shorten(&shown));
    Problem::new(
        Code::Syntax,
        span,
        &message,
        "remove the tag, or quote the value if `!` belongs to it",
    )
}

/// `%TAG` before the document. It gives a long name a short one, and whoever reads the file pays
/// the long one wherever the short one stands.
pub(super) fn tag_directive(text: &str) -> Option<Problem> {
    let mut rest = text;
    let mut number = 1;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        if line.starts_with("%TAG") {
            let at = Span {
                line: number,
                column: 1,
                length: 4,
            };
            let help = "remove the line: no tag means anything in a job file";
            return Some(Problem::new(Code::Syntax, at, "a `%TAG` directive", help));
        }
        let begun = line.trim_start();
        let empty = begun.is_empty() || begun.starts_with('#');
        if !(empty || line.starts_with('%') || line.starts_with("...")) {
            return None;
        }
        let after = after.strip_prefix("\r\n").or(after.get(1..));
        rest = after.unwrap_or_default();
        number += 1;
    }
    None
}

/// `---` a second time.
pub(super) fn second_document(span: Span) -> Problem {
    Problem::new(
        Code::Syntax,
        span,
        "a second document begins here: a file holds one",
        "put it into a file of its own",
    )
}
