//! What a new layout changes, as a unified diff.
//!
//! A layout moves lines and empty lines alone, so the lines of both sides that are not empty go
//! together one by one: nothing has to be searched for, however large the file is.

use std::fmt::Write as _;

/// Unchanged lines that are shown around a change.
const AROUND: usize = 3;

/// The diff of a file's text and its layout.
#[must_use]
pub fn diff(name: &str, old: &str, new: &str) -> String {
    let mut out = format!("--- {name}\n+++ {name} (elder fmt)\n");
    let plain = old.strip_prefix('\u{feff}').unwrap_or(old);
    if plain.len() < old.len() {
        out.push_str("# the byte order mark goes\n");
    }
    let has_returns = plain.contains('\r');
    if has_returns {
        out.push_str("# lines end in LF, not in CR LF\n");
    }
    let plain = super::with_plain_ends(plain);
    let changes = changes(&plain, new);
    let mut from = 0;
    while let Some(first) = changes[from..].iter().position(|line| line.mark != ' ') {
        let first = from + first;
        let mut last = first;
        for (at, line) in changes.iter().enumerate().skip(first) {
            if line.mark != ' ' {
                last = at;
            } else if at > last + 2 * AROUND {
                break;
            }
        }
        let start = first.saturating_sub(AROUND).max(from);
        let end = (last + 1 + AROUND).min(changes.len());
        hunk(&mut out, &changes, start, end);
        from = end;
    }
    out
}

struct Line<'t> {
    /// ` `, `-` or `+`.
    mark: char,
    text: &'t str,
    /// The last line, which has no end.
    is_open: bool,
}

fn changes<'t>(old: &'t str, new: &'t str) -> Vec<Line<'t>> {
    let mut all = Vec::new();
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    let mut left = old.split_inclusive('\n').peekable();
    let mut right = new.split_inclusive('\n').peekable();
    let is_empty = |line: &str| line.trim().is_empty();
    loop {
        let (one, other) = (left.peek().copied(), right.peek().copied());
        match (one, other) {
            (None, None) => break,
            (Some(one), Some(two)) if one == two => {
                all.append(&mut gone);
                all.append(&mut come);
                all.push(line(' ', one));
                left.next();
                right.next();
            }
            // An empty line has no partner; any other has.
            (one, two) => {
                let is_removed = one.is_some_and(|one| two.is_none() || is_empty(one));
                if let Some(one) = one
                    && (is_removed || !two.is_some_and(is_empty))
                {
                    gone.push(line('-', one));
                    left.next();
                }
                if let Some(two) = two
                    && !is_removed
                {
                    come.push(line('+', two));
                    right.next();
                }
            }
        }
    }
    all.append(&mut gone);
    all.append(&mut come);
    all
}

fn line(mark: char, text: &str) -> Line<'_> {
    Line {
        mark,
        text: text.strip_suffix('\n').unwrap_or(text),
        is_open: !text.ends_with('\n'),
    }
}

fn hunk(out: &mut String, changes: &[Line<'_>], start: usize, end: usize) {
    let count = |lines: &[Line<'_>], other: char| lines.iter().filter(|l| l.mark != other).count();
    let (before, shown) = (&changes[..start], &changes[start..end]);
    let side = |other: char| {
        let (skipped, length) = (count(before, other), count(shown, other));
        // An empty side stands after the line before it.
        format!("{},{length}", skipped + usize::from(length > 0))
    };
    let _ = writeln!(out, "@@ -{} +{} @@", side('+'), side('-'));
    for line in shown {
        let _ = writeln!(out, "{}{}", line.mark, line.text);
        if line.is_open {
            out.push_str("\\ No newline at end of file\n");
        }
    }
}
