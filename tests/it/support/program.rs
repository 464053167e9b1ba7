//! The binary run to its end, with everything that it said.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// What takes longer hangs, such as an elder that should have refused to run: it is killed, so that
/// the test says so.
const LONGEST: Duration = Duration::from_secs(240);

/// Begins a call of `elder` with these words.
pub fn elder(line: &str) -> Program {
    Program {
        arguments: line.split_whitespace().map(str::to_owned).collect(),
        variables: Vec::new(),
        folder: None,
        input: String::new(),
    }
}

/// A call of the binary.
pub struct Program {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    folder: Option<std::path::PathBuf>,
    input: String,
}

impl Program {
    /// One more word, which may hold blanks.
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.arguments.push(word.into());
        self
    }

    /// A variable; all others are unset.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The working folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// What it reads.
    pub fn input(mut self, text: &str) -> Self {
        text.clone_into(&mut self.input);
        self
    }

    /// The command, for those who want to start it themselves.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elder"));
        command.args(&self.arguments);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Runs it to its end.
    pub fn run(self) -> Finished {
        let mut command = self.command();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.input;
        // A child that ends without reading breaks the pipe, which is its good right.
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(input.as_bytes());
        });
        let pid = Pid::from_child(&child);
        let (done, over) = channel::<()>();
        let watchdog = std::thread::spawn(move || {
            if over.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(done);
        watchdog.join().unwrap();
        writer.join().unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            folder: self.folder,
        }
    }
}

/// A call that came to its end. Its `Display` is for snapshots: the working
/// folder reads `[FOLDER]`.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    folder: Option<std::path::PathBuf>,
}

impl Finished {
    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self
            .folder
            .as_ref()
            .map(|folder| folder.display().to_string());
        let plain = |text: &str| match &folder {
            Some(folder) => text.replace(folder, "[FOLDER]"),
            None => text.to_owned(),
        };
        match self.code {
            Some(code) => writeln!(f, "exit {code}")?,
            None => writeln!(f, "killed")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{}", plain(text))?;
            }
        }
        Ok(())
    }
}
