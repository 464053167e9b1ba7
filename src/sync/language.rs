//! What the sync needs of the language of job files: check, print, read.

use std::sync::Arc;

pub use crate::decide::merge::DefaultsTexts;
use crate::model::{Commons, Job, SyncWindow};
use crate::spec::commons::{Said, Table};
use crate::spec::{Checked, InputFile};

/// The language of job files.
pub trait Language: Send + Sync + 'static {
    /// What a file says for the whole tree, by itself.
    fn said(&self, input: &InputFile) -> Said;

    /// Checks files. `inputs` holds each file to check and every `_defaults.yaml` above it;
    /// `last_good_defaults` serves for one of these that is bad. `commons` is what all files define
    /// for the whole tree.
    fn check(
        &self,
        inputs: &[InputFile],
        last_good_defaults: &DefaultsTexts,
        commons: &Table,
    ) -> Checked;

    /// The canonical text of checked definitions, as the store keeps it.
    fn print(&self, jobs: &[Job], commons: &Commons) -> String;

    /// Reads what `print` wrote.
    ///
    /// # Errors
    /// A sentence that says why this build cannot read it.
    fn read(&self, text: &str) -> Result<(Vec<Job>, Commons), String>;

    /// Looks whether anything beside the files is another that definitions depend on, and takes it
    /// over: from then on the same files may mean other definitions. Asked before each look at the
    /// files, on a thread that may block.
    fn refresh(&self) -> Option<Refreshed>;

    /// The windows in which changes are let in or wait, as they are now; asked after each
    /// [`Language::refresh`], on a thread that may block.
    fn windows(&self) -> Arc<[SyncWindow]> {
        Arc::from([])
    }
}

/// What [`Language::refresh`] took over: other rules of time zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Their version.
    pub version: Arc<str>,
    /// `system` or `bundled`.
    pub source: Arc<str>,
    /// A sentence that names both and what was before.
    pub text: String,
}
