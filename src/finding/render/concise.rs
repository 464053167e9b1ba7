//! One line a finding, for editors, grep and problem matchers.

use super::{Report, on_one_line, position};
use crate::finding::Finding;

pub(super) fn render(report: &Report<'_>) -> String {
    let mut text = String::new();
    for finding in report.findings() {
        text.push_str(&line(finding));
        text.push('\n');
    }
    text.push_str(&report.counts());
    text.push('\n');
    text
}

/// `file:line:column: E012 message (also file:line:column); help`.
pub(super) fn line(finding: &Finding) -> String {
    let mut text = format!(
        "{}: {} {}",
        position(&finding.at.place),
        finding.code,
        on_one_line(&finding.message)
    );
    if let Some(also) = &finding.also {
        text.push_str(&format!(" (also {})", position(&also.place)));
    }
    if !finding.help.is_empty() {
        text.push_str("; ");
        text.push_str(&on_one_line(&finding.help));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::finding::render::samples::{bad_cron, duplicate, unreadable, warning};
    use crate::finding::render::{Format, Report};

    #[test]
    fn every_finding_is_exactly_one_line() {
        let all = [bad_cron(), duplicate(), unreadable(), warning()];
        insta::assert_snapshot!(Report::new(3, 4, &all).render(Format::Concise), @r#"
        jobs.d/a.yaml:3:16: E012 minute 61 is not in 0-59; write a minute from 0 to 59
        jobs.d/a.yaml:3:16: E012 odd\nname\u{1b}[2J
        jobs.d/a.yaml:9:3: E011 job "billing" is defined twice (also jobs.d/b.yaml:2:3); rename one of them
        jobs.d/z.yaml: E023 permission denied
        3 files, 4 good jobs: 3 errors, 1 warning
        "#);
    }
}
