//! Reads single values: text, switches, numbers, lengths of time, mappings with known keys.
//!
//! Every reader notes what is wrong and answers `None`; nobody stops.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::fields::{Kind, LEVELS, Level, State};
use super::interpolate::{self, Piece};
use super::problem::{Page, Problem};
use super::shared::Shared;
use super::tree::{Entry, Node, Span, Style, Value, shorten};
use super::{Options, limits, suggest};
use crate::duration;
use crate::finding::{Code, Finding, Severity};
use crate::model::{Part, Text, Variable};

/// Reads the values of one file and collects what is wrong with them.
pub(super) struct Decoder<'t, 's> {
    page: &'t Page<'t>,
    options: &'s Options,
    pub shared: &'s Shared<'s>,
    findings: Vec<Finding>,
    errors: usize,
    left_out: usize,
    /// References to secrets and labels since the last [`Decoder::take_uses`].
    uses: Vec<(Reference, Span)>,
    /// Keys that were suggested for unknown ones since [`Decoder::begin_job`].
    suggested: Vec<&'static str>,
}

/// Something that a text refers to by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Secret(Arc<str>),
    Label(Arc<str>),
}

/// What a text may leave for the run to fill in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    /// Nothing: it must be known when the file is loaded.
    Nothing,
    /// What a run knows, but no secret.
    Run,
    /// That and secrets.
    RunAndSecrets,
}

/// Which of a level's keys may stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Job,
    Defaults,
}

impl<'t, 's> Decoder<'t, 's> {
    pub fn new(page: &'t Page<'t>, options: &'s Options, shared: &'s Shared<'s>) -> Self {
        Self {
            page,
            options,
            shared,
            findings: Vec::new(),
            errors: 0,
            left_out: 0,
            uses: Vec::new(),
            suggested: Vec::new(),
        }
    }

    /// Everything found, from top to bottom, with a last word on what was left out.
    pub fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| {
            let place = &finding.at.place;
            (place.line, place.column)
        });
        if self.left_out > 0 {
            let message = format!("{} more findings in this file are not shown", self.left_out);
            let code = if self.errors > 0 {
                Code::Limit
            } else {
                Code::MoreFindings
            };
            let problem = Problem::new(code, Span::default(), &message, "");
            self.findings.push(self.page.finding(problem));
        }
        self.findings
    }

    pub fn note(&mut self, problem: Problem) {
        let is_error = problem.code.severity() == Severity::Error;
        // Errors have room of their own: no flood of warnings hides them.
        let kept = if is_error {
            self.errors
        } else {
            self.findings.len().saturating_sub(self.errors)
        };
        self.errors += usize::from(is_error);
        if kept < limits::FINDINGS {
            self.findings.push(self.page.finding(problem));
        } else {
            self.left_out += 1;
        }
    }

    pub fn report(&mut self, code: Code, span: Span, message: &str, help: &str) {
        self.note(Problem::new(code, span, message, help));
    }

    /// Whether anything that makes the file bad was found since there were `before` errors.
    pub fn errors_since(&self, before: usize) -> bool {
        self.errors > before
    }

    /// How many errors there are so far, warnings not counted.
    pub fn errors(&self) -> usize {
        self.errors
    }

    pub fn begin_job(&mut self) {
        self.uses.clear();
        self.suggested.clear();
    }

    /// Whether one of these keys was probably meant by an unknown one: then it is not missing as well.
    pub fn was_meant(&self, keys: &[&str]) -> bool {
        self.suggested.iter().any(|key| keys.contains(key))
    }

    pub fn take_uses(&mut self) -> Vec<(Reference, Span)> {
        std::mem::take(&mut self.uses)
    }

    /// The scalar as written; anything else is a finding.
    pub fn written<'n>(&mut self, key: &str, node: &'n Node<'t>) -> Option<&'n Cow<'t, str>> {
        if node.is_empty() {
            self.no_value(key, node.span, Kind::Text);
            return None;
        }
        match &node.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => {
                let message = format!("`{key}` takes a single value, not {}", node.kind());
                let help = match &node.value {
                    Value::Map(entries) if entries.iter().all(|e| e.value.is_empty()) => {
                        "quote text that begins with `{`"
                    }
                    _ => "",
                };
                self.report(Code::WrongType, node.span, &message, help);
                None
            }
        }
    }

    pub fn no_value(&mut self, key: &str, span: Span, kind: Kind) {
        let help = match kind {
            Kind::Text | Kind::Template => "write \"\" for empty text, or remove the key",
            Kind::Jobs => "write `jobs: {}` for no jobs",
            Kind::TextMap | Kind::Secrets | Kind::JsonMap => "write {} for none, or remove the key",
            _ => "give it a value, or remove the key",
        };
        self.report(
            Code::WrongType,
            span,
            &format!("`{key}` has no value"),
            help,
        );
    }

    /// Text that is known when the file is loaded, `${NAME}` filled in.
    pub fn text(&mut self, key: &str, node: &Node<'t>) -> Option<Cow<'t, str>> {
        let written = self.written(key, node)?.clone();
        let filled = if interpolate::is_plain(&written) {
            written
        } else {
            let parts = self.fill(&written, node.span, Later::Nothing)?;
            let literal = parts.into_iter().map(|part| match part {
                Part::Literal(text) => text,
                _ => Arc::from(""),
            });
            Cow::Owned(literal.collect::<Vec<_>>().concat())
        };
        self.no_nul(key, &filled, node.span).then_some(filled)
    }

    /// Text of which a part may be left for the run.
    pub fn template(&mut self, key: &str, node: &Node<'t>, later: Later) -> Option<Text> {
        let written = self.written(key, node)?;
        self.template_of(key, written, node.span, later)
    }

    fn template_of(&mut self, key: &str, written: &str, span: Span, later: Later) -> Option<Text> {
        if interpolate::is_plain(written) {
            return self
                .no_nul(key, written, span)
                .then(|| Text::plain(written));
        }
        let parts = self.fill(written, span, later)?;
        for part in &parts {
            if let Part::Literal(text) = part
                && !self.no_nul(key, text, span)
            {
                return None;
            }
        }
        Some(Text::of_parts(written, parts))
    }

    fn no_nul(&mut self, key: &str, text: &str, span: Span) -> bool {
        let fine = !text.contains('\0');
        if !fine {
            let message =
                format!("`{key}` holds a NUL character, which no program and no request can take");
            self.report(Code::WrongType, span, &message, "");
        }
        fine
    }

    fn fill(&mut self, written: &str, span: Span, later: Later) -> Option<Vec<Part>> {
        let before = self.errors();
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        for piece in interpolate::pieces(written) {
            let part = match piece {
                Piece::Literal(text) => {
                    literal.push_str(text);
                    continue;
                }
                Piece::Env { name, default } => {
                    literal.push_str(&self.environment(name, default, span));
                    continue;
                }
                Piece::Secret(name) => {
                    self.may_use_secret(name, span, later);
                    let name: Arc<str> = Arc::from(name);
                    self.uses.push((Reference::Secret(name.clone()), span));
                    Part::Secret(name)
                }
                Piece::Run(variable) => {
                    self.may_use_run(&variable, span, later);
                    if let Variable::JobLabel(label) = &variable {
                        self.uses.push((Reference::Label(label.clone()), span));
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
        if later != Later::Nothing {
            return;
        }
        let name = interpolate::variable_name(variable);
        let message =
            format!("`${{{name}}}` cannot stand here: it is known only when the run starts");
        self.report(
            Code::BadVariable,
            span,
            &message,
            "it works in `http`, `exec` and `env`",
        );
    }

    /// What `${NAME}` stands for.
    fn environment(&mut self, name: &str, default: Option<&str>, span: Span) -> String {
        if interpolate::looks_secret(name) {
            let message =
                format!("`${{{name}}}` looks like a secret, which must not be filled in here");
            let help = format!(
                "write `secrets: {{ {name}: {{ env: {name} }} }}` and use `${{secrets.{name}}}`"
            );
            self.report(Code::BadVariable, span, &message, &help);
            return String::new();
        }
        if let Some(allowed) = &self.options.env_allow
            && !allowed.iter().any(|one| one == name)
        {
            let message = format!("`${{{name}}}` may not be used: it is not in --env-allow");
            self.report(Code::BadVariable, span, &message, "");
            return String::new();
        }
        let set = self.options.env.get(name);
        match (set, default) {
            // As in a shell, `:-` also stands in for an empty value.
            (Some(value), None) => value.clone(),
            (Some(value), Some(_)) if !value.is_empty() => value.clone(),
            (_, Some(default)) => default.to_owned(),
            (None, None) => {
                let help = format!("set it for elder, or write `${{{name}:-default}}`");
                if self.options.allow_missing_env {
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

    pub fn flag(&mut self, key: &str, node: &Node<'t>) -> Option<bool> {
        let text = self.text(key, node)?;
        match &*text {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                let help = match other.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "true" | "1" | "y" => "write `true`",
                    "no" | "off" | "false" | "0" | "n" => "write `false`",
                    _ => "write `true` or `false`",
                };
                let message = format!("`{key}` is true or false, not `{}`", shorten(other));
                self.report(Code::WrongType, node.span, &message, help);
                None
            }
        }
    }

    pub fn duration(&mut self, key: &str, node: &Node<'t>) -> Option<Duration> {
        let text = self.text(key, node)?;
        match duration::parse(&text) {
            Ok(length) => Some(length),
            Err(error) => {
                self.bad_duration(key, node.span, &error);
                None
            }
        }
    }

    /// A length of time, or one word beside it, which is `None`.
    #[expect(
        clippy::option_option,
        reason = "outside: was it readable; inside: a length or the word"
    )]
    pub fn duration_or(
        &mut self,
        key: &str,
        node: &Node<'t>,
        word: &str,
    ) -> Option<Option<Duration>> {
        let text = self.text(key, node)?;
        if text == word {
            return Some(None);
        }
        match duration::parse(&text) {
            Ok(length) => Some(Some(length)),
            Err(error) => {
                self.bad_duration(key, node.span, &error);
                None
            }
        }
    }

    fn bad_duration(&mut self, key: &str, span: Span, error: &duration::BadQuantity) {
        use duration::BadQuantity::{NoUnit, NotADuration, NotASize, TooLarge};
        let (message, help) = match error {
            NoUnit(suggestion) => (
                format!("`{key}` needs a unit"),
                format!("write {suggestion}"),
            ),
            NotADuration(text) | NotASize(text) => (
                format!("`{}` is no length of time", shorten(text)),
                "write 500ms, 90s, 1h30m, 6h, 2d or 1w".to_owned(),
            ),
            TooLarge(text) => (
                format!("`{}` is too long", shorten(text)),
                format!("at most {}", duration::print(duration::MAX)),
            ),
        };
        self.report(Code::BadDuration, span, &message, &help);
    }

    pub fn number(&mut self, key: &str, node: &Node<'t>, least: i64, most: i64) -> Option<i64> {
        let text = self.text(key, node)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !whole {
            let message = format!("`{key}` is a whole number, not `{}`", shorten(&text));
            self.report(Code::WrongType, node.span, &message, "");
            return None;
        }
        match text.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                let message = format!(
                    "`{key}` is {}, and it goes from {least} to {most}",
                    shorten(&text)
                );
                self.report(Code::OutOfRange, node.span, &message, "");
                None
            }
        }
    }

    /// A number with up to three places behind the point, in thousandths.
    pub fn permille(&mut self, key: &str, node: &Node<'t>, least: u32, most: u32) -> Option<u32> {
        let text = self.text(key, node)?;
        let Some(value) = parse_permille(&text) else {
            let message = format!("`{key}` is a number such as 1.5, not `{}`", shorten(&text));
            self.report(
                Code::WrongType,
                node.span,
                &message,
                "three places behind the point at most",
            );
            return None;
        };
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let message = format!(
            "`{key}` is {}, and it goes from {} to {}",
            shorten(&text),
            print_permille(least),
            print_permille(most)
        );
        self.report(Code::OutOfRange, node.span, &message, "");
        None
    }

    /// The items of a list, or the one value in its place.
    pub fn one_or_more<'n>(&mut self, key: &str, node: &'n Node<'t>) -> Option<&'n [Node<'t>]> {
        match &node.value {
            Value::Scalar(_) if node.is_empty() => {
                self.no_value(key, node.span, Kind::Anything);
                None
            }
            Value::Scalar(_) => Some(std::slice::from_ref(node)),
            Value::List(items) => Some(items),
            Value::Map(_) => {
                let message = format!("`{key}` takes one value or a list, not a mapping");
                self.report(Code::WrongType, node.span, &message, "");
                None
            }
        }
    }

    pub fn list<'n>(
        &mut self,
        key: &str,
        node: &'n Node<'t>,
        help: &str,
    ) -> Option<&'n [Node<'t>]> {
        match &node.value {
            Value::List(items) => Some(items),
            _ => {
                let message = format!("`{key}` takes a list, not {}", node.kind());
                self.report(Code::WrongType, node.span, &message, help);
                None
            }
        }
    }

    /// The entries of a mapping whose keys anybody may choose.
    pub fn map<'n>(&mut self, key: &str, node: &'n Node<'t>) -> Option<&'n [Entry<'t>]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ if node.is_empty() => {
                self.no_value(key, node.span, Kind::TextMap);
                None
            }
            _ => {
                let message = format!("`{key}` takes a mapping of names, not {}", node.kind());
                self.report(
                    Code::WrongType,
                    node.span,
                    &message,
                    "write `{ NAME: value }`",
                );
                None
            }
        }
    }

    /// The entries of a mapping with known keys; what cannot stand here is noted and left out.
    pub fn fields<'n>(
        &mut self,
        level: &'static Level,
        node: &'n Node<'t>,
        scope: Scope,
    ) -> Option<Vec<(&'static str, &'n Entry<'t>)>> {
        self.fields_but(level, node, scope, |_| false)
    }

    /// The same, where some keys are nobody's business.
    pub fn fields_but<'n>(
        &mut self,
        level: &'static Level,
        node: &'n Node<'t>,
        scope: Scope,
        ignored: impl Fn(&str) -> bool,
    ) -> Option<Vec<(&'static str, &'n Entry<'t>)>> {
        let Value::Map(entries) = &node.value else {
            let message = format!("{} is a mapping of keys, not {}", level.what, node.kind());
            let help = format!("its keys: {}", level.known().collect::<Vec<_>>().join(", "));
            self.report(Code::WrongType, node.span, &message, &help);
            return None;
        };
        let mut known = Vec::with_capacity(entries.len());
        for entry in entries.iter() {
            let Some(field) = level.find(&entry.key) else {
                if !ignored(&entry.key) {
                    self.unknown_key(level, entry);
                }
                continue;
            };
            match field.state {
                State::Later => self.report(
                    Code::NotInThisBuild,
                    entry.key_span,
                    &format!("`{}` is known, but not in this build", field.key),
                    "remove it: nothing would come of it",
                ),
                State::JobOnly if scope == Scope::Defaults => self.report(
                    Code::UnknownKey,
                    entry.key_span,
                    &format!("`{}` cannot have a default", field.key),
                    "write it in the job",
                ),
                _ if entry.value.is_empty() => {
                    self.no_value(field.key, entry.value.span, field.kind);
                }
                _ => known.push((field.key, entry)),
            }
        }
        Some(known)
    }

    fn unknown_key(&mut self, level: &Level, entry: &Entry<'t>) {
        let key = &*entry.key;
        let help = if let Some(near) = suggest::nearest(key, level.known()) {
            self.suggested.push(near);
            format!("did you mean `{near}`?")
        } else if let Some(meant) = synonym(key) {
            format!("write {meant}")
        } else if let Some(place) = elsewhere(level, key) {
            format!("`{key}` belongs under {place}")
        } else if key.starts_with("x-") {
            "keys that begin with `x-` stand at the top level of the file".to_owned()
        } else {
            let known: Vec<_> = level.known().collect();
            if known.len() <= 10 {
                format!("the keys here are {}", known.join(", "))
            } else {
                String::new()
            }
        };
        let message = format!("{} has no key `{}`", level.what, shorten(key));
        self.report(Code::UnknownKey, entry.key_span, &message, &help);
    }
}

fn elsewhere(level: &Level, key: &str) -> Option<&'static str> {
    LEVELS
        .iter()
        .find(|other| other.what != level.what && other.find(key).is_some())
        .map(|other| other.place)
}

/// What other schedulers call it.
fn synonym(key: &str) -> Option<&'static str> {
    Some(match key {
        "command" | "cmd" | "script" | "shell_command" => "`run: …`",
        "args" | "argv" | "program" => "`exec: [program, argument]`",
        "interval" => "`schedule: { every: 5m }`",
        "tz" | "time_zone" | "utc" => "`timezone: …`",
        "environment" | "env_vars" | "vars" => "`env: { NAME: value }`",
        "retries" | "max_retries" | "attempts" => "`retry: { max: 2 }`",
        "workdir" | "working_directory" | "working_dir" | "chdir" => "`cwd: …`",
        "disabled" | "suspend" | "paused" => "`enabled: false`",
        "concurrency" | "concurrencyPolicy" => "`max_instances` and `overlap`",
        "startingDeadlineSeconds" => "`misfire_grace_time: …`",
        "tags" => "`labels: { name: value }`",
        "job" => "`jobs:`",
        "startup" | "manual" => "`schedule: startup` or `schedule: manual`, as one word",
        _ => return None,
    })
}

/// Reads `1.5` as 1500.
pub(super) fn parse_permille(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 || whole.len() > 6 {
        return None;
    }
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    whole
        .parse::<u32>()
        .ok()?
        .checked_mul(1000)?
        .checked_add(thousandths)
}

fn print_permille(value: u32) -> String {
    format!("{}", f64::from(value) / 1000.0)
}

/// A scalar of `json:` as YAML 1.2 reads it: only a plain one is anything but text.
pub(super) fn is_json_number(text: &str, style: Style) -> bool {
    style == Style::Plain
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_are_read_exactly() {
        for (text, expected) in [
            ("2", Some(2000)),
            ("1.5", Some(1500)),
            ("0.125", Some(125)),
            ("0.1", Some(100)),
            ("1.2345", None),
            ("1.", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("99999999", None),
        ] {
            assert_eq!(parse_permille(text), expected, "{text}");
        }
    }

    #[test]
    fn only_what_json_calls_a_number_is_one() {
        for (text, expected) in [
            ("8080", true),
            ("1.10", true),
            ("1e3", true),
            ("-0", true),
            ("010", false),
            ("0x1F", false),
            (".inf", false),
            ("12:30", false),
            ("1_000", false),
        ] {
            assert_eq!(is_json_number(text, Style::Plain), expected, "{text}");
        }
        assert!(!is_json_number("8080", Style::Quoted));
    }
}
