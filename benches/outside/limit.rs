//! The bare loop: the same requests and processes at the same instant, without a scheduler.
//! It runs as a process of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::sink::wall;

/// Keep-alive connections, or spawning threads.
const CONNECTIONS: usize = 64;
const SPAWNERS: usize = 16;

/// Starts this program's other face.
pub fn start(action: &str, target: &str, n: usize, instant: i64) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args([
            "bare-loop",
            action,
            target,
            &n.to_string(),
            &instant.to_string(),
        ])
        .spawn()
        .expect("the bare loop starts")
}

/// The other face: ACTION TARGET N INSTANT.
pub fn run(words: &[String]) {
    let [action, target, n, instant] = words else {
        panic!("bare-loop ACTION TARGET N INSTANT");
    };
    let n: usize = n.parse().expect("a number");
    let instant: i64 = instant.parse().expect("an instant");
    let next = Arc::new(AtomicUsize::new(0));
    let workers = if action == "http" {
        CONNECTIONS
    } else {
        SPAWNERS
    };
    let threads: Vec<_> = (0..workers.min(n))
        .map(|_| {
            let (action, target, next) = (action.clone(), target.clone(), next.clone());
            std::thread::spawn(move || match action.as_str() {
                "http" => requests(&target, n, instant, &next),
                _ => processes(&target, n, instant, &next),
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic inside");
    }
}

fn sleep_until(instant: i64) {
    while let Ok(rest) = u64::try_from(instant - wall())
        && rest > 0
    {
        std::thread::sleep(Duration::from_nanos(rest));
    }
}

fn requests(address: &str, n: usize, instant: i64, next: &AtomicUsize) {
    let mut socket = TcpStream::connect(address).expect("the sink listens");
    socket.set_nodelay(true).expect("a socket");
    let mut answer = [0u8; 256];
    sleep_until(instant);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= n {
            return;
        }
        let request = format!("GET /{index} HTTP/1.1\r\nHost: {address}\r\n\r\n");
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

fn processes(fifo: &str, n: usize, instant: i64, next: &AtomicUsize) {
    sleep_until(instant);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= n {
            return;
        }
        let line = format!("echo {index} > {fifo}");
        let _ = Command::new("/bin/sh").args(["-c", &line]).status();
    }
}
