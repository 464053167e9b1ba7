//! GitHub's workflow commands: a finding appears beside the changed line.

use super::{Report, amount, concise, on_one_line, word};
use crate::finding::{Finding, Severity};

/// GitHub shows so many annotations of a kind for one step and drops the rest in silence.
const SHOWN: usize = 10;

pub(super) fn render(report: &Report<'_>) -> String {
    let mut text = String::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        for finding in report.of(severity).take(SHOWN) {
            text.push_str(&command(finding));
            text.push('\n');
        }
        let more = report.count(severity).saturating_sub(SHOWN);
        if more > 0 {
            text.push_str(&format!(
                "… and {} more:\n",
                amount(more as u64, word(severity))
            ));
            for finding in report.of(severity).skip(SHOWN) {
                text.push_str(&concise::line(finding));
                text.push('\n');
            }
        }
    }
    text.push_str(&report.counts());
    text.push('\n');
    text
}

fn command(finding: &Finding) -> String {
    let kind = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let place = &finding.at.place;
    let mut text = format!("::{kind} file={}", property(&place.file));
    if place.line > 0 {
        let end = place.column.saturating_add(place.length.saturating_sub(1));
        text.push_str(&format!(
            ",line={},col={},endColumn={end}",
            place.line, place.column
        ));
    }
    text.push_str(&format!(",title={}::", property(finding.code.as_str())));
    text.push_str(&data(&on_one_line(&finding.message)));
    if let Some(also) = &finding.also {
        text.push_str(&data(&format!(" (also {})", super::position(&also.place))));
    }
    if !finding.help.is_empty() {
        text.push_str("%0Ahelp: ");
        text.push_str(&data(&on_one_line(&finding.help)));
    }
    text
}

/// The text after `::`, in which three characters mean something.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The text of a property, in which five do.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::finding::render::samples::{bad_cron, duplicate, unreadable, warning};
    use crate::finding::render::{Format, Report};

    #[test]
    fn errors_come_first_and_a_whole_file_has_no_line() {
        let all = [warning(), bad_cron(), duplicate(), unreadable()];
        insta::assert_snapshot!(Report::new(3, 4, &all).render(Format::Github), @r#"
        ::error file=jobs.d/a.yaml,line=3,col=16,endColumn=17,title=E012::minute 61 is not in 0-59%0Ahelp: write a minute from 0 to 59
        ::error file=jobs.d/a.yaml,line=9,col=3,endColumn=9,title=E011::job "billing" is defined twice (also jobs.d/b.yaml:2:3)%0Ahelp: rename one of them
        ::error file=jobs.d/z.yaml,title=E023::permission denied
        ::warning file=jobs.d/a.yaml,line=3,col=16,endColumn=17,title=E012::odd\nname\u{1b}[2J
        3 files, 4 good jobs: 3 errors, 1 warning
        "#);
    }

    #[test]
    fn beyond_ten_of_a_kind_the_rest_is_listed_and_not_dropped() {
        let all = vec![bad_cron(); 13];
        let text = Report::new(1, 0, &all).render(Format::Github);
        assert_eq!(text.matches("::error").count(), 10);
        assert!(text.contains("… and 3 errors more:\n"), "{text}");
        assert_eq!(text.matches("jobs.d/a.yaml:3:16: E012").count(), 3);
    }

    #[test]
    fn a_file_name_cannot_write_a_command_of_its_own() {
        let mut finding = unreadable();
        finding.at.place.file = Arc::from("a,line=1::\n::error::gotcha%");
        let text = Report::new(1, 0, [&finding]).render(Format::Github);
        assert!(
            text.starts_with("::error file=a%2Cline=1%3A%3A%0A%3A%3Aerror%3A%3Agotcha%25,title"),
            "{text}"
        );
    }
}
