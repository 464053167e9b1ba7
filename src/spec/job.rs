//! One job: its keys over its defaults, decided and put together.

use std::borrow::Cow;
use std::sync::Arc;

use super::decode::{Decoder, Scope};
use super::fields::JOB;
use super::keys::bounded;
use super::paths::Home;
use super::problem::Problem;
use super::settings::{HttpSettings, Settings, Slot};
use super::tree::{Entry, Node, Span, shorten};
use super::{commons, http, limits, references, schedule, shell, trust};
use crate::finding::Code;
use crate::ids::JobName;
use crate::model::{
    About, Action, Command, Context, Definition, Grace, Http, Job, Origin, Overlap, Policy, Pool,
    Process, Retry, Text,
};
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

/// The action as far as the job itself says it.
enum Asked {
    Run(Arc<str>, Span),
    Exec(Arc<[Text]>),
    Http(http::Request),
}

/// Reads the job; `None` when something of it is wrong.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    entry: &Entry<'t>,
    around: &Surroundings<'_>,
) -> Option<Job> {
    let before = decoder.errors();
    let name = name(decoder, entry);
    if entry.value.is_empty() || entry.value.is_null() {
        let message = format!("the job `{}` says nothing", shorten(&entry.key));
        let help = "give it `schedule:` and one of `run:`, `exec:`, `http:`";
        decoder.report(Code::WrongType, entry.key_span, &message, help);
        return None;
    }
    decoder.begin_job();
    let own = Own::read(decoder, &entry.value, around)?;
    let Own {
        settings,
        description,
        schedule: schedule_node,
        pool: pool_span,
        actions,
    } = own;
    check_company(decoder, &actions);
    let uses = decoder.take_uses();
    let asked = actions.asked(decoder, entry);
    if !decoder.inherit(around.weight, entry.key_span) {
        return None;
    }
    let settings = settings.over(around.defaults);
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
    let pool_span = pool_span.unwrap_or(entry.key_span);
    let pool = settings.pool.clone().given();
    let pool = pool.and_then(|name| commons::pool(decoder, &name, pool_span));
    let parts = (|| {
        let asked = asked?;
        let read = read?;
        let name = name?;
        let enabled = settings.enabled.clone().given().unwrap_or(true);
        let policy =
            decoder
                .shared
                .policy(policy(&settings, matches!(asked, Asked::Http(_)), pool));
        let about = about(&settings, description);
        let (action, context) = build(decoder, asked, settings, around);
        trust::check_signed(decoder, &action, entry.key_span);
        references::check(decoder, &action, &context, about.as_deref(), &uses, entry);
        Some(Definition {
            name,
            enabled,
            schedule: read.schedule,
            schedule_text: read.text,
            timezone,
            action,
            context: decoder.shared.context(context),
            policy,
            about,
        })
    })()?;
    if decoder.errors_since(before) {
        return None;
    }
    Some(Job {
        definition: Arc::new(parts),
        origin: Origin {
            file: around.file.clone(),
            line: entry.key_span.line,
        },
    })
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

/// What the job itself says.
struct Own<'n, 't> {
    settings: Settings,
    description: Option<Arc<str>>,
    schedule: Option<&'n Node<'t>>,
    /// Where it names its pool.
    pool: Option<Span>,
    actions: Actions<'n, 't>,
}

/// Which of its keys speak of an action, in order.
struct Actions<'n, 't> {
    /// `run`, `exec`, `http`.
    kinds: Vec<(&'static str, &'n Entry<'t>)>,
    /// Keys that only some actions know.
    companions: Vec<(&'static str, Span)>,
    http: Option<http::Request>,
    exec: Option<Arc<[Text]>>,
}

impl<'n, 't> Own<'n, 't> {
    fn read(
        decoder: &mut Decoder<'t, '_>,
        node: &'n Node<'t>,
        around: &Surroundings<'_>,
    ) -> Option<Self> {
        let mut own = Self {
            settings: Settings::default(),
            description: None,
            schedule: None,
            pool: None,
            actions: Actions {
                kinds: Vec::new(),
                companions: Vec::new(),
                http: None,
                exec: None,
            },
        };
        for (key, entry) in decoder.fields(&JOB, node, Scope::Job)? {
            let node = &entry.value;
            match key {
                "schedule" if !node.is_null() => own.schedule = Some(node),
                "description" if !node.is_null() => {
                    own.description = description(decoder, node);
                }
                "run" | "exec" | "http" if !node.is_null() => {
                    own.actions.kinds.push((key, entry));
                    match key {
                        "exec" => own.actions.exec = exec(decoder, node),
                        "http" => {
                            let (request, settings) = http::read(decoder, node, around.home);
                            own.actions.http = request;
                            own.settings.http = settings;
                        }
                        _ => {}
                    }
                }
                "schedule" | "description" | "run" | "exec" | "http" => {}
                _ => {
                    if COMPANIONS.iter().any(|(name, _)| *name == key) && !node.is_null() {
                        own.actions.companions.push((key, entry.key_span));
                    }
                    if key == "pool" {
                        own.pool = Some(node.span);
                    }
                    own.settings.take(decoder, key, entry, around.home);
                }
            }
        }
        Some(own)
    }
}

/// Keys of a job and the actions that know them.
const COMPANIONS: [(&str, &[&str]); 10] = [
    ("shell", &["run"]),
    ("env", &["run", "exec"]),
    ("env_file", &["run", "exec"]),
    ("inherit_env", &["run", "exec"]),
    ("cwd", &["run", "exec"]),
    ("user", &["run", "exec"]),
    ("limits", &["run", "exec"]),
    ("kill_grace", &["run", "exec"]),
    ("stdin", &["run", "exec"]),
    ("success_exit_codes", &["run", "exec"]),
];

/// A key in the wrong company would be taken and do nothing; so it is refused.
fn check_company(decoder: &mut Decoder<'_, '_>, actions: &Actions<'_, '_>) {
    let [(kind, _)] = actions.kinds.as_slice() else {
        return;
    };
    for (key, span) in &actions.companions {
        let known = COMPANIONS.iter().find(|(name, _)| name == key);
        if let Some((_, with)) = known
            && !with.contains(kind)
        {
            let message = format!("`{key}` says nothing beside `{kind}`");
            let help = match *key {
                "success_exit_codes" => "write `expect: { status: […] }` under `http`",
                "stdin" => "write `body:` under `http`",
                "shell" => "`exec` starts the program without a shell; write `run` for one with",
                _ => "remove it",
            };
            decoder.report(Code::NoEffect, *span, &message, help);
        }
    }
}

impl<'t> Actions<'_, 't> {
    fn asked(self, decoder: &mut Decoder<'t, '_>, job: &Entry<'_>) -> Option<Asked> {
        let (kind, entry) = match self.kinds.as_slice() {
            [only] => *only,
            [] => {
                if !decoder.was_meant(&["run", "exec", "http"]) {
                    let message = format!("the job `{}` does nothing", shorten(&job.key));
                    let help = "give it one of `run:`, `exec:`, `http:`";
                    decoder.report(Code::BadAction, job.key_span, &message, help);
                }
                return None;
            }
            [(first, one), (second, two), ..] => {
                let message =
                    format!("a job does one thing, and here are `{first}` and `{second}`");
                let help = "make two jobs of it";
                let mut problem = Problem::new(Code::BadAction, two.key_span, &message, help);
                problem.also = Some((one.key_span, "the first is here"));
                decoder.note(problem);
                return None;
            }
        };
        match kind {
            "exec" => self.exec.map(Asked::Exec),
            "http" => self.http.map(Asked::Http),
            _ => {
                let line = decoder.written_scalar("run", &entry.value)?;
                let line: Arc<str> = Arc::from(line);
                shell::check_line(decoder, &line, entry.value.span)
                    .then_some(Asked::Run(line, entry.value.span))
            }
        }
    }
}

fn description<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<str>> {
    let text = decoder.text("description", node)?;
    bounded(decoder, "description", &text, node, limits::DESCRIPTION)?;
    Some(Arc::from(&*text))
}

fn exec<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<[Text]>> {
    let help = match decoder.plain_text(node) {
        Some(text) if !text.is_empty() => {
            let words: Vec<_> = text.split_whitespace().take(8).collect();
            format!("write [{}], or `run` for a shell line", words.join(", "))
        }
        _ => "write [program, argument]".to_owned(),
    };
    let items = decoder.list("exec", node, &help)?;
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        let text = decoder.template("exec", item, super::decode::Later::Run);
        words.push(text);
    }
    let words: Option<Vec<_>> = words.into_iter().collect();
    let words = words?;
    if words
        .first()
        .is_none_or(|program| program.shown().is_empty())
    {
        decoder.report(
            Code::BadAction,
            node.span,
            "`exec` names no program",
            "write [program, argument]",
        );
        return None;
    }
    Some(words.into())
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

fn policy(settings: &Settings, is_http: bool, pool: Option<Arc<Pool>>) -> Policy {
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
    policy.pool = pool;
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

fn build(
    decoder: &mut Decoder<'_, '_>,
    asked: Asked,
    settings: Settings,
    around: &Surroundings<'_>,
) -> (Action, Context) {
    let secrets = settings.secrets.present();
    let command = match asked {
        Asked::Http(request) => {
            let context = Context {
                secrets,
                ..Context::default()
            };
            return (
                Action::Http(Box::new(request_of(request, settings.http))),
                context,
            );
        }
        Asked::Exec(words) => Command::Exec(words),
        Asked::Run(line, span) => {
            let shell = settings.shell.given().unwrap_or_else(|| {
                let words = [decoder.shared.text("/bin/sh"), decoder.shared.text("-c")];
                decoder.shared.shell(&words)
            });
            shell::warn(decoder, &shell, &line, span);
            Command::Shell { shell, line }
        }
    };
    let process = Process {
        command,
        stdin: settings.stdin.given(),
        success_exit_codes: settings
            .success_exit_codes
            .given()
            .unwrap_or_else(|| decoder.shared.exit_codes(&[0])),
    };
    let context = Context {
        env: settings.env.present(),
        env_files: settings.env_files.given().unwrap_or_default(),
        inherit_env: settings.inherit_env.given().unwrap_or_default(),
        secrets,
        cwd: Some(
            settings
                .cwd
                .given()
                .unwrap_or_else(|| decoder.shared.path(&around.home.folder)),
        ),
        user: settings.user.given(),
        limits: settings.limits.given().unwrap_or_default(),
    };
    (Action::Process(Box::new(process)), context)
}

fn request_of(request: http::Request, settings: HttpSettings) -> Http {
    Http {
        method: request.method,
        url: request.url,
        query: settings.query.given().unwrap_or_default(),
        headers: settings.headers.present(),
        body: request.body,
        follow_redirects: settings.follow_redirects.given().unwrap_or(false),
        expect: settings.expect.given().unwrap_or_default(),
        sign: settings.sign.given(),
        tls: settings.tls.given(),
    }
}

/// The node's text where it is short and plain, for a suggestion.
impl<'t> Decoder<'t, '_> {
    fn plain_text<'n>(&self, node: &'n Node<'t>) -> Option<&'n Cow<'t, str>> {
        node.scalar()
            .map(|scalar| &scalar.text)
            .filter(|text| text.len() < 200)
    }

    fn written_scalar<'n>(&mut self, key: &str, node: &'n Node<'t>) -> Option<&'n str> {
        self.written(key, node).map(|text| &**text)
    }
}
