//! Sages: takes letters out of the store's outbox and delivers them.
//!
//! What is told to whom is decided elsewhere, and is in the store before it comes here; a letter
//! leaves the outbox when its sage took it, so that a crash at any moment delivers twice rather
//! than never. Nothing here keeps a job waiting: letters have places of their own, few of them, and
//! a sage that hangs takes only its own share. [`Herald`] hears of elder's own troubles and has
//! letters written about them.

mod courier;
mod deliver;
mod herald;
mod queue;
#[cfg(test)]
mod tests;
mod troubles;
mod waits;

use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot, watch};

use crate::action::Runner;
use crate::clock::Clock;
use crate::model::{Observer, Sages};
use crate::store::Store;

use courier::Courier;
pub use herald::Herald;
use herald::Hints;

/// What deliveries are made with.
pub struct Parts {
    /// Where letters wait.
    pub store: Arc<dyn Store>,
    /// Requests and processes.
    pub runner: Arc<dyn Runner>,
    /// Who hears what came of them.
    pub observer: Arc<dyn Observer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Elder's own address; set once it listens.
    pub server_url: Arc<OnceLock<String>>,
    /// What the store remembers of what sages were told.
    pub said: Vec<(String, String)>,
}

/// The sages that are in force; whoever puts others in force says so here.
#[derive(Clone)]
pub struct Book {
    /// `None` until the first sync.
    sages: watch::Sender<Option<Arc<Sages>>>,
}

impl Book {
    /// These are all sages from now on. Letters that wait go by the new definitions.
    pub fn replace(&self, sages: Arc<Sages>) {
        self.sages.send_if_modified(|known| {
            let differs = known.as_ref() != Some(&sages);
            if differs {
                *known = Some(sages);
            }
            differs
        });
    }
}

/// A book for tests and tools, in which nobody reads.
impl Default for Book {
    fn default() -> Self {
        let (sages, _) = watch::channel(None);
        Self { sages }
    }
}

/// Delivers until it is told to stop.
pub struct Deliveries {
    courier: Courier,
}

/// Ends [`Deliveries::run`].
pub struct Stopper(oneshot::Sender<()>);

impl Stopper {
    /// Nothing more is begun; what is under way may end within two seconds.
    pub fn stop(self) {
        // It may have ended already.
        let _ = self.0.send(());
    }
}

/// Who hears of letters and troubles, before there is anybody to deliver: the engine and the sync
/// are built with it.
#[must_use]
pub fn herald() -> (Arc<Herald>, Hints) {
    herald::pair()
}

impl Deliveries {
    /// Deliveries by `parts` of what `hints` tell of, and what they are steered by.
    #[must_use]
    pub fn new(parts: Parts, hints: Hints) -> (Self, Book, Stopper) {
        let (sages, known) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let courier = Courier::new(parts, hints, known, stopped);
        (Self { courier }, Book { sages }, Stopper(stop))
    }

    /// Delivers until it is told to stop.
    pub async fn run(self) {
        self.courier.run().await;
    }
}

/// What a herald has to say is bounded: news beyond this are counted and not told.
const NEWS: usize = 256;

type News = mpsc::Receiver<herald::Heard>;
