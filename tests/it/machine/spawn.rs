//! Starts that the machine refuses.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Daemon, Folder, not_tested};

/// A file system from which nothing may be started; unmounted when dropped.
struct NoExec(PathBuf);

impl NoExec {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "noexec,size=1m", "tmpfs"])
            .arg(&at)
            .output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        if !is_mounted {
            not_tested("this machine does not let us mount a tmpfs");
        }
        is_mounted.then(|| Self(at))
    }
}

impl Drop for NoExec {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_program_on_a_file_system_without_execution_says_so_and_is_not_tried_again() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let Some(mount) = NoExec::mount(folder.join("mount")) else {
        return;
    };
    let tool = mount.0.join("tool");
    std::fs::write(&tool, "#!/bin/sh\necho never\n").unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let jobs = format!(
        "defaults: {{ retry: {{ max: 3, backoff: 10ms, when: [spawn, exit] }} }}
jobs:
  straight: {{ schedule: manual, exec: [{tool}] }}
  around: {{ schedule: manual, limits: {{ open_files: 64 }}, exec: [{tool}] }}
  gone: {{ schedule: manual, cwd: {tool}-gone, exec: ['true'] }}
",
        tool = tool.display()
    );
    folder.write("jobs.d/a.yaml", &jobs);
    let daemon = Daemon::start(&folder);
    for (job, says) in [
        ("straight", "mounted noexec"),
        ("around", "mounted noexec"),
        ("gone", "ENOENT: the working folder"),
    ] {
        let run = daemon.run(job);
        assert_eq!(run["reason"], "setup", "{run}");
        assert_eq!(
            run["attempt"], 1,
            "only what passes by itself is tried again: {run}"
        );
        let detail = run["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{job}: {detail}");
    }
}
