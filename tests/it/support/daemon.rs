//! `elder run` in the background.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::http::{send, send_within};
use super::{Folder, Metrics, Program, Reply, elder, until};

const LINE: &str = "run jobs.d --listen 127.0.0.1:0 --state state --log-format json";

/// A running elder; killed when it is dropped.
pub struct Daemon {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    token: Option<String>,
}

impl Daemon {
    /// Starts `elder run jobs.d` in a folder, with its state there, and waits until it is ready.
    pub fn start(folder: &Folder) -> Self {
        let daemon = Self::start_with(folder, |program| program);
        daemon.wait_until_ready();
        daemon
    }

    /// The same with more flags or variables; waits only until it listens.
    pub fn start_with(folder: &Folder, more: impl FnOnce(Program) -> Program) -> Self {
        Self::spawn(folder, more(program(folder)).command())
    }

    /// Starts it and ends it as a power cut does, so long after, whatever it has come to.
    pub fn start_and_kill(folder: &Folder, after: Duration) {
        let mut command = program(folder).command();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it and signals it as soon as it says these words, perhaps before it listens; answers with
    /// how it ended, or panics when it has not within `within`.
    pub fn start_and_signal(
        folder: &Folder,
        more: impl FnOnce(Program) -> Program,
        words: &str,
        signal: Signal,
        within: Duration,
    ) -> ExitStatus {
        let mut command = more(program(folder)).command();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.find(|line| line.as_ref().unwrap().contains(words));
        assert!(said.is_some(), "elder never said: {words}");
        // The pipe stays open, and the little that it still says fits into it.
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let step = Duration::from_millis(10);
        for _ in 0..within.as_millis() / step.as_millis() {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(step);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("elder goes on {within:?} after the signal");
    }

    /// The same, started by another program, to whose words elder's own are added.
    pub fn start_by(folder: &Folder, by: &[&str]) -> Self {
        std::fs::create_dir_all(folder.join("jobs.d")).unwrap();
        std::fs::create_dir_all(folder.join("runtime")).unwrap();
        let mut command = std::process::Command::new(by[0]);
        command.args(&by[1..]).arg(env!("CARGO_BIN_EXE_elder"));
        command
            .args(LINE.split_whitespace())
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("XDG_RUNTIME_DIR", folder.join("runtime"));
        Self::spawn(folder, command)
    }

    fn spawn(folder: &Folder, mut command: std::process::Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let address = until("elder listens", || {
            let lines = log.lock().unwrap();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("elder ended ({status}):\n{}", lines.join("\n"));
            }
            lines.iter().find_map(|line| listening_at(line))
        });
        let name = format!("runtime/elder/{}.token", address.port());
        let token = folder.read(&name).trim().to_owned();
        Self {
            child,
            address,
            log,
            token: (!token.is_empty()).then_some(token),
        }
    }

    /// Waits until the first sync is done and the store answers.
    pub fn wait_until_ready(&self) {
        until("elder is ready", || {
            let reply = send(self.address, "GET", "/readyz", &[], "").ok()?;
            (reply.status == 200).then_some(())
        });
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How much memory it holds.
    pub fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let mut lines = status.lines();
        let line = lines.find(|line| line.starts_with("VmRSS:")).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024
    }

    /// The token that it left for this machine.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("elder left a token")
    }

    /// Everything that it logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Whether a line of its log holds these words.
    pub fn has_logged(&self, words: &str) -> Option<()> {
        let log = self.log.lock().unwrap();
        log.iter().any(|line| line.contains(words)).then_some(())
    }

    /// Reads something, without a token.
    pub fn get(&self, path: &str) -> Reply {
        send(self.address, "GET", path, &[], "").unwrap()
    }

    /// Asks for something to be done, with the token.
    pub fn post(&self, path: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {}", self.token());
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        send(self.address, "POST", path, &headers, body).unwrap()
    }

    /// Starts a run of a job and says which.
    pub fn trigger(&self, job: &str) -> String {
        let reply = self.post(&format!("/api/v1/jobs/{job}/run"), "{}");
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["run_id"].as_str().unwrap().to_owned()
    }

    /// A run when it is over, with its output.
    pub fn ended(&self, run: &str) -> serde_json::Value {
        until("the run is over", || {
            let run = self.get(&format!("/api/v1/runs/{run}")).json();
            (run["state"] == "done").then_some(run)
        })
    }

    /// Runs a job to its end.
    pub fn run(&self, job: &str) -> serde_json::Value {
        self.ended(&self.trigger(job))
    }

    /// The same, for as long as that; an error when there is no answer.
    pub fn try_post(&self, path: &str, body: &str, within: Duration) -> std::io::Result<Reply> {
        let bearer = format!("Bearer {}", self.token());
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        send_within(self.address, "POST", path, &headers, body, within)
    }

    /// Any request.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        send(self.address, method, path, headers, body).unwrap()
    }

    /// One scrape.
    pub fn metrics(&self) -> Metrics {
        let reply = self.get("/metrics");
        assert_eq!(reply.status, 200, "{reply:?}");
        Metrics::parse(&reply.body)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Asks it to end and waits for that.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        until("elder ends", || self.child.try_wait().unwrap())
    }
}

/// `elder run jobs.d` in a folder, with its state there.
fn program(folder: &Folder) -> Program {
    std::fs::create_dir_all(folder.join("jobs.d")).unwrap();
    std::fs::create_dir_all(folder.join("runtime")).unwrap();
    let runtime = folder.join("runtime").display().to_string();
    elder(LINE)
        .within(folder.path())
        .env("XDG_RUNTIME_DIR", &runtime)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of elder:\n{}", self.log().join("\n"));
        }
    }
}

/// The address in the line that says where elder listens, in whatever format.
fn listening_at(line: &str) -> Option<SocketAddr> {
    if !line.contains("listening") {
        return None;
    }
    let after = line.split("http://").nth(1)?;
    let end = after.find(|c: char| !(c.is_ascii_digit() || ".:[]".contains(c)));
    after[..end.unwrap_or(after.len())].parse().ok()
}

#[test]
fn the_address_is_found_in_lines_of_any_format() {
    let want: SocketAddr = "127.0.0.1:4711".parse().unwrap();
    for line in [
        r#"{"message":"listening on http://127.0.0.1:4711","level":"INFO"}"#,
        "12:00 INFO listening on http://127.0.0.1:4711",
        "12:00 INFO listening on http://127.0.0.1:4711, token in x",
    ] {
        assert_eq!(listening_at(line), Some(want), "{line}");
    }
    assert_eq!(listening_at("http://127.0.0.1:4711"), None);
}
