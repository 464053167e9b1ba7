//! Drives the release binary from outside, beside a bare compiled loop that
//! starts the same processes and requests without a scheduler.
//!
//! `cargo bench --bench outside` runs all of it. Words after `--`: `PART` runs
//! the parts whose name holds it (storm, alone, group, each-second, idle, validate, plan,
//! reload, restart, reads), `--quick` makes everything smaller, and `NAME=N`
//! sets a size: `http=500 sh=100 seconds=5` (each-second), `jobs=10000` (idle,
//! the largest), `rows=100000 kills=5` (restart), `flight=1000` (reads). It
//! prints tables and writes the figures as JSON beside them. Everything stays
//! on loopback and in a folder of its own below the system's temporary folder.
//! What was lost, doubled or late is said by the checker of the tests.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a program of its own that measures time and tells people"
)]

#[path = "../../tests/it/support/checker/mod.rs"]
mod checker;
mod daemon;
#[path = "../../tests/it/support/delegated.rs"]
mod delegated;
mod each_second;
mod group;
mod idle;
mod limit;
mod reads;
mod report;
mod restart;
mod standing;
mod storm;
mod witness;

use std::path::PathBuf;

/// What was asked for.
pub struct Plan {
    only: Option<String>,
    /// `NAME=N` as given.
    sizes: Vec<(String, usize)>,
    /// Everything smaller.
    pub quick: bool,
    /// Where everything is written.
    pub folder: PathBuf,
}

impl Plan {
    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|word| part.contains(word))
    }

    /// The size of that name: as asked for, else small or usual.
    pub fn size(&self, name: &str, quick: usize, usual: usize) -> usize {
        let asked = self.sizes.iter().find(|(known, _)| known == name);
        let default = if self.quick { quick } else { usual };
        asked.map_or(default, |(_, size)| *size)
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
    let is_part = |word: &&String| !word.starts_with('-') && !word.contains('=');
    let sizes = words.iter().filter_map(|word| word.split_once('='));
    let plan = Plan {
        only: words.iter().find(is_part).cloned(),
        sizes: sizes
            .map(|(name, size)| (name.to_owned(), size.parse().expect("NAME=N")))
            .collect(),
        quick: words.iter().any(|word| word == "--quick"),
        folder,
    };
    let mut report = report::Report::default();
    storm::run(&plan, &mut report);
    group::run(&plan, &mut report);
    each_second::run(&plan, &mut report);
    idle::run(&plan, &mut report);
    standing::run(&plan, &mut report);
    restart::run(&plan, &mut report);
    reads::run(&plan, &mut report);
    report.finish();
    // Only what this program made.
    let _ = std::fs::remove_dir_all(&plan.folder);
}
