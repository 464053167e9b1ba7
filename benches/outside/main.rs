//! Drives the release binary from outside, beside a bare compiled loop that
//! starts the same processes and requests without a scheduler.
//!
//! `cargo bench --bench outside` runs all of it; a word after `--` runs the
//! parts whose name holds it, and `--quick` makes everything smaller. It prints
//! tables and writes the figures as JSON beside them. Everything stays on
//! loopback and in a folder of its own below the system's temporary folder.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a program of its own that measures time and tells people"
)]

mod daemon;
mod limit;
mod report;
mod sink;
mod standing;
mod storm;

use std::path::PathBuf;

/// What was asked for.
pub struct Plan {
    only: Option<String>,
    /// Everything smaller.
    pub quick: bool,
    /// Where everything is written.
    pub folder: PathBuf,
}

impl Plan {
    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|word| part.contains(word))
    }
}

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    // `cargo test --all-targets` starts benches too; there is nothing to test here.
    if words.iter().any(|word| word == "--test") {
        return;
    }
    if let [face, rest @ ..] = words.as_slice()
        && face == "bare-loop"
    {
        limit::run(rest);
        return;
    }
    let folder = std::env::temp_dir().join(format!("elder-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the bench");
    let plan = Plan {
        only: words.iter().find(|word| !word.starts_with('-')).cloned(),
        quick: words.iter().any(|word| word == "--quick"),
        folder,
    };
    let mut report = report::Report::default();
    storm::run(&plan, &mut report);
    standing::run(&plan, &mut report);
    report.finish();
    // Only what this program made.
    let _ = std::fs::remove_dir_all(&plan.folder);
}
