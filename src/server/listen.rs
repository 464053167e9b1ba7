//! Accepts connections and serves them, within bounds, until told to stop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::connection::{Clients, Impatient, Place};
use super::guard::Peer;

/// How much a server takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections at once.
    pub(super) connections: usize,
    /// Of one client.
    pub(super) per_client: usize,
    /// Until a head has arrived; also how long a connection may idle.
    pub(super) head: Duration,
    /// Until a body has arrived.
    pub(super) body: Duration,
    /// Until somebody takes what is written.
    pub(super) write: Duration,
    /// For what is under way when told to stop.
    pub(super) drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 512,
            per_client: 64,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            write: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

impl Bounds {
    /// The usual ones, where so many files may be open at once: whoever connects may not take what
    /// runs and the store need. `None` is no limit.
    pub(super) fn within(open_files: Option<u64>) -> Self {
        let usual = Self::default();
        let share = open_files.map_or(usize::MAX, |all| {
            usize::try_from(all / 4).unwrap_or(usize::MAX)
        });
        let connections = usual.connections.min(share.max(LEAST));
        Self {
            connections,
            // One client alone does not shut the others out.
            per_client: usual.per_client.min(connections / 2),
            ..usual
        }
    }
}

/// Connections at once where next to nothing may be open.
const LEAST: usize = 8;

/// The largest head of a request.
const MAX_HEAD: usize = 16 * 1024;

/// The pause when no connection can be accepted, as when descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` ends, then lets what is under way come to its end; `changes` ends when
/// all do that go on without their callers.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()>,
    changes: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let clients = Clients::default();
    let (stop, stopping) = watch::channel(());
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            accepted = accept(&listener, &places) => {
                let Some((stream, peer, place)) = accepted else { continue };
                // One client too many is dropped without a word: a word costs more than it is worth.
                let Some(of_client) = clients.enter(peer.0, bounds.per_client) else { continue };
                let service = router.clone();
                tasks.spawn(connection(stream, peer, service, bounds, stopping.clone(), (place, of_client)));
            }
        }
    }
    drop(listener);
    drop(stop);
    let drained = async {
        while tasks.join_next().await.is_some() {}
        changes.await;
    };
    // What does not end in time is cut off with the set.
    let _ = tokio::time::timeout(bounds.drain, drained).await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    // Who finds no place waits in the kernel's queue.
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, Peer(peer.ip().to_canonical()), place)),
        Err(error) => {
            tracing::warn!(error = %error, "a connection could not be accepted");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    bounds: Bounds,
    mut stopping: watch::Receiver<()>,
    _places: (OwnedSemaphorePermit, Place),
) {
    // An answer is one write; waiting for more only delays it.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_header_size(MAX_HEAD)
        .max_buf_size(64 * 1024);
    let stream = TokioIo::new(Impatient::new(stream, bounds.write));
    let mut connection = pin!(http.serve_connection(stream, service));
    tokio::select! {
        // A client that breaks off or breaks the protocol has been answered as far as it can be.
        _ = &mut connection => {}
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_most_open_files_to_runs_and_the_store() {
        for (open_files, connections, per_client) in [
            (None, 512, 64),
            (Some(524_288), 512, 64),
            (Some(1_024), 256, 64),
            (Some(64), 16, 8),
            (Some(0), 8, 4),
        ] {
            let bounds = Bounds::within(open_files);
            let found = (bounds.connections, bounds.per_client);
            assert_eq!(found, (connections, per_client), "{open_files:?}");
        }
    }
}
