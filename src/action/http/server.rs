//! A small server for the tests, which answers as it is told, well or badly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Longer than anything here takes; a test that needs it has failed.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// What the server does with a request.
#[derive(Clone)]
pub(super) enum Reply {
    /// Sends this and closes.
    Send(String),
    /// Sends this and then nothing more.
    Hang(String),
    /// Sends this, then one byte every few milliseconds for ever.
    Drip(String),
    /// Sends this, then zeros for ever.
    Flood(String),
    /// Drops the connection with a reset.
    Reset,
}

pub(super) fn ok(body: &str) -> Reply {
    answer("200 OK", "", body)
}

pub(super) fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Send(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    ))
}

pub(super) fn redirect(status: u16, to: &str) -> Reply {
    answer(
        &format!("{status} Moved"),
        &format!("Location: {to}\r\n"),
        "",
    )
}

/// A server that lives as long as this value, and what it was sent.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request by its path.
    pub(super) async fn new(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let reply = Arc::new(reply);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&reply), Arc::clone(&seen)));
            }
        });
        Self {
            address,
            requests,
            task: task.abort_handle(),
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve<F: Fn(&str) -> Reply>(
    mut stream: TcpStream,
    reply: Arc<F>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let Some(text) = read_request(&mut stream).await else {
        return;
    };
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(text);
    let (begin, more): (String, Option<(Duration, usize)>) = match reply(&path) {
        Reply::Send(text) => (text, None),
        Reply::Hang(text) => (text, Some((LONG, 0))),
        Reply::Drip(text) => (text, Some((Duration::from_millis(5), 1))),
        Reply::Flood(text) => (text, Some((Duration::ZERO, 65_536))),
        Reply::Reset => return stream.set_zero_linger().unwrap(),
    };
    if stream.write_all(begin.as_bytes()).await.is_err() {
        return;
    }
    while let Some((pause, bytes)) = more {
        tokio::time::sleep(pause).await;
        if stream.write_all(&vec![b'x'; bytes]).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => text.extend_from_slice(&chunk[..length]),
        }
        let so_far = String::from_utf8_lossy(&text).into_owned();
        // The begin of TLS, to which this server can only answer wrongly.
        if text[0] == 0x16 {
            return Some(so_far);
        }
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")
                .map(str::to_owned)
        });
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if body.len() >= length {
            return Some(so_far);
        }
    }
}
