//! `${…}`: what is filled in when the file is loaded, and what waits for the run.
//!
//! A value is scanned once. What comes in from the environment is literal text
//! from then on, whatever it looks like.

use crate::model::Variable;

/// One piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// As it stands.
    Literal(&'t str),
    /// `${NAME}`, `${NAME:-default}`
    Env {
        name: &'t str,
        default: Option<&'t str>,
    },
    /// `${secrets.NAME}`
    Secret(&'t str),
    /// `${run.…}`, `${job.…}`, `${elder.…}`
    Run(Variable),
    /// None of these; what is wrong and what to write.
    Bad { message: String, help: String },
}

/// Whether there is anything to look at.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains("${")
}

/// Cuts a value into its pieces.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            // `$${` is a literal `${`.
            push_literal(&mut pieces, &rest[..at - 1]);
            push_literal(&mut pieces, &rest[at..at + 2]);
            rest = &rest[at + 2..];
            continue;
        }
        push_literal(&mut pieces, &rest[..at]);
        let inner = &rest[at + 2..];
        let Some(end) = inner.find('}') else {
            pieces.push(bad(
                "`${` without its `}`",
                "close it, or write `$${` for a literal `${`",
            ));
            return pieces;
        };
        pieces.push(reference(&inner[..end]));
        rest = &inner[end + 1..];
    }
    push_literal(&mut pieces, rest);
    pieces
}

fn push_literal<'t>(pieces: &mut Vec<Piece<'t>>, text: &'t str) {
    if !text.is_empty() {
        pieces.push(Piece::Literal(text));
    }
}

fn bad<'t>(message: impl Into<String>, help: impl Into<String>) -> Piece<'t> {
    Piece::Bad {
        message: message.into(),
        help: help.into(),
    }
}

fn reference(inner: &str) -> Piece<'_> {
    if let Some(name) = inner.strip_prefix("secrets.") {
        return if is_variable_name(name) {
            Piece::Secret(name)
        } else {
            bad(
                format!("`${{{inner}}}`: {name:?} is no name of a secret"),
                "a name holds letters, digits and `_`",
            )
        };
    }
    // `${event}` alone may as well be a variable of the environment: the decoder knows.
    if let Some(variable) = Variable::named(inner).filter(|one| *one != Variable::Event) {
        return Piece::Run(variable);
    }
    if let Some((space, _)) = inner.split_once('.')
        && !inner.contains(":-")
    {
        // Of the letters' own, jobs know nothing; `event` alone has no dot to be mistaken for it.
        let names = |of_letters| {
            let all = Variable::ALL.into_iter();
            let all = all.filter(move |one| one.is_of_letters() == of_letters);
            all.filter(|one| *one != Variable::Event)
                .map(|one| one.name())
        };
        let mut of_jobs: Vec<_> = names(false).collect();
        of_jobs.extend(["job.labels.NAME".into(), "secrets.NAME".into()]);
        let known: Vec<_> = of_jobs.iter().cloned().chain(names(true)).collect();
        let help = match super::suggest::nearest(inner, known.iter().map(|name| &**name)) {
            Some(near) => format!("did you mean `${{{near}}}`?"),
            None if space == "env" => "elder's environment is `${NAME}`, without `env.`".to_owned(),
            None => format!("there are {}", of_jobs.join(", ")),
        };
        return bad(format!("`${{{inner}}}` does not exist"), help);
    }
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if !is_variable_name(name) {
        return bad(
            format!("`${{{inner}}}` holds no name of a variable"),
            "write `${NAME}` or `${NAME:-default}`, or `$${` for a literal `${`",
        );
    }
    if default.is_some_and(|default| default.contains("${")) {
        return bad(
            format!("the default of `${{{name}}}` holds another `${{`"),
            "a default is plain text",
        );
    }
    Piece::Env { name, default }
}

/// The variable of the child's environment that says the same, for `run`.
pub(super) fn environment_name(variable: &Variable) -> Option<&'static str> {
    Some(match variable {
        Variable::RunId => "ELDER_RUN_ID",
        Variable::ScheduledAt => "ELDER_SCHEDULED_AT",
        Variable::Attempt => "ELDER_ATTEMPT",
        Variable::Trigger => "ELDER_TRIGGER",
        Variable::PreviousSuccessAt => "ELDER_PREVIOUS_SUCCESS_AT",
        Variable::JobName => "ELDER_JOB",
        Variable::Server => "ELDER_SERVER",
        // A label, and what only a letter knows.
        _ => return None,
    })
}

/// The names that `${…}` and secrets may have.
pub(super) fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a name looks like that of a secret, which belongs under `secrets`.
pub(super) fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "PASSWORD", "KEY"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_into_pieces() {
        use Piece::{Env, Literal, Run, Secret};
        let env = |name| Env {
            name,
            default: None,
        };
        for (text, expected) in [
            ("", vec![]),
            ("plain $HOME", vec![Literal("plain $HOME")]),
            ("${A}", vec![env("A")]),
            ("a${A}b", vec![Literal("a"), env("A"), Literal("b")]),
            (
                "${A:-x:-y}",
                vec![Env {
                    name: "A",
                    default: Some("x:-y"),
                }],
            ),
            (
                "${A:-}",
                vec![Env {
                    name: "A",
                    default: Some(""),
                }],
            ),
            (
                "${A:-a.b}",
                vec![Env {
                    name: "A",
                    default: Some("a.b"),
                }],
            ),
            ("$${A}", vec![Literal("${"), Literal("A}")]),
            ("$$${A}", vec![Literal("$"), Literal("${"), Literal("A}")]),
            ("${secrets.T}", vec![Secret("T")]),
            ("${run.id}", vec![Run(Variable::RunId)]),
            (
                "${job.labels.a-b.c}",
                vec![Run(Variable::JobLabel("a-b.c".into()))],
            ),
        ] {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_reference_is_bad() {
        for text in [
            "${",
            "${}",
            "${A",
            "${1A}",
            "${A-b}",
            "${run.ids}",
            "${secrets.}",
            "${secrets.a b}",
            "${env.HOME}",
            "${A:-${B}}",
            "${job.labels.}",
            "${ A }",
        ] {
            let found = pieces(text);
            assert!(
                found.iter().any(|p| matches!(p, Piece::Bad { .. })),
                "{text}: {found:?}"
            );
        }
    }
}
