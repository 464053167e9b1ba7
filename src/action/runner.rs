//! The runner of this machine: starts processes and sends requests itself.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use crate::clock::Clock;
use crate::model::{Action, AttemptEnd, Observer};

use super::failure::Failure;
use super::http::{self, Client, Egress};
use super::live::Live;
use super::process::{Children, Means};
use super::{Attempt, Attempting, Runner, process};

/// What surrounds every attempt.
#[derive(Clone)]
pub struct Surroundings {
    /// Elder's own environment, of which jobs get only what they name, and little else.
    pub env: Arc<HashMap<String, String>>,
    /// Elder's own address; set once it listens.
    pub server_url: Arc<OnceLock<String>>,
    /// Elder's state folder, absolute.
    pub state_dir: PathBuf,
    /// Elder's own program, absolute.
    pub elder_bin: PathBuf,
    /// The same, opened: jobs with `user` or `limits` are started by it. `None` where it cannot be opened.
    pub own_binary: Option<process::OwnBinary>,
    /// What is delegated to elder of the control groups, if anything is.
    pub cgroups: Option<Arc<process::Cgroups>>,
    /// Where requests may go.
    pub egress: Egress,
    /// Who is told what a start finds wanting on this machine.
    pub observer: Arc<dyn Observer>,
    /// For signatures, and for what an answer says of time.
    pub clock: Arc<dyn Clock>,
}

impl Surroundings {
    /// Elder's own address; empty before it listens.
    pub(super) fn server(&self) -> &str {
        self.server_url
            .get()
            .map(String::as_str)
            .unwrap_or_default()
    }
}

/// Why there is no runner.
#[derive(Debug, thiserror::Error)]
#[error("requests cannot be sent: {0}")]
pub struct NoRunner(String);

/// Starts processes and sends requests from this machine.
pub struct LocalRunner {
    surroundings: Arc<Surroundings>,
    means: Arc<Means>,
    client: Arc<Client>,
    #[cfg(debug_assertions)]
    fail_point: Option<Arc<super::FailPoint>>,
}

impl LocalRunner {
    /// A runner in these surroundings.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(surroundings: Surroundings) -> Result<Self, NoRunner> {
        let client = Client::new(surroundings.egress.clone()).map_err(NoRunner)?;
        Ok(Self::with_client(surroundings, client))
    }

    /// The same, which fails at this point.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn failing_at(mut self, point: Option<super::FailPoint>) -> Self {
        self.fail_point = point.map(Arc::new);
        self
    }

    /// What its processes say, while they say it.
    #[must_use]
    pub fn live(&self) -> Live {
        self.means.live.clone()
    }

    /// The processes that it starts, for [`process::reap_strangers`].
    #[must_use]
    pub fn children(&self) -> Arc<Children> {
        Arc::clone(&self.means.children)
    }
}

impl LocalRunner {
    pub(super) fn with_client(surroundings: Surroundings, client: Client) -> Self {
        Self {
            surroundings: Arc::new(surroundings),
            means: Arc::default(),
            client: Arc::new(client),
            #[cfg(debug_assertions)]
            fail_point: None,
        }
    }
}

impl Runner for LocalRunner {
    fn attempt(&self, attempt: Attempt) -> Attempting {
        let surroundings = Arc::clone(&self.surroundings);
        let means = Arc::clone(&self.means);
        let client = Arc::clone(&self.client);
        #[cfg(debug_assertions)]
        let fail_point = self.fail_point.clone();
        #[cfg(debug_assertions)]
        if let Some(point) = &fail_point {
            point.in_engine(attempt.job.name().as_str());
        }
        let going = async move {
            let definition = Arc::clone(&attempt.job.definition);
            #[cfg(debug_assertions)]
            if let Some(point) = &fail_point {
                point.before_start(definition.name.as_str());
            }
            // Each in memory of its own: a request takes a third of what a process does.
            let end = match &definition.action {
                Action::Process(job) => {
                    Box::pin(process::carry_out(surroundings, means, attempt, job)).await
                }
                Action::Http(job) => {
                    Box::pin(http::carry_out(
                        client,
                        surroundings,
                        &means.starts,
                        attempt,
                        job,
                    ))
                    .await
                }
            };
            #[cfg(debug_assertions)]
            if let Some(point) = &fail_point {
                point.before_outcome(definition.name.as_str());
            }
            end
        };
        Box::pin(without_panic(Box::pin(going)))
    }
}

/// A panic inside an attempt is that attempt's failure and nobody else's.
async fn without_panic(mut attempt: Attempting) -> AttemptEnd {
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(context))).unwrap_or_else(|_| {
            Poll::Ready(Failure::internal("the attempt panicked; the log says where").end())
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ended, Reason};

    #[tokio::test]
    async fn a_panic_in_an_attempt_is_its_failure() {
        let end = without_panic(Box::pin(async { panic!("for the test") })).await;
        assert_eq!(end.ended, Ended::Failed(Reason::Internal));
        assert!(end.detail.unwrap().contains("a defect of elder"));
    }
}
