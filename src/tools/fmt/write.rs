//! Tokens back to text, each line in its column.
//!
//! Lines are neither joined nor split: what changes is what stands before a line, what stands
//! between two tokens of it, and how many empty lines are between two.

use super::lex::{Bracket, Kind, Reason, Token};
use super::place::{Context, Level, Role, STEP};

/// The text anew.
pub(super) fn write(text: &str, tokens: &[Token]) -> Result<String, Reason> {
    let mut writer = Writer {
        text,
        tokens,
        context: Context::new(text, tokens),
        apart: apart(text, tokens)?,
        out: String::with_capacity(text.len() + text.len() / 8),
        line_is_blank: false,
    };
    let mut from = 0;
    for index in 0..tokens.len() {
        from = writer.token(index, from)?;
    }
    writer.rest(from);
    Ok(writer.out)
}

/// The comments of a text, in order, as they are written out.
pub(super) fn comments(text: &str, tokens: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    let mut from = 0;
    for token in tokens {
        collect(&text[from..token.start], &mut found);
        from = token.end;
        if token.kind == Kind::Block {
            let head = &text[token.start..token.end];
            collect(head.lines().next().unwrap_or_default(), &mut found);
        }
    }
    collect(&text[from..], &mut found);
    found
}

fn collect(gap: &str, found: &mut Vec<String>) {
    let lines = gap
        .lines()
        .filter_map(|line| line.find('#').map(|at| &line[at..]));
    found.extend(lines.map(comment));
}

/// A comment with a blank after its `#`, unless a mark such as `#!` is meant.
fn comment(text: &str) -> String {
    let text = text.trim_end();
    match text.strip_prefix('#') {
        Some(rest) if rest.starts_with(char::is_alphanumeric) => format!("# {rest}"),
        _ => text.to_owned(),
    }
}

/// For each token, whether an empty line is to stand before it: jobs, and the parts of a file,
/// are apart where one of two takes several lines.
fn apart(text: &str, tokens: &[Token]) -> Result<Vec<bool>, Reason> {
    let mut context = Context::new(text, tokens);
    let mut apart = vec![false; tokens.len()];
    let (mut sections, mut jobs) = (Vec::new(), Vec::new());
    for index in 0..tokens.len() {
        let role = context.step(index)?.role;
        let is_marker = matches!(
            tokens[index].kind,
            Kind::DocumentStart | Kind::DocumentEnd | Kind::Directive
        );
        let is_top = role != Role::Other && context.stack.len() == 1;
        if is_marker || is_top {
            separate(text, tokens, &mut jobs, index, &mut apart);
        }
        match role {
            Role::Section => sections.push(index),
            Role::Job => jobs.push(index),
            // A key of the file that elder does not know.
            Role::Key if is_top => separate(text, tokens, &mut sections, index, &mut apart),
            _ if is_marker => separate(text, tokens, &mut sections, index, &mut apart),
            _ => {}
        }
    }
    separate(text, tokens, &mut jobs, tokens.len(), &mut apart);
    separate(text, tokens, &mut sections, tokens.len(), &mut apart);
    Ok(apart)
}

/// Decides about neighbours, the last of which ends at the token `end`; none are left.
fn separate(
    text: &str,
    tokens: &[Token],
    neighbours: &mut Vec<usize>,
    end: usize,
    apart: &mut [bool],
) {
    let is_long = |from: usize, to: usize| {
        let whole = &text[tokens[from].start..tokens[to - 1].end];
        whole.trim_end().contains('\n')
    };
    let ends = neighbours.iter().skip(1).copied().chain([end]);
    let long: Vec<bool> = neighbours
        .iter()
        .zip(ends)
        .map(|(from, to)| is_long(*from, to))
        .collect();
    for (pair, second) in long.windows(2).zip(neighbours.iter().skip(1)) {
        apart[*second] = pair.contains(&true);
    }
    neighbours.clear();
}

struct Writer<'t> {
    text: &'t str,
    tokens: &'t [Token],
    context: Context<'t>,
    apart: Vec<bool>,
    out: String,
    /// Whether an empty line is due before whatever comes next.
    line_is_blank: bool,
}

/// Where the line of a comment may stand: beside what came before, or beside what comes next.
#[derive(Default)]
struct Around {
    before: Vec<Level>,
    /// The token before is a key or a dash whose value is on lines of its own.
    awaits: bool,
    /// What comes next, as written and as it will be; within brackets there is only the latter.
    next: Option<(Option<usize>, usize)>,
}

impl Around {
    fn column(&self, written: usize) -> usize {
        match self.next {
            Some((None, new)) => return new,
            Some((Some(old), new)) if old == written => return new,
            _ => {}
        }
        // What is taken out by a `#` within something stands one level deeper.
        let least = if self.awaits { 1 } else { STEP };
        if let Some(top) = self.before.last()
            && written >= top.old + least
        {
            return top.new + STEP;
        }
        let next = self.next.and_then(|(old, new)| Some((old?, new)));
        let known = self.before.iter().map(|level| (level.old, level.new));
        known
            .chain(next)
            .filter(|(old, _)| *old <= written)
            .max_by_key(|(old, _)| *old)
            .map_or(0, |(_, new)| new)
    }
}

impl Writer<'_> {
    /// Writes what stands between `from` and the token, and the token; answers where it ends.
    fn token(&mut self, index: usize, from: usize) -> Result<usize, Reason> {
        let token = &self.tokens[index];
        let gap = &self.text[from..token.start];
        let begins = self.context.begins_line(index);
        let around = (begins && gap.contains('#')).then(|| self.around(index));
        let flow = self.context.flow;
        let step = self.context.step(index)?;
        if begins {
            let written = self.context.column(index);
            let mut around = around.unwrap_or_default();
            around.next = Some(match flow {
                0 => (Some(written), step.column),
                // Beside a closing bracket's comments stand those of what it closes.
                _ => (None, self.context.in_flow(flow)),
            });
            let at_start = index == 0 || self.tokens[index - 1].kind == Kind::Block;
            // After a text that keeps its empty lines, one more would be text.
            let may = self.apart[index] && !(index > 0 && self.keeps_lines(index - 1));
            let apart = may.then_some(written);
            self.lines(gap, at_start, &around, apart);
            self.begin_line(step.column);
        } else {
            let before = self.tokens[index - 1].kind;
            let between = between(before, token.kind, gap);
            self.out.push_str(between);
        }
        match token.kind {
            Kind::Block => self.block(token),
            Kind::Plain | Kind::Quoted => {
                self.folded(token, self.continued());
                Ok(token.end)
            }
            _ => {
                self.out.push_str(&self.text[token.start..token.end]);
                Ok(token.end)
            }
        }
    }

    /// Whether the token is a text with all empty lines below it.
    fn keeps_lines(&self, index: usize) -> bool {
        let token = &self.tokens[index];
        let text = &self.text[token.start..token.end];
        let marks = text.split(['#', '\n']).next().unwrap_or_default();
        token.kind == Kind::Block && marks.contains('+')
    }

    /// What stands after the last token.
    fn rest(&mut self, from: usize) {
        let around = self.around(self.tokens.len());
        let last = self.tokens.last();
        let at_start = last.is_none_or(|token| token.kind == Kind::Block);
        let gap = &self.text[from..];
        self.lines(gap, at_start, &around, None);
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn around(&self, index: usize) -> Around {
        let before = index.checked_sub(1).map(|before| self.tokens[before].kind);
        Around {
            before: self.context.stack.clone(),
            awaits: matches!(before, Some(Kind::Colon | Kind::Dash | Kind::Property)),
            next: None,
        }
    }

    /// The column of the further lines of a value.
    fn continued(&self) -> usize {
        match self.context.flow {
            0 => self.context.inner(),
            depth => self.context.in_flow(depth),
        }
    }

    /// Comments and empty lines. `apart` asks for an empty line, and says where what comes next
    /// was written: comments that stood deeper belong to what came before.
    fn lines(&mut self, gap: &str, at_start: bool, around: &Around, mut apart: Option<usize>) {
        let mut lines = gap.split('\n');
        if !at_start {
            let rest = lines.next().unwrap_or_default();
            if let Some(at) = rest.find('#') {
                self.out.push_str(beside(&rest[..at]));
                self.out.push_str(&comment(&rest[at..]));
            }
        }
        let mut lines: Vec<&str> = lines.collect();
        // What stands before the token itself.
        if around.next.is_some() || lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        if lines.iter().any(|line| line.trim().is_empty()) {
            apart = None;
        }
        for line in lines {
            let Some(at) = line.find('#') else {
                self.line_is_blank = true;
                continue;
            };
            let written = line[..at].chars().count();
            if apart.is_some_and(|column| written <= column) {
                self.line_is_blank = true;
                apart = None;
            }
            self.begin_line(around.column(written));
            self.out.push_str(&comment(&line[at..]));
        }
        self.line_is_blank |= apart.is_some();
    }

    fn begin_line(&mut self, column: usize) {
        if !self.out.is_empty() {
            if !self.out.ends_with('\n') {
                self.out.push('\n');
            }
            if self.line_is_blank {
                self.out.push('\n');
            }
        }
        self.line_is_blank = false;
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    /// A value on one line or several; blanks around its line breaks mean nothing.
    fn folded(&mut self, token: &Token, column: usize) {
        let text = &self.text[token.start..token.end];
        let mut lines = text.split('\n').peekable();
        let mut first = true;
        while let Some(line) = lines.next() {
            let mut line = line;
            if !first {
                self.out.push('\n');
                line = line.trim_start_matches([' ', '\t']);
            }
            if lines.peek().is_some() {
                let trimmed = line.trim_end_matches([' ', '\t']);
                // A blank after a backslash is text.
                if !(text.starts_with('"') && trimmed.ends_with('\\')) {
                    line = trimmed;
                }
            }
            if !first && !line.is_empty() {
                self.out.extend(std::iter::repeat_n(' ', column));
            }
            self.out.push_str(line);
            first = false;
        }
    }

    /// `|` or `>` with its lines, which move as one.
    fn block(&mut self, token: &Token) -> Result<usize, Reason> {
        let text = &self.text[token.start..token.end];
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let (marks, rest) = match head.find('#') {
            Some(at) => head.split_at(at),
            None => (head, ""),
        };
        let indicator = marks.trim_end();
        self.out.push_str(indicator);
        if !rest.is_empty() {
            self.out.push_str(beside(&marks[indicator.len()..]));
            self.out.push_str(&comment(rest));
        }
        let Some(parent) = self.context.stack.last() else {
            return Err("it is one text and nothing else");
        };
        let said = indicator.chars().find_map(|mark| mark.to_digit(10));
        let said = said.and_then(|digit| usize::try_from(digit).ok());
        let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let (old, new) = match said {
            Some(deeper) => (parent.old + deeper, parent.new + deeper),
            None => {
                let first = body.split('\n').find(|line| spaces(line) < line.len());
                let old = first.map_or(usize::MAX, spaces);
                (old, parent.new + STEP)
            }
        };
        let is_empty = |line: &str| spaces(line) == line.len() && line.len() <= old;
        let kept = match indicator.contains('+') {
            true => body,
            false => {
                let mut kept = body;
                while let Some((before, last)) = kept.rsplit_once('\n')
                    && is_empty(last)
                {
                    kept = before;
                }
                if is_empty(kept) { "" } else { kept }
            }
        };
        let lines = kept.strip_suffix('\n').unwrap_or(kept);
        if !kept.is_empty() {
            for line in lines.split('\n') {
                self.out.push('\n');
                if is_empty(line) {
                    continue;
                }
                if spaces(line) < old {
                    return Err("a block of text whose lines are not where the parser saw them");
                }
                self.out.extend(std::iter::repeat_n(' ', new));
                self.out.push_str(&line[old..]);
            }
        }
        self.out.push('\n');
        // What was left out, but for the end of the last line, counts as empty lines.
        let left_out = body.len() - kept.len();
        Ok(token.end - left_out + usize::from(left_out > 0 && !kept.is_empty()))
    }
}

/// The blanks before a comment beside something: comments may be aligned.
fn beside(blanks: &str) -> &str {
    match blanks.is_empty() || blanks.contains(|c| c != ' ') {
        true => " ",
        false => blanks,
    }
}

/// What stands between two tokens of one line.
fn between(before: Kind, after: Kind, gap: &str) -> &'static str {
    use Kind::{Alias, Close, Colon, Comma, Open, Property};
    let as_written = if gap.is_empty() { "" } else { " " };
    match (before, after) {
        // `*name:` would be another name; an anchor may have no value.
        (Alias | Property, Colon) | (Alias | Property | Colon, Comma) => as_written,
        (Property, Close(_)) => as_written,
        (Open(_), Close(_)) => "",
        (Open(Bracket::List), _) | (_, Close(Bracket::List)) if before != Colon => "",
        (_, Colon | Comma) => "",
        _ => " ",
    }
}
