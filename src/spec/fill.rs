//! Fills `${…}` in: what elder's environment knows now, and parts for what only a run knows.

use std::sync::Arc;

use super::Shown;
use super::decode::{Decoder, Later, Reference};
use super::interpolate::{self, Piece};
use super::limits;
use super::tree::Span;
use crate::finding::Code;
use crate::model::{Part, Variable};

impl Decoder<'_, '_> {
    /// The parts of a text; `None` when something of it cannot be filled in. `shown` is how far
    /// people see what comes out.
    pub(super) fn fill(
        &mut self,
        written: &str,
        span: Span,
        later: Later,
        shown: Shown,
    ) -> Option<Vec<Part>> {
        let before = self.errors();
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        for piece in interpolate::pieces(written) {
            let part = match piece {
                Piece::Literal(text) => {
                    literal.push_str(text);
                    continue;
                }
                Piece::Env {
                    name: "event",
                    default: None,
                } if self.for_sage && later != Later::Nothing => Part::Variable(Variable::Event),
                Piece::Env { name, default } => {
                    self.variables.add(name, shown);
                    let value = self.environment(name, default, span, shown);
                    if !self.may_fill_in(value.len(), span) {
                        return None;
                    }
                    literal.push_str(&value);
                    continue;
                }
                Piece::Secret(name) => {
                    self.may_use_secret(name, span, later);
                    let name: Arc<str> = Arc::from(name);
                    self.refer(Reference::Secret(name.clone()), span);
                    Part::Secret(name)
                }
                Piece::Run(variable) => {
                    self.may_use_run(&variable, span, later);
                    // A sage is told of many jobs: one without the label leaves its place empty.
                    if let Variable::JobLabel(label) = &variable
                        && !self.for_sage
                    {
                        self.refer(Reference::Label(label.clone()), span);
                    }
                    Part::Variable(variable)
                }
                Piece::Bad { message, help } => {
                    self.report(Code::BadVariable, span, &message, &help);
                    continue;
                }
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(Arc::from(literal.as_str())));
                literal.clear();
            }
            parts.push(part);
        }
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        // A warning (a variable that is not set, where that is allowed) is no reason to stop.
        (!self.errors_since(before)).then_some(parts)
    }

    /// Whether so many more bytes are within the bound of the file.
    fn may_fill_in(&mut self, bytes: usize, span: Span) -> bool {
        let before = self.filled;
        self.filled = before.saturating_add(bytes);
        if self.filled <= limits::FILLED_BYTES {
            return true;
        }
        if before > limits::FILLED_BYTES {
            // It was said where the bound was passed.
            return false;
        }
        let message = format!(
            "up to here, `${{…}}` fills in more than {} MiB",
            limits::FILLED_BYTES >> 20
        );
        self.report(Code::Limit, span, &message, "make several files of it");
        false
    }

    fn may_use_secret(&mut self, name: &str, span: Span, later: Later) {
        let help = match later {
            Later::RunAndSecrets => return,
            Later::Run => format!(
                "it would show in the process list; the process finds it in its environment as {name}"
            ),
            Later::Nothing => "secrets work in `http` and `env`".to_owned(),
        };
        let message = format!("`${{secrets.{name}}}` cannot stand here");
        self.report(Code::BadVariable, span, &message, &help);
    }

    fn may_use_run(&mut self, variable: &Variable, span: Span, later: Later) {
        let name = variable.name();
        if variable.is_of_letters() && !self.for_sage {
            let message =
                format!("`${{{name}}}` cannot stand here: a run does not know its own end");
            let help = "it works in a sage";
            self.report(Code::BadVariable, span, &message, help);
            return;
        }
        if later != Later::Nothing {
            return;
        }
        let message =
            format!("`${{{name}}}` cannot stand here: it is known only when the run starts");
        self.report(
            Code::BadVariable,
            span,
            &message,
            "it works in `http`, `exec` and `env`",
        );
    }

    /// Whether what a text was filled in with may be seen by whoever sees the job.
    pub(super) fn may_show(&mut self, written: &str) -> bool {
        let pieces = interpolate::pieces(written);
        let names = pieces.iter().filter_map(|piece| match piece {
            Piece::Env { name, .. } => Some(*name),
            _ => None,
        });
        let lent = self.options().lent.as_deref();
        let may = names
            .clone()
            .all(|name| lent.is_none_or(|lent| lent.shows(name, Shown::Value)));
        if may {
            names.for_each(|name| self.variables.add(name, Shown::Value));
        }
        may
    }

    /// What `${NAME}` stands for.
    fn environment(
        &mut self,
        name: &str,
        default: Option<&str>,
        span: Span,
        shown: Shown,
    ) -> String {
        if interpolate::looks_secret(name) {
            let message =
                format!("`${{{name}}}` looks like a secret, which must not be filled in here");
            let help = format!(
                "write `secrets: {{ {name}: {{ env: {name} }} }}` and use `${{secrets.{name}}}`"
            );
            self.report(Code::BadVariable, span, &message, &help);
            return String::new();
        }
        if let Some(allowed) = &self.options().env_allow
            && !allowed.iter().any(|one| one == name)
        {
            let message = format!("`${{{name}}}` may not be used: it is not in --env-allow");
            self.report(Code::BadVariable, span, &message, "");
            return String::new();
        }
        let set = self.options().env.get(name);
        if let Some(lent) = &self.options().lent
            && !lent.shows(name, shown)
        {
            // That a name is not set tells nothing of a value.
            if let (None, Some(default)) = (set, default) {
                return default.to_owned();
            }
            let message = match shown {
                Shown::Template => {
                    format!(
                        "`${{{name}}}` is not filled in here: no file of this elder uses it yet"
                    )
                }
                Shown::Value => {
                    format!(
                        "`${{{name}}}` is not filled in here: no file of this elder shows it yet"
                    )
                }
            };
            let help = "whoever asks a running elder may not read its environment: plan against a \
                        git revision, or name all variables of job files in that elder's --env-allow";
            self.report(Code::BadVariable, span, &message, help);
            return String::new();
        }
        match (set, default) {
            // As in a shell, `:-` also stands in for an empty value.
            (Some(value), None) => value.clone(),
            (Some(value), Some(_)) if !value.is_empty() => value.clone(),
            (_, Some(default)) => default.to_owned(),
            (None, None) => {
                let help = format!("set it for elder, or write `${{{name}:-default}}`");
                if self.options().allow_missing_env {
                    let message = format!("`${{{name}}}` is not set and taken as empty");
                    self.report(Code::MissingVariable, span, &message, &help);
                } else {
                    let message = format!("`${{{name}}}` is not set");
                    self.report(Code::BadVariable, span, &message, &help);
                }
                String::new()
            }
        }
    }
}
