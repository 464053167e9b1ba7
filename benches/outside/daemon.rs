//! The release binary, started on a folder of jobs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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
        let began = Instant::now();
        let mut child = Command::new(binary())
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

    /// Resident memory in MiB.
    pub fn resident(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it lives");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib: f64 = line
            .and_then(|line| line.split_whitespace().nth(1))
            .and_then(|kib| kib.parse().ok())
            .expect("a figure");
        kib / 1024.0
    }
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
