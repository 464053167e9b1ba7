//! A file of settings: a flat mapping of known keys, each with its place.
//!
//! It is read by the same reader as job files, so that a slip of the pen is answered alike. What
//! the values mean is the caller's business.

use super::problem::{Page, Problem};
use super::tree::{self, Entry, Node, Span, Value, shorten};
use super::{InputFile, bytes, suggest};
use crate::finding::{Code, Finding, Severity};

/// A key that such a file may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainKey {
    /// As it is written there.
    pub name: String,
    /// Whether its value may be a list.
    pub takes_list: bool,
}

/// A key with its value, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainSetting {
    /// The key.
    pub name: String,
    /// Its value, or those of its list.
    pub values: Vec<String>,
    /// The line that it stands on, from 1.
    pub line: u32,
}

/// The settings of a file, in its order. A key whose value is `null` is as if it were not there; one
/// that is read `elsewhere` is passed over.
///
/// # Errors
/// Everything that is wrong with the file: syntax, unknown keys, keys without a value, values of
/// another kind.
pub fn settings_of(
    input: &InputFile,
    known: &[PlainKey],
    elsewhere: &[&str],
) -> Result<Vec<PlainSetting>, Vec<Finding>> {
    let text = bytes::text_of(input).map_err(|finding| vec![*finding])?;
    let page = Page::new(input.shown.clone(), text);
    let tree = tree::parse(text);
    let mut problems = tree.problems;
    let mut settings = Vec::new();
    let root = tree.root.as_ref().filter(|_| tree.complete);
    match root.map(|root| (root, &root.value)) {
        Some((_, Value::Map(entries))) => {
            let own = entries.iter();
            for entry in own.filter(|entry| !elsewhere.contains(&&*entry.key)) {
                match setting(entry, known, elsewhere) {
                    Ok(found) => settings.extend(found),
                    Err(problem) => problems.push(*problem),
                }
            }
        }
        Some((root, _)) => problems.push(Problem::new(
            Code::WrongType,
            root.span,
            &format!("settings are a mapping, not {}", root.kind()),
            "write `key: value` on a line of its own for each",
        )),
        None => {}
    }
    let findings: Vec<Finding> = problems
        .into_iter()
        .map(|problem| page.finding(problem))
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    match findings.is_empty() {
        true => Ok(settings),
        false => Err(findings),
    }
}

fn setting(
    entry: &Entry<'_>,
    known: &[PlainKey],
    elsewhere: &[&str],
) -> Result<Option<PlainSetting>, Box<Problem>> {
    let problem = |code, span: Span, message: &str, help: &str| {
        Err(Box::new(Problem::new(code, span, message, help)))
    };
    let name = &*entry.key;
    let Some(key) = known.iter().find(|key| key.name == name) else {
        let names = known.iter().map(|key| key.name.as_str());
        let names = names.chain(elsewhere.iter().copied());
        let help = match suggest::nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a setting is a flag of `elder run`, with `_` for `-`".to_owned(),
        };
        let message = format!("there is no setting `{}`", shorten(name));
        return problem(Code::UnknownKey, entry.key_span, &message, &help);
    };
    let node = &entry.value;
    if node.is_null() {
        return Ok(None);
    }
    let values = match &node.value {
        // As with a variable, an empty text is none.
        Value::Scalar(scalar) if scalar.text.is_empty() && !node.is_empty() => return Ok(None),
        Value::List(items) if key.takes_list && items.is_empty() => {
            return problem(
                Code::WrongType,
                node.span,
                &format!("`{name}` is an empty list"),
                "name one at least, or remove the key",
            );
        }
        Value::List(items) if key.takes_list => items.iter().map(text).collect(),
        Value::Scalar(_) => text(node).map(|text| vec![text]),
        _ => None,
    };
    match values {
        Some(values) => Ok(Some(PlainSetting {
            name: name.to_owned(),
            values,
            line: entry.key_span.line,
        })),
        None if node.is_empty() => problem(
            Code::WrongType,
            node.span,
            &format!("`{name}` has no value"),
            "write one, or remove the key",
        ),
        None => {
            let wanted = match key.takes_list {
                true => "a value or a list of values",
                false => "a single value",
            };
            let message = format!("`{name}` takes {wanted}, not {}", node.kind());
            problem(Code::WrongType, node.span, &message, "")
        }
    }
}

fn text(node: &Node<'_>) -> Option<String> {
    let scalar = node.scalar().filter(|_| !node.is_empty())?;
    Some(scalar.text.clone().into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn read(text: &str) -> Result<Vec<PlainSetting>, Vec<Finding>> {
        let key = |name: &str, takes_list| PlainKey {
            name: name.to_owned(),
            takes_list,
        };
        let input = InputFile {
            root: Arc::from("elder.yaml"),
            root_folder: Arc::from(Path::new("/")),
            path: Arc::from("elder.yaml"),
            shown: Arc::from("elder.yaml"),
            content: Ok(Arc::from(text.as_bytes())),
            hash: [0; 32],
            within: None,
        };
        let keys = [key("max_workers", false), key("paths", true)];
        settings_of(&input, &keys, &["windows"])
    }

    #[test]
    fn values_come_with_their_lines() {
        let settings = read("# settings\nmax_workers: 8\npaths:\n  - a\n  - 'b c'\n").unwrap();
        let said: Vec<_> = settings
            .iter()
            .map(|setting| {
                (
                    setting.name.as_str(),
                    setting.values.join("|"),
                    setting.line,
                )
            })
            .collect();
        let want = [
            ("max_workers", "8".to_owned(), 2),
            ("paths", "a|b c".to_owned(), 3),
        ];
        assert_eq!(said, want);
        assert_eq!(read("max_workers: null\n").unwrap(), []);
        assert_eq!(read("max_workers: \"\"\n").unwrap(), []);
        assert_eq!(read("").unwrap(), []);
        assert_eq!(read("windows: [{ a: { b: c } }]\n").unwrap(), []);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        for (text, wants) in [
            (
                "max-workers: 8\npath: x\nmax_workers: [1]\npaths: {}\n",
                &["1:1 E002", "2:1 E002", "3:14 E004", "4:8 E004"][..],
            ),
            ("max_workers:\npaths: [a, []]\n", &["1:1 E004", "2:8 E004"]),
            ("- a\n", &["1:1 E004"]),
            ("paths: []\n", &["1:8 E004"]),
            ("max_workers: 1\nmax_workers: 2\n", &["2:1 E003"]),
            ("a: [\n", &["2:1 E001"]),
        ] {
            let findings = read(text).unwrap_err();
            let said: Vec<_> = findings
                .iter()
                .map(|found| {
                    let place = &found.at.place;
                    format!("{}:{} {}", place.line, place.column, found.code.as_str())
                })
                .collect();
            for want in wants {
                assert!(said.iter().any(|said| said == want), "{text}: {said:?}");
            }
        }
        let empty = &read("paths: []\n").unwrap_err()[0];
        assert_eq!(empty.message, "`paths` is an empty list");
        let near = &read("max-workers: 8\n").unwrap_err()[0];
        assert_eq!(near.help, "did you mean `max_workers`?");
    }
}
