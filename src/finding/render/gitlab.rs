//! GitLab's code quality report: findings in the merge request, new ones told from old ones.

use serde_json::{Value, json};

use super::fingerprint::fingerprints;
use super::{Report, on_one_line};
use crate::finding::{Finding, Severity};

pub(super) fn render(report: &Report<'_>) -> String {
    let names = fingerprints(report.findings());
    let issues: Vec<Value> = report
        .findings()
        .iter()
        .zip(names)
        .map(|(finding, name)| issue(finding, &name))
        .collect();
    format!("{:#}\n", Value::Array(issues))
}

fn issue(finding: &Finding, fingerprint: &str) -> Value {
    let mut text = on_one_line(&finding.message);
    if !finding.help.is_empty() {
        text.push_str("; ");
        text.push_str(&on_one_line(&finding.help));
    }
    let place = &finding.at.place;
    let path = place.file.strip_prefix("./").unwrap_or(&place.file);
    json!({
        "description": text,
        "check_name": finding.code.as_str(),
        "fingerprint": fingerprint,
        "severity": match finding.severity {
            Severity::Error => "critical",
            Severity::Warning => "minor",
            Severity::Note => "info",
        },
        // A line is asked for; what concerns the whole file is shown at its first.
        "location": { "path": path, "lines": { "begin": place.line.max(1) } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::render::Format;
    use crate::finding::render::samples::{bad_cron, unreadable, warning};

    #[test]
    fn each_finding_is_an_issue_with_what_gitlab_asks_for() {
        let all = [bad_cron(), warning(), unreadable()];
        let text = Report::new(2, 0, &all).render(Format::Gitlab);
        let issues: Vec<Value> = serde_json::from_str(&text).unwrap();
        let want = json!({
            "description": "minute 61 is not in 0-59; write a minute from 0 to 59",
            "check_name": "E012",
            "fingerprint": issues[0]["fingerprint"],
            "severity": "critical",
            "location": { "path": "jobs.d/a.yaml", "lines": { "begin": 3 } },
        });
        assert_eq!(issues[0], want);
        assert_eq!(issues[1]["severity"], "minor");
        assert_eq!(issues[2]["location"]["lines"]["begin"], 1, "the whole file");
        assert_ne!(issues[0]["fingerprint"], issues[1]["fingerprint"]);
    }

    #[test]
    fn nothing_to_mend_is_an_empty_list() {
        let none: [Finding; 0] = [];
        assert_eq!(Report::new(1, 1, &none).render(Format::Gitlab), "[]\n");
    }
}
