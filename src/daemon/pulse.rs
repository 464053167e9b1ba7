//! Whether the engine lives, by its own word.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::Clock;
use crate::engine::{Handle, Stats};

/// The loop goes round every five seconds at least: one that has not for so long stands still.
const TICK_AGE: Duration = Duration::from_secs(15);

/// How long the loop is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Feels the engine's pulse.
#[derive(Clone)]
pub(super) struct Pulse {
    engine: Handle,
    clock: Arc<dyn Clock>,
}

impl Pulse {
    pub(super) fn new(engine: Handle, clock: Arc<dyn Clock>) -> Self {
        Self { engine, clock }
    }

    /// What the loop itself answered, in time, and having gone round lately; `None` when it stands still.
    pub(super) async fn feel(&self) -> Option<Stats> {
        let stats = timeout(PATIENCE, self.engine.stats()).await.ok()?.ok()?;
        let age = self.clock.now().duration_since(stats.last_tick);
        (age.unsigned_abs() <= TICK_AGE).then_some(stats)
    }
}
