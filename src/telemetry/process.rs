//! What the process itself uses, read from `/proc/self` at each scrape.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What could be read; a value that could not is absent, never zero.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// User and system time of all threads.
    pub(super) cpu: Duration,
    /// Bytes in memory.
    pub(super) resident: Option<u64>,
    /// Bytes of address space.
    pub(super) virtual_size: Option<u64>,
    /// Open descriptors.
    pub(super) open_fds: Option<u64>,
    /// How many it may open; absent when there is no limit.
    pub(super) max_fds: Option<u64>,
}

/// Looks.
pub(super) fn look() -> Process {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu = Duration::new(
        u64::try_from(cpu.tv_sec).unwrap_or(0),
        u32::try_from(cpu.tv_nsec).unwrap_or(0),
    );
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    // The folder that is read is itself open while it is read.
    let open = fs::read_dir("/proc/self/fd").map(|entries| entries.count().saturating_sub(1));
    Process {
        cpu,
        resident: kilobytes(&status, "VmRSS:"),
        virtual_size: kilobytes(&status, "VmSize:"),
        open_fds: open.ok().map(|count| count as u64),
        max_fds: getrlimit(Resource::Nofile).current,
    }
}

fn kilobytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_sees_itself() {
        let process = look();
        let resident = process.resident.unwrap();
        assert!(resident > 100_000 && resident <= process.virtual_size.unwrap());
        assert!(process.open_fds.unwrap() >= 3);
        assert!(
            process
                .max_fds
                .is_none_or(|max| max >= process.open_fds.unwrap())
        );
        assert_eq!(kilobytes("VmRSS:\t   12 kB\n", "VmRSS:"), Some(12_288));
        assert_eq!(kilobytes("VmRSS: many kB", "VmRSS:"), None);
    }
}
