//! The reference is whole: the list of keys is the program's own, every key of a job has a row with
//! its default, and every finding's page shows what it is about and how it is mended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value};

use super::text;
use crate::support::{Folder, elder};

/// The levels of the schema, in the order in which a reader meets them.
const LEVELS: [(&str, &str); 20] = [
    ("job", "A job"),
    ("oneSchedule", "`schedule`"),
    ("weekly", "`weekly`"),
    ("monthly", "`monthly`"),
    ("yearly", "`yearly`"),
    ("random", "`random`"),
    ("dst", "`dst`"),
    ("http", "`http`"),
    ("expect", "`http.expect`"),
    ("sign", "`http.sign`"),
    ("tls", "`http.tls`"),
    ("retry", "`retry`"),
    ("limits", "`limits`"),
    ("output", "`output`"),
    ("history", "`history`"),
    ("secret", "A secret"),
    ("calendar", "A calendar"),
    ("range", "A range of a calendar"),
    ("pool", "A pool"),
    ("sage", "A sage"),
];

/// Where keys are in a level: itself, or its long form.
fn properties(level: &Value) -> Option<&Map<String, Value>> {
    let forms = level["anyOf"].as_array().into_iter().flatten();
    let mut forms = std::iter::once(level).chain(forms);
    forms.find_map(|form| form["properties"].as_object())
}

fn schema() -> Value {
    elder("schema").run().json()
}

/// The list as it has to be.
fn keys(schema: &Value) -> String {
    let mut page = "# Every key\n\n\
        Made of the program's own table of keys, which also feeds its decoder, its suggestions and \
        `elder schema`; a test compares. What they mean together is in [job-file.md](job-file.md). \
        Lengths of time, sizes, lists and `${NAME}` are explained [there](job-file.md#values).\n"
        .to_owned();
    let known = &schema["definitions"];
    let in_defaults = properties(&known["defaults"]).unwrap();
    let top = [("top", "Top level")];
    for (name, title) in top.iter().chain(&LEVELS) {
        let level = if *name == "top" {
            schema
        } else {
            &known[*name]
        };
        let more = if *name == "job" {
            " in `defaults` |"
        } else {
            ""
        };
        let rule = if *name == "job" { " --- |" } else { "" };
        write!(
            page,
            "\n## {title}\n\n| key | says | example |{more}\n| --- | --- | --- |{rule}\n"
        )
        .unwrap();
        for (key, says) in properties(level).unwrap() {
            let description = says["description"].as_str().unwrap().replace('|', "\\|");
            let example = says["examples"][0].to_string().replace('|', "\\|");
            write!(page, "| `{key}` | {description} | `{example}` |").unwrap();
            if *name == "job" {
                let fits = if in_defaults.contains_key(key) {
                    "yes"
                } else {
                    "no"
                };
                write!(page, " {fits} |").unwrap();
            }
            page.push('\n');
        }
    }
    page
}

#[test]
fn the_list_of_keys_is_the_programs_own() {
    let schema = schema();
    let listed: BTreeSet<&str> = LEVELS.iter().map(|(name, _)| *name).collect();
    for (name, level) in schema["definitions"].as_object().unwrap() {
        let of_another = ["defaults", "httpDefaults"].contains(&name.as_str());
        let has_keys = properties(level).is_some() && !of_another;
        assert_eq!(listed.contains(name.as_str()), has_keys, "{name}");
    }
    let page = keys(&schema);
    if text("docs/keys.md") != page {
        let made = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys.md");
        std::fs::write(&made, page).unwrap();
        panic!("docs/keys.md is not what it should be: `make generated`");
    }
}

/// The keys of all tables whose last column is the default, with that default.
fn rows(page: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut within = false;
    for line in page.lines() {
        if !line.starts_with('|') {
            within = false;
            continue;
        }
        within |= line.ends_with("| default |");
        if !within {
            continue;
        }
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let spans = cells[0].split('`').skip(1).step_by(2);
        for key in spans {
            let own = key.split('.').next().unwrap();
            let default = (*cells.last().unwrap()).to_owned();
            found.insert(own.to_owned(), default.clone());
            found.insert(key.to_owned(), default);
        }
    }
    found
}

#[test]
fn every_key_of_a_job_has_a_row_with_its_default() {
    let schema = schema();
    let rows = rows(&text("docs/job-file.md"));
    for (key, default) in &rows {
        assert!(
            !default.is_empty(),
            "docs/job-file.md: {key} has no default"
        );
    }
    for level in ["job", "http", "retry"] {
        for (key, says) in properties(&schema["definitions"][level]).unwrap() {
            let Some(row) = rows.get(key) else {
                panic!(
                    "docs/job-file.md has no row for `{key}`, with its default in the last column"
                );
            };
            // Where the table of keys names a plain value, the row names the same.
            let said = says["description"].as_str().unwrap();
            let Some((_, default)) = said.split_once("Default: ") else {
                continue;
            };
            let word = default.trim_end_matches('.');
            let plain = word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
            assert!(
                !plain || row.contains(word),
                "`{key}`: {word} in the schema, {row} in the row"
            );
        }
    }
}

/// Everything that stands where the code answers with a status and the word of a problem document.
fn problem_words(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                problem_words(&path, found);
            }
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        for rest in code.split("StatusCode::").skip(1) {
            let word = rest.split_once(',').map(|(_, rest)| rest.trim_start());
            let word = word.and_then(|rest| rest.strip_prefix('"')?.split('"').next());
            // Others are what a good answer says, and messages.
            let is_kind = |word: &&str| {
                word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            };
            found.extend(word.filter(is_kind).map(str::to_owned));
        }
    }
}

#[test]
fn every_word_of_a_problem_document_is_listed() {
    let mut words = BTreeSet::new();
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    problem_words(&server, &mut words);
    // Not an error, but what `/readyz` says.
    assert!(words.remove("ready") && words.len() > 20, "{words:?}");
    let page = text("docs/http-api.md");
    let (_, errors) = page.split_once("\n## Errors\n").unwrap();
    let rows = errors.lines().filter(|line| line.starts_with('|'));
    let listed: BTreeSet<String> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, words);
}

#[test]
fn every_crate_has_its_reason() {
    let manifest = text("Cargo.toml");
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    let crates: Vec<_> = lines.filter_map(|line| line.split_once(" =")).collect();
    assert!(crates.len() > 20, "{crates:?}");
    for page in ["README.md", "README.ja.md"] {
        let readme = text(page);
        for (name, _) in &crates {
            let row = readme.lines().find(|line| {
                line.starts_with("| `")
                    && line
                        .split(" | ")
                        .next()
                        .unwrap()
                        .contains(&format!("`{name}`"))
            });
            assert!(row.is_some(), "{page}: {name} has no row among the crates");
        }
    }
}

/// Codes that no job file alone can show; their pages have a block of another kind.
const OTHERWISE: [&str; 21] = [
    "E006", "E023", "E025", "E026", "E030", "E050", "E060", "E061", "E062", "E063", "E064", "E065",
    "E066", "E067", "E068", "E069", "W005", "W020", "W021", "W060", "N010",
];

/// A part of an example as a whole job file.
fn job_file(part: &str) -> String {
    let begins = |word: &str| part.lines().any(|line| line.starts_with(word));
    if ["jobs:", "x-"].iter().any(|word| begins(word)) {
        return part.to_owned();
    }
    let mut file = "jobs:\n  a:\n".to_owned();
    for line in part.lines() {
        writeln!(file, "    {line}").unwrap();
    }
    if !begins("schedule:") {
        file.push_str("    schedule: manual\n");
    }
    if !["run:", "exec:", "http:"].iter().any(|word| begins(word)) {
        file.push_str("    run: 'true'\n");
    }
    file
}

/// Every code that `validate` gives for a job file.
fn codes(file: &str) -> BTreeSet<String> {
    let folder = Folder::with(&[("jobs.d/a.yaml", file)]);
    let answer = elder("validate --format json --allow-missing-env --allow-empty jobs.d")
        .within(folder.path())
        .run()
        .json();
    let kinds = ["errors", "warnings", "notes"];
    let all = kinds
        .iter()
        .flat_map(|kind| answer[*kind].as_array().unwrap());
    all.map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_findings_page_shows_the_fault_and_the_mend_and_both_are_real() {
    let page = text("docs/findings.md");
    for code in elder::finding::Code::ALL {
        let code = code.as_str();
        let (_, rest) = page.split_once(&format!("\n## {code}\n")).unwrap();
        let section = rest.split("\n## ").next().unwrap();
        let explained = elder(&format!("explain {code}")).run();
        assert!(
            explained.stdout.contains(section.trim()),
            "{code}: {explained}"
        );
        if OTHERWISE.contains(&code) {
            assert!(section.contains("\n```"), "{code} shows nothing");
            assert!(section.contains("**Mend**: "), "{code} has no mend");
            continue;
        }
        let (_, block) = section
            .split_once("```yaml\n# wrong\n")
            .unwrap_or_else(|| panic!("{code}: a block that begins with `# wrong` is missing"));
        let block = block.split("```").next().unwrap();
        let (wrong, right) = block
            .split_once("# right\n")
            .unwrap_or_else(|| panic!("{code}: `# right` is missing"));
        assert!(codes(&job_file(wrong)).contains(code), "{code}: {wrong}");
        let left = codes(&job_file(right));
        let errors = left.iter().filter(|left| left.starts_with('E')).count();
        assert!(
            !left.contains(code) && errors == 0,
            "{code}: {right}: {left:?}"
        );
    }
}
