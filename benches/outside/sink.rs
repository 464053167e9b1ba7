//! Witnesses: an HTTP server that stamps requests, a FIFO that stamps lines.

use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// When each action came, by its number.
#[derive(Clone)]
pub struct Stamps(Arc<Mutex<Vec<Vec<i64>>>>);

/// The wall clock in nanoseconds.
pub fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_nanos()).expect("before 2262")
}

impl Stamps {
    pub fn new(n: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![Vec::new(); n])))
    }

    pub fn came(&self, index: usize, at: i64) {
        if let Some(times) = self.0.lock().expect("no panic inside").get_mut(index) {
            times.push(at);
        }
    }

    pub fn count(&self) -> usize {
        let all = self.0.lock().expect("no panic inside");
        all.iter().filter(|times| !times.is_empty()).count()
    }

    pub fn take(&self) -> Vec<Vec<i64>> {
        self.0.lock().expect("no panic inside").clone()
    }

    /// Waits until all have come, or until nothing new came for `quiet`.
    pub fn wait(&self, n: usize, quiet: Duration) {
        let mut last = (self.count(), Instant::now());
        while last.0 < n && last.1.elapsed() < quiet {
            std::thread::sleep(Duration::from_millis(20));
            let count = self.count();
            if count != last.0 {
                last = (count, Instant::now());
            }
        }
        // Whoever comes twice comes soon after.
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Starts a server on loopback that answers 204 and stamps the number at the end of each path.
pub fn http(stamps: Stamps) -> SocketAddr {
    let (tell, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port");
            tell.send(listener.local_addr().expect("an address"))
                .expect("the bench waits");
            loop {
                let Ok((socket, _)) = listener.accept().await else {
                    continue;
                };
                tokio::spawn(serve(socket, stamps.clone()));
            }
        });
    });
    address.recv().expect("the server starts")
}

async fn serve(mut socket: tokio::net::TcpStream, stamps: Stamps) {
    let _ = socket.set_nodelay(true);
    let mut buffer = Vec::with_capacity(2048);
    loop {
        match socket.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let at = wall();
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            if let Some(index) = path.rsplit('/').next().and_then(|n| n.parse().ok()) {
                stamps.came(index, at);
            }
            buffer.drain(..end + 4);
            if socket
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

/// A FIFO to which children write their number on a line; opened for reading and writing, so it never ends.
pub fn fifo(folder: &Path, stamps: Stamps) -> PathBuf {
    let path = folder.join("fifo");
    let _ = std::fs::remove_file(&path);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a FIFO");
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let fd: OwnedFd =
        rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).expect("the FIFO opens");
    let mut file = std::fs::File::from(fd);
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut chunk = [0u8; 65_536];
        while let Ok(read) = file.read(&mut chunk) {
            let at = wall();
            kept.extend_from_slice(&chunk[..read]);
            while let Some(end) = kept.iter().position(|b| *b == b'\n') {
                let line = String::from_utf8_lossy(&kept[..end]).into_owned();
                if let Ok(index) = line.trim().parse() {
                    stamps.came(index, at);
                }
                kept.drain(..=end);
            }
        }
    });
    path
}
