//! A server that answers as it is told and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST /api/v1/…`
    pub line: String,
    /// The head in lower case.
    pub head: String,
    pub body: String,
    /// The head as it came.
    written: String,
}

impl Request {
    /// A header's value as it came.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .written
            .lines()
            .filter_map(|line| line.split_once(": "));
        let found = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

/// A server in the place of elder.
pub struct StandIn {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl StandIn {
    /// Answers each request with what `answer` says: a status and a body.
    pub fn start(answer: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Self {
        Self::start_raw(move |request| {
            let (status, body) = answer(request);
            let length = body.len();
            format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
        })
    }

    /// Answers each request with this, from the status line on, and closes.
    pub fn start_raw(answer: impl Fn(&Request) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&mut stream) else {
                    continue;
                };
                let text = answer(&request);
                requests.lock().unwrap().push(request);
                let _ = stream.write_all(text.as_bytes());
            }
        });
        Self { address, seen }
    }

    /// What to give as `--server`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Everything that it was asked.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn read(stream: &mut impl Read) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let count = stream.read(&mut part).ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.trim().parse().unwrap());
        if body.len() >= length {
            let line = head.lines().next()?.trim_end_matches(" HTTP/1.1");
            return Some(Request {
                line: line.to_owned(),
                head: lower,
                body: body.to_owned(),
                written: head.to_owned(),
            });
        }
    }
}
