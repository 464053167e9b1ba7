//! A server on loopback that stamps each request: `/JOB[/SCHEDULED_AT/RUN/ATTEMPT][?status=N&hold=MILLISECONDS]`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Seen;

/// A witness of requests; it listens as long as the program runs.
#[derive(Clone)]
pub struct Sink {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Sink {
    /// Listens on a port of its own, with a thread of its own, by this clock.
    ///
    /// # Panics
    /// Where there is no port to be had.
    pub fn start(clock: fn() -> Timestamp) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a socket");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let book = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                loop {
                    if let Ok((socket, _)) = listener.accept().await {
                        tokio::spawn(serve(socket, Arc::clone(&book), clock));
                    }
                }
            });
        });
        Self { address, seen }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.book().len()
    }

    /// All requests that came, in that order.
    pub fn seen(&self) -> Vec<Seen> {
        self.book().clone()
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(mut socket: TcpStream, book: Arc<Mutex<Vec<Seen>>>, clock: fn() -> Timestamp) {
    let _ = socket.set_nodelay(true);
    let lock = || book.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buffer = Vec::with_capacity(2048);
    loop {
        match socket.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let began = clock();
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            let Some(asked) = Asked::read(&head, began) else {
                return;
            };
            let place = {
                let mut book = lock();
                book.push(asked.seen);
                book.len() - 1
            };
            // Whoever waits may go away; what it asked for is over then.
            let is_gone = match asked.hold {
                Some(hold) => tokio::time::timeout(hold, socket.read_u8()).await.is_ok(),
                None => false,
            };
            let status = asked.status;
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            lock()[place].ended = Some(clock());
            let is_over = is_gone || asked.is_last;
            if socket.write_all(answer.as_bytes()).await.is_err() || is_over {
                return;
            }
        }
    }
}

struct Asked {
    seen: Seen,
    status: u16,
    hold: Option<Duration>,
    /// Whether the connection ends with it.
    is_last: bool,
}

impl Asked {
    fn read(head: &str, began: Timestamp) -> Option<Self> {
        let target = head.split(' ').nth(1)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut parts = path.trim_start_matches('/').split('/');
        let seen = Seen {
            job: parts.next()?.to_owned(),
            scheduled: match parts.next() {
                Some(at) => Some(at.replace("%3A", ":").parse().ok()?),
                None => None,
            },
            run: parts.next().unwrap_or_default().to_owned(),
            attempt: parts.next().unwrap_or("1").parse().ok()?,
            began: Some(began),
            ended: None,
            met_another: false,
        };
        let asked = |key: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(name, _)| *name == key)?;
            value.parse::<u16>().ok()
        };
        Some(Self {
            seen,
            status: asked("status").unwrap_or(200),
            hold: asked("hold").map(|hold| Duration::from_millis(hold.into())),
            is_last: head.contains("Connection: close"),
        })
    }
}
