//! Processes as `/proc` shows them.

use rustix::process::{Pid, Signal, kill_process};

/// What there is to know of processes.
pub struct Processes;

impl Processes {
    /// Whether it is there and no zombie.
    pub fn is_alive(pid: i32) -> bool {
        stat(pid).is_some_and(|(state, _)| state != 'Z')
    }

    /// The children of a process, zombies too.
    pub fn children_of(parent: i32) -> Vec<i32> {
        let stats = all().filter_map(|pid| Some((pid, stat(pid)?)));
        let of_it = stats.filter(|(_, (_, of))| *of == parent);
        of_it.map(|(pid, _)| pid).collect()
    }

    /// The zombies that a process has not reaped.
    pub fn zombies_of(parent: i32) -> Vec<i32> {
        let mut zombies = Self::children_of(parent);
        zombies.retain(|pid| stat(*pid).is_some_and(|(state, _)| state == 'Z'));
        zombies
    }

    /// Its number in its own namespace.
    pub fn number_within(pid: i32) -> Option<i32> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("NSpid:"))?;
        line.split_whitespace().last()?.parse().ok()
    }

    /// Sends it a signal.
    pub fn signal(pid: i32, signal: Signal) {
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

fn all() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// State and parent.
fn stat(pid: i32) -> Option<(char, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
