//! `shell` and the line that it is given: what a shell would swallow in silence.

use std::sync::Arc;

use super::decode::Decoder;
use super::interpolate::{self, Piece};
use super::tree::{Node, Span, Value, shorten};
use crate::finding::Code;

/// A name, or a program with its arguments.
pub(super) fn read<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<[Arc<str>]>> {
    if matches!(node.value, Value::Scalar(_)) {
        let name = decoder.text("shell", node)?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            let words: Vec<_> = name.split_whitespace().collect();
            let message = format!("`{}` is no name of a shell", shorten(&name));
            let help = format!("write a list: [{}, -c]", words.join(", "));
            decoder.report(Code::WrongType, node.span, &message, &help);
            return None;
        }
        let words = [decoder.shared.text(&name), decoder.shared.text("-c")];
        return Some(decoder.shared.shell(&words));
    }
    let items = decoder.list("shell", node, "write a name such as `bash`, or a list")?;
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        let word = decoder.text("shell", item)?;
        words.push(decoder.shared.text(&word));
    }
    if words.first().is_none_or(|program| program.is_empty()) {
        decoder.report(
            Code::WrongType,
            node.span,
            "`shell` names no program",
            "write `[/bin/sh, -c]`",
        );
        return None;
    }
    Some(decoder.shared.shell(&words))
}

/// What a line cannot hold: references that only elder could fill in, and never does here.
pub(super) fn check_line(decoder: &mut Decoder<'_, '_>, line: &str, span: Span) -> bool {
    if line.trim().is_empty() {
        decoder.report(Code::BadAction, span, "`run` is an empty line", "");
        return false;
    }
    if line.contains('\0') {
        decoder.report(Code::WrongType, span, "`run` holds a NUL character", "");
        return false;
    }
    let mut fine = true;
    for reference in references(line, decoder.for_sage) {
        let help = match interpolate::pieces(reference).first() {
            Some(Piece::Secret(name)) => {
                format!("the secret is in the environment: write \"${name}\"")
            }
            Some(Piece::Run(variable)) => match interpolate::environment_name(variable) {
                Some(name) => format!("write \"${name}\""),
                None => format!("write `env: {{ LABEL: \"{reference}\" }}` and \"$LABEL\""),
            },
            _ if reference == EVENT => "write \"$ELDER_EVENT\"".to_owned(),
            _ => "elder's own variables are ELDER_JOB, ELDER_RUN_ID, ELDER_SCHEDULED_AT, ELDER_ATTEMPT, ELDER_TRIGGER".to_owned(),
        };
        let message = format!("`{}` is not filled in in `run`", shorten(reference));
        decoder.report(Code::BadVariable, span, &message, &help);
        fine = false;
    }
    fine
}

/// More references of one line are nobody's slip.
const SHOWN: usize = 8;

/// What a sage tells of. In a job it may as well be a variable of the shell's own.
const EVENT: &str = "${event}";

/// The `${secrets.…}`, `${run.…}`, `${job.…}`, `${elder.…}` of a line, and in a sage what it tells of.
fn references(line: &str, for_sage: bool) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("${") {
        let from = &rest[at..];
        let inner = &from[2..];
        let ours = ["secrets.", "run.", "job.", "elder.", "event."]
            .iter()
            .any(|space| inner.starts_with(space))
            || for_sage && from.starts_with(EVENT);
        if ours {
            let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            let end = inner.find(|c| !name(c)).unwrap_or(inner.len());
            let closed = usize::from(inner[end..].starts_with('}'));
            found.push(&from[..2 + end + closed]);
        }
        if found.len() >= SHOWN {
            break;
        }
        rest = inner;
    }
    found.dedup();
    found
}

/// Notes the pipes and lines whose failure nobody would see.
pub(super) fn warn(decoder: &mut Decoder<'_, '_>, shell: &[Arc<str>], line: &str, span: Span) {
    let options = Options::of(shell, line);
    if !options.known {
        return;
    }
    let shape = Shape::of(line);
    if shape.pipes && !options.pipefail {
        decoder.report(
            Code::PipeHidesFailure,
            span,
            "of a pipe, only the last program's exit code counts",
            "write `shell: [bash, -euo, pipefail, -c]`",
        );
    }
    if shape.commands > 1 && !options.errexit {
        decoder.report(
            Code::LinesHideFailure,
            span,
            "of several lines, only the last one's exit code counts",
            "begin with `set -e`, or write `shell: [bash, -euo, pipefail, -c]`",
        );
    }
}

/// What the shell was told about failures.
struct Options {
    /// Whether it is a shell whose rules we know.
    known: bool,
    pipefail: bool,
    errexit: bool,
}

impl Options {
    fn of(shell: &[Arc<str>], line: &str) -> Self {
        let program = shell.first().map_or("sh", |program| &**program);
        let program = program.rsplit('/').next().unwrap_or(program);
        // `env bash -c` names the shell later.
        let known =
            ["sh", "bash", "dash", "ash", "ksh", "zsh", "busybox", "env"].contains(&program);
        let mut options = Self {
            known,
            pipefail: shell.iter().any(|word| &**word == "pipefail"),
            errexit: shell.iter().skip(1).any(|word| is_errexit(word)),
        };
        for command in line.lines().flat_map(|line| line.split([';', '&'])) {
            let mut words = command.split_whitespace();
            if words.next() == Some("set") {
                for word in words {
                    options.errexit |= is_errexit(word) || word == "errexit";
                    options.pipefail |= word == "pipefail";
                }
            }
        }
        options
    }
}

fn is_errexit(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|flags| !flags.starts_with('-') && flags.contains('e'))
}

/// What a line looks like from afar: enough for a warning, no parser of a shell.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    pipes: bool,
    /// Lines that are commands of their own.
    commands: usize,
}

impl Shape {
    fn of(line: &str) -> Self {
        let mut shape = Self::default();
        // What a here-document holds is no command, and a `case` is full of bars.
        let code = line.split("<<").next().unwrap_or(line);
        let has_case = code.split_whitespace().any(|word| word == "esac");
        let mut chars = code.chars().peekable();
        let mut quote = None;
        let mut joined = false;
        let mut blank = true;
        let mut last = ' ';
        while let Some(c) = chars.next() {
            match quote {
                Some('\'') => {
                    if c == '\'' {
                        quote = None;
                    }
                    continue;
                }
                Some(_) => {
                    match c {
                        '\\' => {
                            chars.next();
                        }
                        '"' => quote = None,
                        _ => {}
                    }
                    continue;
                }
                None => {}
            }
            match c {
                '\'' | '"' => quote = Some(c),
                '\\' => {
                    let next = chars.next();
                    if next == Some('\n') {
                        continue;
                    }
                }
                '#' if last.is_whitespace() => {
                    while chars.next_if(|c| *c != '\n').is_some() {}
                    continue;
                }
                '|' => {
                    let alone = chars.next_if_eq(&'|').is_none();
                    shape.pipes |= alone && last != '>' && !has_case;
                }
                '\n' => {
                    shape.end_line(blank, joined);
                    joined = matches!(last, '|' | '&') && !blank;
                    blank = true;
                    last = ' ';
                    continue;
                }
                _ => {}
            }
            blank &= c.is_whitespace();
            if !c.is_whitespace() || c == '\n' {
                last = c;
            } else if last != '|' && last != '&' {
                last = ' ';
            }
        }
        shape.end_line(blank, joined);
        shape
    }

    fn end_line(&mut self, blank: bool, joined: bool) {
        if !blank && !joined {
            self.commands += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_and_lines_are_seen_and_quoted_ones_are_not() {
        for (line, pipes, commands) in [
            ("a | b", true, 1),
            ("a |& b", true, 1),
            ("a || b", false, 1),
            ("echo 'a | b'", false, 1),
            ("echo \"a | \\\" b\"", false, 1),
            ("a # b | c", false, 1),
            ("a \\| b", false, 1),
            ("a >| b", false, 1),
            ("a\nb", false, 2),
            ("a\n\n# c\nb\n", false, 2),
            ("a \\\n  b", false, 1),
            ("a &&\nb", false, 1),
            ("a |\nb", true, 1),
            ("echo 'x\ny'", false, 1),
            ("case $1 in\na|b) x ;;\nesac", false, 3),
            ("cat <<E\na | b\nE", false, 1),
        ] {
            let shape = Shape::of(line);
            assert_eq!((shape.pipes, shape.commands), (pipes, commands), "{line:?}");
        }
    }

    #[test]
    fn what_the_shell_was_told_is_found_in_arguments_and_in_the_line() {
        let words = |text: &str| text.split(' ').map(Arc::from).collect::<Vec<Arc<str>>>();
        for (shell, line, pipefail, errexit) in [
            ("/bin/sh -c", "a", false, false),
            ("bash -euo pipefail -c", "a", true, true),
            ("bash -c", "set -euo pipefail\na", true, true),
            ("bash -c", "set -e; a", false, true),
            ("bash -c", "set -o errexit -o pipefail", true, true),
            ("bash --norc -c", "a", false, false),
        ] {
            let options = Options::of(&words(shell), line);
            assert_eq!(
                (options.pipefail, options.errexit),
                (pipefail, errexit),
                "{shell} {line}"
            );
        }
        assert!(!Options::of(&words("python3 -c"), "a").known);
    }

    #[test]
    fn references_of_elder_are_told_from_those_of_the_shell() {
        assert_eq!(
            references(
                "a ${HOME} ${event} ${run.id} ${secrets.X} ${x/run./y}",
                false
            ),
            ["${run.id}", "${secrets.X}"]
        );
        assert_eq!(references("${run.id", false), ["${run.id"]);
        assert_eq!(
            references("${event} ${events} ${event:-x} ${event.count}", true),
            ["${event}", "${event.count}"]
        );
    }
}
