//! Who reads a stream: each holds a connection for as long as it likes.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{Clients, Place};
use super::problem::Problem;

/// Readers of live outputs at once, of all clients.
const OUTPUTS: usize = 64;

/// Readers of what happens at once, of all clients.
const FOLLOWERS: usize = 32;

/// The places for readers.
pub(super) struct Readers {
    clients: Clients,
    /// Of one client: fewer than it may have connections, so that it can still ask.
    per_client: usize,
    outputs: Arc<Semaphore>,
    followers: Arc<Semaphore>,
}

/// A reader's place, free again when it is dropped.
pub(super) struct Reading {
    _place: OwnedSemaphorePermit,
    _of_client: Place,
}

impl Readers {
    /// Where one client has so many connections.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            clients: Clients::default(),
            per_client: (connections * 3 / 4).max(1),
            outputs: Arc::new(Semaphore::new(OUTPUTS)),
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
        }
    }

    /// A place for who reads the output of a run.
    pub(super) fn output(&self, client: IpAddr) -> Result<Reading, Problem> {
        let detail = "as many outputs as may be are being followed; ask with ?follow=false";
        self.enter(&self.outputs, client, detail)
    }

    /// A place for who follows what happens.
    pub(super) fn follower(&self, client: IpAddr) -> Result<Reading, Problem> {
        let detail = "as many as may be follow the events; ask again later, or ask GET /runs";
        self.enter(&self.followers, client, detail)
    }

    fn enter(
        &self,
        places: &Arc<Semaphore>,
        client: IpAddr,
        detail: &str,
    ) -> Result<Reading, Problem> {
        let refused = |detail: String| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "too-many-readers", detail)
        };
        let of_client = self.clients.enter(client, self.per_client);
        let of_client = of_client.ok_or_else(|| {
            refused(format!(
                "{client} reads {} streams already; end one of them, or ask through another address",
                self.per_client
            ))
        })?;
        let place = Arc::clone(places).try_acquire_owned();
        let place = place.map_err(|_| refused(detail.to_owned()))?;
        Ok(Reading {
            _place: place,
            _of_client: of_client,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_cannot_fill_its_connections_with_streams_nor_all_places() {
        let [here, there] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let readers = Readers::new(8);
        let mut held: Vec<_> = (0..3).map(|_| readers.output(here).ok().unwrap()).collect();
        held.extend((0..3).map(|_| readers.follower(here).ok().unwrap()));
        assert!(readers.output(here).is_err() && readers.follower(here).is_err());
        assert!(readers.output(there).is_ok());
        held.pop();
        assert!(readers.output(here).is_ok(), "a place is free again");
        let readers = Readers::new(1);
        assert!(readers.output(here).is_ok());
    }

    #[test]
    fn all_clients_together_have_so_many_places() {
        let readers = Readers::new(64);
        let client = |last| IpAddr::from([10, 0, 0, last]);
        let held: Vec<_> = (0..33).map(|last| readers.follower(client(last))).collect();
        let entered = held.iter().filter(|reading| reading.is_ok());
        assert_eq!(entered.count(), FOLLOWERS);
    }
}
