//! The bare loop: the same requests and processes at the same instants, without a scheduler.
//! It runs as a process of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::daemon;

/// Keep-alive connections, or spawning threads.
const CONNECTIONS: usize = 64;
const SPAWNERS: usize = 16;

/// Starts this program's other face: `n` actions at each of `seconds` instants, a second apart.
pub fn start(action: &str, target: &str, n: usize, first: Timestamp, seconds: usize) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["bare-loop", action, target, &n.to_string()])
        .args([&first.to_string(), &seconds.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the bare loop starts")
}

/// Waits for its end: processor seconds of its own, and of its children.
pub fn wait(child: Child) -> (f64, f64) {
    let said = child.wait_with_output().expect("it ends").stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let mut figures = said.split_whitespace().filter_map(|word| word.parse().ok());
    (figures.next().unwrap_or(0.0), figures.next().unwrap_or(0.0))
}

/// The other face: ACTION TARGET N INSTANT SECONDS.
pub fn run(words: &[String]) {
    let [action, target, n, first, seconds] = words else {
        panic!("bare-loop ACTION TARGET N INSTANT SECONDS");
    };
    let n: usize = n.parse().expect("a number");
    let first: Timestamp = first.parse().expect("an instant");
    let seconds: usize = seconds.parse().expect("a number");
    let all = Arc::new(All {
        n,
        first,
        of: n * seconds,
        next: AtomicUsize::new(0),
    });
    let workers = if action == "http" {
        CONNECTIONS
    } else {
        SPAWNERS
    };
    let threads: Vec<_> = (0..workers.min(n))
        .map(|_| {
            let (action, target, all) = (action.clone(), target.clone(), Arc::clone(&all));
            std::thread::spawn(move || match action.as_str() {
                "http" => requests(&target, &all),
                _ => processes(&target, &all),
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic inside");
    }
    let (own, children) = daemon::cpu("self");
    println!("{own} {children}");
}

/// All actions, in their order.
struct All {
    n: usize,
    first: Timestamp,
    of: usize,
    next: AtomicUsize,
}

impl All {
    /// The next one at its time: a job and its instant.
    fn take(&self) -> Option<(usize, Timestamp)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.of {
            return None;
        }
        let second = u64::try_from(index / self.n).unwrap_or(0);
        let at = self.first + Duration::from_secs(second);
        while let Ok(rest) = Duration::try_from(at.duration_since(Timestamp::now()))
            && !rest.is_zero()
        {
            std::thread::sleep(rest);
        }
        Some((index % self.n, at))
    }
}

fn requests(address: &str, all: &All) {
    let mut socket = TcpStream::connect(address).expect("the sink listens");
    socket.set_nodelay(true).expect("a socket");
    let mut answer = [0u8; 256];
    while let Some((job, at)) = all.take() {
        let request =
            format!("GET /job-{job}/{at}/bare-{at}/1 HTTP/1.1\r\nHost: {address}\r\n\r\n");
        socket
            .write_all(request.as_bytes())
            .expect("the sink reads");
        let mut read = 0;
        while !answer[..read].ends_with(b"\r\n\r\n") {
            match socket.read(&mut answer[read..]).expect("the sink answers") {
                0 => return,
                more => read += more,
            }
        }
    }
}

fn processes(fifo: &str, all: &All) {
    while let Some((job, at)) = all.take() {
        let line = format!("echo job-{job} {at} 1 bare-{at} > {fifo}");
        let _ = Command::new("/bin/sh").args(["-c", &line]).status();
    }
}
