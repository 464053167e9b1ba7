//! A store for tests, which has nothing and answers what it is told to.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::Edition;
use crate::ids::{JobName, RunId};
use crate::model::{History, Letter, Output, Pause, Run};
use crate::store::{
    Answer, AuditPage, AuditQuery, JobSummary, Mark, Recalled, RunPage, RunQuery, Store,
    StoreError, Waiting, Write, Written,
};

/// Answers commits of so many writes.
pub(super) struct Answering<F>(pub(super) F);

impl<F> Store for Answering<F>
where
    F: Fn(usize) -> Result<(), StoreError> + Send + Sync + 'static,
{
    fn commit_shared(&self, writes: Arc<Vec<Write>>) -> Answer<'_, Vec<Written>> {
        Box::pin(async move {
            (self.0)(writes.len())?;
            Ok(vec![Written::Done; writes.len()])
        })
    }

    fn recall(&self) -> Answer<'_, Recalled> {
        Box::pin(async { Ok(Recalled::default()) })
    }

    fn marks(&self, _: Vec<JobName>) -> Answer<'_, Vec<Option<Mark>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn pauses(&self) -> Answer<'_, Vec<(JobName, Pause)>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn editions(&self, _: JobName) -> Answer<'_, Vec<Edition>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn runs(&self, _: RunQuery) -> Answer<'_, RunPage> {
        Box::pin(async { Ok(RunPage::default()) })
    }

    fn run(&self, _: RunId) -> Answer<'_, Option<(Run, Output)>> {
        Box::pin(async { Ok(None) })
    }

    fn run_of_request(&self, _: JobName, _: String) -> Answer<'_, Option<Run>> {
        Box::pin(async { Ok(None) })
    }

    fn outbox(&self, _: u64, _: usize) -> Answer<'_, Vec<Waiting>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn letter(&self, _: RunId) -> Answer<'_, Option<Letter>> {
        Box::pin(async { Ok(None) })
    }

    fn audit(&self, _: AuditQuery) -> Answer<'_, AuditPage> {
        Box::pin(async { Ok(AuditPage::default()) })
    }

    fn summary(&self, _: Timestamp, _: Timestamp) -> Answer<'_, Vec<JobSummary>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn prune(&self, _: History, _: Timestamp, _: usize) -> Answer<'_, u64> {
        Box::pin(async { Ok(0) })
    }

    fn backup(&self, _: PathBuf) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn optimize(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn kind(&self) -> &'static str {
        "answering"
    }
}
