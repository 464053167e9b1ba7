//! The house rules as a test: arrows between floors, length of files, docs of
//! modules, and what the pure floors must not name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Lines of a file without its tests.
const LONGEST: usize = 500;
/// Lines of a file with its tests.
const LONGEST_WITH_TESTS: usize = 800;

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let floors = Floors::read(&read(&root.join("src/lib.rs")));
    let mut complaints = Vec::new();
    let mut files = 0;
    for file in rust_files(root) {
        files += 1;
        let text = read(&file);
        let path = file
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        complaints.extend(complain(&floors, &path, &text));
        complaints.extend(unread(root, &path));
    }
    for file in text_files(root) {
        let path = file
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        complaints.extend(machine_paths(&path, &read(&file)));
    }
    assert!(files > 30, "only {files} files were looked at");
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn complain(floors: &Floors, path: &str, text: &str) -> Vec<String> {
    let code = match is_test(path) {
        true => String::new(),
        false => without_tests(text),
    };
    let mut complaints = length(path, text, &code);
    complaints.extend(module_docs(path, text));
    complaints.extend(allows(path, text));
    if let Some(below) = path.strip_prefix("src/") {
        let code = without_comments(&code);
        complaints.extend(arrows(floors, below, &code));
        complaints.extend(impurities(floors, below, &code));
    }
    complaints
}

/// A file that no module names is never compiled, and nobody notices.
fn unread(root: &Path, path: &str) -> Option<String> {
    let path = Path::new(path);
    let inside = path.starts_with("src") || path.starts_with("tests/it");
    let name = path.file_stem()?.to_str()?;
    let folder = path.parent()?;
    let (name, folder) = match name {
        "mod" => (folder.file_name()?.to_str()?, folder.parent()?),
        _ => (name, folder),
    };
    let is_root = matches!(name, "lib" | "main") || folder == Path::new("");
    if !inside || is_root || name == "bin" {
        return None;
    }
    let beside = folder.with_extension("rs");
    let parents = ["lib.rs", "main.rs", "mod.rs"].map(|file| folder.join(file));
    let named = parents.iter().chain([&beside]).any(|parent| {
        let text = std::fs::read_to_string(root.join(parent)).unwrap_or_default();
        text.contains(&format!("mod {name};"))
    });
    (!named).then(|| format!("{}: no module names it", path.display()))
}

/// Whether the whole file is compiled for tests alone.
fn is_test(path: &str) -> bool {
    path.starts_with("src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
}

/// Which top-level module is on which floor, as `lib.rs` says it.
struct Floors(BTreeMap<String, u32>);

impl Floors {
    fn read(lib: &str) -> Self {
        let mut floor = 0;
        let mut floors = BTreeMap::new();
        for line in lib.lines() {
            if let Some(rest) = line.strip_prefix("// Floor ") {
                let number = rest.split(':').next().unwrap();
                floor = number.parse().unwrap();
            } else if let Some(module) = line.strip_prefix("pub mod ") {
                floors.insert(module.trim_end_matches(';').to_owned(), floor);
            }
        }
        assert!(floors.len() > 10, "lib.rs no longer names the floors");
        Self(floors)
    }

    fn of(&self, module: &str) -> Option<u32> {
        self.0.get(module).copied()
    }
}

/// The module that a file below `src/` belongs to, and how deep the file lies in it.
fn module_of(below: &str) -> (String, usize) {
    let parts: Vec<_> = below.trim_end_matches(".rs").split('/').collect();
    let depth = match parts.last() {
        Some(&"mod") => parts.len() - 1,
        _ => parts.len(),
    };
    (parts[0].to_owned(), depth)
}

/// A module imports from floors below its own, and from itself.
fn arrows(floors: &Floors, below: &str, code: &str) -> Vec<String> {
    let (module, depth) = module_of(below);
    if module == "lib" {
        return Vec::new();
    }
    let own = floors.of(&module);
    let mut complaints = Vec::new();
    for target in targets(code, depth, &module) {
        let Some(floor) = floors.of(&target) else {
            continue;
        };
        let fine = match own {
            Some(own) => target == module || floor < own,
            // `main.rs` may name anything.
            None => true,
        };
        if !fine {
            complaints.push(format!(
                "src/{below}: {module} (floor {}) must not use {target} (floor {floor})",
                own.unwrap_or_default()
            ));
        }
    }
    complaints.sort();
    complaints.dedup();
    complaints
}

/// Every top-level module that the code names by `crate::`, or by `super::` up to the root.
fn targets(code: &str, depth: usize, module: &str) -> Vec<String> {
    let mut found = Vec::new();
    let to_root = "super::".repeat(depth);
    for prefix in ["crate::", to_root.as_str()] {
        if prefix.is_empty() || (prefix != "crate::" && module == "main") {
            continue;
        }
        for (at, _) in code.match_indices(prefix) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                found.extend(group_heads(group));
            } else {
                found.push(head(rest));
            }
        }
    }
    found
}

/// The first names of `a::B, c::{D, E}}`.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut at_start = true;
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if c.is_whitespace() => {}
            _ => {
                if at_start && depth == 0 {
                    heads.push(head(&group[index..]));
                }
                at_start = false;
            }
        }
    }
    heads
}

fn head(text: &str) -> String {
    let name = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_');
    name.collect()
}

/// What the pure floors must not name, with what it would be.
const IMPURE: [(&str, &str); 12] = [
    ("tokio::", "a runtime"),
    ("std::time::Instant", "a clock"),
    ("Instant::now", "a clock"),
    ("SystemTime", "a clock"),
    ("Timestamp::now", "a clock"),
    ("rand::", "chance"),
    ("fastrand", "chance"),
    ("std::fs", "files"),
    ("std::env", "the environment"),
    ("std::process", "processes"),
    ("std::net::Tcp", "the network"),
    ("std::net::Udp", "the network"),
];

/// The two places of the pure floors that look outside: the system's clock, and its tzdata.
const DOORS: [&str; 2] = ["clock.rs", "schedule/tzdata.rs"];

/// Floors 0 to 3, and the pure parts of the engine, decide and never perform.
fn impurities(floors: &Floors, below: &str, code: &str) -> Vec<String> {
    let (module, _) = module_of(below);
    let pure_floor = floors.of(&module).is_some_and(|floor| floor <= 3);
    let pure_engine = ["engine/state", "engine/timetable"]
        .iter()
        .any(|start| below.starts_with(start));
    if DOORS.contains(&below) || !(pure_floor || pure_engine) {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (word, what) in IMPURE {
        let names_it = code.match_indices(word).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        });
        if names_it {
            complaints.push(format!("src/{below}: a pure floor names {what} ({word})"));
        }
    }
    complaints
}

fn length(path: &str, text: &str, code: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let (lines, all) = (code.lines().count(), text.lines().count());
    if lines > LONGEST {
        complaints.push(format!(
            "{path}: {lines} lines without tests, more than {LONGEST}"
        ));
    }
    if all > LONGEST_WITH_TESTS {
        complaints.push(format!(
            "{path}: {all} lines, more than {LONGEST_WITH_TESTS}"
        ));
    }
    complaints
}

fn module_docs(path: &str, text: &str) -> Option<String> {
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    (!first.starts_with("//!")).then(|| format!("{path}: does not begin with `//!` docs"))
}

fn allows(path: &str, text: &str) -> Option<String> {
    let attribute = ["#[", "allow("].concat();
    let inner = ["#![", "allow("].concat();
    let found = text.lines().map(str::trim_start);
    let mut found = found.filter(|line| line.starts_with(&attribute) || line.starts_with(&inner));
    found
        .next()
        .map(|line| format!("{path}: write #[expect(…, reason)] for {line}"))
}

/// Paths of somebody's own machine have no business in the project.
fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let folders = [
        ["/ho", "me/"],
        ["/ro", "ot/"],
        ["/wo", "rk/"],
        ["/Us", "ers/"],
    ];
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for folder in folders.map(|halves| halves.concat()) {
            for (at, _) in line.match_indices(&folder) {
                // `src/work/` and `https://x/root/` are other paths.
                let before = line[..at].chars().next_back();
                if !before.is_some_and(|c| c.is_alphanumeric() || "._-}$".contains(c)) {
                    complaints.push(format!("{path}:{}: names {folder}", index + 1));
                }
            }
        }
    }
    complaints
}

/// The text without its `#[cfg(test)]` items at the left margin.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_end() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        for line in lines.by_ref() {
            let ends = line == "}" || (line.ends_with(';') && !line.starts_with(' '));
            if ends || line.ends_with("{}") {
                break;
            }
        }
    }
    code
}

fn without_comments(code: &str) -> String {
    let lines = code.lines().map(|line| {
        let bare = line.trim_start();
        if bare.starts_with("//") {
            ""
        } else {
            line.split(" // ").next().unwrap_or(line)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        walk(&root.join(folder), &mut |file| {
            if file.extension().is_some_and(|e| e == "rs") {
                files.push(file.to_owned());
            }
        });
    }
    files
}

fn text_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let kinds = [
        "rs", "md", "toml", "yaml", "yml", "json", "sh", "service", "env",
    ];
    walk(root, &mut |file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let kind = file.extension().unwrap_or_default().to_string_lossy();
        if kinds.contains(&kind.as_ref()) || ["Makefile", "Dockerfile", "run"].contains(&&*name) {
            files.push(file.to_owned());
        }
    });
    files
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || ["target", ".git", "elder-state"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}

fn read(path: &Path) -> String {
    let text = std::fs::read(path).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

mod the_test_itself {
    use super::*;

    fn floors() -> Floors {
        let lib = include_str!("../../src/lib.rs");
        Floors::read(lib)
    }

    #[test]
    fn a_wrong_arrow_is_found_in_every_way_of_writing_it() {
        for (path, code, wrong) in [
            ("schedule/cron.rs", "use crate::spec::Options;", true),
            (
                "schedule/cron.rs",
                "use crate::{ids, store::{Run, Mark}};",
                true,
            ),
            (
                "schedule/cron.rs",
                "use crate::{\n    clock::Clock,\n    model,\n};",
                true,
            ),
            (
                "schedule/cron.rs",
                "use super::super::engine::Handle;",
                true,
            ),
            ("schedule/mod.rs", "use super::model::Job;", true),
            (
                "spec/mod.rs",
                "fn x() -> crate::decide::Set { todo() }",
                true,
            ),
            ("store/sqlite.rs", "use crate::action::Action;", true),
            ("sync/mod.rs", "use crate::cli::main;", true),
            ("schedule/cron.rs", "use crate::ids::JobName;", false),
            ("schedule/cron.rs", "use crate::schedule::Fire;", false),
            ("schedule/cron.rs", "use super::model::Inner;", false),
            ("schedule/cron.rs", "use mycrate::spec::X;", false),
            (
                "sync/mod.rs",
                "use crate::{decide, spec::{store, cli}};",
                false,
            ),
            ("main.rs", "use elder::cli;", false),
        ] {
            let found = arrows(&floors(), path, code);
            assert_eq!(!found.is_empty(), wrong, "{path}: {code}: {found:?}");
        }
    }

    #[test]
    fn an_arrow_in_a_test_or_a_comment_is_none() {
        let text = "//! Docs.\n\n// crate::cli::main\n\n#[cfg(test)]\nmod tests {\n    use crate::cli::main;\n}\n";
        assert_eq!(
            complain(&floors(), "src/ids.rs", text),
            Vec::<String>::new()
        );
        let after = format!("{text}use crate::cli::main;\n");
        assert_eq!(complain(&floors(), "src/ids.rs", &after).len(), 1);
    }

    #[test]
    fn a_pure_floor_that_performs_is_found() {
        for (path, code, wrong) in [
            ("spec/mod.rs", "let text = std::fs::read(path);", true),
            ("decide/due.rs", "let now = Timestamp::now();", true),
            ("schedule/mod.rs", "use tokio::time;", true),
            ("engine/state/mod.rs", "use tokio::sync::mpsc;", true),
            ("engine/timetable.rs", "use std::time::Instant;", true),
            ("engine/driver.rs", "use tokio::sync::mpsc;", false),
            ("clock.rs", "use tokio::time;", false),
            ("store/sqlite.rs", "std::fs::read(path)", false),
            ("spec/mod.rs", "let operand::X = brand::new();", false),
        ] {
            let found = impurities(&floors(), path, code);
            assert_eq!(!found.is_empty(), wrong, "{path}: {code}: {found:?}");
        }
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let docs = "//! Docs.\n";
        let line = "fn f() {}\n";
        let long = format!("{docs}{}", line.repeat(LONGEST));
        assert_eq!(complain(&floors(), "src/ids.rs", &long).len(), 1);
        let tests = format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\n",
            "    // x\n".repeat(250)
        );
        let fine = format!("{docs}{}{tests}", line.repeat(LONGEST - 1));
        assert_eq!(
            complain(&floors(), "src/ids.rs", &fine),
            Vec::<String>::new()
        );
        let whole = format!("{docs}{tests}{tests}{tests}{tests}");
        assert_eq!(complain(&floors(), "src/ids.rs", &whole).len(), 1);
    }

    #[test]
    fn a_module_without_docs_and_a_silenced_lint_are_found() {
        assert_eq!(
            complain(&floors(), "src/ids.rs", "use std::fmt;\n").len(),
            1
        );
        let silenced = ["//! Docs.\n#[", "allow(dead_code)]\nfn f() {}\n"].concat();
        assert_eq!(complain(&floors(), "src/ids.rs", &silenced).len(), 1);
        assert_eq!(complain(&floors(), "tests/it/x.rs", &silenced).len(), 1);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let bad = ["cd /ho", "me/me/elder"].concat();
        assert_eq!(machine_paths("README.md", &bad).len(), 1);
        assert!(machine_paths("README.md", "see docs/work/ and $HOME/work/x").is_empty());
    }
}
