//! What is shipped is laid out as `elder fmt` does it.

use super::documents::{blocks, documents};
use super::{copied, shipped, text};
use crate::support::{Folder, elder};

/// Every folder of job files in the repository.
fn folders() -> Vec<String> {
    let mut all = [
        "jobs.d",
        "deploy/kubernetes/base/jobs",
        "deploy/kubernetes/overlay/jobs",
    ]
    .map(str::to_owned)
    .to_vec();
    for entry in std::fs::read_dir(shipped("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let files = std::fs::read_dir(shipped(&format!("examples/{name}"))).unwrap();
        let is_yaml = |name: std::ffi::OsString| name.to_string_lossy().ends_with(".yaml");
        if files.flatten().any(|file| is_yaml(file.file_name())) {
            all.push(format!("examples/{name}"));
        }
    }
    all
}

#[test]
fn every_job_file_is_laid_out() {
    let folders = folders();
    assert!(folders.len() > 10, "{folders:?}");
    let line = format!("fmt --check {}", folders.join(" "));
    let finished = elder(&line).within(&shipped(".")).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(finished.stderr, "", "nothing is left out");
}

#[test]
fn every_job_file_in_the_documents_is_laid_out() {
    let mut checked = 0;
    for document in documents() {
        for (line, block) in blocks(&text(&document), "yaml") {
            let is_ours = [
                "jobs:",
                "defaults:",
                "sages:",
                "calendars:",
                "pools:",
                "tests:",
            ];
            if !block.lines().any(|line| is_ours.contains(&line.trim_end()))
                || block.contains("runs-on:")
                || block.starts_with("# wrong\n")
            {
                continue;
            }
            let finished = elder("fmt --check -").input(&block).run();
            assert_eq!(finished.code, Some(0), "{document}:{line}: {finished}");
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked}");
}

/// Levels of three blanks, other blanks around punctuation, no empty lines, CR LF: what people
/// write. All of it comes back to the file that is shipped.
#[test]
fn a_file_in_another_layout_comes_back() {
    let mut tried = 0;
    for name in folders() {
        let folder = copied(&name);
        for entry in std::fs::read_dir(folder.join("jobs.d")).unwrap() {
            let file = entry.unwrap().path();
            let Ok(text) = std::fs::read_to_string(&file) else {
                continue;
            };
            let is_job_file = file.extension().is_some_and(|ending| ending == "yaml")
                && !file.ends_with("kustomization.yaml")
                && !file.ends_with(".elder-policy.yaml");
            // Columns within a script are text.
            if !is_job_file || text.contains(": |\n") {
                continue;
            }
            std::fs::write(&file, mangled(&text)).unwrap();
            let path = file.display().to_string();
            let finished = elder("fmt").arg(path).within(folder.path()).run();
            assert_eq!(finished.code, Some(0), "{finished}");
            let back = std::fs::read_to_string(&file).unwrap();
            assert_eq!(back, text, "{}", file.display());
            tried += 1;
        }
    }
    assert!(tried >= 10, "{tried}");
}

fn mangled(text: &str) -> String {
    let mut out = String::from("\u{feff}");
    for line in text.lines() {
        let trimmed = line.trim_start();
        let level = (line.len() - trimmed.len()) / 2;
        let is_comment = trimmed.starts_with('#');
        let rest = match trimmed.split_once(": ") {
            Some((key, value)) if !is_comment && !key.contains(['"', '{', '#']) => {
                format!("{key} :   {value}")
            }
            _ => trimmed.to_owned(),
        };
        // One dash is two columns; its keys are two behind it, so lists stay two apart.
        let indent = " ".repeat(level * 2 + usize::from(level > 0));
        out.push_str(&format!("{indent}{rest}\r\n"));
    }
    out
}

#[test]
fn the_layout_of_a_folder_is_nobodys_change() {
    let folder = Folder::with(&[("old/jobs.yaml", UNTIDY), ("new/jobs.yaml", UNTIDY)]);
    assert_eq!(elder("fmt new").within(folder.path()).run().code, Some(0));
    assert_ne!(folder.read("new/jobs.yaml"), UNTIDY);
    let plan = elder("plan new --against old --exit-code").within(folder.path());
    let finished = plan.run();
    assert_eq!(finished.code, Some(0), "{finished}");
}

const UNTIDY: &str = r#"x-base:   &base
    timeout:   5m
    env: {A: "1",   B: 'two words'}
defaults:
      <<:  *base
      timezone: Europe/Berlin
jobs:
      night :
         # said once
         schedule:
         - {daily: "02:30"}
         -   weekly: {days: sat,at: "22:00"}
         run: |2
             set -e
           echo "$A"   

           echo end
      request:
            schedule: "*/5 * * * *"
            http:
               url: https://example.com/path
               headers: { Accept:   application/json,
                 X-Note: one }
               json:  [1, {a: null},   "p
                  q"]
            description: a long
              sentence on

              lines
"#;
