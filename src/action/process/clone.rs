//! Starts a process inside a control group, by `clone3`.
//!
//! A process that is moved into a group, by itself or by another, waits for every processor of the machine
//! to pass a quiet point: 5 to 15 ms, in which nothing else can fork either. One that begins there does not.
//! The system's library cannot do it (glibc from 2.39 can), and what copies the daemon's page tables is no
//! way out: so the child borrows elder's memory until it becomes the program, as in `posix_spawn`, on a
//! stack of its own, and does nothing there but a handful of system calls.
//!
//! Where this cannot be had (another processor, a kernel before 5.7, a filter of system calls that does not
//! know it) [`is_possible`] says so, and jobs go the way round.
#![expect(
    unsafe_code,
    reason = "no safe crate starts a process in a control group"
)]

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

/// What the child is to be. Everything is ready before it begins: it may not allocate.
pub(super) struct Program<'a> {
    pub(super) path: &'a CStr,
    /// Its own name first.
    pub(super) words: &'a [CString],
    /// `NAME=value`.
    pub(super) environment: &'a [CString],
    pub(super) folder: Option<&'a CStr>,
    pub(super) stdin: BorrowedFd<'a>,
    pub(super) stdout: BorrowedFd<'a>,
    pub(super) stderr: BorrowedFd<'a>,
}

/// What the child reads and writes in the memory that it shares until it is the program.
struct Steps {
    /// Null when there is nothing to become: it ends at once.
    path: *const c_char,
    words: *const *const c_char,
    environment: *const *const c_char,
    /// Null to stay where elder is.
    folder: *const c_char,
    streams: [c_int; 3],
    /// What the system said to the step that failed.
    error: c_int,
}

/// As much as the child's few calls need, many times over.
const STACK: usize = 64 * 1024;

const CLONE_VM: u64 = 0x100;
const CLONE_VFORK: u64 = 0x4000;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Whether processes can begin in the control group that `folder` is, and their end be waited for: by
/// beginning one, which ends at once.
pub(super) fn is_possible(folder: BorrowedFd<'_>) -> bool {
    let mut nothing = Steps {
        path: ptr::null(),
        words: ptr::null(),
        environment: ptr::null(),
        folder: ptr::null(),
        streams: [-1; 3],
        error: 0,
    };
    begin(&mut nothing, folder).is_ok_and(|child| {
        let is_seen = pidfd_open(child, PidfdFlags::empty()).is_ok();
        bury(child).is_ok() && is_seen
    })
}

/// Starts `program` as the leader of a process group of its own, in the control group that `folder` is.
///
/// # Errors
/// The system's word to the first step that failed; then there is no process.
pub(super) fn start(program: &Program<'_>, folder: BorrowedFd<'_>) -> io::Result<Pid> {
    let words = pointers(program.words);
    let environment = pointers(program.environment);
    let mut steps = Steps {
        path: program.path.as_ptr(),
        words: words.as_ptr(),
        environment: environment.as_ptr(),
        folder: program.folder.map_or(ptr::null(), CStr::as_ptr),
        streams: [program.stdin, program.stdout, program.stderr].map(|stream| stream.as_raw_fd()),
        error: 0,
    };
    let child = begin(&mut steps, folder)?;
    if steps.error == 0 {
        return Ok(child);
    }
    bury(child)?;
    Err(io::Error::from_raw_os_error(steps.error))
}

/// The list as the system wants it: its end is a null.
fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    let texts = texts.iter().map(|text| text.as_ptr());
    texts.chain([ptr::null()]).collect()
}

/// Takes note of the end of a child that never was a program.
fn bury(child: Pid) -> io::Result<()> {
    rustix::io::retry_on_intr(|| waitpid(Some(child), WaitOptions::empty()))?;
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn begin(_: &mut Steps, _: BorrowedFd<'_>) -> io::Result<Pid> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Comes back when the child has become the program, or has ended.
#[cfg(target_arch = "x86_64")]
fn begin(steps: &mut Steps, folder: BorrowedFd<'_>) -> io::Result<Pid> {
    let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
    // The kernel's `struct clone_args`, whose fields are all of this size; not every libc has it, nor the newer flags.
    let [pidfd, child_tid, parent_tid, tls, set_tid, set_tid_size] = [0; 6];
    let arguments: [u64; 11] = [
        // The parent stands still until the child lets go of its memory; no handler of ours runs in the child.
        CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP,
        pidfd,
        child_tid,
        parent_tid,
        u64::from(libc::SIGCHLD.unsigned_abs()),
        stack.as_mut_ptr().expose_provenance() as u64,
        STACK as u64,
        tls,
        set_tid,
        set_tid_size,
        u64::from(folder.as_raw_fd().unsigned_abs()),
    ];
    let answer: i64;
    // SAFETY: the kernel is given a record of the length that is said, a stack that outlives the child's use of it
    // (the parent stands still so long) and whose top is aligned as calls want it. The child touches neither this
    // frame nor the registers that the parent goes on with: it calls `become_program` on its own stack, which
    // never comes back. The call's own two registers are told; all others the kernel keeps.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {steps}",
            "call {child}",
            "ud2",
            "2:",
            steps = in(reg) ptr::from_mut(steps),
            child = sym become_program,
            inlateout("rax") libc::SYS_clone3 => answer,
            in("rdi") arguments.as_ptr(),
            in("rsi") size_of_val(&arguments),
            out("rcx") _,
            out("r11") _,
        );
    }
    drop(stack);
    let answer = i32::try_from(answer).map_err(|_| io::ErrorKind::Other)?;
    match answer {
        error if error < 0 => Err(io::Error::from_raw_os_error(-error)),
        child => Pid::from_raw(child).ok_or_else(|| io::ErrorKind::Other.into()),
    }
}

/// The child: nothing here may allocate, lock, panic or come back.
#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn become_program(steps: *mut Steps) -> ! {
    // SAFETY: the parent stands still and lent this record; its pointers lead to texts and lists that end in null.
    // Each call is one of those that are allowed after `vfork`.
    unsafe {
        let steps = &mut *steps;
        if !steps.path.is_null() {
            carry_out(steps);
            steps.error = *libc::__errno_location();
        }
        libc::_exit(127)
    }
}

/// Comes back at the first step that fails.
#[cfg(target_arch = "x86_64")]
unsafe fn carry_out(steps: &Steps) {
    // SAFETY: as above.
    unsafe {
        if libc::setpgid(0, 0) != 0 {
            return;
        }
        // Rust opens the first three when a program begins without them: no stream of elder's is among those.
        let [stdin, stdout, stderr] = steps.streams;
        if libc::dup2(stdin, 0) < 0 || libc::dup2(stdout, 1) < 0 || libc::dup2(stderr, 2) < 0 {
            return;
        }
        if !steps.folder.is_null() && libc::chdir(steps.folder) != 0 {
            return;
        }
        // What is ignored stays so in the program, and Rust ignores this one.
        if libc::signal(libc::SIGPIPE, libc::SIG_DFL) == libc::SIG_ERR {
            return;
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        if libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) != 0 {
            return;
        }
        libc::execve(steps.path, steps.words, steps.environment);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::fd::{AsFd, OwnedFd};
    use std::path::PathBuf;

    use rustix::fs::{Mode, OFlags};

    use super::super::cgroup::own_folder;
    use super::*;

    /// A control group that is gone with this.
    struct Made(PathBuf, OwnedFd);

    impl Made {
        fn below_our_own(name: &str) -> Option<Self> {
            let made = Self::make(name);
            if made.is_none() {
                println!("not tested: no process can begin in a control group here");
            }
            made
        }

        fn make(name: &str) -> Option<Self> {
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
            let own = fs::read_to_string("/proc/self/cgroup").unwrap();
            let folder = format!("elder-clone-{name}-{}", std::process::id());
            let path = own_folder(&mounts, &own)?.join(folder);
            fs::create_dir(&path).ok()?;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = rustix::fs::open(&path, flags, Mode::empty()).unwrap();
            let made = Self(path, opened);
            is_possible(made.1.as_fd()).then_some(made)
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            fs::remove_dir(&self.0).unwrap();
        }
    }

    fn c(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    /// Starts `path` with a shell's words in `folder`; what it wrote, or why it did not begin.
    fn output(group: &Made, path: &str, line: &str, folder: &str) -> io::Result<String> {
        let (mut reader, writer) = io::pipe().unwrap();
        let nothing = File::open("/dev/null").unwrap();
        let started = start(
            &Program {
                path: &c(path),
                words: &[c("its name"), c("-c"), c(line)],
                environment: &[c("ONE=1"), c("TWO=zwei drei")],
                folder: Some(&c(folder)),
                stdin: nothing.as_fd(),
                stdout: writer.as_fd(),
                stderr: writer.as_fd(),
            },
            group.1.as_fd(),
        );
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let child = started?;
        let ended = waitpid(Some(child), WaitOptions::empty()).unwrap();
        assert_eq!(ended.unwrap().1.exit_status(), Some(7));
        Ok(text)
    }

    #[test]
    fn it_begins_in_the_group_with_all_that_was_asked() {
        let Some(group) = Made::below_our_own("begins") else {
            return;
        };
        let line = "cat /proc/self/cgroup; grep -E 'SigBlk|SigIgn' /proc/self/status; echo $0 $ONE $TWO $PWD; \
                    test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leads; echo bad >&2; set -- /proc/$$/fd/*; echo $#; exit 7";
        let text = output(&group, "/bin/sh", line, "/usr").unwrap();
        let name = group.0.file_name().unwrap().to_str().unwrap();
        assert!(text.contains(name), "{text}");
        let blocked = "SigBlk:\t0000000000000000";
        assert!(text.contains(blocked), "{text}");
        let ignored = text.lines().find_map(|line| line.strip_prefix("SigIgn:\t"));
        let ignored = u64::from_str_radix(ignored.unwrap(), 16).unwrap();
        assert_eq!(ignored & (1 << (libc::SIGPIPE - 1)), 0, "{text}");
        let last: Vec<_> = text
            .lines()
            .skip_while(|line| !line.contains("its name"))
            .collect();
        // What the tests themselves were started with goes along either way.
        let mut by_library = std::process::Command::new("/bin/sh");
        by_library.args(["-c", "set -- /proc/$$/fd/*; echo $#"]);
        let open = String::from_utf8(by_library.output().unwrap().stdout).unwrap();
        assert_eq!(
            last,
            ["its name 1 zwei drei /usr", "leads", "bad", open.trim()]
        );
    }

    #[test]
    fn what_fails_is_the_systems_word_and_leaves_nothing() {
        let Some(group) = Made::below_our_own("fails") else {
            return;
        };
        for (path, folder, error) in [
            ("/bin/no-such-program", "/", libc::ENOENT),
            ("/etc/passwd", "/", libc::EACCES),
            ("/bin/sh", "/no-such-folder", libc::ENOENT),
            ("/bin/sh", "/etc/passwd", libc::ENOTDIR),
        ] {
            let failed = output(&group, path, "exit 7", folder).unwrap_err();
            assert_eq!(failed.raw_os_error(), Some(error), "{path} in {folder}");
            let left = fs::read_to_string(group.0.join("cgroup.procs")).unwrap();
            assert_eq!(left, "", "{path} in {folder}");
        }
    }

    #[test]
    fn it_goes_on_while_other_threads_allocate_and_start() {
        let Some(group) = Made::below_our_own("threads") else {
            return;
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let many_times = || {
                    for _ in 0..25 {
                        let text = output(&group, "/bin/sh", "echo here; exit 7", "/").unwrap();
                        assert_eq!(text, "here\n");
                    }
                };
                let thread = std::thread::Builder::new();
                thread.spawn_scoped(scope, many_times).unwrap();
            }
        });
    }
}
