//! README.ja.md says what README.md says: the same blocks to paste, the same chapters and links, and
//! no command, flag or metric that the English one does not know.

use std::collections::BTreeSet;

use super::{shipped, text};

/// The fenced blocks with their language, comments left out: those are for the reader.
fn blocks(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        if let Some(block) = &mut open {
            if line == "```" {
                found.extend(open.take());
                continue;
            }
            // The editor's line is no comment for the reader.
            let comment = match line.contains("yaml-language-server") {
                true => None,
                false => line.find("# "),
            };
            let code = comment.map_or(line, |at| &line[..at]).trim_end();
            block.push_str(code);
            block.push('\n');
        } else if let Some(language) = line.strip_prefix("```") {
            open = Some(format!("{language}\n"));
        }
    }
    found
}

/// What stands between backticks outside of blocks.
fn spans(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let outside = page.split("\n```").step_by(2);
    for line in outside.flat_map(str::lines) {
        found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    found
}

fn links(page: &str) -> BTreeSet<String> {
    let rest = page.split("](").skip(1);
    let targets = rest.filter_map(|rest| rest.split(')').next());
    let targets = targets.filter(|target| !target.starts_with('#'));
    let others = ["README.md", "README.ja.md", "docs/README.md"];
    targets
        .filter(|target| !others.contains(target))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_japanese_readme_has_the_same_blocks_chapters_and_links() {
    let (english, japanese) = (text("README.md"), text("README.ja.md"));
    let (ours, theirs) = (blocks(&english), blocks(&japanese));
    assert!(ours.len() >= 10, "{ours:?}");
    assert_eq!(theirs.len(), ours.len(), "README.ja.md has other blocks");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(theirs, ours, "README.ja.md differs from README.md");
    }
    let chapters = |page: &str| page.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(chapters(&japanese), chapters(&english), "chapters");
    let gone: Vec<_> = spans(&japanese)
        .difference(&spans(&english))
        .cloned()
        .collect();
    assert!(gone.is_empty(), "README.md no longer names {gone:?}");
    let missing: Vec<_> = links(&japanese)
        .difference(&links(&english))
        .cloned()
        .collect();
    assert!(missing.is_empty(), "README.md does not lead to {missing:?}");
    for target in links(&japanese) {
        let path = target.split('#').next().unwrap();
        assert!(target.contains("://") || shipped(path).exists(), "{target}");
    }
    // It is Japanese, and not a stub.
    let kana = japanese
        .chars()
        .filter(|c| ('ぁ'..='ヺ').contains(c))
        .count();
    assert!(kana > 3_000, "{kana}");
    assert!(english.contains("](README.ja.md)") && japanese.contains("](README.md)"));
}
