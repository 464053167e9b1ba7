//! SARIF 2.1.0: what code scanning services read.

use serde_json::{Value, json};

use super::fingerprint::fingerprints;
use super::{Report, on_one_line};
use crate::finding::{Code, Excerpt, Finding, Place, Severity};

/// The name under which a fingerprint stands; a version for the day it is computed otherwise.
const FINGERPRINT: &str = "elder/v1";

pub(super) fn render(report: &Report<'_>) -> String {
    let names = fingerprints(report.findings());
    let results: Vec<Value> = report
        .findings()
        .iter()
        .zip(names)
        .map(|(finding, name)| result(finding, &name))
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "elder",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": Code::ALL.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.title() },
        // GitHub takes no rule without one.
        "fullDescription": { "text": code.summary() },
        "help": { "text": format!("elder explain {}", code.as_str()) },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn result(finding: &Finding, fingerprint: &str) -> Value {
    let mut text = on_one_line(&finding.message);
    if !finding.help.is_empty() {
        text.push_str("\nhelp: ");
        text.push_str(&on_one_line(&finding.help));
    }
    let mut result = json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == finding.code),
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": [location(&finding.at.place)],
        "partialFingerprints": { FINGERPRINT: fingerprint },
    });
    if let Some(also) = &finding.also {
        result["relatedLocations"] = json!([related(also)]);
    }
    result
}

fn related(also: &Excerpt) -> Value {
    let mut place = location(&also.place);
    let text = match also.label.as_str() {
        "" => "also here",
        label => label,
    };
    place["message"] = json!({ "text": on_one_line(text) });
    place
}

/// A finding of a whole file stands at its first line: code scanning shows none that stands nowhere.
fn location(place: &Place) -> Value {
    let region = match place.line {
        0 => json!({ "startLine": 1 }),
        line => json!({
            "startLine": line,
            "startColumn": place.column.max(1),
            "endColumn": place.column.max(1).saturating_add(place.length.max(1)),
        }),
    };
    let artifact = json!({ "uri": uri(&place.file) });
    json!({ "physicalLocation": { "artifactLocation": artifact, "region": region } })
}

/// A path as a reference: relative ones count from the root of the repository.
fn uri(file: &str) -> String {
    let mut uri = String::new();
    let path = match file.strip_prefix("./") {
        Some(path) => path,
        None if file.starts_with('/') => {
            uri.push_str("file://");
            file
        }
        None => file,
    };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::render::Format;
    use crate::finding::render::samples::{bad_cron, duplicate, unreadable, warning};

    fn sarif(findings: &[Finding]) -> Value {
        let text = Report::new(3, 1, findings).render(Format::Sarif);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_rule_is_there_and_each_result_names_its_own() {
        let run = sarif(&[bad_cron(), duplicate(), warning(), unreadable()])["runs"][0].clone();
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), Code::ALL.len());
        for rule in rules {
            // What GitHub's code scanning requires of a rule.
            for key in ["shortDescription", "fullDescription", "help"] {
                let text = rule[key]["text"].as_str().unwrap_or_default();
                assert!(!text.is_empty() && text.len() <= 1024, "{key}: {rule}");
            }
            let full = rule["fullDescription"]["text"].as_str().unwrap();
            assert!(full.ends_with('.') && !full.contains("]("), "{full}");
        }
        for result in run["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
        }
    }

    #[test]
    fn a_result_says_where_and_how_to_mend() {
        let run = sarif(&[bad_cron(), duplicate(), unreadable()])["runs"][0].clone();
        let (first, second, third) = (&run["results"][0], &run["results"][1], &run["results"][2]);
        assert_eq!(first["level"], "error");
        assert_eq!(
            first["message"]["text"],
            "minute 61 is not in 0-59\nhelp: write a minute from 0 to 59"
        );
        let place = &first["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "jobs.d/a.yaml");
        assert_eq!(
            place["region"],
            json!({ "startLine": 3, "startColumn": 16, "endColumn": 18 })
        );
        assert_eq!(second["relatedLocations"][0]["message"]["text"], "and here");
        let whole = &third["locations"][0]["physicalLocation"];
        assert_eq!(whole["region"], json!({ "startLine": 1 }), "the whole file");
    }

    #[test]
    fn a_path_is_written_as_a_reference() {
        for (path, want) in [
            ("jobs.d/a b.yaml", "jobs.d/a%20b.yaml"),
            ("./a.yaml", "a.yaml"),
            ("/srv/ü.yaml", "file:///srv/%C3%BC.yaml"),
            ("a\"b%.yaml", "a%22b%25.yaml"),
        ] {
            assert_eq!(uri(path), want);
        }
    }
}
