//! One file: bytes to text to tree to jobs, with everything that is wrong with it.

use std::collections::HashMap;
use std::sync::Arc;

use super::aliases;
use super::calendars;
use super::commons::{self, InFile, Use};
use super::decode::{Decoder, Scope};
use super::fields::{JOB, TOP};
use super::foreign;
use super::given::Given;
use super::job::{self, Surroundings};
use super::paths::Home;
use super::problem::{Page, Problem};
use super::settings::Settings;
use super::shared::Shared;
use super::tree::{self, Entry, Node, Span, Tree, Value, shorten};
use super::{InputFile, NamePlace, Options, Variables, bytes, limits};
use crate::finding::{Code, Finding};
use crate::model::{Commons, Job, NameKind};
use crate::schedule::Zone;

/// What came of a file.
#[derive(Default)]
pub(super) struct Outcome {
    pub jobs: Vec<Job>,
    pub given: Vec<Given>,
    pub commons: Commons,
    pub uses: Box<[Use]>,
    pub variables: Variables,
    pub names: Vec<NamePlace>,
    pub findings: Vec<Finding>,
}

/// What a file needs beside its text.
pub(super) struct Setting<'a> {
    pub options: &'a Options,
    pub shared: &'a Shared<'a>,
    /// `--timezone`, else UTC.
    pub timezone: &'a Zone,
}

/// Checks a job file.
pub(super) fn check(
    input: &InputFile,
    inherited: &Settings,
    first: Vec<Problem>,
    setting: &Setting<'_>,
) -> Outcome {
    let text = match bytes::text_of(input) {
        Ok(text) => text,
        Err(finding) => {
            return Outcome {
                findings: vec![*finding],
                ..Outcome::default()
            };
        }
    };
    let page = Page::of(input, text);
    let mut decoder = Decoder::new(&page, setting.options, setting.shared);
    decoder.commons = InFile::of(input);
    for problem in first {
        decoder.note(problem);
    }
    let tree = tree::parse(text);
    if let Some(problem) = foreign::kubernetes(&tree, text, &input.shown) {
        return Outcome {
            findings: vec![page.finding(problem)],
            ..Outcome::default()
        };
    }
    let names = names(&tree, &page);
    let complete = tree.complete;
    for problem in tree.problems {
        decoder.note(problem);
    }
    let (mut jobs, mut given) = (Vec::new(), Vec::new());
    let mut commons = Commons::default();
    if complete {
        match &tree.root {
            Some(root) => {
                ((jobs, given), commons) = top(&mut decoder, root, input, inherited, setting);
            }
            None => decoder.report(
                Code::EmptyFile,
                Span::default(),
                "the file holds no job",
                "",
            ),
        }
    }
    let bad = decoder.errors_since(0);
    Outcome {
        jobs: if bad { Vec::new() } else { jobs },
        given: if bad { Vec::new() } else { given },
        commons: if bad { Commons::default() } else { commons },
        uses: decoder.commons.take_uses(),
        variables: std::mem::take(&mut decoder.variables),
        names,
        findings: decoder.finish(),
    }
}

fn top<'t>(
    decoder: &mut Decoder<'t, '_>,
    root: &Node<'t>,
    input: &InputFile,
    inherited: &Settings,
    setting: &Setting<'_>,
) -> ((Vec<Job>, Vec<Given>), Commons) {
    let home = &Home::new(&input.root_folder, &input.path);
    let mut commons = Commons::default();
    let mut calendars = commons::Section::default();
    let fields = top_fields(decoder, root);
    let mut own = Settings::default();
    let mut jobs_node = None;
    for (key, entry) in fields {
        match key {
            "defaults" if !entry.value.is_null() => {
                own = defaults(decoder, &entry.value, home);
            }
            "jobs" if !entry.value.is_null() => jobs_node = Some(&entry.value),
            "calendars" => calendars = calendars::read(decoder, &entry.value, home),
            "pools" => commons.pools = commons::define(decoder, &entry.value, home),
            "sages" => commons.sages = commons::define(decoder, &entry.value, home),
            _ => {}
        }
    }
    let is_empty = calendars.good.is_empty() && commons.is_empty();
    decoder.commons.unread_calendars = calendars.unread;
    if let Some(known) = setting.shared.commons {
        let (bound, own) = calendars::bind(decoder, &calendars.good, input, &known.calendars);
        decoder.commons.calendars = own;
        commons.calendars = bound;
    }
    let settings = own.over(inherited);
    let around = Surroundings {
        home,
        defaults: &settings,
        weight: settings.weight(),
        timezone: setting.timezone,
        file: &input.shown,
    };
    let Some(node) = jobs_node else {
        if !decoder.errors_since(0) && is_empty {
            decoder.report(
                Code::EmptyFile,
                Span::default(),
                "the file holds no job",
                "",
            );
        }
        return (<_>::default(), commons);
    };
    let jobs = jobs(decoder, node, &around);
    commons.kept_sages = std::mem::take(&mut decoder.commons.kept_sages);
    (jobs, commons)
}

/// The jobs under `jobs:`.
fn jobs<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    around: &Surroundings<'_>,
) -> (Vec<Job>, Vec<Given>) {
    let Value::Map(entries) = &node.value else {
        let message = format!("`jobs` is a mapping of names, not {}", node.kind());
        let help = "write each job under its name: `jobs: { NAME: { … } }`";
        decoder.report(Code::WrongType, node.span, &message, help);
        return <_>::default();
    };
    if entries.len() > limits::FILE_JOBS {
        let message = format!("more than {} jobs in one file", limits::FILE_JOBS);
        decoder.report(Code::Limit, node.span, &message, "make several files of it");
        return <_>::default();
    }
    names_in_another_case(decoder, entries);
    aliases::check_file(decoder, entries);
    if entries.is_empty() {
        decoder.report(
            Code::EmptyFile,
            Span::default(),
            "the file holds no job",
            "",
        );
    }
    let mut jobs = Vec::with_capacity(entries.len());
    let mut given = Vec::with_capacity(entries.len());
    for entry in entries.iter() {
        if decoder.is_full() {
            break;
        }
        if let Some((job, keys)) = job::read(decoder, entry, around) {
            jobs.push(job);
            given.push(keys);
        }
    }
    (jobs, given)
}

/// The known keys of the top; what begins with `x-` is for anchors.
fn top_fields<'n, 't>(
    decoder: &mut Decoder<'t, '_>,
    root: &'n Node<'t>,
) -> Vec<(&'static str, &'n Entry<'t>)> {
    decoder
        .fields_but(&TOP, root, Scope::Job, |key| key.starts_with("x-"))
        .unwrap_or_default()
}

fn defaults<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>, home: &Home) -> Settings {
    let mut settings = Settings::default();
    for (key, entry) in decoder
        .fields(&JOB, node, Scope::Defaults)
        .unwrap_or_default()
    {
        settings.take(decoder, key, entry, home);
    }
    // What a default refers to is looked up in the jobs that take it.
    decoder.take_uses();
    settings
}

/// What came of a `_defaults.yaml`.
#[derive(Default)]
pub(super) struct DefaultsRead {
    /// Worth something only when nothing is wrong.
    pub settings: Settings,
    pub variables: Variables,
    pub findings: Vec<Finding>,
}

/// Checks a `_defaults.yaml`.
pub(super) fn check_defaults(input: &InputFile, text: &str, setting: &Setting<'_>) -> DefaultsRead {
    let page = Page::of(input, text);
    let mut decoder = Decoder::new(&page, setting.options, setting.shared);
    let home = Home::new(&input.root_folder, &input.path);
    let tree = tree::parse(text);
    for problem in tree.problems {
        decoder.note(problem);
    }
    let mut settings = Settings::default();
    if let Some(root) = tree.root.as_ref().filter(|_| tree.complete) {
        for (key, entry) in top_fields(&mut decoder, root) {
            match key {
                "defaults" if !entry.value.is_null() => {
                    settings = defaults(&mut decoder, &entry.value, &home);
                }
                "jobs" | "calendars" | "pools" | "sages" => decoder.report(
                    Code::UnknownKey,
                    entry.key_span,
                    "`_defaults.yaml` holds `defaults:` and nothing else",
                    "put the rest into a file of another name",
                ),
                _ => {}
            }
        }
    }
    DefaultsRead {
        settings,
        variables: std::mem::take(&mut decoder.variables),
        findings: decoder.finish(),
    }
}

pub(super) fn names_in_another_case(decoder: &mut Decoder<'_, '_>, entries: &[Entry<'_>]) {
    let mut seen: HashMap<String, &Entry<'_>> = HashMap::with_capacity(entries.len());
    for entry in entries {
        if decoder.is_full() {
            return;
        }
        let Some(first) = seen.insert(entry.key.to_ascii_lowercase(), entry) else {
            continue;
        };
        let message = format!(
            "`{}` and `{}` differ only in case",
            shorten(&first.key),
            shorten(&entry.key)
        );
        let mut problem = Problem::new(
            Code::DuplicateName,
            entry.key_span,
            &message,
            "give one of the two another name",
        );
        problem.also = Some((first.key_span, "first given here"));
        decoder.note(problem);
    }
}

/// Where names stand, as far as the text could be read.
fn names(tree: &Tree<'_>, page: &Page<'_>) -> Vec<NamePlace> {
    let Some(Value::Map(top)) = tree.root.as_ref().map(|root| &root.value) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for kind in NameKind::SECTIONS {
        let section = top.iter().find(|entry| entry.key == kind.key());
        let Some(Value::Map(entries)) = section.map(|entry| &entry.value.value) else {
            continue;
        };
        let place = |kind, name: &str, span| NamePlace {
            kind,
            name: Arc::from(name),
            at: page.excerpt(span, ""),
        };
        for entry in entries.iter().take(limits::FILE_JOBS) {
            names.push(place(kind, &entry.key, entry.key_span));
            if kind == NameKind::Job {
                let former = aliases::written(entry);
                names.extend(former.map(|(name, span)| place(NameKind::Alias, name, span)));
            }
        }
    }
    names
}
