//! Findings for programs. The shape is a contract: people's pipelines read it.

use serde::Serialize;

use super::Report;
use crate::finding::{Finding, Severity};

#[derive(Serialize)]
struct Document<'a> {
    files: usize,
    jobs: usize,
    errors: Vec<Entry<'a>>,
    warnings: Vec<Entry<'a>>,
    notes: Vec<Entry<'a>>,
}

/// `line` and `column` are 0 when the finding concerns the whole file.
#[derive(Serialize)]
struct Entry<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    code: &'static str,
    message: &'a str,
    help: &'a str,
}

pub(super) fn render(report: &Report<'_>) -> String {
    let entries = |severity| report.of(severity).map(entry).collect();
    let document = Document {
        files: report.files,
        jobs: report.jobs,
        errors: entries(Severity::Error),
        warnings: entries(Severity::Warning),
        notes: entries(Severity::Note),
    };
    // Text, numbers and lists only: there is nothing in it that JSON cannot say.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn entry(finding: &Finding) -> Entry<'_> {
    let place = &finding.at.place;
    Entry {
        file: &place.file,
        line: place.line,
        column: place.column,
        code: finding.code.as_str(),
        message: &finding.message,
        help: &finding.help,
    }
}

#[cfg(test)]
mod tests {
    use crate::finding::render::samples::{bad_cron, unreadable, warning};
    use crate::finding::render::{Format, Report};

    #[test]
    fn the_document_has_exactly_the_keys_of_the_contract() {
        let all = [bad_cron(), unreadable(), warning()];
        let text = Report::new(2, 1, &all).render(Format::Json);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let mut top = keys(&document);
        top.sort();
        assert_eq!(top, ["errors", "files", "jobs", "notes", "warnings"]);
        let mut one = keys(&document["errors"][0]);
        one.sort();
        assert_eq!(one, ["code", "column", "file", "help", "line", "message"]);
        assert_eq!(document["errors"].as_array().unwrap().len(), 2);
        assert_eq!(document["errors"][0]["code"], "E012");
        assert_eq!(document["errors"][0]["line"], 3);
        assert_eq!(document["errors"][1]["line"], 0, "the whole file");
        assert_eq!(document["warnings"].as_array().unwrap().len(), 1);
        assert_eq!(document["notes"].as_array().unwrap().len(), 0);
    }
}
