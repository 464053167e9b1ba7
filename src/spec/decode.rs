//! Reads single values: text, switches, numbers, lengths of time, lists.
//!
//! Every reader notes what is wrong and answers `None`; nobody stops.

use std::borrow::Cow;
use std::sync::Arc;

use super::commons::InFile;
use super::fields::Kind;
use super::interpolate;
use super::naming::Naming;
use super::problem::{Page, Problem};
use super::shared::Shared;
use super::tree::{Entry, Node, Span, Style, Value, shorten};
use super::{Options, Shown, Variables, limits, suggest};
use crate::finding::{Code, Finding, Severity};
use crate::model::{Part, Text};

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
    inherited: usize,
    /// Whose schedule is read.
    pub naming: Naming<'t>,
    /// What the file has to do with names of the whole tree.
    pub commons: InFile,
    /// Whether a sage is read: its texts may tell of a run's end.
    pub for_sage: bool,
    /// Bytes that `${…}` has filled in so far.
    pub filled: usize,
    /// Whose values it has asked for.
    pub variables: Variables,
}

/// Something that a text refers to by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
            inherited: 0,
            naming: Naming::default(),
            commons: InFile::default(),
            for_sage: false,
            filled: 0,
            variables: Variables::default(),
        }
    }

    /// Everything found, from top to bottom, with a last word on what was left out.
    pub fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| {
            let place = &finding.at.place;
            (place.line, place.column)
        });
        let message = if self.is_full() {
            "so many errors: the rest of this file was not looked at".to_owned()
        } else if self.left_out > 0 {
            format!("{} more findings in this file are not shown", self.left_out)
        } else {
            return self.findings;
        };
        let code = if self.is_full() {
            Code::Limit
        } else {
            Code::MoreFindings
        };
        let problem = Problem::new(code, Span::default(), &message, "");
        self.findings.push(self.page.finding(problem));
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

    /// The line of a place in the file that people see.
    pub fn line_of(&self, span: Span) -> u32 {
        self.page.line_of(span)
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

    /// Whether there are so many errors that looking for more helps nobody.
    pub fn is_full(&self) -> bool {
        self.errors >= limits::FINDINGS
    }

    /// `did you mean …?`, or nothing.
    pub fn did_you_mean<'w>(&self, typed: &str, known: impl Iterator<Item = &'w str>) -> String {
        match self.nearest(typed, known) {
            Some(word) => format!("did you mean `{word}`?"),
            None => String::new(),
        }
    }

    /// The nearest known word, while anybody will read of it.
    pub fn nearest<'w>(
        &self,
        typed: &str,
        known: impl Iterator<Item = &'w str>,
    ) -> Option<&'w str> {
        if self.is_full() {
            return None;
        }
        suggest::nearest(typed, known)
    }

    /// Remembers what a key was probably meant to be.
    pub fn suggest(&mut self, key: &'static str) {
        self.suggested.push(key);
    }

    /// Remembers that a text refers to something.
    pub fn refer(&mut self, reference: Reference, span: Span) {
        self.uses.push((reference, span));
    }

    pub fn options(&self) -> &'s Options {
        self.options
    }

    /// Counts what a job takes from defaults; says once when it is too much for one file.
    pub fn inherit(&mut self, weight: usize, span: Span) -> bool {
        let before = self.inherited;
        self.inherited = before.saturating_add(weight);
        if before <= limits::INHERITED && self.inherited > limits::INHERITED {
            let message = format!(
                "up to this job, more than {} names and values are taken from defaults",
                limits::INHERITED
            );
            self.report(Code::Limit, span, &message, "make several files of it");
        }
        self.inherited <= limits::INHERITED
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
            let parts = self.fill(&written, node.span, Later::Nothing, Shown::Value)?;
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
        let parts = self.fill(written, span, later, Shown::Template)?;
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
            Value::List(items) => self.bounded_list(key, node, items),
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
            Value::List(items) => self.bounded_list(key, node, items),
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
            Value::Map(entries) if entries.len() > limits::NAMES => {
                let message = format!("`{key}` has more than {} names", limits::NAMES);
                self.report(Code::Limit, node.span, &message, "");
                None
            }
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
