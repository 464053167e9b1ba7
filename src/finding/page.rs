//! Each code's page of the documentation, in the binary.

use super::Code;

const PAGES: &str = include_str!("../../docs/findings.md");

impl Code {
    /// The code that this text names, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Code> {
        let mut all = Code::ALL.iter().copied();
        all.find(|code| code.as_str().eq_ignore_ascii_case(text))
    }

    /// Its page, as `docs/findings.md` has it, without the heading.
    #[must_use]
    pub fn page(self) -> &'static str {
        let heading = format!("\n## {}\n", self.as_str());
        let after = PAGES.split_once(&heading).map_or("", |(_, after)| after);
        let page = after.split_once("\n## ").map_or(after, |(page, _)| page);
        page.trim()
    }

    /// The first paragraph of its page in plain text: title and what it means.
    #[must_use]
    pub fn summary(self) -> String {
        let page = self.page();
        let first = page.split_once("\n\n").map_or(page, |(first, _)| first);
        let mut text = String::with_capacity(first.len());
        let mut rest = first;
        // A link is its words.
        while let Some((before, after)) = rest.split_once('[') {
            text.push_str(before);
            rest = after;
            if let Some((words, (_, behind))) = after
                .split_once("](")
                .and_then(|(words, target)| Some((words, target.split_once(')')?)))
                .filter(|(words, _)| !words.contains(['[', ']']))
            {
                text.push_str(words);
                rest = behind;
            } else {
                text.push('[');
            }
        }
        text.push_str(rest);
        text.replace("**", "").replace('\n', " ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_of_its_own() {
        for code in Code::ALL {
            let page = code.page();
            assert!(
                page.starts_with(&format!("**{}.**", code.title())),
                "{code}: {page:?}"
            );
            assert!(!page.contains("\n## ") && page.len() > 40, "{code}");
            let summary = code.summary();
            let title = format!("{}. ", code.title());
            assert!(summary.starts_with(&title), "{summary}");
            assert!(
                !summary.contains("**") && !summary.contains("]("),
                "{summary}"
            );
        }
        assert_eq!(Code::parse("e012"), Some(Code::BadCron));
        assert_eq!(Code::parse("E999"), None);
    }
}
