//! The language of job files, as the sync wants it.

use crate::model::{Calendar, Job};
use crate::schedule::Zones;
use crate::spec::calendars::{Calendars, Said};
use crate::spec::{self, Checked, InputFile};
use crate::sync::{DefaultsTexts, Language};

/// YAML job files.
pub(super) struct JobFiles {
    pub(super) options: spec::Options,
    pub(super) zones: Zones,
}

impl Language for JobFiles {
    fn said(&self, input: &InputFile) -> Said {
        spec::calendars::said(input, &self.options, &self.zones)
    }

    fn check(
        &self,
        inputs: &[InputFile],
        last_good_defaults: &DefaultsTexts,
        calendars: &Calendars,
    ) -> Checked {
        let (options, zones) = (&self.options, &self.zones);
        spec::check_among(inputs, None, last_good_defaults, calendars, options, zones)
    }

    fn print(&self, jobs: &[Job], calendars: &[Calendar]) -> String {
        spec::print(jobs, calendars)
    }

    fn read(&self, text: &str) -> Result<(Vec<Job>, Vec<Calendar>), String> {
        spec::read(text, &self.zones)
    }
}
