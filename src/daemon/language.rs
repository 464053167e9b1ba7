//! The language of job files, as the sync wants it.

use crate::model::Job;
use crate::schedule::Zones;
use crate::spec::{self, Checked, InputFile};
use crate::sync::{DefaultsTexts, Language};

/// YAML job files.
pub(super) struct JobFiles {
    pub(super) options: spec::Options,
    pub(super) zones: Zones,
}

impl Language for JobFiles {
    fn check(&self, inputs: &[InputFile], last_good_defaults: &DefaultsTexts) -> Checked {
        spec::check(inputs, None, last_good_defaults, &self.options, &self.zones)
    }

    fn print(&self, jobs: &[Job]) -> String {
        spec::print(jobs)
    }

    fn read(&self, text: &str) -> Result<Vec<Job>, String> {
        spec::read(text, &self.zones)
    }
}
