//! What each rule asks, one function each: `None` where it has nothing to say.

use std::time::Duration;

use super::interval::Intervals;
use super::{Breach, Subject, cut, listed, programs, secrets};
use crate::duration;
use crate::model::{Action, Command, Context, Job, Part, Text, Variable};
use crate::spec::{Given, Pattern, TeamPolicy, TeamRule};

/// Every rule that it does not keep to. Sages are asked what they do, jobs all of it.
pub(super) fn breaches<'a>(
    subject: &Subject<'a>,
    policy: &TeamPolicy,
    intervals: &mut Intervals<'a>,
) -> Vec<(TeamRule, Breach)> {
    let mut found = Vec::new();
    let mut note = |rule: TeamRule, breach: Option<Breach>| {
        found.extend(breach.map(|breach| (rule, breach)));
    };
    let (action, context) = match subject {
        Subject::Job(job, given) => {
            note(TeamRule::Required, required(job, *given, policy));
            note(TeamRule::Labels, labels(job, policy));
            if let Some(least) = policy.min_interval {
                note(TeamRule::MinInterval, min_interval(job, least, intervals));
            }
            if let Some(most) = policy.max_timeout {
                note(TeamRule::MaxTimeout, max_timeout(job, most));
            }
            if let Some(allowed) = &policy.timezones {
                note(TeamRule::Timezones, timezones(job, *given, allowed));
            }
            (&job.definition.action, &job.definition.context)
        }
        Subject::Sage(sage) => (&sage.action, &sage.context),
    };
    if let Some(allowed) = &policy.actions {
        note(TeamRule::Actions, actions(action, allowed));
    }
    if let Some(allowed) = &policy.hosts {
        note(TeamRule::Hosts, hosts(action, allowed));
    }
    if let Some(allowed) = &policy.programs {
        let by = By {
            allowed,
            context,
            has_own_folder: matches!(subject, Subject::Job(_, given) if given.has("cwd")),
        };
        note(TeamRule::Programs, by.started(action));
    }
    if policy.forbids_inline_secrets {
        note(TeamRule::InlineSecrets, secrets::breach(action, context));
    }
    found
}

fn required(job: &Job, given: Given, policy: &TeamPolicy) -> Option<Breach> {
    let about = job.definition.about.as_deref();
    let is_empty = |key: &str| {
        let text = match key {
            "owner" => about.and_then(|about| about.owner.as_deref()),
            "description" => about.and_then(|about| about.description.as_deref()),
            "labels" => return about.is_none_or(|about| about.labels.is_empty()),
            _ => return false,
        };
        text.is_none_or(|text| text.trim().is_empty())
    };
    let required = policy.required.iter().copied();
    let missing: Vec<&str> = required
        .filter(|key| !given.has(key) || is_empty(key))
        .collect();
    let first = missing.first()?;
    Some(Breach::new(
        format!("lacks {}, which the policy asks for", listed(&missing)),
        format!("write `{first}: …` in the job or in its defaults"),
    ))
}

fn labels(job: &Job, policy: &TeamPolicy) -> Option<Breach> {
    let about = job.definition.about.as_deref();
    let own = about.map_or(&[][..], |about| &about.labels);
    policy.labels.iter().find_map(|(name, allowed)| {
        let label = own.iter().find(|(known, _)| known == name);
        let value = label.and_then(|(_, text)| text.fixed()).unwrap_or_default();
        let words = || listed(allowed.iter().map(Pattern::as_str));
        let is_any = allowed.iter().any(|one| one.as_str() == "*");
        let message = if value.is_empty() {
            format!("has no label `{name}`, which the policy asks for")
        } else if allowed.iter().any(|one| one.is(&value)) {
            return None;
        } else {
            let words = words();
            let shown = label.map_or("", |(_, text)| text.shown());
            format!(
                "has the label `{name}: {}`, and allowed are {words}",
                cut(shown)
            )
        };
        let help = match is_any {
            true => format!("write `labels: {{ {name}: … }}` in the job or in its defaults"),
            false => format!("write `labels: {{ {name}: … }}` with one of {}", words()),
        };
        Some(Breach::new(message, help))
    })
}

fn min_interval<'a>(
    job: &'a Job,
    least: Duration,
    intervals: &mut Intervals<'a>,
) -> Option<Breach> {
    let closest = intervals.closest(&job.definition.schedule)?;
    if closest.apart >= least {
        return None;
    }
    Some(Breach::new(
        format!(
            "fires at {} and {} after that, and at least {} between two fires are asked for",
            closest.first,
            duration::print(closest.apart),
            duration::print(least)
        ),
        "let it fire less often".to_owned(),
    ))
}

fn max_timeout(job: &Job, most: Duration) -> Option<Breach> {
    let may_take = match job.definition.policy.timeout {
        Some(timeout) if timeout <= most => return None,
        Some(timeout) => format!("may take {} an attempt", duration::print(timeout)),
        None => "may take any time (`timeout: none`)".to_owned(),
    };
    let most = duration::print(most);
    Some(Breach::new(
        format!("{may_take}, and at most {most} are allowed"),
        format!("write `timeout: {most}` or less, in the job or in its defaults"),
    ))
}

fn timezones(job: &Job, given: Given, allowed: &[Pattern]) -> Option<Breach> {
    let definition = &*job.definition;
    let is_allowed = |zone: &str| allowed.iter().any(|one| one.is(zone));
    let mut zones: Vec<&str> = definition
        .schedule
        .zones()
        .map(|zone| zone.name())
        .collect();
    if given.has("timezone") {
        zones.push(&definition.timezone);
    }
    let zone = zones.into_iter().find(|zone| !is_allowed(zone))?;
    let words = listed(allowed.iter().map(Pattern::as_str));
    Some(Breach::new(
        format!("goes by the clock of `{zone}`, and allowed are {words}"),
        "write `timezone: …` in the job or in its defaults",
    ))
}

fn actions(action: &Action, allowed: &[&'static str]) -> Option<Breach> {
    let kind = action.kind();
    if allowed.contains(&kind) {
        return None;
    }
    let words = listed(allowed);
    Some(Breach::new(
        format!("is a `{kind}`, and allowed are {words}"),
        format!("write it as {words}"),
    ))
}

fn hosts(action: &Action, allowed: &[Pattern]) -> Option<Breach> {
    let Action::Http(http) = action else {
        return None;
    };
    let words = || listed(allowed.iter().map(Pattern::as_str));
    match host(&http.url) {
        Host::Elder => None,
        Host::Name(host) if allowed.iter().any(|one| one.is(&host)) => None,
        Host::Name(host) => Some(Breach::new(
            format!("asks `{}`, and allowed are {}", cut(&host), words()),
            "ask an allowed host",
        )),
        Host::Unknown => Some(Breach::new(
            "asks a host that is known only when it runs",
            "write the host into `url`",
        )),
    }
}

/// Whom a request asks.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    /// Elder itself.
    Elder,
    /// In lower case.
    Name(String),
    /// A part of it is filled in when the run starts.
    Unknown,
}

/// What stands for a part that only a run fills in.
const LATER: char = '\0';

fn host(url: &Text) -> Host {
    let parts = url.parts();
    let of_elder = matches!(parts.first(), Some(Part::Variable(Variable::Server)));
    let text: String = parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => text.to_string(),
            Part::Secret(_) | Part::Variable(_) => LATER.to_string(),
        })
        .collect();
    if of_elder {
        // Anything else makes another host of it: `${elder.server}@evil.example`.
        let rest = &text[LATER.len_utf8()..];
        return match rest.is_empty() || rest.starts_with(['/', '?']) {
            true => Host::Elder,
            false => Host::Unknown,
        };
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Host::Unknown;
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(address) => format!("[{}]", address.split(']').next().unwrap_or_default()),
        None => host.split(':').next().unwrap_or_default().to_owned(),
    };
    // What is filled in before the path may hold a `/`, and so be the host whatever follows it.
    if scheme.contains(LATER) || authority.contains(LATER) || host.is_empty() {
        return Host::Unknown;
    }
    Host::Name(host.trim_end_matches('.').to_ascii_lowercase())
}

/// By what processes are judged.
struct By<'a> {
    allowed: &'a [Pattern],
    context: &'a Context,
    /// Whether they begin elsewhere than in the folder of their file.
    has_own_folder: bool,
}

impl By<'_> {
    fn started(&self, action: &Action) -> Option<Breach> {
        let Action::Process(process) = action else {
            return None;
        };
        let unknown = |what: &str| {
            Breach::new(
                format!("starts what only the run can tell ({what})"),
                "name the program, or write the line as a script",
            )
        };
        let (mut programs, mut looked_for) = (Vec::new(), Vec::new());
        match &process.command {
            Command::Exec(words) => {
                let first = words.first()?;
                match first.fixed() {
                    Some(program) => programs.push(program),
                    None => return Some(unknown(first.shown())),
                }
            }
            Command::Shell { shell, line } => {
                let is_known = programs::is_known_shell(shell);
                match (shell.first(), programs::commands(line)) {
                    (Some(program), _) if !is_known && !self.allows(program) => {
                        return Some(self.refused(program));
                    }
                    _ if !is_known => return Some(unknown("`shell`")),
                    (_, Err(what)) => return Some(unknown(what)),
                    (_, Ok(commands)) => programs = commands,
                }
                looked_for.extend(shell.first().map(|program| &**program));
            }
        }
        if let Some(other) = programs.iter().find(|program| !self.allows(program)) {
            return Some(self.refused(other));
        }
        looked_for.extend(programs.iter().map(String::as_str));
        self.by_the_environment(&looked_for)
    }

    fn allows(&self, program: &str) -> bool {
        let plain = program.strip_prefix("./").unwrap_or(program);
        self.allowed.iter().any(|one| {
            one.is_path(program)
                || one.as_str().starts_with("./") && one.is_path(&format!("./{plain}"))
        })
    }

    fn refused(&self, program: &str) -> Breach {
        let words = listed(self.allowed.iter().map(Pattern::as_str));
        Breach::new(
            format!("starts `{}`, and allowed are {words}", cut(program)),
            "start an allowed program",
        )
    }

    /// What makes another program of an allowed name.
    fn by_the_environment(&self, programs: &[&str]) -> Option<Breach> {
        if self.has_own_folder
            && let Some(program) = programs.iter().find(|one| programs::is_below(one))
        {
            return Some(Breach::new(
                format!("starts `{}` below a `cwd` of its own", cut(program)),
                "write the program with its whole path, or leave `cwd` out",
            ));
        }
        let env = self.context.env.iter();
        let env = env.map(|(name, value)| (name, value.fixed()));
        let secrets = self.context.secrets.iter().map(|(name, _)| (name, None));
        env.chain(secrets).find_map(|(name, value)| {
            if programs::runs_by_itself(name) {
                return Some(Breach::new(
                    format!("sets `{name}`, by which something else is run"),
                    format!("leave `{name}` out"),
                ));
            }
            let is_plain = value.is_some_and(|value| programs::is_plain_path(&value));
            let bare = programs.iter().find(|one| programs::is_looked_for(one));
            let program = bare.filter(|_| **name == *"PATH" && !is_plain)?;
            Some(Breach::new(
                format!(
                    "looks for `{}` on a `PATH` of its own, which may find another",
                    cut(program)
                ),
                "write the program with its folder, or leave `PATH` out",
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address_is_found_whatever_stands_around_it() {
        let text = |parts: Vec<Part>| Text::of_parts("shown", parts);
        let literal = |text: &str| Part::Literal(text.into());
        let secret = || Part::Secret("T".into());
        let elder = |rest| text([vec![Part::Variable(Variable::Server)], rest].concat());
        for (url, want) in [
            (
                Text::plain("https://API.Example.com./x"),
                Host::Name("api.example.com".into()),
            ),
            (
                Text::plain("http://a@evil@b.example:80?x=/@c"),
                Host::Name("b.example".into()),
            ),
            (Text::plain("http://[::1]:80/"), Host::Name("[::1]".into())),
            (
                Text::plain("https://good.example\\@evil.example/"),
                Host::Name("good.example".into()),
            ),
            (Text::plain("nothing"), Host::Unknown),
            (
                text(vec![literal("https://a.example/"), secret()]),
                Host::Name("a.example".into()),
            ),
            (
                text(vec![literal("https://"), secret(), literal("@a.example/")]),
                Host::Unknown,
            ),
            (
                text(vec![secret(), literal("://a.example/")]),
                Host::Unknown,
            ),
            (elder(vec![literal("@evil.example/")]), Host::Unknown),
            (elder(vec![literal(".evil.example/")]), Host::Unknown),
            (elder(vec![secret(), literal("/x")]), Host::Unknown),
            (elder(vec![]), Host::Elder),
            (elder(vec![literal(""), literal("?x=1")]), Host::Elder),
            (
                text(vec![literal("https://"), secret(), literal(".a.example/")]),
                Host::Unknown,
            ),
            (
                text(vec![literal("https://a.example:"), secret()]),
                Host::Unknown,
            ),
            (
                text(vec![Part::Variable(Variable::Server), literal("/healthz")]),
                Host::Elder,
            ),
        ] {
            assert_eq!(host(&url), want, "{url:?}");
        }
    }
}
