//! The texts of an answer: as people may be shown them, and as programs read them.

use serde_json::Value;

use crate::finding::render::{on_one_line, turns_direction};

/// An answer whose texts may be shown: what a job file holds may stand in them, and a terminal
/// does what it is told.
pub(super) fn harmless(body: Value) -> Value {
    match body {
        Value::String(text) => Value::String(on_one_line(&text)),
        Value::Array(items) => items.into_iter().map(harmless).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| match value {
                // What a run said has lines and columns of its own.
                Value::String(text) if name == "output" => (name, Value::String(lines(&text))),
                value => (name, harmless(value)),
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => body,
    }
}

/// Text of several lines, harmless but for its line breaks and tabs.
fn lines(text: &str) -> String {
    let kept = |part: &str| match part.strip_suffix(['\n', '\t']) {
        Some(before) => format!("{}{}", on_one_line(before), &part[before.len()..]),
        None => on_one_line(part),
    };
    text.split_inclusive(['\n', '\t']).map(kept).collect()
}

/// An answer for programs, in one line: its texts as they are, and nothing in it that a terminal obeys.
#[must_use]
pub fn as_json(answer: &Value) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for character in answer.to_string().chars() {
        // What JSON lets through besides: it reads this as the same character.
        if character.is_control() || turns_direction(character) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text.push('\n');
    text
}

/// What a problem document (RFC 9457) says, in a line.
#[must_use]
pub fn problem(body: &Value) -> Option<String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(on_one_line);
    text("detail").or_else(|| text("title"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_every_text_as_it_is() {
        let body =
            serde_json::json!({ "detail": "a\nb\u{1b}[2J", "output": "\u{9b}2J\u{202e}é\u{7f}" });
        let text = as_json(&body);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), body);
        let obeyed = |c: char| c != '\n' && (c.is_control() || turns_direction(c));
        assert!(!text.contains(obeyed), "{text:?}");
    }

    #[test]
    fn no_answer_speaks_to_the_terminal() {
        let body = serde_json::json!({"detail": "a\u{1b}[31m\nb", "findings": [{"at": "x\u{9b}y", "line": 3}]});
        let want = serde_json::json!({"detail": "a\\u{1b}[31m\\nb", "findings": [{"at": "x\\u{9b}y", "line": 3}]});
        assert_eq!(harmless(body), want);
        let said = serde_json::json!({"output": "a\tb\n\u{1b}[2Jc\r\n", "detail": "a\nb"});
        let want = serde_json::json!({"output": "a\tb\n\\u{1b}[2Jc\\r\n", "detail": "a\\nb"});
        assert_eq!(harmless(said), want, "output keeps its lines");
    }

    #[test]
    fn a_problem_is_told_by_its_detail() {
        let body = serde_json::json!({"title": "Conflict", "detail": "run 01 blocks it"});
        assert_eq!(problem(&body).as_deref(), Some("run 01 blocks it"));
        assert_eq!(
            problem(&serde_json::json!({"title": "No"})).as_deref(),
            Some("No")
        );
        assert_eq!(problem(&Value::Null), None);
    }
}
