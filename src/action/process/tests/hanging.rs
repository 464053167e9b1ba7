//! Starts that hang in a file system: a program under a lease, which the kernel opens for nobody
//! until whoever holds the lease lets go of it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// Which signal says that somebody waits; libc does not have it.
const F_SETSIG: i32 = 10;

/// A program that cannot be opened while this lives.
struct Leased {
    file: File,
    path: PathBuf,
}

impl Leased {
    fn new(folder: &Path) -> Self {
        let path = folder.join("program");
        fs::write(&path, "#!/bin/sh\n:\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let file = File::open(&path).unwrap();
        let leased = Self { file, path };
        // The news that somebody waits comes as a signal that nobody minds.
        assert!(leased.control(F_SETSIG, libc::SIGURG));
        assert!(leased.control(libc::F_SETLEASE, libc::F_WRLCK));
        leased
    }

    fn control(&self, command: i32, argument: i32) -> bool {
        #[expect(unsafe_code, reason = "leases have no safe door")]
        // SAFETY: the descriptor is open, and both commands take a number.
        let done = unsafe { libc::fcntl(self.file.as_raw_fd(), command, argument) };
        done == 0
    }

    fn job(&self) -> TestJob {
        exec(&[self.path.to_str().unwrap()]).timeout(Duration::from_millis(200))
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        // It may have let go already.
        self.control(libc::F_SETLEASE, libc::F_UNLCK);
    }
}

async fn attempt(runner: &LocalRunner, job: TestJob) -> AttemptEnd {
    let (attempt, _stop) = job.attempt();
    let end = tokio::time::timeout(LONG, runner.attempt(attempt)).await;
    end.expect("the attempt did not end")
}

#[tokio::test]
async fn a_job_on_a_hanging_mount_takes_two_threads_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let leased = Leased::new(folder.path());
    let runner = runner();
    for _ in 0..2 {
        let end = attempt(&runner, leased.job()).await;
        assert_eq!(end.ended, Ended::TimedOut, "{}", detail(&end));
        assert!(detail(&end).contains("is a file system hanging?"));
    }
    for _ in 0..3 {
        let end = attempt(&runner, leased.job()).await;
        assert_eq!(end.ended, Ended::Failed(Reason::Spawn), "{}", detail(&end));
        assert_eq!(
            detail(&end),
            "2 starts of it still hang in a file system: \
             look at its mounts (cwd, env_file, secrets, program)"
        );
    }
    // Others start, and so does the job itself once its definition is another.
    let end = attempt(&runner, exec(&["true"])).await;
    assert_eq!(end.ended, Ended::Success, "{}", detail(&end));
    let end = attempt(&runner, leased.job().retries(7)).await;
    assert_eq!(end.ended, Ended::TimedOut, "{}", detail(&end));
    // What hung comes back, and everything is as before.
    assert!(leased.control(libc::F_SETLEASE, libc::F_UNLCK));
    let back = async {
        while attempt(&runner, leased.job()).await.ended != Ended::Success {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, back).await.expect("it starts");
}
