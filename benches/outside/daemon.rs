//! The release binary, started on a folder of jobs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::delegated::Delegated;

/// A running elder; ended when dropped.
pub struct Daemon {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// From its start until it was ready.
    pub ready_after: Duration,
}

/// The binary that is measured.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_elder"))
}

impl Daemon {
    /// Starts it and waits until it is ready.
    pub fn start(jobs: &Path, state: &Path, more: &[&str]) -> Self {
        Self::start_in(None, jobs, state, more)
    }

    /// The same, in a control group.
    pub fn start_in(group: Option<&Delegated>, jobs: &Path, state: &Path, more: &[&str]) -> Self {
        let began = Instant::now();
        let mut command = match group {
            None => Command::new(binary()),
            Some(group) => {
                let [shell, flag, line] = group.entering();
                let mut command = Command::new(shell);
                command.args([flag, line]).arg(binary());
                command
            }
        };
        let mut child = command
            .arg("run")
            .arg(jobs)
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .arg("--state")
            .arg(state)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("elder starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut seen = Vec::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("elder ended before it listened:\n{}", seen.join("\n"));
            };
            if let Some(address) = listening(&line) {
                break address;
            }
            seen.push(line);
        };
        // Whoever does not read its log stops it.
        std::thread::spawn(move || lines.for_each(drop));
        let mut daemon = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        let deadline = began + Duration::from_secs(120);
        while daemon
            .get("/readyz")
            .is_none_or(|(status, _)| status != 200)
        {
            assert!(
                Instant::now() < deadline,
                "elder was not ready within two minutes"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        daemon.ready_after = began.elapsed();
        daemon
    }

    /// One GET: status and body.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(&self.address).ok()?;
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .ok()?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        socket.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n")?.1.to_owned();
        Some((status, body))
    }

    /// Its process, for what `/proc` says of it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in MiB.
    pub fn resident(&self) -> f64 {
        status(&format!("/proc/{}/status", self.pid()), "VmRSS:") / 1024.0
    }

    /// How many entries a folder of its `/proc` has: `task` or `fd`.
    pub fn entries(&self, folder: &str) -> usize {
        let path = format!("/proc/{}/{folder}", self.pid());
        std::fs::read_dir(path).expect("it lives").count()
    }

    /// How often its threads have gone to sleep so far.
    pub fn sleeps(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid()));
        let paths = threads.expect("it lives").flatten().map(|it| it.path());
        paths
            .map(|it| {
                let path = it.join("status").display().to_string();
                status(&path, "voluntary_ctxt_switches:")
            })
            .sum()
    }

    /// Processor time in seconds: its own, and that of children that have ended.
    pub fn cpu(&self) -> (f64, f64) {
        cpu(&self.pid().to_string())
    }
}

fn status(path: &str, name: &str) -> f64 {
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1))
        .and_then(|value| value.parse().ok())
        .unwrap_or(0.0)
}

/// Processor time in seconds of a process, by number or `self`: its own, and its ended children's.
pub fn cpu(pid: &str) -> (f64, f64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let after = stat.rsplit_once(") ").expect("a stat").1;
    // utime, stime, cutime and cstime are the 14th to 17th, in hundredths; the state is the 3rd.
    let ticks: Vec<f64> = after
        .split(' ')
        .skip(11)
        .take(4)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    ((ticks[0] + ticks[1]) / 100.0, (ticks[2] + ticks[3]) / 100.0)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the log line that tells it.
fn listening(line: &str) -> Option<String> {
    let at = line.find("http://127.0.0.1:")? + "http://".len();
    let rest = &line[at..];
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}
