//! `elder explain`: why a fire ran, did not or waits, as a running elder tells it; or what a finding
//! means, which needs none.

use serde_json::{Value, json};

use crate::finding::{Code, Severity};

use super::args::{DEFAULT_SERVER, ExplainArgs, TableFormat};
use super::client::{Client, as_json};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// Prints the explanation.
///
/// # Errors
/// When there is no answer, the job is not known, or no code is like that.
pub fn explain(
    typed: &ExplainArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    if typed.at.is_none() && looks_like_a_code(&typed.what) {
        let text = page(&typed.what, typed.ask.format)?;
        console.answer(&text)?;
        return Ok(Exit::Fine);
    }
    let client = Client::asking(&typed.ask, environment)?;
    let query: Vec<_> = typed.at.iter().map(|at| ("at", at.as_str())).collect();
    let body = client.get(&["jobs", &typed.what, "explain"], &query)?.body;
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&body),
        TableFormat::Human => told(&body, &typed.ask.client.server),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// `E012`, `w001`. A job of such a name is asked about with `--at`.
fn looks_like_a_code(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters.next().is_some_and(|c| "EWNewn".contains(c));
    first && text.len() == 4 && letters.all(|c| c.is_ascii_digit())
}

fn page(text: &str, format: TableFormat) -> Result<String, Failure> {
    let Some(code) = Code::parse(text) else {
        let message = format!("there is no finding {}", text.to_ascii_uppercase());
        let all: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        return Err(Failure::no_answer(message).help(format!("there are {}", all.join(", "))));
    };
    let severity = match code.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    Ok(match format {
        TableFormat::Human => format!("{code} ({severity})\n\n{}\n", code.page()),
        TableFormat::Json => {
            let page = json!({
                "code": code.as_str(),
                "severity": severity,
                "title": code.title(),
                "page": code.page(),
            });
            format!("{page}\n")
        }
    })
}

/// What elder said, as a person reads it.
fn told(body: &Value, server: &str) -> String {
    let texts = |key: &str| {
        let texts = body.get(key).and_then(Value::as_array).into_iter();
        texts.flatten().filter_map(Value::as_str)
    };
    let summary = body.get("summary").and_then(Value::as_str);
    let mut text = format!("{}\n", summary.unwrap_or("elder's answer is odd"));
    for detail in texts("details") {
        text.push_str(&format!("  {detail}\n"));
    }
    for (index, hint) in texts("hints").enumerate() {
        let lead = if index == 0 { "try:" } else { "    " };
        // What every command asks by itself need not be named.
        let hint = match server == DEFAULT_SERVER {
            true => hint.replace(" --server $ELDER_SERVER", ""),
            false => hint.replace("$ELDER_SERVER", server),
        };
        text.push_str(&format!("{lead} {hint}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_from_a_job() {
        for (text, is_code) in [
            ("E012", true),
            ("w001", true),
            ("E12", false),
            ("X012", false),
            ("E0123", false),
            ("E01a", false),
            ("billing", false),
            ("é12", false),
        ] {
            assert_eq!(looks_like_a_code(text), is_code, "{text}");
        }
    }

    #[test]
    fn an_explanation_is_a_sentence_what_is_known_and_what_helps() {
        let body = json!({
            "summary": "the fire of 02:00 was skipped",
            "details": ["Run X was in its way.", "Run Y by a.yaml:3."],
            "hints": ["elder logs X --server $ELDER_SERVER    what it said", "elder next a    more"],
        });
        for (server, flag) in [
            ("http://127.0.0.1:8000", ""),
            ("http://10.0.0.1:9000", " --server http://10.0.0.1:9000"),
        ] {
            let want = format!(
                "the fire of 02:00 was skipped\n  Run X was in its way.\n  Run Y by a.yaml:3.\n\
                 try: elder logs X{flag}    what it said\n     elder next a    more\n"
            );
            assert_eq!(told(&body, server), want);
        }
    }

    #[test]
    fn a_finding_has_its_page_and_an_unknown_one_the_list() {
        let text = page("e012", TableFormat::Human).unwrap();
        assert!(
            text.starts_with("E012 (error)\n\n**bad cron expression.**"),
            "{text}"
        );
        let json = page("E012", TableFormat::Json).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["title"], "bad cron expression");
        let failure = page("E999", TableFormat::Human).unwrap_err();
        assert!(failure.help.contains("E012"), "{failure}");
    }
}
