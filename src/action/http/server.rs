//! A small server for the tests, which answers as it is told, well or badly.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

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
    /// Sends the first, then the second again and again for ever, as fast as it goes.
    Flood(String, String),
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends this, then drops the connection with a reset.
    Reset(String),
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
    sent: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the server speaks over.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// Lets the connection end with a reset.
    fn reset(&self);
}

impl Wire for TcpStream {
    fn reset(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Wire for TlsStream<TcpStream> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

impl Server {
    /// Answers each request by its path.
    pub(super) async fn new(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, reply).await
    }

    /// The same over TLS.
    pub(super) async fn tls(
        config: rustls::ServerConfig,
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(Arc::new(config).into()), reply).await
    }

    async fn start(
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::new(AtomicU64::new(0));
        let (seen, count) = (Arc::clone(&requests), Arc::clone(&sent));
        let reply = Arc::new(reply);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, seen, count) = (reply.clone(), seen.clone(), count.clone());
                let tls = tls.clone();
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, reply, seen, count).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, reply, seen, count).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            requests,
            sent,
            task: task.abort_handle(),
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many bytes of endless answers were taken off its hands.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

async fn serve<F: Fn(&str) -> Reply>(
    mut stream: impl Wire,
    reply: Arc<F>,
    seen: Arc<Mutex<Vec<String>>>,
    sent: Arc<AtomicU64>,
) {
    let Some(text) = read_request(&mut stream).await else {
        return;
    };
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(text);
    let nothing = || (LONG, Vec::new());
    let (begin, more) = match reply(&path) {
        Reply::Send(text) => (text.into_bytes(), None),
        Reply::Bytes(bytes) => (bytes, None),
        Reply::Hang(text) => (text.into_bytes(), Some(nothing())),
        Reply::Drip(text) => {
            let drop = (Duration::from_millis(5), b"x".to_vec());
            (text.into_bytes(), Some(drop))
        }
        Reply::Flood(text, again) => {
            let times = 65_536 / again.len() + 1;
            let wave = again.repeat(times).into_bytes();
            (text.into_bytes(), Some((Duration::ZERO, wave)))
        }
        Reply::Reset(text) => {
            // Unless the other side has read it, the reset would overtake it.
            let _ = stream.write_all(text.as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            return stream.reset();
        }
    };
    if stream.write_all(&begin).await.is_err() || stream.flush().await.is_err() {
        return;
    }
    let Some((pause, bytes)) = more else {
        // TLS says goodbye, and a client that waits for the end takes nothing less.
        let _ = stream.shutdown().await;
        return;
    };
    loop {
        tokio::time::sleep(pause).await;
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

async fn read_request(stream: &mut impl Wire) -> Option<String> {
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
