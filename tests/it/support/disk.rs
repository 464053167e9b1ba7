//! Disks of our own: a tmpfs that is soon full, and ext4 in a file, which can be frozen, broken and copied.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|out| out.status.success())
}

/// A small file system of its own; unmounted when dropped.
pub struct Small(PathBuf);

impl Small {
    /// Mounts it, if this machine lets us.
    pub fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
        succeeds(mount.arg(&at)).then_some(Self(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn unmount(at: &Path) {
    let _ = Command::new("umount").arg("-l").arg(at).output();
}

/// An ext4 in a file; unmounted when dropped.
pub struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// Makes it in a new file and mounts it, if this machine lets us. The kernel makes it read-only
    /// after an error, as most systems have it.
    pub fn make(image: &Path, at: &Path) -> Option<Self> {
        let file = std::fs::File::create(image).unwrap();
        file.set_len(64 << 20).unwrap();
        let made = succeeds(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image));
        made.then(|| Self::mount(image, at)).flatten()
    }

    /// Mounts one that is there.
    pub fn mount(image: &Path, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop,errors=remount-ro"]);
        let mounted = succeeds(mount.arg(image).arg(at));
        mounted.then(|| Self {
            image: image.to_owned(),
            at: at.to_owned(),
        })
    }

    /// Stands still, and goes on after a while whatever becomes of the test: who writes to a frozen disk
    /// cannot even be killed.
    pub fn freeze(&self, seconds: u32) -> Option<Child> {
        let thaw = format!("sleep {seconds}; fsfreeze -u \"$0\"");
        let thawing = Command::new("sh").args(["-c", &thaw]).arg(&self.at).spawn();
        let thawing = thawing.unwrap();
        succeeds(Command::new("fsfreeze").arg("-f").arg(&self.at)).then_some(thawing)
    }

    /// Has the kernel find an error on it, after which it is read-only until it was repaired.
    pub fn fail(&self) -> Option<()> {
        let find = Command::new("findmnt")
            .args(["-no", "SOURCE"])
            .arg(&self.at)
            .output();
        let device = String::from_utf8(find.ok()?.stdout).ok()?;
        let device = device.trim().strip_prefix("/dev/")?;
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        std::fs::write(trigger, "1").ok()
    }

    /// Unmounts it, repairs it, mounts it again.
    pub fn repair(self) -> Self {
        let (image, at) = (self.image.clone(), self.at.clone());
        drop(self);
        // Its status tells what was mended, which is no failure.
        let _ = Command::new("e2fsck").arg("-fy").arg(&image).output();
        Self::mount(&image, &at).expect("it was mounted before")
    }

    /// What a power cut would leave of it now: what the kernel has not written to it is not there.
    pub fn copy(&self, to: &Path) {
        let mut copy = Command::new("cp");
        copy.arg("--sparse=always").arg(&self.image).arg(to);
        assert!(succeeds(&mut copy));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(&self.at).output();
        unmount(&self.at);
    }
}
