//! What the documents say is what the binary does: snippets, keys, codes, metrics, flags.

use std::collections::BTreeSet;

use super::{shipped, text};
use crate::support::{Daemon, Folder, elder};

/// Every Markdown file that users read.
pub(super) fn documents() -> Vec<String> {
    let mut all = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned()];
    for entry in std::fs::read_dir(shipped("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            all.push(format!("docs/{name}"));
        }
    }
    all.sort();
    all
}

/// The fenced blocks of a language, each with its line.
pub(super) fn blocks(markdown: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in markdown.lines().enumerate() {
        if let Some((_, block)) = &mut open {
            if line == "```" {
                found.extend(open.take());
            } else {
                block.push_str(line);
                block.push('\n');
            }
        } else if line.strip_prefix("```") == Some(language) {
            open = Some((number + 1, String::new()));
        }
    }
    found
}

#[test]
fn every_job_file_in_the_documents_validates() {
    let mut checked = 0;
    for document in documents() {
        for (line, block) in blocks(&text(&document), "yaml") {
            let top = |key: &str| block.lines().any(|line| line.trim_end() == key);
            // Those of the findings' pages are looked at by `reference`.
            let is_fault = block.starts_with("# wrong\n");
            if !top("jobs:") && !top("defaults:") || block.contains("runs-on:") || is_fault {
                continue;
            }
            let name = match top("jobs:") {
                true => "jobs.d/a.yaml",
                false => "jobs.d/_defaults.yaml",
            };
            let folder = Folder::with(&[(name, &block)]);
            let finished = elder("validate --strict --allow-empty jobs.d")
                .within(folder.path())
                .run();
            assert_eq!(finished.code, Some(0), "{document}:{line}: {finished}");
            checked += 1;
        }
    }
    assert!(checked >= 10, "only {checked} were found");
}

#[test]
fn every_test_file_in_the_documents_is_read_without_a_finding() {
    let mut checked = 0;
    for document in documents() {
        for (line, block) in blocks(&text(&document), "yaml") {
            if !block.lines().any(|line| line.trim_end() == "tests:") {
                continue;
            }
            // The jobs that it names, so that only the tests themselves are judged.
            let names = block.lines().filter_map(|line| {
                let name = line.strip_prefix("  ")?.split_once(':')?.0;
                name.starts_with(|c: char| c.is_ascii_alphanumeric())
                    .then_some(name)
            });
            let jobs: String = names
                .map(|name| format!("  {name}: {{ schedule: manual, run: 'true' }}\n"))
                .collect();
            let folder = Folder::with(&[
                ("jobs.d/a.yaml", &format!("jobs:\n{jobs}")),
                ("jobs.d/a.test.yaml", &block),
            ]);
            let finished = elder("test --format json").within(folder.path()).run();
            let answer = finished.json();
            assert_eq!(
                answer["findings"],
                serde_json::json!([]),
                "{document}:{line}"
            );
            checked += 1;
        }
    }
    assert!(checked >= 1, "none was found");
}

#[test]
fn every_json_in_the_documents_is_json() {
    for document in documents() {
        for (line, block) in blocks(&text(&document), "json") {
            let read: Result<serde_json::Value, _> = serde_json::from_str(&block);
            assert!(read.is_ok(), "{document}:{line}: {read:?}");
        }
    }
}

#[test]
fn every_key_of_the_schema_is_in_the_reference() {
    let schema = elder("schema").run().json();
    let mut keys = BTreeSet::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.len() > 40, "{keys:?}");
    let reference = text("docs/job-file.md");
    let missing: Vec<_> = keys
        .iter()
        .filter(|key| !reference.contains(key.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/job-file.md does not name {missing:?}"
    );
}

fn collect_keys(schema: &serde_json::Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(members) => {
            members.values().for_each(|value| collect_keys(value, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}

#[test]
fn every_finding_code_has_its_page() {
    let page = text("docs/findings.md");
    for code in elder::finding::Code::ALL {
        let (code, title) = (code.as_str(), code.title());
        let row = format!("| [{code}](#{}) | {title} |", code.to_lowercase());
        assert!(page.contains(&row), "no row {row}");
        let section = format!("## {code}\n\n**{title}.**");
        assert!(page.contains(&section), "no section {section}");
    }
    let sections = page.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(sections, elder::finding::Code::ALL.len());
}

#[test]
fn every_metric_is_in_the_reference_and_every_one_there_is_a_metric() {
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs:\n  a:\n    schedule: { every: 1h }\n    run: 'true'\n  bad:\n    shedule: x\n",
    )]);
    let daemon = Daemon::start(&folder);
    let scrape = daemon.get("/metrics").body;
    let families: BTreeSet<_> = scrape
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let reference = text("docs/metrics.md");
    let named: BTreeSet<_> = reference
        .lines()
        .take_while(|line| *line != "## Questions")
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(" | ").next())
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`'))
        .collect();
    assert_eq!(named, families);

    // Names elsewhere, in sentences, queries and alert rules.
    let mut others = documents();
    others.push("deploy/prometheus/alerts.yml".to_owned());
    for document in others {
        for word in text(&document).split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| word.strip_suffix(suffix))
                .unwrap_or(word);
            // `elder_config_*` stands for several.
            let stands_for_several = word.ends_with('_') && scrape.contains(word);
            if word.starts_with("elder_") && !families.contains(base) && !stands_for_several {
                panic!("{document} names {word}, which is no metric");
            }
        }
    }
}

#[test]
fn every_flag_of_run_is_in_the_reference() {
    let help = elder("run --help").run().stdout;
    let reference = text("docs/operations.md");
    let flags: Vec<_> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(|word| word.trim_end_matches([',', '.', ';']))
        .filter(|word| *word != "--help")
        .collect();
    assert!(flags.len() > 15, "{help}");
    for flag in flags {
        assert!(
            reference.contains(flag),
            "docs/operations.md does not name {flag}"
        );
    }
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut links = 0;
    for document in documents() {
        let folder = shipped(&document).parent().unwrap().to_owned();
        let body = text(&document);
        for target in body
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or_default();
            if path.contains("://") || path.is_empty() {
                continue;
            }
            assert!(folder.join(path).exists(), "{document}: {target}");
            links += 1;
        }
    }
    assert!(links > 30, "{links}");
}

#[test]
fn the_index_leads_to_every_page() {
    let index = text("docs/README.md");
    for document in documents() {
        if let Some(name) = document.strip_prefix("docs/")
            && name != "README.md"
        {
            assert!(
                index.contains(&format!("]({name}")),
                "docs/README.md does not lead to {document}"
            );
        }
    }
}
