//! Findings for people: the line, carets under the value, the mend.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Colour, Report, on_one_line};
use crate::finding::{Excerpt, Finding, Severity};

/// Wide enough for a line of a job file with what is said beside it.
const WIDTH: usize = 140;

pub(super) fn render(report: &Report<'_>, colour: Colour) -> String {
    let mut text = excerpts(report, colour);
    text.push_str(&report.counts());
    text.push('\n');
    text
}

pub(super) fn excerpts(report: &Report<'_>, colour: Colour) -> String {
    let renderer = match colour {
        Colour::On => Renderer::styled(),
        Colour::Off => Renderer::plain(),
    }
    .term_width(WIDTH);
    let mut text = String::new();
    for finding in report.findings() {
        text.push_str(&one(&renderer, finding));
        text.push_str("\n\n");
    }
    text
}

fn one(renderer: &Renderer, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level
        .primary_title(on_one_line(&finding.message))
        .id(finding.code.as_str());
    let mut group = Group::with_title(title);
    let both = finding
        .also
        .as_ref()
        .and_then(|also| together(&finding.at, also));
    group = match (&both, &finding.also) {
        (Some(text), Some(also)) => group.element(text.snippet(&finding.at, also)),
        (_, also) => {
            group = place(group, &finding.at, AnnotationKind::Primary);
            match also {
                Some(also) => place(group, also, AnnotationKind::Context),
                None => group,
            }
        }
    };
    if !finding.help.is_empty() {
        group = group.element(Level::HELP.message(on_one_line(&finding.help)));
    }
    renderer.render(&[group])
}

fn place<'a>(group: Group<'a>, excerpt: &'a Excerpt, kind: AnnotationKind) -> Group<'a> {
    let path = on_one_line(&excerpt.place.file);
    let line = usize::try_from(excerpt.place.line).unwrap_or(usize::MAX);
    if line == 0 {
        return group.element(Origin::path(path));
    }
    let shown = visible(&excerpt.line);
    let mut annotation = kind.span(span(excerpt, &shown));
    if !excerpt.label.is_empty() {
        annotation = annotation.label(on_one_line(&excerpt.label));
    }
    group.element(
        Snippet::source(shown)
            .path(path)
            .line_start(line)
            .annotation(annotation),
    )
}

/// Two lines of one file as one text, in which the lines between them are left out.
struct Together {
    text: String,
    first_line: usize,
    /// Where the second line begins.
    second: usize,
    /// Whether the first line is that of the finding itself.
    in_order: bool,
}

/// The most lines that may lie between two places of one picture.
const FARTHEST: u32 = 10_000;

/// Both places in one text. The lines between them are not known, so they must be
/// none or enough to be folded away.
fn together(at: &Excerpt, also: &Excerpt) -> Option<Together> {
    let in_order = at.place.line <= also.place.line;
    let (first, second) = if in_order { (at, also) } else { (also, at) };
    let distance = second.place.line - first.place.line;
    let fits = distance == 0 || distance == 1 || (4..FARTHEST).contains(&distance);
    if first.place.line == 0 || first.place.file != second.place.file || !fits {
        return None;
    }
    let lines = usize::try_from(distance).ok()?;
    let mut text = visible(&first.line).into_owned();
    text.push_str(&"\n".repeat(lines));
    let begin = if lines == 0 { 0 } else { text.len() };
    if lines > 0 {
        text.push_str(&visible(&second.line));
    }
    Some(Together {
        text,
        first_line: usize::try_from(first.place.line).ok()?,
        second: begin,
        in_order,
    })
}

impl Together {
    fn snippet<'a>(&'a self, at: &Excerpt, also: &Excerpt) -> Snippet<'a, Annotation<'a>> {
        let shift = |excerpt: &Excerpt, is_first: bool| {
            let by = if is_first { 0 } else { self.second };
            let span = span(excerpt, &visible(&excerpt.line));
            by + span.start..by + span.end
        };
        let labelled = |annotation: Annotation<'a>, excerpt: &Excerpt| {
            if excerpt.label.is_empty() {
                annotation
            } else {
                annotation.label(on_one_line(&excerpt.label))
            }
        };
        let primary = AnnotationKind::Primary.span(shift(at, self.in_order));
        let context = AnnotationKind::Context.span(shift(also, !self.in_order));
        Snippet::source(self.text.as_str())
            .path(on_one_line(&at.place.file))
            .line_start(self.first_line)
            .annotation(labelled(primary, at))
            .annotation(labelled(context, also))
    }
}

/// A line as it may be shown, character for character. The renderer itself knows the control
/// characters of ASCII alone, and to many a terminal U+009B is what ESC and `[` are.
fn visible(line: &str) -> Cow<'_, str> {
    let hidden = |c: char| matches!(c, '\u{80}'..='\u{9f}');
    if line.contains(hidden) {
        line.replace(hidden, "\u{fffd}").into()
    } else {
        line.into()
    }
}

/// The bytes of the line that are meant. What lies beyond the cut of a long line points at its end.
fn span(excerpt: &Excerpt, line: &str) -> Range<usize> {
    let at = |character: u32| {
        let index = usize::try_from(character).unwrap_or(usize::MAX);
        let mut starts = line.char_indices().map(|(byte, _)| byte);
        starts.nth(index).unwrap_or(line.len())
    };
    let first = excerpt.place.column.saturating_sub(1);
    at(first)..at(first.saturating_add(excerpt.place.length))
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::finding::render::samples::{bad_cron, duplicate, excerpt, unreadable, warning};
    use crate::finding::render::{Colour, Format, Report};

    fn plain(findings: &[Finding]) -> String {
        Report::new(2, 3, findings).render(Format::Human(Colour::Off))
    }

    #[test]
    fn a_finding_shows_place_line_carets_and_mend() {
        insta::assert_snapshot!(plain(&[bad_cron()]), @r#"
        error[E012]: minute 61 is not in 0-59
         --> jobs.d/a.yaml:3:16
          |
        3 |     schedule: "61 * * * *"
          |                ^^
          |
          = help: write a minute from 0 to 59

        2 files, 3 good jobs: 1 error
        "#);
    }

    #[test]
    fn a_duplicate_shows_both_places() {
        insta::assert_snapshot!(plain(&[duplicate()]), @r#"
        error[E011]: job "billing" is defined twice
         --> jobs.d/a.yaml:9:3
          |
        9 |   billing:
          |   ^^^^^^^ here
          |
         ::: jobs.d/b.yaml:2:3
          |
        2 |   billing:
          |   ------- and here
          |
          = help: rename one of them

        2 files, 3 good jobs: 1 error
        "#);
    }

    #[test]
    fn two_places_of_one_file_stand_in_one_picture() {
        let mut near = duplicate();
        near.also = Some(excerpt("jobs.d/a.yaml", 8, 3, 4, "  http: x"));
        let mut far = duplicate();
        far.also = Some(excerpt("jobs.d/a.yaml", 90, 3, 7, "  billing:"));
        let mut unknown_between = duplicate();
        unknown_between.also = Some(excerpt("jobs.d/a.yaml", 11, 3, 7, "  billing:"));
        insta::assert_snapshot!(plain(&[near, far, unknown_between]), @r#"
        error[E011]: job "billing" is defined twice
         --> jobs.d/a.yaml:9:3
          |
        8 |   http: x
          |   ----
        9 |   billing:
          |   ^^^^^^^ here
          |
          = help: rename one of them

        error[E011]: job "billing" is defined twice
          --> jobs.d/a.yaml:9:3
           |
         9 |   billing:
           |   ^^^^^^^ here
        ...
        90 |   billing:
           |   -------
           |
           = help: rename one of them

        error[E011]: job "billing" is defined twice
          --> jobs.d/a.yaml:9:3
           |
         9 |   billing:
           |   ^^^^^^^ here
           |
          ::: jobs.d/a.yaml:11:3
           |
        11 |   billing:
           |   -------
           |
           = help: rename one of them

        2 files, 3 good jobs: 3 errors
        "#);
    }

    #[test]
    fn a_whole_file_is_named_without_a_line() {
        insta::assert_snapshot!(plain(&[unreadable()]), @r#"
        error[E023]: permission denied
        --> jobs.d/z.yaml

        2 files, 3 good jobs: 1 error
        "#);
    }

    #[test]
    fn carets_stand_right_under_wide_characters_and_at_the_end_of_a_line() {
        let mut wide = bad_cron();
        wide.at = excerpt("a.yaml", 1, 6, 3, "日本: \"bad\"");
        let mut end = bad_cron();
        end.at = excerpt("b.yaml", 2, 6, 1, "name:");
        insta::assert_snapshot!(plain(&[wide, end]), @r#"
        error[E012]: minute 61 is not in 0-59
         --> a.yaml:1:6
          |
        1 | 日本: "bad"
          |        ^^^
          |
          = help: write a minute from 0 to 59

        error[E012]: minute 61 is not in 0-59
         --> b.yaml:2:6
          |
        2 | name:
          |      ^
          |
          = help: write a minute from 0 to 59

        2 files, 3 good jobs: 2 errors
        "#);
    }

    #[test]
    fn escapes_of_a_file_never_reach_the_terminal() {
        let mut evil = warning();
        evil.at.line = "x: \u{1b}[31mred\u{202e}".to_owned();
        evil.at.place.column = 4;
        let text = plain(&[evil]);
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{202e}'),
            "{text}"
        );
    }

    #[test]
    fn the_second_kind_of_escape_neither_and_the_carets_stay() {
        let mut finding = bad_cron();
        finding.at = excerpt("jobs.d/a.yaml", 3, 4, 2, "k\u{9b}1ab\u{85}");
        let mut twice = finding.clone();
        twice.also = Some(excerpt("jobs.d/a.yaml", 9, 1, 1, "x\u{9b}31m"));
        let text = plain(&[finding, twice]);
        assert!(
            text.contains("\n3 | k\u{fffd}1ab\u{fffd}\n  |    ^^\n"),
            "{text}"
        );
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{text:?}"
        );
    }

    #[test]
    fn colours_are_only_written_when_asked_for() {
        let finding = [bad_cron()];
        let styled = Report::new(1, 0, &finding).render(Format::Human(Colour::On));
        assert!(styled.contains("\u{1b}["));
        assert!(!plain(&finding).contains('\u{1b}'));
    }

    proptest::proptest! {
        #[test]
        fn no_place_and_no_text_can_panic(
            line in "\\PC{0,30}|.{0,30}",
            number in 0u32..4,
            column in 0u32..60,
            length in 0u32..60,
            message in ".{0,20}",
        ) {
            let mut finding = bad_cron();
            finding.at = excerpt("a.yaml", number, column, length, &line);
            finding.message = message;
            let mut second = finding.at.clone();
            second.place.line = second.place.line.saturating_add(number);
            finding.also = Some(second);
            let report = [finding];
            let report = Report::new(1, 1, &report);
            for format in [Format::Human(Colour::On), Format::Concise, Format::Json, Format::Github] {
                proptest::prop_assert!(!report.render(format).is_empty());
            }
        }
    }
}
