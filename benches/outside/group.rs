//! A control group for each run: what it costs, as a ratio to elder without any.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::report::{Report, quantile};
use super::{Plan, storm};

/// A control group that is delegated to whoever is in it; goes with this.
pub struct Delegated(PathBuf);

impl Delegated {
    fn make() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
        let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let folder = format!("elder-bench-{}", std::process::id());
        let path = Path::new(mount.split(' ').nth(4)?).join(own).join(folder);
        std::fs::create_dir(&path).ok()?;
        let made = Self(path);
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&made.0, "user.delegate", b"1", flags).ok()?;
        Some(made)
    }

    /// A command that is `program` in it.
    pub fn entering(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        let enter = format!(
            "echo 0 > '{}/cgroup.procs' && exec \"$0\" \"$@\"",
            self.0.display()
        );
        command.args(["-c", &enter]).arg(program);
        command
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(entry.path());
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

pub fn run(plan: &Plan, report: &mut Report) {
    if !plan.wants("group") {
        return;
    }
    let Some(group) = Delegated::make() else {
        println!("group: not measured, no control groups of version 2 can be made here");
        return;
    };
    let n = plan.size("sh", 100, 1_000);
    let rounds = if plan.quick { 1 } else { 3 };
    let mut ratios: Vec<f64> = (0..rounds)
        .map(|round| {
            let p99 = |number, inside| {
                let checked = storm::elder(plan, "sh", n, number, inside);
                quantile(&checked.late, 0.99)
            };
            // Folders of their own.
            p99(2 * round + 100, Some(&group)) / p99(2 * round + 101, None)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    report.figure(
        &format!("{n} `sh -c` on one second in control groups, p99 to that without"),
        ratios[rounds / 2],
        "x",
        1.15,
    );
}
