//! A file as YAML, whatever it says.

use super::problem::Page;
use super::{InputFile, bytes, tree};
use crate::finding::{Finding, Severity};

/// The text of a file without its byte order mark, when it is one document of YAML that elder
/// reads: no syntax error, no key given twice, within the limits. What its keys and values mean is
/// not looked at.
///
/// # Errors
/// Everything that keeps it from being read so.
pub fn yaml_of(input: &InputFile) -> Result<&str, Vec<Finding>> {
    let text = bytes::text_of(input).map_err(|finding| vec![*finding])?;
    let page = Page::new(input.shown.clone(), text);
    let problems = tree::parse(text).problems.into_iter();
    let errors: Vec<Finding> = problems
        .map(|problem| page.finding(problem))
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    if errors.is_empty() {
        Ok(text)
    } else {
        Err(errors)
    }
}
