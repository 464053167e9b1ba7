//! One job: its keys over its defaults, decided and put together.

use std::sync::Arc;

use super::action::{Actions, Asked, build, check_company};
use super::decode::{Decoder, Scope};
use super::fields::JOB;
use super::given::Given;
use super::keys::bounded;
use super::paths::Home;
use super::settings::{Settings, Slot};
use super::tree::{Entry, Node, Span, shorten};
use super::{aliases, commons, limits, references, schedule, trust};
use crate::finding::Code;
use crate::ids::JobName;
use crate::model::{About, Definition, Grace, IdCell, Job, Origin, Overlap, Policy, Retry};
use crate::schedule::Zone;

/// What all jobs of a file have from elsewhere.
pub(super) struct Surroundings<'a> {
    pub home: &'a Home,
    /// The file's defaults over those of its folders.
    pub defaults: &'a Settings,
    /// How many names and values of them each job takes.
    pub weight: usize,
    /// `--timezone`, else UTC.
    pub timezone: &'a Zone,
    pub file: &'a Arc<str>,
}

/// Reads the job; `None` when something of it is wrong.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    entry: &Entry<'t>,
    around: &Surroundings<'_>,
) -> Option<(Job, Given)> {
    let before = decoder.errors();
    let name = name(decoder, entry);
    if entry.value.is_empty() || entry.value.is_null() {
        let message = format!("the job `{}` says nothing", shorten(&entry.key));
        let help = "give it `schedule:` and one of `run:`, `exec:`, `http:`";
        decoder.report(Code::WrongType, entry.key_span, &message, help);
        return None;
    }
    decoder.begin_job();
    let own = Own::read(decoder, &entry.value, &entry.key, around)?;
    let Own {
        settings,
        description,
        schedule: schedule_node,
        aliases,
        spans,
        actions,
    } = own;
    check_company(decoder, &actions);
    let uses = decoder.take_uses();
    let asked = actions.asked(decoder, "job", entry);
    if !decoder.inherit(around.weight, entry.key_span) {
        return None;
    }
    let settings = settings.over(around.defaults);
    let given = settings.given;
    let (zone, timezone) = zone_of(decoder, &settings.timezone, around);
    let read = match schedule_node {
        Some(node) => schedule::read(decoder, node, &zone, entry.key.clone()),
        None => {
            if !decoder.was_meant(&["schedule"]) {
                let message = format!("the job `{}` has no `schedule`", shorten(&entry.key));
                let help = "write `schedule: { daily: \"02:00\" }`, or `schedule: manual`";
                decoder.report(Code::MissingKey, entry.key_span, &message, help);
            }
            None
        }
    };
    let span = |key| {
        let own = spans.iter().find(|(known, _)| *known == key);
        own.map_or(entry.key_span, |(_, span)| *span)
    };
    let pool = settings.pool.clone().given();
    let pool = pool.and_then(|name| commons::pool(decoder, &name, span("pool")));
    let audience = commons::audience(decoder, &settings, span);
    let parts = (|| {
        let asked = asked?;
        let read = read?;
        let name = name?;
        let enabled = settings.enabled.clone().given().unwrap_or(true);
        let policy = Policy {
            pool,
            audience,
            ..policy(&settings, matches!(asked, Asked::Http(_)))
        };
        let policy = decoder.shared.policy(policy);
        let about = about(&settings, description);
        let (action, context) = build(decoder, asked, settings, around.home);
        trust::check_signed(decoder, &action, entry.key_span);
        references::check(decoder, &action, &context, about.as_deref(), &uses, entry);
        Some(Definition {
            name,
            aliases: aliases.unwrap_or_default(),
            enabled,
            schedule: read.schedule,
            schedule_text: read.text,
            timezone,
            action,
            context: decoder.shared.context(context),
            policy,
            about,
            id: IdCell::default(),
        })
    })()?;
    if decoder.errors_since(before) {
        return None;
    }
    let job = Job {
        definition: Arc::new(parts),
        origin: Origin {
            file: around.file.clone(),
            line: decoder.line_of(entry.key_span),
        },
    };
    Some((job, given))
}

fn name(decoder: &mut Decoder<'_, '_>, entry: &Entry<'_>) -> Option<JobName> {
    match JobName::new(&entry.key) {
        Ok(name) => Some(name),
        Err(error) => {
            let message = format!("`{}` cannot be a name: {error}", shorten(&entry.key));
            let help =
                proper_name(&entry.key).map_or_else(String::new, |name| format!("write `{name}`"));
            decoder.report(Code::BadName, entry.key_span, &message, &help);
            None
        }
    }
}

fn proper_name(text: &str) -> Option<String> {
    let name: String = text
        .trim()
        .chars()
        .map(|c| if c == ' ' || c == '/' { '-' } else { c })
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        .collect();
    let name = name.trim_start_matches(['.', '_', '-']);
    (name.len() >= 2 && JobName::new(name).is_ok()).then(|| name.to_owned())
}

/// Keys by which a job names what stands elsewhere.
const REFERS: [&str; 6] = [
    "pool",
    "on_success",
    "on_failure",
    "on_missed",
    "on_recovery",
    "on_stale",
];

/// What the job itself says.
struct Own<'n, 't> {
    settings: Settings,
    description: Option<Arc<str>>,
    schedule: Option<&'n Node<'t>>,
    /// Where it names what stands elsewhere.
    spans: Vec<(&'static str, Span)>,
    aliases: Option<Arc<[JobName]>>,
    actions: Actions<'n, 't>,
}

impl<'n, 't> Own<'n, 't> {
    fn read(
        decoder: &mut Decoder<'t, '_>,
        node: &'n Node<'t>,
        job: &str,
        around: &Surroundings<'_>,
    ) -> Option<Self> {
        let mut own = Self {
            settings: Settings::default(),
            description: None,
            schedule: None,
            spans: Vec::new(),
            aliases: None,
            actions: Actions::default(),
        };
        for (key, entry) in decoder.fields(&JOB, node, Scope::Job)? {
            let node = &entry.value;
            own.settings.given.note(key, node);
            match key {
                "schedule" if !node.is_null() => own.schedule = Some(node),
                "description" if !node.is_null() => {
                    own.description = description(decoder, node);
                }
                aliases::KEY if !node.is_null() => {
                    own.aliases = aliases::read(decoder, node, job);
                }
                "run" | "exec" | "http" if !node.is_null() => {
                    let settings = &mut own.settings;
                    own.actions.take(decoder, key, entry, settings, around.home);
                }
                "schedule" | "description" | aliases::KEY | "run" | "exec" | "http" => {}
                _ => {
                    own.actions.beside(key, entry);
                    if REFERS.contains(&key) {
                        own.spans.push((key, node.span));
                    }
                    own.settings.take(decoder, key, entry, around.home);
                }
            }
        }
        Some(own)
    }
}

fn description<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<str>> {
    let text = decoder.text("description", node)?;
    bounded(decoder, "description", &text, node, limits::DESCRIPTION)?;
    Some(Arc::from(&*text))
}

fn zone_of(
    decoder: &mut Decoder<'_, '_>,
    slot: &Slot<Arc<str>>,
    around: &Surroundings<'_>,
) -> (Zone, Arc<str>) {
    match slot {
        Slot::Given(name) => match decoder.shared.zones.get(name) {
            Ok(zone) => (zone, name.clone()),
            // It was found when the layer was read.
            Err(_) => (Zone::utc(), name.clone()),
        },
        Slot::BuiltIn => (Zone::utc(), decoder.shared.text("UTC")),
        Slot::Silent => {
            let name = decoder.shared.text(around.timezone.name());
            (around.timezone.clone(), name)
        }
    }
}

fn policy(settings: &Settings, is_http: bool) -> Policy {
    let mut policy = Policy::built_in(if is_http {
        Policy::HTTP_TIMEOUT
    } else {
        Policy::PROCESS_TIMEOUT
    });
    if let Slot::Given(timeout) = settings.timeout {
        policy.timeout = timeout;
    }
    policy.kill_grace = settings
        .kill_grace
        .clone()
        .given()
        .unwrap_or(policy.kill_grace);
    policy.retry = settings
        .retry
        .clone()
        .given()
        .unwrap_or_else(Retry::built_in);
    policy.max_instances = settings
        .max_instances
        .clone()
        .given()
        .unwrap_or(policy.max_instances);
    policy.overlap = settings.overlap.clone().given().unwrap_or(Overlap::Skip);
    policy.grace = settings.grace.clone().given().unwrap_or(Grace::Auto);
    policy.after_crash = settings
        .after_crash
        .clone()
        .given()
        .unwrap_or(policy.after_crash);
    policy.coalesce = settings.coalesce.clone().given().unwrap_or(policy.coalesce);
    policy.success_within = settings.success_within.clone().given();
    let output = settings.output_keep.clone().given();
    policy.output_keep = output.unwrap_or(policy.output_keep);
    policy.history = settings.history.clone().given().unwrap_or(policy.history);
    policy
}

fn about(settings: &Settings, description: Option<Arc<str>>) -> Option<Arc<About>> {
    let about = About {
        description,
        owner: settings.owner.clone().given(),
        labels: settings.labels.clone().present(),
    };
    (about != About::default()).then(|| Arc::new(about))
}
