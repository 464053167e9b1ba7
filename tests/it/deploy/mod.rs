//! What is shipped to run elder elsewhere, held against the programs that read it: kubectl, helm,
//! hadolint, systemd, Kubernetes' schemas. What cannot be had on a machine is said to be not
//! tested. Each check is seen to fail on something broken.

mod helm;
mod image;
mod kubernetes;
mod rules;
mod systemd;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::support::not_tested;

use serde_json::Value;

/// The newest Kubernetes that is known here.
const NEWEST: [&str; 1] = ["1.37"];
/// The oldest Kubernetes that the manifests are for, one between, and the newest.
const VERSIONS: [&str; 3] = ["1.27", "1.31", NEWEST[0]];

/// A file or folder below `deploy/`.
fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}

fn text(path: &str) -> String {
    let file = shipped(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The folder with the programs, which is filled on the first call.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deploy");
        let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/install");
        let done = Command::new(install).arg(&folder).output().unwrap();
        eprint!("{}", String::from_utf8_lossy(&done.stderr));
        folder
    })
}

/// A program, where it is to be had.
fn program(path: &str) -> Option<PathBuf> {
    let file = installed().join(path);
    if !file.exists() {
        not_tested(&format!("{path} is not to be had"));
    }
    file.exists().then_some(file)
}

/// Runs a program to its end, with this on its standard input.
fn run(program: &Path, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// Standard output of a program that must succeed.
#[track_caller]
fn said(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Objects, and what Kubernetes' schemas have against them.
type Checked = (Vec<Value>, Vec<String>);

/// What manifests hold, each text for itself; one call, since Python is slow to start.
fn each_checked(texts: &[String], versions: &[&str]) -> Option<Vec<Checked>> {
    let python = program("venv/bin/python")?;
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/check.py");
    let mut words = vec![check.to_str().unwrap()];
    words.extend(versions);
    let texts = serde_json::to_string(texts).unwrap();
    let answers: Vec<Value> = serde_json::from_str(&said(run(&python, &words, &texts))).unwrap();
    let checked = answers.into_iter().map(|answer| {
        // These are no kinds of Kubernetes itself: promtool looks at the one, `rules` at the other.
        for kind in answer["unchecked"].as_array().unwrap() {
            let known = ["PrometheusRule", "ServiceMonitor"];
            assert!(
                known.contains(&kind.as_str().unwrap()),
                "{kind} has no schema"
            );
        }
        let errors = answer["errors"].as_array().unwrap().iter();
        let errors = errors.map(|error| error.as_str().unwrap().to_owned());
        (
            answer["documents"].as_array().unwrap().clone(),
            errors.collect(),
        )
    });
    Some(checked.collect())
}

/// The same of one text.
fn checked(text: &str) -> Option<Checked> {
    each_checked(&[text.to_owned()], &VERSIONS)?.pop()
}

/// The one object of that kind.
#[track_caller]
fn one<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    let mut of_kind = documents.iter().filter(|document| document["kind"] == kind);
    let found = of_kind.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(of_kind.next().is_none(), "more than one {kind}");
    found
}
