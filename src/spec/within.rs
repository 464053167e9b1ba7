//! A job file that stands inside of another file, as the text under a key of it: where each place
//! of it is there.
//!
//! What YAML makes of a scalar is compared with what stands in the file around it. Where the two
//! cannot be laid side by side (folded text, an alias), every place is the key's.

use std::sync::Arc;

use super::span::Span;

/// A text, and where its lines begin.
#[derive(Debug)]
pub struct Around {
    text: Box<str>,
    starts: Vec<usize>,
}

impl Around {
    /// The text of a whole file.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            starts: line_starts(text),
            text: Box::from(text),
        }
    }

    /// A line without its end, by its number from 1; empty where there is none.
    pub(super) fn line(&self, number: u32) -> &str {
        line(&self.text, &self.starts, number)
    }

    fn has(&self, number: u32) -> bool {
        number > 0 && (number as usize) <= self.starts.len()
    }
}

/// YAML counts LF, CR LF and a lone CR as one line break each.
pub(super) fn line_starts(text: &str) -> Vec<usize> {
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

/// A line of `text`, by its number from 1.
pub(super) fn line<'t>(text: &'t str, starts: &[usize], number: u32) -> &'t str {
    let index = number.saturating_sub(1) as usize;
    let Some(start) = starts.get(index) else {
        return "";
    };
    let end = starts.get(index + 1).copied().unwrap_or(text.len());
    text[*start..end].trim_end_matches(['\n', '\r'])
}

/// Where the text of an [`InputFile`](super::InputFile) stands that is no file of its own.
#[derive(Debug)]
pub struct Within {
    around: Arc<Around>,
    name: Arc<str>,
    key: Span,
    lines: Lines,
}

/// How places of the text are found around it.
#[derive(Debug)]
enum Lines {
    /// Line by line as they stand, so many characters further to the right.
    Block { first: u32, indent: u32 },
    /// Line and column of each character, and of what follows the last one, by lines of the text.
    Characters(Vec<Vec<(u32, u32)>>),
    /// They are not.
    Unknown,
}

impl Within {
    /// `text` is what YAML makes of the value that begins at `value`, under the key `name` at `key`.
    #[must_use]
    pub fn new(around: &Arc<Around>, name: &Arc<str>, key: Span, value: Span, text: &str) -> Self {
        Self {
            around: around.clone(),
            name: name.clone(),
            key,
            lines: lines(around, key, value, text).unwrap_or(Lines::Unknown),
        }
    }

    /// The line of the file around it.
    pub(super) fn line(&self, number: u32) -> &str {
        self.around.line(number)
    }

    /// A place of the text, in the file around it; the whole of the text is its key.
    pub(super) fn place(&self, span: Span) -> Span {
        if span.line == 0 {
            return self.key;
        }
        match &self.lines {
            Lines::Block { first, indent } => Span {
                line: first.saturating_add(span.line - 1),
                column: span.column.saturating_add(*indent),
                length: span.length,
            },
            Lines::Characters(lines) => {
                let line = lines.get((span.line - 1) as usize);
                line.and_then(|line| in_line(line, span))
                    .unwrap_or(self.key)
            }
            Lines::Unknown => self.key,
        }
    }

    /// What is to be said of a place that is shown elsewhere than where it is; nothing for all others.
    pub(super) fn remark(&self, span: Span) -> String {
        match &self.lines {
            Lines::Unknown if span.line > 0 => format!(
                " (line {}, column {} of the text of `{}`)",
                span.line, span.column, self.name
            ),
            _ => String::new(),
        }
    }
}

fn in_line(line: &[(u32, u32)], span: Span) -> Option<Span> {
    let at = |index: usize| line.get(index).or(line.last()).copied();
    let from = span.column.saturating_sub(1) as usize;
    let (number, column) = at(from)?;
    let end = match span.length {
        0 => line.last().copied(),
        length => at(from + length as usize),
    };
    let length = end.filter(|(last, _)| *last == number);
    let length = length.map_or(0, |(_, end)| end.saturating_sub(column));
    Some(Span {
        line: number,
        column,
        length: length.max(u32::from(span.length > 0)),
    })
}

fn lines(around: &Around, key: Span, value: Span, text: &str) -> Option<Lines> {
    if value.line > key.line {
        // A block begins with its first line that is not empty.
        let empty = text.bytes().take_while(|byte| *byte == b'\n').count();
        let first = u32::try_from(empty)
            .ok()
            .and_then(|empty| value.line.checked_sub(empty));
        if let Some(found) = first.and_then(|first| block(around, first, text)) {
            return Some(found);
        }
    }
    let from = value.column.saturating_sub(1) as usize;
    match around.line(value.line).chars().nth(from)? {
        quote @ ('"' | '\'') => quoted(around, value, quote, text),
        _ => plain(around, value, text),
    }
}

/// `|`, and whatever else keeps its lines as they stand, less their indentation.
fn block(around: &Around, first: u32, text: &str) -> Option<Lines> {
    let mut indent = None;
    for (number, line) in (first..).zip(text.split('\n')) {
        if line.is_empty() {
            continue;
        }
        let before = around.line(number).strip_suffix(line)?;
        let is_indent = before.bytes().all(|byte| byte == b' ');
        if !is_indent || indent.is_some_and(|known| known != before.len()) {
            return None;
        }
        indent = Some(before.len());
    }
    Some(Lines::Block {
        first,
        indent: u32::try_from(indent?).ok()?,
    })
}

/// A plain scalar on one line.
fn plain(around: &Around, value: Span, text: &str) -> Option<Lines> {
    let from = value.column.checked_sub(1)?;
    let mut rest = around.line(value.line).chars().skip(from as usize);
    if !text.chars().all(|found| rest.next() == Some(found)) {
        return None;
    }
    let length = u32::try_from(text.chars().count()).ok()?;
    let columns = value.column..=value.column.saturating_add(length);
    let places = columns.map(|column| (value.line, column));
    Some(Lines::Characters(vec![places.collect()]))
}

/// Quoted text, character by character: escapes, and lines that are folded into blanks.
fn quoted(around: &Around, value: Span, quote: char, text: &str) -> Option<Lines> {
    let mut scan = Scan {
        around,
        line: value.line,
        column: value.column,
        rest: around.line(value.line).chars().collect(),
        decoded: Vec::new(),
    };
    scan.next()?;
    loop {
        let at = (scan.line, scan.column);
        match scan.next() {
            None => scan.fold()?,
            Some('\'') if quote == '\'' => {
                if scan.peek() != Some('\'') {
                    return settled(scan.decoded, at, text);
                }
                scan.next();
                scan.decoded.push(('\'', at));
            }
            Some('"') if quote == '"' => return settled(scan.decoded, at, text),
            Some('\\') if quote == '"' => match scan.next() {
                None => scan.break_line()?,
                Some(escape) => {
                    let meant = scan.escape(escape)?;
                    scan.decoded.push((meant, at));
                }
            },
            Some(other) => scan.decoded.push((other, at)),
        }
    }
}

struct Scan<'a> {
    around: &'a Around,
    line: u32,
    /// Of the next character, from 1.
    column: u32,
    rest: Vec<char>,
    decoded: Vec<(char, (u32, u32))>,
}

impl Scan<'_> {
    fn peek(&self) -> Option<char> {
        self.rest
            .get(self.column.saturating_sub(1) as usize)
            .copied()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.column += 1;
        Some(found)
    }

    /// On to the next line, past its indentation.
    fn break_line(&mut self) -> Option<()> {
        self.line += 1;
        self.column = 1;
        if !self.around.has(self.line) {
            return None;
        }
        self.rest = self.around.line(self.line).chars().collect();
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.column += 1;
        }
        Some(())
    }

    /// A line's end within quotes: one is a blank, each further one a line break.
    fn fold(&mut self) -> Option<()> {
        while let Some((' ' | '\t', _)) = self.decoded.last() {
            self.decoded.pop();
        }
        let at = (self.line, self.column);
        let mut empty = 0;
        self.break_line()?;
        while self.peek().is_none() {
            self.decoded.push(('\n', (self.line, 1)));
            empty += 1;
            self.break_line()?;
        }
        if empty == 0 {
            self.decoded.push((' ', at));
        }
        Some(())
    }

    fn escape(&mut self, letter: char) -> Option<char> {
        let digits = match letter {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0' => return Some('\0'),
            'a' => return Some('\u{7}'),
            'b' => return Some('\u{8}'),
            't' | '\t' => return Some('\t'),
            'n' => return Some('\n'),
            'v' => return Some('\u{b}'),
            'f' => return Some('\u{c}'),
            'r' => return Some('\r'),
            'e' => return Some('\u{1b}'),
            'N' => return Some('\u{85}'),
            '_' => return Some('\u{a0}'),
            'L' => return Some('\u{2028}'),
            'P' => return Some('\u{2029}'),
            ' ' | '"' | '/' | '\\' => return Some(letter),
            _ => return None,
        };
        let mut code = 0u32;
        for _ in 0..digits {
            code = code
                .checked_mul(16)?
                .checked_add(self.next()?.to_digit(16)?)?;
        }
        // Half of a surrogate pair is no character: such a text is not laid side by side.
        char::from_u32(code)
    }
}

/// The characters by lines, if they are the text.
fn settled(decoded: Vec<(char, (u32, u32))>, end: (u32, u32), text: &str) -> Option<Lines> {
    if !decoded.iter().map(|(found, _)| *found).eq(text.chars()) {
        return None;
    }
    let mut lines = vec![Vec::new()];
    for (found, at) in decoded {
        if let Some(line) = lines.last_mut() {
            line.push(at);
        }
        if found == '\n' {
            lines.push(Vec::new());
        }
    }
    if let Some(line) = lines.last_mut() {
        line.push(end);
    }
    Some(Lines::Characters(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, column: u32, length: u32) -> Span {
        Span {
            line,
            column,
            length,
        }
    }

    /// The characters that stand at a place of `text`, found in `around`; `value` is where it begins.
    fn found(around: &str, value: Span, text: &str, span: Span) -> Option<String> {
        let around = Arc::new(Around::new(around));
        let within = Within::new(&around, &Arc::from("a.yaml"), at(1, 1, 6), value, text);
        let place = within.place(span);
        let line = around.line(place.line).chars();
        let line = line.skip(place.column as usize - 1);
        let exact = within.remark(span).is_empty();
        exact.then(|| line.take(place.length as usize).collect())
    }

    #[test]
    fn a_place_of_the_text_is_found_around_it() {
        for (sentence, around, value, text, span, want) in [
            (
                "a block",
                "a.yaml: |\n  jobs:\n    a: bad\n",
                at(2, 3, 0),
                "jobs:\n  a: bad\n",
                at(2, 6, 3),
                Some("bad"),
            ),
            (
                "an indentation indicator, empty lines, and blanks at a line's end",
                "a.yaml: |2-\n\n    x: y \n\n   bad\nnext: z",
                at(3, 3, 0),
                "\n  x: y \n\n bad",
                at(4, 2, 3),
                Some("bad"),
            ),
            (
                "lines that end as on Windows",
                "a.yaml: |\r\n  x: y\r\n  bad: z\r\n",
                at(2, 3, 0),
                "x: y\nbad: z\n",
                at(2, 1, 3),
                Some("bad"),
            ),
            (
                "escapes in double quotes",
                r#"{"a.yaml": "jobs:\n  \"ü\u0041\": bad\n"}"#,
                at(1, 12, 0),
                "jobs:\n  \"üA\": bad\n",
                at(2, 9, 3),
                Some("bad"),
            ),
            (
                "an escape is meant as a whole",
                r#"a.yaml: "x\u0041y""#,
                at(1, 9, 0),
                "xAy",
                at(1, 2, 1),
                Some(r"\u0041"),
            ),
            (
                "double quotes over several lines",
                "a.yaml: \"jobs:\\n\\\n  \\  x: y\\n\n  bad\"\n",
                at(1, 9, 0),
                "jobs:\n  x: y\n bad",
                at(3, 2, 3),
                Some("bad"),
            ),
            (
                "single quotes with an empty line",
                "a.yaml: 'it''s:\n\n  bad'\n",
                at(1, 9, 0),
                "it's:\nbad",
                at(2, 1, 3),
                Some("bad"),
            ),
            (
                "without quotes",
                "a.yaml: jobs",
                at(1, 9, 0),
                "jobs",
                at(1, 1, 4),
                Some("jobs"),
            ),
            (
                "folded text is not looked through",
                "a.yaml: >\n  jobs:\n  bad\n",
                at(2, 3, 0),
                "jobs: bad\n",
                at(1, 7, 3),
                None,
            ),
            (
                "an alias neither",
                "a.yaml: *x",
                at(1, 9, 0),
                "jobs: {}\n",
                at(1, 1, 4),
                None,
            ),
            (
                "half a character",
                r#"a.yaml: "\ud83d\ude00 x""#,
                at(1, 9, 0),
                "😀 x",
                at(1, 3, 1),
                None,
            ),
        ] {
            let want = want.map(str::to_owned);
            assert_eq!(found(around, value, text, span), want, "{sentence}");
        }
    }

    #[test]
    fn what_is_not_found_is_at_the_key_and_says_where_it_would_be() {
        let around = Arc::new(Around::new("a.yaml: >\n  x\n  y\n"));
        let name = Arc::from("a.yaml");
        let within = Within::new(&around, &name, at(1, 1, 6), at(2, 3, 0), "x y\n");
        assert_eq!(within.place(at(1, 1, 1)), at(1, 1, 6));
        assert_eq!(
            within.remark(at(1, 2, 1)),
            " (line 1, column 2 of the text of `a.yaml`)"
        );
        assert_eq!(within.place(Span::default()), at(1, 1, 6));
        assert_eq!(within.remark(Span::default()), "");
    }

    proptest::proptest! {
        /// Whatever is laid beside whatever: a place that is not the key's holds the very character,
        /// or what stands for it.
        #[test]
        fn a_place_holds_what_was_asked_for(
            around in "[\"'|>]?[a-z\\\\nux \n\"']{0,40}",
            (value_line, column) in (1u32..4, 1u32..9),
            (start, end) in (0usize..40, 0usize..40),
            (line, at_column) in (1u32..5, 1u32..12),
        ) {
            // The text is often a piece of what is around it: else nothing would ever fit.
            let text: String = around.chars().skip(start).take(end).collect();
            let around = Arc::new(Around::new(&around));
            let name = Arc::from("a.yaml");
            let key = at(1, 77, 1);
            let value = at(value_line, column, 0);
            let within = Within::new(&around, &name, key, value, &text);
            let span = at(line, at_column, 1);
            let place = within.place(span);
            let starts = line_starts(&text);
            let asked = super::line(&text, &starts, line).chars().nth(at_column as usize - 1);
            if let (Some(asked), true) = (asked, place != key) {
                let found = around.line(place.line).chars().nth(place.column as usize - 1);
                let stands_for = match asked {
                    // A line's end, where lines are folded.
                    ' ' => matches!(found, None | Some(' ' | '\\')),
                    _ => found == Some(asked) || found == Some('\\'),
                };
                proptest::prop_assert!(stands_for, "{asked:?} is {found:?} at {place:?}");
            }
        }
    }
}
