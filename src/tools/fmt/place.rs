//! Which column each token belongs into, when it begins a line.

use super::lex::{Kind, Reason, Token, line_start};

/// How much deeper a level stands than the one around it.
pub(super) const STEP: usize = 2;

/// A mapping or a list that is open, in block style.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub is_list: bool,
    /// The column of its keys or dashes as they were written.
    pub old: usize,
    /// The column that they get.
    pub new: usize,
}

/// What a key begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A key of the file itself that elder knows.
    Section,
    /// A job.
    Job,
    /// Any other key.
    Key,
    /// No key.
    Other,
}

/// What is said of one token.
pub(super) struct Step {
    /// Its column, if it begins a line.
    pub column: usize,
    pub role: Role,
}

/// Keys of the file itself that have an empty line between them.
const SECTIONS: [&str; 6] = ["defaults", "jobs", "calendars", "pools", "sages", "tests"];

/// What is open, from token to token.
pub(super) struct Context<'t> {
    text: &'t str,
    tokens: &'t [Token],
    pub stack: Vec<Level>,
    /// Brackets that are open.
    pub flow: usize,
    /// The column of a line that closes the bracket that was opened first.
    flow_base: usize,
    /// Tokens before this one belong to a key that was placed already.
    key_until: usize,
    section: &'t str,
}

impl<'t> Context<'t> {
    pub fn new(text: &'t str, tokens: &'t [Token]) -> Self {
        Self {
            text,
            tokens,
            stack: Vec::new(),
            flow: 0,
            flow_base: 0,
            key_until: 0,
            section: "",
        }
    }

    /// Goes on to the token at `index`; each is asked for once and in order.
    pub fn step(&mut self, index: usize) -> Result<Step, Reason> {
        let kind = self.tokens[index].kind;
        let mut role = Role::Other;
        let column = match kind {
            Kind::DocumentStart | Kind::DocumentEnd | Kind::Directive => {
                self.stack.clear();
                self.section = "";
                0
            }
            Kind::Open(_) => {
                if self.flow == 0 {
                    // Also the last bracket: YAML wants it deeper than the key.
                    self.flow_base = self.inner();
                }
                self.flow += 1;
                self.in_flow(self.flow - 1)
            }
            Kind::Close(_) => {
                self.flow = self.flow.saturating_sub(1);
                self.in_flow(self.flow)
            }
            _ if self.flow > 0 => self.in_flow(self.flow),
            Kind::Dash => self.dash(index)?,
            Kind::Colon => self.colon(index)?,
            Kind::Comma => return Err("a `,` outside of brackets"),
            _ if index < self.key_until => self.inner(),
            _ => match self.key_end(index) {
                Some(end) => {
                    self.key_until = end;
                    role = self.key(index)?;
                    self.stack.last().map_or(0, |level| level.new)
                }
                None => self.inner(),
            },
        };
        Ok(Step { column, role })
    }

    /// Where a value stands that has a line for itself.
    pub fn inner(&self) -> usize {
        self.stack.last().map_or(0, |level| level.new + STEP)
    }

    /// The column within so many brackets.
    pub fn in_flow(&self, depth: usize) -> usize {
        self.flow_base + STEP * depth
    }

    /// The column as written, in characters from 0.
    pub fn column(&self, index: usize) -> usize {
        let start = self.tokens[index].start;
        self.text[line_start(self.text, start)..start]
            .chars()
            .count()
    }

    /// Whether nothing but blanks stands before the token in its line.
    pub fn begins_line(&self, index: usize) -> bool {
        index == 0 || !self.same_line(index - 1)
    }

    /// Whether the token after this one is on the line that this one ends on.
    fn same_line(&self, index: usize) -> bool {
        let (this, next) = (&self.tokens[index], &self.tokens[index + 1]);
        this.kind != Kind::Block && !self.text[this.end..next.start].contains('\n')
    }

    fn dash(&mut self, index: usize) -> Result<usize, Reason> {
        self.not_after_marker(index)?;
        let column = self.column(index);
        while self.stack.last().is_some_and(|top| top.old > column) {
            self.stack.pop();
        }
        if !matches!(self.stack.last(), Some(top) if top.is_list && top.old == column) {
            // Also where the dashes stand below their key, which they may.
            self.open(true, column);
        }
        Ok(self.stack.last().map_or(0, |level| level.new))
    }

    fn key(&mut self, index: usize) -> Result<Role, Reason> {
        self.not_after_marker(index)?;
        let column = self.column(index);
        while self
            .stack
            .last()
            .is_some_and(|top| top.old > column || top.is_list && top.old == column)
        {
            self.stack.pop();
        }
        if !matches!(self.stack.last(), Some(top) if top.old == column) {
            self.open(false, column);
        }
        let token = &self.tokens[index];
        let name = &self.text[token.start..token.end];
        Ok(match self.stack.as_slice() {
            [_] => {
                self.section = name;
                if SECTIONS.contains(&name) || name.starts_with("x-") {
                    Role::Section
                } else {
                    Role::Key
                }
            }
            [_, level] if !level.is_list && self.section == "jobs" => Role::Job,
            _ => Role::Key,
        })
    }

    fn open(&mut self, is_list: bool, old: usize) {
        let new = self.inner();
        self.stack.push(Level { is_list, old, new });
    }

    /// A mapping or list that begins beside `---` has no column of its own.
    fn not_after_marker(&self, index: usize) -> Result<(), Reason> {
        match index.checked_sub(1).map(|before| self.tokens[before].kind) {
            Some(Kind::DocumentStart) if !self.begins_line(index) => {
                Err("its first key or dash stands beside `---`")
            }
            _ => Ok(()),
        }
    }

    /// A colon that belongs to the key before it.
    fn colon(&self, index: usize) -> Result<usize, Reason> {
        if index == self.key_until && index > 0 && !self.begins_line(index) {
            Ok(self.inner())
        } else {
            Err("it has keys that are empty, lists or mappings")
        }
    }

    /// Whether a key begins here; if so, the index of its colon.
    fn key_end(&self, index: usize) -> Option<usize> {
        let mut at = index;
        while self.tokens.get(at)?.kind == Kind::Property {
            if at + 1 == self.tokens.len() || !self.same_line(at) {
                return None;
            }
            at += 1;
        }
        let is_name = matches!(
            self.tokens[at].kind,
            Kind::Alias | Kind::Plain | Kind::Quoted
        );
        let colon = self.tokens.get(at + 1)?;
        (is_name && colon.kind == Kind::Colon && self.same_line(at)).then_some(at + 1)
    }
}
