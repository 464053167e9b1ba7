//! YAML text to tokens, each with the bytes that it stands in.
//!
//! The parser that reads job files says where scalars and aliases are; what lies between them is
//! blanks, comments and punctuation, and is read here. Where that does not come out even, the text
//! is left alone.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// A piece of the text that is neither blank nor comment.
pub(super) struct Token {
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `---`
    DocumentStart,
    /// `...`
    DocumentEnd,
    /// A line that begins with `%`.
    Directive,
    /// `- ` of a list.
    Dash,
    /// `: ` after a key.
    Colon,
    /// `,`
    Comma,
    /// `{` or `[`
    Open(Bracket),
    /// `}` or `]`
    Close(Bracket),
    /// An anchor or a tag.
    Property,
    /// `*name`
    Alias,
    /// A value or key on one line or several.
    Plain,
    /// The same in quotes.
    Quoted,
    /// `|` or `>` and the lines that belong to it.
    Block,
}

/// Which bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    Map,
    List,
}

/// Why a text is left alone.
pub(super) type Reason = &'static str;

/// Everything that the parser tells of a text, without places: two texts with the same events say
/// the same to whoever reads them.
pub(super) fn events(text: &str) -> Option<Vec<Event<'_>>> {
    let mut parser = Parser::new_from_str(text);
    let mut events = Vec::new();
    while let Some(event) = parser.next_event() {
        events.push(event.ok()?.0);
    }
    Some(events)
}

/// The tokens of a text whose lines end in LF alone.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, Reason> {
    let mut lexer = Lexer {
        text,
        at: 0,
        depth: 0,
        leaves: leaves(text)?,
        next: 0,
        tokens: Vec::new(),
    };
    loop {
        lexer.at = after_blank(text, lexer.at);
        if lexer.at == text.len() {
            break;
        }
        lexer.token()?;
    }
    if lexer.next < lexer.leaves.len() {
        return Err("its values could not all be found");
    }
    Ok(lexer.tokens)
}

/// A scalar or an alias, as the parser places it.
struct Leaf {
    start: usize,
    end: usize,
    /// `None` for an alias.
    style: Option<ScalarStyle>,
}

fn leaves(text: &str) -> Result<Vec<Leaf>, Reason> {
    let mut parser = Parser::new_from_str(text);
    let mut bytes = Bytes::new(text);
    let mut leaves = Vec::new();
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|_| "it is no YAML")?;
        let style = match event {
            // Nothing was written there.
            Event::Scalar(value, ScalarStyle::Plain, ..) if value.is_empty() => continue,
            Event::Scalar(_, style, ..) => Some(style),
            Event::Alias(_) => None,
            _ => continue,
        };
        leaves.push(Leaf {
            start: bytes.of(span.start.index()),
            end: bytes.of(span.end.index()),
            style,
        });
    }
    Ok(leaves)
}

/// Bytes of characters, asked for in order.
struct Bytes<'t> {
    text: &'t str,
    character: usize,
    byte: usize,
}

impl<'t> Bytes<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            character: 0,
            byte: 0,
        }
    }

    fn of(&mut self, character: usize) -> usize {
        if character < self.character {
            *self = Self::new(self.text);
        }
        let steps = character - self.character;
        let mut rest = self.text[self.byte..].char_indices();
        self.byte = rest
            .nth(steps)
            .map_or(self.text.len(), |(at, _)| self.byte + at);
        self.character = character;
        self.byte
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    leaves: Vec<Leaf>,
    next: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<(), Reason> {
        let rest = &self.text[self.at..];
        let at_line_start = self.at == 0 || self.text.as_bytes()[self.at - 1] == b'\n';
        if at_line_start && let Some((kind, length)) = marker(rest) {
            self.push(kind, length);
            return Ok(());
        }
        let first = rest.chars().next().unwrap_or(' ');
        let leaf = self.leaves.get(self.next);
        let is_block = leaf.is_some_and(|leaf| {
            matches!(leaf.style, Some(ScalarStyle::Literal | ScalarStyle::Folded))
        });
        if matches!(first, '&' | '!') {
            self.push(Kind::Property, property(rest, self.depth));
            return Ok(());
        }
        if is_block && self.depth == 0 && matches!(first, '|' | '>') {
            let end = leaf.map_or(self.at, |leaf| leaf.end);
            // The parser has eaten the blanks before what follows.
            let end = match end == self.text.len() {
                true => end,
                false => line_start(self.text, end),
            };
            return self.leaf(Kind::Block, end);
        }
        match leaf {
            Some(leaf) if self.at >= leaf.start => match (leaf.style, first) {
                (None, '*') => self.leaf(Kind::Alias, leaf.end),
                (Some(ScalarStyle::SingleQuoted), '\'')
                | (Some(ScalarStyle::DoubleQuoted), '"') => {
                    let length = quoted(rest, first).ok_or("a quote is not closed")?;
                    self.leaf(Kind::Quoted, self.at + length)
                }
                (Some(ScalarStyle::Plain), _) => self.leaf(Kind::Plain, leaf.end),
                _ => Err("a value is not where the parser saw it"),
            },
            _ => self.punctuation(first, rest),
        }
    }

    fn punctuation(&mut self, first: char, rest: &str) -> Result<(), Reason> {
        let blank_follows = rest[first.len_utf8()..]
            .chars()
            .next()
            .is_none_or(char::is_whitespace);
        let kind = match first {
            '{' => Kind::Open(Bracket::Map),
            '[' => Kind::Open(Bracket::List),
            '}' => Kind::Close(Bracket::Map),
            ']' => Kind::Close(Bracket::List),
            ',' => Kind::Comma,
            ':' => Kind::Colon,
            '-' if blank_follows && self.depth == 0 => Kind::Dash,
            '?' => return Err("it has keys that are written with `?`"),
            _ => return Err("something in it is no part of a value"),
        };
        match kind {
            Kind::Open(_) => self.depth += 1,
            Kind::Close(_) => {
                self.depth = self.depth.checked_sub(1).ok_or("a bracket too many")?;
            }
            _ => {}
        }
        self.push(kind, 1);
        Ok(())
    }

    fn leaf(&mut self, kind: Kind, end: usize) -> Result<(), Reason> {
        let length = end.checked_sub(self.at).filter(|length| *length > 0);
        self.next += 1;
        self.push(kind, length.ok_or("a value without an end")?);
        Ok(())
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let start = self.at;
        self.at += length;
        self.tokens.push(Token {
            kind,
            start,
            end: self.at,
        });
    }
}

/// What has a line for itself, with its length.
fn marker(rest: &str) -> Option<(Kind, usize)> {
    let line = rest.lines().next().unwrap_or_default();
    if line.starts_with('%') {
        return Some((Kind::Directive, line.trim_end().len()));
    }
    let kind = match line.get(..3) {
        Some("---") => Kind::DocumentStart,
        Some("...") => Kind::DocumentEnd,
        _ => return None,
    };
    let ends = line[3..].chars().next().is_none_or(char::is_whitespace);
    ends.then_some((kind, 3))
}

/// The length of an anchor or a tag.
fn property(rest: &str, depth: usize) -> usize {
    if rest.starts_with("!<") {
        return rest.find('>').map_or(rest.len(), |end| end + 1);
    }
    let in_flow = depth > 0 || rest.starts_with('&');
    rest.find(|c: char| c.is_whitespace() || in_flow && matches!(c, ',' | '[' | ']' | '{' | '}'))
        .unwrap_or(rest.len())
}

/// The length of a quoted text with its quotes.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && quote == '"' {
            characters.next();
        } else if character == quote {
            let doubled =
                quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == quote);
            if !doubled {
                return Some(at + 1);
            }
            characters.next();
        }
    }
    None
}

/// The first byte from `at` on that is neither blank nor comment.
fn after_blank(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n']).len();
        at += blank;
        if !text[at..].starts_with('#') {
            return at;
        }
        at += text[at..].find('\n').unwrap_or(text.len() - at);
    }
}

/// Where the line begins that holds the byte.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}
