//! A control group that is delegated to whoever is in it; the tests and the measurements from outside
//! start elder in one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Looks, ten milliseconds apart, until a group has to be empty.
const LOOKS: usize = 1_000;

/// Its folder; it goes with all that is in it.
pub struct Delegated(pub PathBuf);

impl Delegated {
    /// `None` where this machine does not let us make control groups of version 2.
    pub fn make(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let folder = format!("elder-{name}-{}", std::process::id());
        let path = Path::new(mount.split(' ').nth(4)?).join(own).join(folder);
        fs::create_dir(&path).ok()?;
        let made = Self(path);
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&made.0, "user.delegate", b"1", flags).ok()?;
        Some(made)
    }

    /// What goes into it and becomes the words that follow.
    pub fn entering(&self) -> [String; 3] {
        let group = self.0.display();
        let line = format!("echo 0 > '{group}/cgroup.procs' && exec \"$0\" \"$@\"");
        ["sh".to_owned(), "-c".to_owned(), line]
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        for _ in 0..LOOKS {
            let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
            for entry in entries.filter(|entry| entry.path().is_dir()) {
                let _ = fs::remove_dir(entry.path());
            }
            let _ = fs::remove_dir(&self.0);
            if !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
