//! A definition as the keys and values of a job file, so that two can be shown side by side.
//!
//! Each struct is taken apart by name: a new key of the job file does not compile until it is here.

use serde::{Deserialize, Serialize};

use crate::duration::{self, Size};
use crate::model::{
    About, Action, Body, Command, Context, Definition, Expect, Grace, Http, Json, Limits, Part,
    Policy, Pool, Process, Retry, Sage, SecretSource, StatusSet, Text, Tls, TreePath,
};

/// A key whose value is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The key, with dots: `http.headers.Accept`.
    pub key: String,
    /// Its value before; `None` where there was none.
    pub before: Option<String>,
    /// Its value after; `None` where there is none any more.
    pub after: Option<String>,
}

/// A value: as it stands in the file, and as it is meant.
struct Value {
    shown: String,
    meant: String,
}

type Entries = Vec<(String, Value)>;

/// All keys whose values differ, the schedule's first; a folder that is named after a commit is no
/// difference.
#[must_use]
pub fn differences(before: &Definition, after: &Definition) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut compare = |key: &str, before: &str, after: String| {
        if before != after {
            fields.push(Field {
                key: key.to_owned(),
                before: Some(before.to_owned()),
                after: Some(after),
            });
        }
    };
    compare("name", before.name.as_str(), after.name.to_string());
    let is_enabled = |definition: &Definition| definition.enabled.to_string();
    compare("enabled", &is_enabled(before), is_enabled(after));
    let text = &after.schedule_text;
    let same_words = before.schedule_text == *text && before.timezone == after.timezone;
    let text = match same_words && before.schedule != after.schedule {
        true => format!("{text} (what it refers to is another)"),
        false => text.to_string(),
    };
    compare("schedule", &before.schedule_text, text);
    compare("timezone", &before.timezone, after.timezone.to_string());
    let (before, after) = (before.without_commits(), after.without_commits());
    fields.extend(changed(&before, &after));
    fields
}

/// The keys whose values differ, the schedule's aside: it is told in fires.
#[must_use]
pub fn changed(before: &Definition, after: &Definition) -> Vec<Field> {
    differing(&entries(before), entries(after))
}

/// The same of two sages.
#[must_use]
pub fn of_sages(before: &Sage, after: &Sage) -> Vec<Field> {
    differing(&entries_of_sage(before), entries_of_sage(after))
}

fn differing(old: &Entries, new: Entries) -> Vec<Field> {
    let find = |entries: &'_ Entries, key: &str| {
        let place = entries.iter().position(|(other, _)| other == key);
        place.map(|place| {
            (
                entries[place].1.shown.clone(),
                entries[place].1.meant.clone(),
            )
        })
    };
    let mut fields = Vec::new();
    for (key, value) in old {
        let now = find(&new, key);
        // Another wording is another value, also where both mean the same: else whoever writes a
        // guess in the place of `${NAME}` would learn here that it is right.
        let is_same =
            |(shown, meant): &(String, String)| *shown == value.shown && *meant == value.meant;
        if now.as_ref().is_some_and(is_same) {
            continue;
        }
        let after = now.map(|(shown, _)| {
            if shown == value.shown {
                format!("{shown} (a variable in it has another value)")
            } else {
                shown
            }
        });
        fields.push(Field {
            key: key.clone(),
            before: Some(value.shown.clone()),
            after,
        });
    }
    for (key, value) in new {
        if find(old, &key).is_none() {
            fields.push(Field {
                key,
                before: None,
                after: Some(value.shown),
            });
        }
    }
    fields
}

fn entries(definition: &Definition) -> Entries {
    let Definition {
        name: _,
        aliases,
        // These three are told in fires.
        enabled: _,
        schedule: _,
        schedule_text: _,
        timezone: _,
        action,
        context,
        policy,
        about,
        // It follows from the rest.
        id: _,
    } = definition;
    let mut entries = Entries::new();
    if !aliases.is_empty() {
        plain(
            &mut entries,
            "aliases",
            list(aliases.iter().map(crate::ids::JobName::as_str)),
        );
    }
    if let Some(about) = about.as_deref() {
        of_about(about, &mut entries);
    }
    of_action(action, &mut entries);
    of_context(context, &mut entries);
    of_policy(policy, &mut entries);
    entries
}

fn entries_of_sage(sage: &Sage) -> Entries {
    let Sage {
        name: _,
        action,
        context,
        policy,
        after,
        remind,
        events,
    } = sage;
    let mut entries = Entries::new();
    of_action(action, &mut entries);
    of_context(context, &mut entries);
    of_policy(policy, &mut entries);
    plain(&mut entries, "after", after.to_string());
    plain(&mut entries, "remind", duration::print(*remind));
    plain(&mut entries, "events", list(events.iter()));
    entries
}

fn of_action(action: &Action, entries: &mut Entries) {
    match action {
        Action::Process(process) => of_process(process, entries),
        Action::Http(http) => of_http(http, entries),
    }
}

fn of_about(about: &About, entries: &mut Entries) {
    let About {
        description,
        owner,
        labels,
    } = about;
    optional(entries, "description", description.as_deref());
    optional(entries, "owner", owner.as_deref());
    texts(entries, "labels", labels);
}

fn of_process(process: &Process, entries: &mut Entries) {
    let Process {
        command,
        stdin,
        success_exit_codes,
    } = process;
    match command {
        Command::Shell { shell, line } => {
            plain(entries, "run", line.to_string());
            plain(entries, "shell", list(shell.iter()));
        }
        Command::Exec(words) => {
            let shown = list(words.iter().map(Text::shown));
            let meant = list(words.iter().map(meant));
            entries.push(("exec".to_owned(), Value { shown, meant }));
        }
    }
    optional(entries, "stdin", stdin.as_deref());
    plain(
        entries,
        "success_exit_codes",
        list(success_exit_codes.iter()),
    );
}

fn of_http(http: &Http, entries: &mut Entries) {
    let Http {
        method,
        url,
        query,
        headers,
        body,
        follow_redirects,
        sign,
        tls,
        expect,
    } = http;
    plain(entries, "http.method", method.to_string());
    text(entries, "http.url", url);
    texts(entries, "http.query", query);
    texts(entries, "http.headers", headers);
    match body {
        Body::Empty => {}
        Body::Text(body) => text(entries, "http.body", body),
        Body::Json(body) => json(entries, "http.json", body),
        Body::Form(fields) => texts(entries, "http.form", fields),
    }
    plain(
        entries,
        "http.follow_redirects",
        follow_redirects.to_string(),
    );
    if let Some(sign) = sign {
        let shown = list(sign.secrets.iter().map(Text::shown));
        let meant = list(sign.secrets.iter().map(meant));
        let value = Value { shown, meant };
        entries.push(("http.sign.secret".to_owned(), value));
    }
    if let Some(tls) = tls {
        let Tls {
            ca,
            identity,
            insecure,
        } = &**tls;
        optional(entries, "http.tls.ca", ca.as_ref().map(path).as_deref());
        if let Some((cert, key)) = identity {
            plain(entries, "http.tls.cert", path(cert));
            plain(entries, "http.tls.key", path(key));
        }
        plain(entries, "http.tls.insecure", insecure.to_string());
    }
    let Expect {
        status,
        body_contains,
        json: values,
    } = expect;
    let status = status.iter().map(|status| match status {
        StatusSet::Class(class) => format!("{class}xx"),
        StatusSet::Exactly(code) => code.to_string(),
    });
    let status = list(status);
    let usual = if status.is_empty() { "2xx" } else { &status };
    plain(entries, "http.expect.status", usual.to_owned());
    optional(
        entries,
        "http.expect.body_contains",
        body_contains.as_deref(),
    );
    for (pointer, value) in values {
        json(entries, &format!("http.expect.json.{pointer}"), value);
    }
}

fn of_context(context: &Context, entries: &mut Entries) {
    let Context {
        env,
        env_files,
        inherit_env,
        secrets,
        cwd,
        user,
        limits,
    } = context;
    texts(entries, "env", env);
    if !env_files.is_empty() {
        plain(entries, "env_file", list(env_files.iter().map(path)));
    }
    if !inherit_env.is_empty() {
        plain(entries, "inherit_env", list(inherit_env.iter()));
    }
    for (name, source) in secrets {
        let source = match source {
            SecretSource::Env(name) => format!("env: {name}"),
            SecretSource::File(file) => format!("file: {}", path(file)),
        };
        plain(entries, &format!("secrets.{name}"), source);
    }
    optional(
        entries,
        "cwd",
        cwd.as_deref().map(|cwd| cwd.to_string_lossy()).as_deref(),
    );
    let user = user.as_ref().map(ToString::to_string);
    optional(entries, "user", user.as_deref());
    let Limits {
        memory,
        cpu_time,
        open_files,
        processes,
    } = limits;
    let limits = [
        ("memory", memory.map(|bytes| Size(bytes).to_string())),
        ("cpu_time", cpu_time.map(duration::print)),
        ("open_files", open_files.map(|count| count.to_string())),
        ("processes", processes.map(|count| count.to_string())),
    ];
    for (key, value) in limits {
        optional(entries, &format!("limits.{key}"), value.as_deref());
    }
}

fn of_policy(policy: &Policy, entries: &mut Entries) {
    let Policy {
        timeout,
        kill_grace,
        retry,
        max_instances,
        overlap,
        grace,
        coalesce,
        after_crash,
        audience,
        pool,
        success_within,
        output_keep,
        history,
    } = policy;
    let timeout = timeout.map_or_else(|| "none".to_owned(), duration::print);
    plain(entries, "timeout", timeout);
    plain(entries, "kill_grace", duration::print(*kill_grace));
    let Retry {
        max,
        backoff,
        factor_permille,
        max_backoff,
        jitter_permille,
        when,
    } = retry;
    plain(entries, "retry.max", max.to_string());
    plain(entries, "retry.backoff", duration::print(*backoff));
    plain(entries, "retry.factor", permille(*factor_permille));
    plain(entries, "retry.max_backoff", duration::print(*max_backoff));
    plain(entries, "retry.jitter", permille(*jitter_permille));
    plain(entries, "retry.when", list(when.iter()));
    plain(entries, "max_instances", max_instances.to_string());
    plain(entries, "overlap", overlap.to_string());
    let grace = match grace {
        Grace::Auto => "auto".to_owned(),
        Grace::Fixed(length) => duration::print(*length),
    };
    plain(entries, "misfire_grace_time", grace);
    plain(entries, "coalesce", coalesce.to_string());
    plain(entries, "after_crash", after_crash.to_string());
    let pool = pool.as_deref();
    let named = pool.map_or(Pool::DEFAULT, |pool| pool.name.as_str());
    plain(entries, "pool", named.to_owned());
    if let Some(pool) = pool {
        plain(
            entries,
            &format!("pools.{named}.limit"),
            pool.limit.to_string(),
        );
    }
    let told = audience.iter().flat_map(|audience| audience.all());
    for (event, names) in told.filter(|(_, names)| !names.is_empty()) {
        plain(entries, &format!("on_{event}"), list(names.iter()));
    }
    if let Some(within) = success_within {
        plain(entries, "expect_success_within", duration::print(*within));
    }
    plain(entries, "output.keep", Size(*output_keep).to_string());
    plain(entries, "history.keep", history.keep.to_string());
    plain(entries, "history.for", duration::print(history.max_age));
}

fn plain(entries: &mut Entries, key: &str, value: String) {
    let value = Value {
        shown: value.clone(),
        meant: value,
    };
    entries.push((key.to_owned(), value));
}

fn optional(entries: &mut Entries, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        plain(entries, key, value.to_owned());
    }
}

fn text(entries: &mut Entries, key: &str, value: &Text) {
    let value = Value {
        shown: value.shown().to_owned(),
        meant: meant(value),
    };
    entries.push((key.to_owned(), value));
}

fn texts<N: std::fmt::Display>(entries: &mut Entries, key: &str, values: &[(N, Text)]) {
    for (name, value) in values {
        text(entries, &format!("{key}.{name}"), value);
    }
}

fn json(entries: &mut Entries, key: &str, value: &Json) {
    let written = |of: fn(&Text) -> String| tree(value, of).to_string();
    let value = Value {
        shown: written(|text| text.shown().to_owned()),
        meant: written(meant),
    };
    entries.push((key.to_owned(), value));
}

fn tree(value: &Json, of: fn(&Text) -> String) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            serde_json::from_str(number).unwrap_or_else(|_| Value::String(number.to_string()))
        }
        Json::String(text) => Value::String(of(text)),
        Json::Array(items) => items.iter().map(|item| tree(item, of)).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| (name.to_string(), tree(value, of)))
            .collect(),
    }
}

/// With values of the environment in it, and never shown; parts that only a run fills in by name.
fn meant(text: &Text) -> String {
    let built = text.build(|part| {
        Ok::<_, std::convert::Infallible>(match part {
            Part::Literal(text) => text.to_string(),
            other => format!("{other:?}"),
        })
    });
    match built {
        Ok(text) => text,
        Err(never) => match never {},
    }
}

fn path(file: &TreePath) -> String {
    file.path.to_string_lossy().into_owned()
}

fn list<T: std::fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(", ")
}

/// `2000` is `2`, `100` is `0.1`.
fn permille(value: u32) -> String {
    let text = format!("{}.{:03}", value / 1000, value % 1000);
    let text = text.trim_end_matches('0');
    text.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::decide::merge::tests::samples;

    fn keys(before: &Definition, after: &Definition) -> Vec<String> {
        let fields = differences(before, after);
        fields.into_iter().map(|field| field.key).collect()
    }

    #[test]
    fn a_guess_in_the_place_of_a_variable_is_told_alike_whether_it_is_right_or_wrong() {
        let of = |label: Text| {
            let job = samples::job("a", 60, "true", "a.yaml", 1);
            let mut definition = (*job.definition).clone();
            definition.about = Some(Arc::new(About {
                description: None,
                owner: None,
                labels: vec![("team".into(), label)],
            }));
            definition
        };
        let filled_in = |value: &str| Text::of_parts("${TEAM}", vec![Part::Literal(value.into())]);
        let in_force = of(filled_in("shop"));
        for guess in ["shop", "sales"] {
            let fields = changed(&in_force, &of(Text::plain(guess)));
            let [field] = fields.as_slice() else {
                panic!("{guess}: {fields:?}");
            };
            assert_eq!(field.before.as_deref(), Some("${TEAM}"));
            assert_eq!(field.after.as_deref(), Some(guess));
        }
        assert_eq!(changed(&in_force, &of(filled_in("shop"))), []);
        let other = changed(&in_force, &of(filled_in("sales")));
        assert!(other[0].after.as_deref().unwrap().contains("another value"));
    }

    #[test]
    fn every_difference_is_a_key_and_a_folder_of_a_commit_is_none() {
        let job = samples::job("a", 60, "true", "a.yaml", 1);
        let before = &*job.definition;
        let with = |edit: &dyn Fn(&mut Definition)| {
            let mut after = before.clone();
            edit(&mut after);
            keys(before, &after)
        };
        assert_eq!(with(&|_| {}), [""; 0]);
        assert_eq!(with(&|it| it.enabled = false), ["enabled"]);
        assert_eq!(with(&|it| it.timezone = "Asia/Tokyo".into()), ["timezone"]);
        let name = crate::ids::JobName::new("b").unwrap();
        assert_eq!(with(&|it| it.name = name.clone()), ["name"]);
        let other = samples::job("a", 90, "false", "a.yaml", 1);
        assert_eq!(keys(before, &other.definition), ["schedule", "run"]);
        // The same words, and another calendar behind them.
        let schedule = other.definition.schedule.clone();
        assert_eq!(with(&|it| it.schedule = schedule.clone()), ["schedule"]);
        let at_commit = |digit: &str| {
            let mut definition = before.clone();
            let folder = format!("/git/{}/jobs.d", digit.repeat(40));
            Arc::make_mut(&mut definition.context).cwd = Some(Path::new(&folder).into());
            definition
        };
        let (one, two) = (at_commit("1"), at_commit("2"));
        assert_ne!(one, two);
        assert_eq!(keys(&one, &two), [""; 0]);
        assert_eq!(keys(before, &one), ["cwd"]);
    }
}
