//! All files: who inherits from whom, what is as it was, what must be read anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::calendars;
use super::commons::{self, Said, Says, Source, Table};
use super::file::{self, DefaultsRead, Setting};
use super::problem::{Page, Problem};
use super::settings::Settings;
use super::shared::Shared;
use super::tree::Span;
use super::{Checked, CheckedFile, InputFile, Options, Shown, Variables, bytes, limits};
use crate::finding::{Code, Finding, Severity};
use crate::model::Commons;
use crate::schedule::{Zone, Zones};

/// The name of the files that hold defaults for their folder.
const DEFAULTS_NAME: &str = "_defaults.yaml";

type Key<'a> = (&'a str, &'a str);

/// Checks all files. A file whose bytes, defaults and options are those of
/// `previous` is taken from there. `last_good_defaults` is the text, by root and
/// path, that serves while a `_defaults.yaml` is bad.
#[must_use]
pub fn check(
    inputs: &[InputFile],
    previous: Option<&Checked>,
    last_good_defaults: &HashMap<(Arc<str>, Arc<str>), Arc<str>>,
    options: &Options,
    zones: &Zones,
) -> Checked {
    let said: Vec<Said> = inputs
        .iter()
        .map(|input| commons::said(input, options, zones))
        .collect();
    let sources: Vec<Source<'_>> = inputs
        .iter()
        .zip(&said)
        .map(|(input, said)| Source {
            root: &input.root,
            path: &input.path,
            shown: &input.shown,
            says: Says::Now(said),
        })
        .collect();
    let commons = Table::resolve(&sources, |_, _| Commons::NONE);
    check_among(
        inputs,
        previous,
        last_good_defaults,
        &commons,
        options,
        zones,
    )
}

/// The same, given what all files define for the whole tree, those that are not among `inputs` too.
#[must_use]
pub fn check_among(
    inputs: &[InputFile],
    previous: Option<&Checked>,
    last_good_defaults: &HashMap<(Arc<str>, Arc<str>), Arc<str>>,
    commons: &Table,
    options: &Options,
    zones: &Zones,
) -> Checked {
    let shared = Shared::among(zones, commons);
    let zone = options.timezone.as_deref().map(|name| zones.get(name));
    let (timezone, unknown_zone) = match zone {
        Some(Ok(zone)) => (zone, None),
        Some(Err(unknown)) => (Zone::utc(), Some(unknown)),
        None => (Zone::utc(), None),
    };
    let load = Load {
        commons,
        setting: Setting {
            options,
            shared: &shared,
            timezone: &timezone,
        },
        salt: salt(options, zones),
        previous: previous.map_or_else(HashMap::new, |checked| {
            checked
                .files
                .iter()
                .map(|file| ((&*file.root, &*file.path), file))
                .collect()
        }),
        last_good: last_good_defaults,
        first: unknown_zone.map(|unknown| {
            let message = format!("--timezone: {unknown}");
            Problem::new(Code::UnknownZone, Span::default(), &message, &unknown.help)
        }),
    };
    let defaults = load.all_defaults(inputs);
    let work = |input| load.file(input, &defaults);
    let mut files = in_parallel(inputs, processors(options), work);
    bound_jobs(&mut files);
    Checked { files }
}

/// One check of all files.
struct Load<'a> {
    setting: Setting<'a>,
    commons: &'a Table,
    /// A hash of everything beside the files that the result depends on.
    salt: [u8; 32],
    previous: HashMap<Key<'a>, &'a Arc<CheckedFile>>,
    last_good: &'a HashMap<(Arc<str>, Arc<str>), Arc<str>>,
    /// What is wrong for every file.
    first: Option<Problem>,
}

/// A `_defaults.yaml`: its check, and the settings of it that are in force.
struct Defaults<'a> {
    input: &'a InputFile,
    checked: Arc<CheckedFile>,
    /// What serves: its own text, or its last good one; `None` when there is none.
    text: Option<Arc<str>>,
    /// What the files below depend on.
    hash: [u8; 32],
    /// Read when the first file below asks.
    settings: OnceLock<Option<Settings>>,
}

impl<'a> Load<'a> {
    fn all_defaults(&self, inputs: &'a [InputFile]) -> HashMap<Key<'a>, Defaults<'a>> {
        inputs
            .iter()
            .filter(|input| is_defaults(&input.path))
            .map(|input| {
                let folder = input.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                ((&*input.root, folder), self.defaults(input))
            })
            .collect()
    }

    fn defaults(&self, input: &'a InputFile) -> Defaults<'a> {
        let hash = self.hash([&input.hash]);
        let settings = OnceLock::new();
        let checked = match self.unchanged(input, hash) {
            Some(known) => known,
            None => {
                let (read, text) = match bytes::text_of(input) {
                    Ok(text) => {
                        let read = file::check_defaults(input, text, &self.setting);
                        (read, Some(Arc::from(text)))
                    }
                    Err(finding) => {
                        let mut read = DefaultsRead::default();
                        read.findings.push(*finding);
                        (read, None)
                    }
                };
                let mut checked = CheckedFile {
                    root: input.root.clone(),
                    path: input.path.clone(),
                    shown: input.shown.clone(),
                    hash,
                    is_defaults: true,
                    jobs: Vec::new(),
                    given: Vec::new(),
                    commons: Arc::default(),
                    dates: None,
                    uses: Box::default(),
                    uses_state: 0,
                    variables: read.variables,
                    names: Vec::new(),
                    findings: read.findings,
                    defaults_text: text,
                };
                if checked.is_bad() {
                    checked.defaults_text = None;
                } else {
                    settings.get_or_init(|| Some(read.settings));
                }
                Arc::new(checked)
            }
        };
        let text = checked.defaults_text.clone().or_else(|| {
            let key = (input.root.clone(), input.path.clone());
            self.last_good.get(&key).cloned()
        });
        let hash = match &text {
            Some(text) => Sha256::digest(text.as_bytes()).into(),
            None => hash,
        };
        Defaults {
            input,
            checked,
            text,
            hash,
            settings,
        }
    }

    fn file(
        &self,
        input: &'a InputFile,
        defaults: &HashMap<Key<'a>, Defaults<'a>>,
    ) -> Arc<CheckedFile> {
        if calendars::is_ics(&input.path) {
            return self.ics(input);
        }
        let chain = chain(input, defaults);
        if is_defaults(&input.path)
            && let Some(own) = chain.first()
        {
            return own.checked.clone();
        }
        let hashes = std::iter::once(&input.hash).chain(chain.iter().map(|one| &one.hash));
        let hash = self.hash(hashes);
        if let Some(known) = self.unchanged(input, hash) {
            return known;
        }
        let mut inherited = Settings::default();
        let mut first: Vec<Problem> = self.first.iter().cloned().collect();
        // From the root down, each over what is above it.
        for one in chain.iter().rev() {
            match self.settings_of(one) {
                Some(settings) => inherited = settings.clone().over(&inherited),
                None => {
                    let message = format!(
                        "the defaults of this file cannot be used: {} is bad",
                        one.input.shown
                    );
                    first.push(Problem::new(
                        Code::BadDefaults,
                        Span::default(),
                        &message,
                        "mend that file first",
                    ));
                }
            }
        }
        if input.path.rsplit('/').next() == Some("_defaults.yml") {
            first.push(Problem::new(
                Code::BadName,
                Span::default(),
                "`_defaults.yml` is not looked for",
                "name it `_defaults.yaml`",
            ));
        }
        let outcome = file::check(input, &inherited, first, &self.setting);
        Arc::new(CheckedFile {
            root: input.root.clone(),
            path: input.path.clone(),
            shown: input.shown.clone(),
            hash,
            is_defaults: false,
            jobs: outcome.jobs,
            given: outcome.given,
            commons: Arc::new(outcome.commons),
            dates: None,
            uses_state: self
                .commons
                .state_of(&input.root, &input.path, &outcome.uses),
            uses: outcome.uses,
            variables: outcome.variables,
            names: outcome.names,
            findings: outcome.findings,
            defaults_text: None,
        })
    }

    fn ics(&self, input: &'a InputFile) -> Arc<CheckedFile> {
        let hash = self.hash([&input.hash]);
        if let Some(known) = self.unchanged(input, hash) {
            return known;
        }
        let (dates, findings) = super::ics::check(input, self.setting.shared.zones);
        Arc::new(CheckedFile {
            root: input.root.clone(),
            path: input.path.clone(),
            shown: input.shown.clone(),
            hash,
            is_defaults: false,
            jobs: Vec::new(),
            given: Vec::new(),
            commons: Arc::default(),
            dates: dates.map(Arc::new),
            uses: Box::default(),
            uses_state: 0,
            variables: Variables::default(),
            names: Vec::new(),
            findings,
            defaults_text: None,
        })
    }

    /// What is in force of a `_defaults.yaml`; `None` when nothing of it can be.
    fn settings_of<'d>(&self, one: &'d Defaults<'a>) -> Option<&'d Settings> {
        let text = one.text.as_ref()?;
        let settings = one.settings.get_or_init(|| {
            // A text that was good once may be so no more, as when a variable is gone.
            let read = file::check_defaults(one.input, text, &self.setting);
            let mut findings = read.findings.iter();
            let good = findings.all(|finding| finding.severity != Severity::Error);
            good.then_some(read.settings)
        });
        settings.as_ref()
    }

    fn unchanged(&self, input: &InputFile, hash: [u8; 32]) -> Option<Arc<CheckedFile>> {
        // Without bytes there is no hash that could tell.
        if input.content.is_err() {
            return None;
        }
        let known = self.previous.get(&(&*input.root, &*input.path))?;
        let uses = self.commons.state_of(&input.root, &input.path, &known.uses);
        let same = known.hash == hash && known.shown == input.shown && known.uses_state == uses;
        same.then(|| Arc::clone(known))
    }

    fn hash<'h>(&self, parts: impl IntoIterator<Item = &'h [u8; 32]>) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// The `_defaults.yaml` files that a file inherits from, the nearest first.
fn chain<'d, 'a>(
    input: &'a InputFile,
    defaults: &'d HashMap<Key<'a>, Defaults<'a>>,
) -> Vec<&'d Defaults<'a>> {
    if defaults.is_empty() {
        return Vec::new();
    }
    let mut chain = Vec::new();
    let mut path: &str = &input.path;
    while !path.is_empty() {
        path = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if let Some(found) = defaults.get(&(&*input.root, path)) {
            chain.push(found);
        }
    }
    chain
}

fn is_defaults(path: &str) -> bool {
    path.rsplit('/').next() == Some(DEFAULTS_NAME)
}

/// What a result depends on beside bytes, as one hash.
fn salt(options: &Options, zones: &Zones) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(options.timezone.as_deref().unwrap_or(""));
    add(if options.allow_missing_env { "y" } else { "n" });
    for name in options.env_allow.iter().flat_map(|names| names.iter()) {
        add(name);
    }
    add("");
    for (name, shown) in options.lent.iter().flat_map(|lent| lent.iter()) {
        add(name);
        add(if shown == Shown::Value { "y" } else { "n" });
    }
    add(if options.lent.is_some() { "y" } else { "n" });
    let mut env: Vec<_> = options.env.iter().collect();
    env.sort_unstable();
    for (name, value) in env {
        add(name);
        add(value);
    }
    add(zones.version().unwrap_or(""));
    add(&zones.source().to_string());
    hash.finalize().into()
}

/// How many processors a check may use: all of them, but for files that somebody asks a running elder
/// about, whose jobs come first.
fn processors(options: &Options) -> usize {
    if options.lent.is_some() {
        return 1;
    }
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(16)
}

/// Does `work` for each input on so many threads, and keeps the order.
fn in_parallel<'a>(
    inputs: &'a [InputFile],
    threads: usize,
    work: impl Fn(&'a InputFile) -> Arc<CheckedFile> + Sync,
) -> Vec<Arc<CheckedFile>> {
    // Starting threads costs more than a few small files.
    let bytes: usize = inputs
        .iter()
        .map(|input| input.content.as_ref().map_or(0, |content| content.len()))
        .sum();
    if threads == 1 || inputs.len() < 2 || bytes < 64 << 10 {
        return inputs.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let slots: Vec<OnceLock<Arc<CheckedFile>>> = inputs.iter().map(|_| OnceLock::new()).collect();
    let run = || {
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(inputs) = inputs.get(from..) else {
                return;
            };
            for (input, slot) in inputs.iter().zip(&slots[from..]).take(CHUNK) {
                slot.get_or_init(|| work(input));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Without one more, it takes longer.
            let _ = std::thread::Builder::new().spawn_scoped(scope, run);
        }
        run();
    });
    // Every slot is filled: the loop above ends only past the last one.
    slots.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// Files that a thread takes at once.
const CHUNK: usize = 8;

/// Keeps the jobs of a tree within the limit: the file that goes over it is bad, and all after it.
fn bound_jobs(files: &mut [Arc<CheckedFile>]) {
    let mut jobs = 0usize;
    for file in files {
        jobs = jobs.saturating_add(file.jobs.len());
        if jobs > limits::JOBS && !file.jobs.is_empty() {
            let message = format!("more than {} jobs up to this file", limits::JOBS);
            let problem = Problem::new(Code::Limit, Span::default(), &message, "");
            let finding: Finding = Page::new(file.shown.clone(), "").finding(problem);
            let mut bad = CheckedFile::clone(file);
            bad.jobs = Vec::new();
            bad.given = Vec::new();
            bad.findings.push(finding);
            // It is not what its bytes make of it: the next check looks again.
            bad.hash = [0; 32];
            *file = Arc::new(bad);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::{input, options, zones};

    #[test]
    fn files_of_somebody_who_only_asks_are_checked_on_one_processor() {
        let asked = Options {
            lent: Some(Arc::default()),
            ..options(&[])
        };
        assert_eq!(processors(&asked), 1);
        let here = std::thread::current().id();
        // So much that more than one thread would be worth it.
        let comment = "#".repeat(16 << 10);
        let files = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        let inputs = files.map(|name| input(&format!("{name}.yaml"), comment.as_bytes()));
        let checked = check(&inputs, None, &HashMap::new(), &asked, zones());
        let again = in_parallel(&inputs, processors(&asked), |_| {
            assert_eq!(std::thread::current().id(), here);
            checked.files[0].clone()
        });
        assert_eq!(again.len(), inputs.len());
    }
}
