//! What is refused, with which code and at which place.

use super::*;
use crate::finding::Severity;

/// One thing wrong with a file.
struct Row {
    what: &'static str,
    text: String,
    code: Code,
    /// Line and column.
    at: (u32, u32),
    /// A part of the message or the help.
    says: &'static str,
}

fn row(
    what: &'static str,
    text: impl Into<String>,
    code: Code,
    at: (u32, u32),
    says: &'static str,
) -> Row {
    Row {
        what,
        text: text.into(),
        code,
        at,
        says,
    }
}

fn check_rows(rows: Vec<Row>) {
    let mut wrong = String::new();
    for row in rows {
        let file = file(&row.text);
        if let Err(why) = judge(&row, &file) {
            let all = shown(&file.findings);
            let _ = writeln!(wrong, "--- {}: {why}\n{}\n{all}", row.what, row.text);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn judge(row: &Row, file: &CheckedFile) -> Result<(), String> {
    let found = file.findings.iter().find(|f| f.code == row.code);
    let found = found.ok_or_else(|| format!("no {}", row.code))?;
    let place = &found.at.place;
    if (place.line, place.column) != row.at {
        return Err(format!(
            "{}:{} and not {:?}",
            place.line, place.column, row.at
        ));
    }
    if !found.message.contains(row.says) && !found.help.contains(row.says) {
        return Err(format!("nothing says {:?}", row.says));
    }
    if place.line > 0 && place.length == 0 {
        return Err("no carets".to_owned());
    }
    if found.severity == Severity::Error && !(file.is_bad() && file.jobs.is_empty()) {
        return Err("the file is good".to_owned());
    }
    Ok(())
}

/// A job of these keys, each on its line from line 3 on, indented by 4.
fn with(keys: &str) -> String {
    let base = if keys.contains("schedule:") {
        ""
    } else {
        "schedule: manual\n"
    };
    let action = ["run:", "exec:", "http:"]
        .iter()
        .any(|key| keys.contains(key));
    job(&format!(
        "{keys}\n{base}{}",
        if action { "" } else { "run: x" }
    ))
}

#[test]
#[rustfmt::skip] // A table is read by its lines.
fn text_that_is_no_yaml() {
    use Code::{Limit, Syntax};
    check_rows(vec![
        row("a tab as indentation", "jobs:\n\ta:\n", Syntax, (2, 1), "spaces"),
        row("a star without quotes", with("schedule: { cron: */5 * * * * }"), Syntax, (3, 23), "quote this value"),
        row("a star in block form", with("schedule: */5 * * * *"), Syntax, (3, 15), "quote this value: \"*/5 * * * *\""),
        row("an at sign without quotes", with("schedule: @daily"), Syntax, (3, 15), "quote this value: \"@daily\""),
        row("a percent sign without quotes", with("run: %x"), Syntax, (3, 10), "quote this value"),
        row("a backtick without quotes", with("run: `date`"), Syntax, (3, 10), "quote this value"),
        row("a tag", with("run: !secret x"), Syntax, (3, 10), "`!secret`"),
        row("a quote that stays open", with("run: \"x"), Syntax, (3, 10), "close the quote"),
        row("a bracket that stays open", with("exec: [a"), Syntax, (3, 11), "close it with `]`"),
        row("two colons", with("run: a: b"), Syntax, (3, 11), "quote the value"),
        row("a second document", "jobs: {}\n---\njobs: {}\n", Syntax, (2, 1), "one"),
        row("an alias of nothing", with("env: *nothing"), Syntax, (3, 10), "anchor"),
        row("an alias in its own anchor", "x-a: &a [*a]\n", Limit, (1, 10), "never end"),
        row("a list as a key", "jobs:\n  ? [a]\n  : b\n", Syntax, (2, 5), "key must be text"),
        row("a merge of text", with("<<: x"), Code::WrongType, (3, 5), "<<"),
        row("too deep", format!("x-a: {}{}", "[".repeat(70), "]".repeat(70)), Limit, (1, 69), "64"),
    ]);
}

#[test]
fn bytes_that_are_no_text() {
    let utf16: Vec<u8> = "jobs: {}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut marked = vec![0xFF, 0xFE];
    marked.extend(&utf16);
    for (what, content, code, at, says) in [
        (
            "UTF-16 with a mark",
            marked,
            Code::Unreadable,
            (0, 0),
            "UTF-16",
        ),
        (
            "UTF-16 without a mark",
            utf16,
            Code::Unreadable,
            (0, 0),
            "UTF-16",
        ),
        (
            "a NUL",
            b"jobs:\n  a\0b: {}\n".to_vec(),
            Code::Unreadable,
            (2, 4),
            "NUL",
        ),
        (
            "broken UTF-8",
            b"jobs: {}\n# \xC3\xA4 \xFF\n".to_vec(),
            Code::Unreadable,
            (2, 5),
            "not UTF-8",
        ),
        (
            "too large",
            vec![b'#'; (16 << 20) + 1],
            Code::Limit,
            (0, 0),
            "16",
        ),
    ] {
        let file = bytes(&content);
        let [finding] = file.findings.as_slice() else {
            panic!("{what}: {}", shown(&file.findings));
        };
        let place = &finding.at.place;
        assert_eq!(
            (finding.code, place.line, place.column),
            (code, at.0, at.1),
            "{what}"
        );
        assert!(
            finding.message.contains(says),
            "{what}: {}",
            finding.message
        );
        assert!(finding.at.line.chars().count() <= 200, "{what}");
    }
    let mut gone = input("a.yaml", b"");
    gone.content = Err("permission denied".into());
    let checked = check(&[gone], None, &HashMap::new(), &options(&[]), zones());
    assert_eq!(checked.files[0].findings[0].message, "permission denied");
    assert!(checked.files[0].is_bad());
}

#[test]
#[rustfmt::skip] // A table is read by its lines.
fn keys_that_do_not_belong() {
    use Code::{DuplicateKey, DuplicateName, NoEffect, UnknownKey};
    let http = "http: { url: \"http://x\" }";
    check_rows(vec![
        row("one letter off", with("timeot: 5s"), UnknownKey, (3, 5), "did you mean `timeout`?"),
        row("one letter off at the top", "job: {}\n", UnknownKey, (1, 1), "did you mean `jobs`?"),
        row("right key, wrong level", with("url: http://x"), UnknownKey, (3, 5), "belongs under `http`"),
        row("a job's key at the top", "timezone: UTC\n", UnknownKey, (1, 1), "belongs under a job"),
        row("cron outside of schedule", with("cron: \"* * * * *\""), UnknownKey, (3, 5), "belongs under `schedule`"),
        row("a key of another scheduler", with("command: x"), UnknownKey, (3, 5), "`run: …`"),
        row("startup as a key", with("schedule: { startup: true }"), UnknownKey, (3, 17), "schedule: startup"),
        row("an x- key in a job", with("x-note: y"), UnknownKey, (3, 5), "top level"),
        row("a key twice", with("run: a\nrun: b"), DuplicateKey, (4, 5), "twice"),
        row("a job twice", "jobs:\n  a: {}\n  b: {}\n  a: {}\n", DuplicateName, (4, 3), "twice"),
        row("names that differ in case", "jobs:\n  a: {}\n  A: {}\n", DuplicateName, (3, 3), "case"),
        row("overlap of nothing known", with("overlap: parallel"), Code::WrongType, (3, 14), "write `skip`, `queue` or `replace`"),
        row("overlap misspelt", with("overlap: quue"), Code::WrongType, (3, 14), "did you mean `queue`?"),
        row("stdin beside http", with(&format!("{http}\nstdin: x")), NoEffect, (4, 5), "body"),
        row("shell beside exec", with("exec: [x]\nshell: bash"), NoEffect, (4, 5), "without a shell"),
        row("timezone beside every", with("schedule: { every: 5m, timezone: UTC }"), NoEffect, (3, 28), "elapsed"),
        row("run in defaults", "defaults: { run: x }\n", UnknownKey, (1, 13), "cannot have a default"),
        row("url in defaults", "defaults: { http: { url: \"http://x\" } }\n", UnknownKey, (1, 21), "cannot have a default"),
    ]);
}

#[test]
fn every_key_of_a_later_build_is_refused_by_name() {
    use super::super::fields::{JOB, LEVELS, State};
    let mut seen = 0;
    for field in JOB
        .fields
        .iter()
        .filter(|field| field.state == State::Later)
    {
        let file = file(&with(&format!("{}: x", field.key)));
        let message = format!("`{}` is known, but not in this build", field.key);
        assert!(
            file.findings.iter().any(|f| f.message == message),
            "{}",
            field.key
        );
        assert!(file.is_bad());
        seen += 1;
    }
    assert!(
        seen > 0,
        "the list of what is to come is empty: this test can go"
    );
    let contract = ["kubernetes", "aliases"];
    for key in contract {
        let known = LEVELS.iter().filter_map(|level| level.find(key));
        assert!(known.into_iter().any(|f| f.state == State::Later), "{key}");
    }
}

#[test]
#[rustfmt::skip] // A table is read by its lines.
fn values_of_the_wrong_kind() {
    use Code::{BadAction, BadDuration, BadName, MissingKey, OutOfRange, WrongType};
    check_rows(vec![
        row("a user by number", with("user: 1000"), BadName, (3, 11), "a number is somebody else"),
        row("a group by number", with("user: 'www-data:33'"), BadName, (3, 11), "a number is somebody else"),
        row("a user without a name", with("user: ':adm'"), BadName, (3, 11), "name:group"),
        row("a user with a space", with("user: the boss"), BadName, (3, 11), "is no name of a user"),
        row("root by name", with("user: root"), Code::NoEffect, (3, 11), "user: null"),
        row("no limit", with("limits: {}"), MissingKey, (3, 13), "limits nothing"),
        row("an unknown limit", with("limits: { ram: 1GiB }"), Code::UnknownKey, (3, 15), "memory"),
        row("memory without a unit", with("limits: { memory: 512 }"), BadDuration, (3, 23), "512KiB"),
        row("memory in no unit", with("limits: { memory: 64kb }"), BadDuration, (3, 23), "write 512B, 64KiB"),
        row("hardly any memory", with("limits: { memory: 4KiB }"), OutOfRange, (3, 23), "1MiB at least"),
        row("half a second of CPU time", with("limits: { cpu_time: 500ms }"), OutOfRange, (3, 25), "whole seconds"),
        row("too few files for a program", with("limits: { open_files: 3 }"), OutOfRange, (3, 27), "from 16"),
        row("no process", with("limits: { processes: 0 }"), OutOfRange, (3, 26), "from 1"),
        row("a switch that says yes", with("enabled: yes"), WrongType, (3, 14), "write `true`"),
        row("a success expected at once", with("expect_success_within: 0s"), OutOfRange, (3, 28), "such as 26h"),
        row("a bare number where a success is expected", with("expect_success_within: 26"), BadDuration, (3, 28), "write 26"),
        row("an output that says nothing", with("output: {}"), MissingKey, (3, 13), "keep: 256KiB"),
        row("an output as a bare size", with("output: 1MiB"), WrongType, (3, 13), "its keys: keep"),
        row("a size without a unit", with("output: { keep: 64 }"), BadDuration, (3, 21), "write 64KiB or 64B"),
        row("a size in no unit", with("output: { keep: 64kb }"), BadDuration, (3, 21), "write 512B"),
        row("more output than is kept", with("output: { keep: 17MiB }"), OutOfRange, (3, 21), "at most 16MiB"),
        row("a history that says nothing", with("history: {}"), MissingKey, (3, 14), "keep: 100, for: 30d"),
        row("a history of negative length", with("history: { keep: -1 }"), OutOfRange, (3, 22), "0"),
        row("a history of too many runs", with("history: { keep: 1000000 }"), OutOfRange, (3, 22), "100000"),
        row("a history of no time", with("history: { for: 0s }"), OutOfRange, (3, 21), "keep: 0"),
        row("a history under another name", with("history: { keeps: 5 }"), Code::UnknownKey, (3, 16), "did you mean `keep`"),
        row("a switch that says off", with("coalesce: off"), WrongType, (3, 15), "write `false`"),
        row("a bare number as a time", with("timeout: 10"), BadDuration, (3, 14), "10s or 10m"),
        row("a negative time", with("timeout: -1s"), BadDuration, (3, 14), "no length of time"),
        row("a fraction of a unit", with("timeout: 1.5h"), BadDuration, (3, 14), "1h30m"),
        row("a century", with("timeout: 999999999d"), BadDuration, (3, 14), "at most"),
        row("no time at all", with("timeout: 0s"), OutOfRange, (3, 14), "none"),
        row("a number as text", with("max_instances: many"), WrongType, (3, 20), "whole number"),
        row("a number out of range", with("max_instances: 0"), OutOfRange, (3, 20), "from 1 to 10000"),
        row("a huge number", with("max_instances: 99999999999999999999"), OutOfRange, (3, 20), "from 1"),
        row("an empty value", with("timeout:"), WrongType, (3, 5), "has no value"),
        row("a tilde", with("description: ~"), WrongType, (3, 18), "write \"\""),
        row("a mapping as text", with("description: { a: b }"), WrongType, (3, 18), "not a mapping"),
        row("text as a list", with("exec: echo hi"), WrongType, (3, 11), "[echo, hi]"),
        row("text as a mapping", with("env: A=b"), WrongType, (3, 10), "not a single value"),
        row("a list of jobs", "jobs:\n  - a\n", WrongType, (2, 3), "under its name"),
        row("jobs without a value", "jobs:\n", WrongType, (1, 1), "jobs: {}"),
        row("a job without a value", "jobs:\n  a:\n", WrongType, (2, 3), "says nothing"),
        row("a job that is text", "jobs:\n  a: x\n", WrongType, (2, 6), "its keys"),
        row("no schedule", "jobs:\n  a: { run: x }\n", MissingKey, (2, 3), "schedule"),
        row("no action", "jobs:\n  a: { schedule: manual }\n", BadAction, (2, 3), "run"),
        row("two actions", with("run: x\nexec: [x]"), BadAction, (4, 5), "two jobs"),
        row("an empty run", with("run: \"\""), BadAction, (3, 10), "empty"),
        row("an empty exec", with("exec: []"), BadAction, (3, 11), "no program"),
        row("a name with a slash", "jobs:\n  ../x: {}\n", BadName, (2, 3), "begins with"),
        row("a name with a brace", "jobs:\n  \"{}\": {}\n", BadName, (2, 3), "begins with"),
        row("a name with a line break", "jobs:\n  \"a\\nb\": {}\n", BadName, (2, 3), "'\\n'"),
        row("a name with a look-alike", "jobs:\n  bаckup: {}\n", BadName, (2, 3), "'а'"),
        row("a name that is too long", format!("jobs:\n  {}: {{}}\n", "a".repeat(129)), BadName, (2, 3), "128"),
        row("an empty name", "jobs:\n  \"\": {}\n", BadName, (2, 3), "at least one"),
        row("a label of 10 kB", with(&format!("labels: {{ a: {} }}", "x".repeat(10_000))), OutOfRange, (3, 18), "1024"),
        row("a label with a space", with("labels: { \"a b\": c }"), BadName, (3, 15), "label"),
        row("a secret in the file", with("secrets: { A: hunter2 }"), WrongType, (3, 16), "must not stand"),
        row("a secret with two sources", with("secrets: { A: { env: B, file: C } }"), WrongType, (3, 29), "one source"),
        row("a secret from nothing", with("secrets: { A: { env: null } }"), MissingKey, (3, 16), "no source"),
        row("a secret with no source", with("secrets: { A: {} }"), MissingKey, (3, 16), "no source"),
        row("a shell with arguments", with("shell: bash -e"), WrongType, (3, 12), "[bash, -e, -c]"),
        row("an exit code out of range", with("success_exit_codes: [0, 256]"), OutOfRange, (3, 29), "255"),
        row("no exit code", with("success_exit_codes: []"), OutOfRange, (3, 25), "no run could succeed"),
        row("a retry word", with("retry: { max: 1, when: [timeuot] }"), WrongType, (3, 29), "`timeout`"),
        row("a retry without a count", with("retry: { backoff: 2s }"), MissingKey, (3, 12), "max"),
        row("a backoff over its bound", with("retry: { max: 1, backoff: 1h, max_backoff: 1m }"), OutOfRange, (3, 48), "shorter"),
        row("a factor under one", with("retry: { max: 1, factor: 0.5 }"), OutOfRange, (3, 30), "from 1 to 100"),
        row("a NUL in a text", with("description: \"a\\0b\""), WrongType, (3, 18), "NUL"),
        row("a NUL in run", with("run: \"a\\0b\""), WrongType, (3, 10), "NUL"),
    ]);
}

#[test]
#[rustfmt::skip] // A table is read by its lines.
fn schedules_that_are_none() {
    use Code::{
        BadCron, BadDuration, BadSchedule, MissingKey, NeverFires, OutOfRange, UnknownZone,
    };
    check_rows(vec![
        row("31 February", with("schedule: 0 0 31 2 *"), NeverFires, (3, 19), ""),
        row("a step of none", with("schedule: \"*/0 * * * *\""), BadCron, (3, 18), ""),
        row("minute 60", with("schedule: 60 * * * *"), BadCron, (3, 15), ""),
        row("a range that falls", with("schedule: 0 5-1 * * *"), BadCron, (3, 17), ""),
        row("seven fields", with("schedule: 0 0 0 * * * *"), BadCron, (3, 27), ""),
        row("@every", with("schedule: \"@every 0s\""), BadCron, (3, 16), "every"),
        row("@reboot", with("schedule: \"@reboot\""), BadCron, (3, 16), "startup"),
        row("every without a unit", with("schedule: { every: 5 }"), BadDuration, (3, 24), "5s or 5m"),
        row("every too often", with("schedule: { every: 10ms }"), OutOfRange, (3, 24), "100ms"),
        row("a word", with("schedule: daily"), BadSchedule, (3, 15), "{ daily: … }"),
        row("another word", with("schedule: manuall"), BadSchedule, (3, 15), "`manual`"),
        row("two kinds", with("schedule: { every: 5m, daily: \"02:00\" }"), BadSchedule, (3, 28), "write a list"),
        row("no kind", with("schedule: { timezone: UTC }"), BadSchedule, (3, 15), "does not say when"),
        row("an empty list", with("schedule: []"), BadSchedule, (3, 15), "manual"),
        row("a list in a list", with("schedule: [[manual]]"), BadSchedule, (3, 16), "one list"),
        row("25 o'clock", with("schedule: { daily: \"25:00\" }"), BadSchedule, (3, 24), "23:59:59"),
        row("one digit", with("schedule: { daily: 2:00 }"), BadSchedule, (3, 24), "\"02:00\""),
        row("a sexagesimal trap", with("schedule: { daily: 720 }"), BadSchedule, (3, 24), "HH:MM"),
        row("minute 60 of hourly", with("schedule: { hourly: [0, 60] }"), OutOfRange, (3, 29), "59"),
        row("friday", with("schedule: { weekly: { days: friday, at: \"09:00\" } }"), BadSchedule, (3, 33), "fri"),
        row("weekly without a time", with("schedule: { weekly: { days: fri } }"), MissingKey, (3, 25), "at"),
        row("no day", with("schedule: { weekly: { days: [], at: \"09:00\" } }"), BadSchedule, (3, 25), "day"),
        row("a date without a time", with("schedule: { at: 2027-01-01 }"), BadSchedule, (3, 21), "T09:00:00"),
        row("no instant", with("schedule: { at: tomorrow }"), BadSchedule, (3, 21), "2027-09-20T15:00:00+09:00"),
        row("a leap second", with("schedule: { at: 2027-06-30T23:59:60Z }"), BadSchedule, (3, 21), "leap"),
        row("an unknown zone", with("timezone: Asia/Tokio"), UnknownZone, (3, 15), "Asia/Tokyo"),
        row("an abbreviation", with("timezone: EST"), UnknownZone, (3, 15), ""),
        row("an offset", with("timezone: \"+09:00\""), UnknownZone, (3, 15), ""),
        row("a zone in a schedule", with("schedule: { daily: \"02:00\", timezone: Nowhere }"), UnknownZone, (3, 43), "Nowhere"),
        row("manual among others", with("schedule: [manual, \"@daily\"]"), Code::NoEffect, (3, 16), "by hand"),
        row("a day of elapsed time", with("schedule: { every: 1d }"), Code::LongEvery, (3, 24), "daily"),
    ]);
}

#[test]
#[rustfmt::skip] // A table is read by its lines.
fn requests_that_cannot_be_sent() {
    use Code::{BadHttp, DuplicateKey, MissingKey, WrongType};
    let http = |keys: &str| with(&format!("http: {{ url: \"http://x\", {keys} }}"));
    check_rows(vec![
        row("a file", with("http: file:///etc/passwd"), BadHttp, (3, 11), "only http and https"),
        row("no scheme", with("http: example.com/x"), BadHttp, (3, 11), "https://example.com/x"),
        row("a password", with("http: https://u:p@example.com/"), BadHttp, (3, 11), "${secrets.NAME}"),
        row("port 0", with("http: http://x:0/"), BadHttp, (3, 11), "port 0"),
        row("a line break in a url", with("http: \"http://x/\\nY\""), BadHttp, (3, 11), "line break"),
        row("no url", with("http: { method: POST }"), MissingKey, (3, 11), "url"),
        row("a line break in a header", http("headers: { A: \"b\\r\\nC: d\" }"), BadHttp, (3, 44), "line break"),
        row("a bad header", http("headers: { \"A B\": c }"), BadHttp, (3, 41), "header"),
        row("a header of elder's", http("headers: { Content-Length: 5 }"), BadHttp, (3, 41), "elder's own"),
        row("a header twice", http("headers: { A: b, a: c }"), DuplicateKey, (3, 47), "twice"),
        row("two bodies", http("body: x, json: {}"), BadHttp, (3, 39), "one body"),
        row("a bad method", http("method: \"GE T\""), BadHttp, (3, 38), "method"),
        row("a bad status", http("expect: { status: [2xx, 6xx] }"), BadHttp, (3, 54), "2xx for 200"),
        row("no status", http("expect: { status: [] }"), BadHttp, (3, 48), "no answer"),
        row("no pointer", http("expect: { json: { a.b: 1 } }"), BadHttp, (3, 48), "`/a/b`"),
        row("an empty json value", http("json: { a: ~ }"), WrongType, (3, 41), "write null"),
    ]);
}

#[test]
#[rustfmt::skip] // A table is read by its lines.
fn variables_that_cannot_be_filled_in() {
    use Code::{BadPath, BadVariable};
    check_rows(vec![
        row("not set", with("env: { A: \"${UNSET}\" }"), BadVariable, (3, 15), "${UNSET:-default}"),
        row("nested", with("env: { A: \"${A:-${B}}\" }"), BadVariable, (3, 15), "plain text"),
        row("open", with("env: { A: \"${A\" }"), BadVariable, (3, 15), "$${"),
        row("a secret's name", with("env: { A: \"${DB_PASSWORD}\" }"), BadVariable, (3, 15), "${secrets.DB_PASSWORD}"),
        row("a token with a default", with("env: { A: \"${api_token:-x}\" }"), BadVariable, (3, 15), "secrets"),
        row("run.id in run", with("run: echo ${run.id}"), BadVariable, (3, 10), "$ELDER_RUN_ID"),
        row("run.attempt in run", with("run: echo ${run.attempt}"), BadVariable, (3, 10), "$ELDER_ATTEMPT"),
        row("job.name in run", with("run: echo ${job.name}"), BadVariable, (3, 10), "$ELDER_JOB"),
        row("a label in run", with("run: echo ${job.labels.a}"), BadVariable, (3, 10), "env:"),
        row("a secret in run", with("run: echo ${secrets.T}"), BadVariable, (3, 10), "\"$T\""),
        row("a secret in exec", with("exec: [a, \"${secrets.T}\"]\nsecrets: { T: { env: T } }"), BadVariable, (3, 15), "environment as T"),
        row("a secret in a schedule", with("schedule: { every: \"${secrets.T}\" }"), BadVariable, (3, 24), "http"),
        row("a run in a schedule", with("schedule: { every: \"${run.id}\" }"), BadVariable, (3, 24), "only when the run starts"),
        row("an unknown secret", with("env: { A: \"${secrets.TOKN}\" }\nsecrets: { TOKEN: { env: T } }"), BadVariable, (3, 15), "`TOKEN`"),
        row("an unknown label", with("env: { A: \"${job.labels.team}\" }"), BadVariable, (3, 15), "labels: { team: … }"),
        row("an unknown reference", with("env: { A: \"${run.idd}\" }"), BadVariable, (3, 15), "${run.id}"),
        row("a path out of the tree", with("env_file: ../../etc/shadow"), BadPath, (3, 15), "leaves the tree"),
        row("a secret out of the tree", with("secrets: { A: { file: ../x } }"), BadPath, (3, 27), "leaves the tree"),
        row("a folder out of the tree", with("cwd: .."), BadPath, (3, 10), "leaves the tree"),
        row("a home folder", with("cwd: ~/x"), BadPath, (3, 10), "${HOME}"),
        row("an empty path", with("cwd: \"\""), BadPath, (3, 10), "empty"),
    ]);
}

#[test]
#[rustfmt::skip] // A table is read by its lines.
fn what_a_shell_hides_is_a_warning() {
    use Code::{LinesHideFailure, PipeHidesFailure};
    check_rows(vec![
        row("a pipe", with("run: a | b"), PipeHidesFailure, (3, 10), "pipefail"),
        row("several lines", with("run: |\n  a\n  b"), LinesHideFailure, (4, 7), "set -e"),
    ]);
    for keys in [
        "run: a | b\nshell: [bash, -euo, pipefail, -c]",
        "run: |\n  set -eo pipefail\n  a | b",
        "run: a | b\nshell: [python3, -c]",
        "run: a && b",
    ] {
        let file = file(&with(keys));
        assert!(
            file.findings.is_empty(),
            "{keys}\n{}",
            shown(&file.findings)
        );
        assert_eq!(file.jobs.len(), 1);
    }
}

#[test]
fn all_findings_of_a_file_are_found_at_once() {
    let file = file(
        "jobs:\n  a: { schedule: 61 * * * *, run: x, timeout: 5 }\n  b: { shedle: manual, http: x, enabled: yes }\n",
    );
    let found: Vec<_> = file
        .findings
        .iter()
        .map(|f| (f.at.place.line, f.code))
        .collect();
    for expected in [
        (2, Code::BadCron),
        (2, Code::BadDuration),
        (3, Code::UnknownKey),
        (3, Code::BadHttp),
        (3, Code::WrongType),
    ] {
        assert!(
            found.contains(&expected),
            "{expected:?} is not in {found:?}"
        );
    }
}

#[test]
fn a_bad_file_still_tells_its_names() {
    let file =
        file("jobs:\n  a: { run: x }\n  b: { schedule: manual, run: x }\n  c:\n    run: \"x\n");
    let names: Vec<_> = file
        .names
        .iter()
        .map(|n| (&*n.name, n.at.place.line))
        .collect();
    assert_eq!(names, [("a", 2), ("b", 3), ("c", 4)]);
    assert!(file.is_bad());
}

#[test]
fn hostile_files_end_soon() {
    let mut bomb = "x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let items = vec![format!("*a{}", n - 1); 10].join(", ");
        let _ = writeln!(bomb, "x-a{n}: &a{n} [{items}]");
    }
    let wide = format!(
        "x-a: &a \"{}\"\nx-b: [{}]\n",
        "y".repeat(1 << 20),
        "*a, ".repeat(100)
    );
    let many = format!("x-a: &a 1\nx-b: [{}]\n", "*a, ".repeat(10_001));
    for (what, text, says) in [
        ("an alias bomb", bomb, "aliases"),
        ("a large value, often", wide, "16 MiB"),
        ("many aliases", many, "10000"),
        ("200,000 brackets", "[".repeat(200_000), "deep"),
        (
            "a million documents",
            "---\n".repeat(1_000_000),
            "second document",
        ),
        (
            "a large scalar in the wrong place",
            format!("jobs: {}\n", "x".repeat(8 << 20)),
            "not a single value",
        ),
    ] {
        let file = file(&text);
        let found = file.findings.iter().any(|f| f.message.contains(says));
        assert!(
            found,
            "{what}: {}",
            shown(&file.findings[..file.findings.len().min(3)])
        );
        assert!(shown(&file.findings).len() < 10_000, "{what}");
    }
}

#[test]
fn a_flood_of_findings_is_counted_and_an_error_is_not_lost_in_it() {
    let mut text = "jobs:\n".to_owned();
    for n in 0..1_500 {
        let _ = writeln!(text, "  j{n}: {{ schedule: manual, run: a | b }}");
    }
    let good = file(&text);
    assert_eq!(good.jobs.len(), 1_500);
    assert_eq!(good.findings.len(), 1_001);
    assert!(good.findings.last().unwrap().message.contains("500 more"));
    text.push_str("  bad: { schedule: manual, run: x, timeout: 5 }\n");
    let bad = file(&text);
    assert!(bad.is_bad());
    assert!(codes(&bad).contains(&Code::BadDuration));
}

#[test]
fn a_giant_line_is_shown_cut_with_its_caret_in_place() {
    let text = format!(
        "jobs: {{ a: {{ description: \"{}\", run: x, schedule: manual, timeout: 5, labels: {{ k: {} }} }} }}\n",
        "ü".repeat(5_000),
        "z".repeat(500)
    );
    let file = file(&text);
    let at = &file.findings[0].at;
    assert!(at.place.column > 5_000);
    let caret = at.caret_column() as usize - 1;
    assert_eq!(at.line.chars().nth(caret), Some('5'), "{}", at.line);
    assert!(at.line.chars().count() <= 200);
}

#[test]
fn what_is_cheap_to_write_and_dear_to_read_is_bounded() {
    let names = |n: usize| {
        (0..n)
            .map(|n| format!("N{n}: x"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut heirs = format!("defaults: {{ env: {{ {} }} }}\njobs:\n", names(500));
    for n in 0..4_001 {
        let _ = writeln!(heirs, "  j{n}: {{ schedule: manual, run: x }}");
    }
    let explicit = (0..50_000)
        .map(|n| format!("k{n}: x"))
        .collect::<Vec<_>>()
        .join(", ");
    let merges = format!(
        "x-a: &a {{ b: c }}\nx-m: {{ {explicit}, <<: [{}] }}\n",
        "*a, ".repeat(9_999)
    );
    for (what, text, says) in [
        (
            "a large env",
            with(&format!("env: {{ {} }}", names(501))),
            "500 names",
        ),
        ("many heirs of many names", heirs, "taken from defaults"),
        ("many merges into many keys", merges, "no job"),
        (
            "the same key again and again",
            "a: 1\n".repeat(200_000),
            "was not looked at",
        ),
        (
            "many values",
            format!("[{}]", "a,".repeat(2_000_001)),
            "2000000 values",
        ),
        (
            "many jobs in a file",
            (0..400_001).fold(
                "jobs:
"
                .to_owned(),
                |all, n| {
                    all + &format!(
                        "  j{n}:
"
                    )
                },
            ),
            "400000 jobs",
        ),
    ] {
        let file = file(&text);
        let found = file.findings.iter().any(|f| f.message.contains(says));
        let first = &file.findings[..file.findings.len().min(3)];
        assert!(found, "{what}: {}", shown(first));
        assert!(file.findings.len() <= 2_001, "{what}");
    }
}

#[test]
#[rustfmt::skip] // A table is read by its lines.
fn signatures_and_certificates_that_cannot_be() {
    use Code::{BadHttp, BadPath, BadVariable, Insecure, MissingKey, NoEffect, OutOfRange, UnknownKey, WrongType};
    let http = |keys: &str| with(&format!("http: {{ url: \"https://x\", {keys} }}"));
    let nine = ["\"${secrets.A}\""; 9].join(", ");
    check_rows(vec![
        row("nothing to sign with", http("sign: {}"), MissingKey, (3, 37), "write `secret: \"${secrets.NAME}\"`"),
        row("a secret in the file", http("sign: { secret: hunter2 }"), BadHttp, (3, 47), "must not stand in the file"),
        row("one of two in the file", http("sign: { secret: [\"${secrets.A}\", whsec_x] }"), BadHttp, (3, 64), "must not stand in the file"),
        row("a secret that nobody has", http("sign: { secret: \"${secrets.HOOK}\" }"), BadVariable, (3, 47), "`secrets: { HOOK: { file: PATH } }`"),
        row("no secret in the list", http("sign: { secret: [] }"), OutOfRange, (3, 47), "one to 8"),
        row("nine secrets", http(&format!("sign: {{ secret: [{nine}] }}")), OutOfRange, (3, 47), "has 9 entries"),
        row("sign as text", http("sign: \"${secrets.HOOK}\""), WrongType, (3, 37), "mapping"),
        row("a key of sign misspelt", http("sign: { secrets: x }"), UnknownKey, (3, 39), "did you mean `secret`?"),
        row("a header that sign sets", with("secrets: { A: { env: B } }\nhttp: { url: \"https://x\", sign: { secret: \"${secrets.A}\" }, headers: { Webhook-Id: mine } }"), NoEffect, (2, 3), "what `sign` sets"),
        row("tls that says nothing", http("tls: {}"), MissingKey, (3, 36), "`ca: PATH`"),
        row("tls as text", http("tls: /ca.pem"), WrongType, (3, 36), "mapping"),
        row("a certificate without its key", http("tls: { cert: /c.pem }"), MissingKey, (3, 38), "`key: PATH`"),
        row("a key without its certificate", http("tls: { key: /k.pem }"), MissingKey, (3, 38), "`cert: PATH`"),
        row("an authority out of the tree", http("tls: { ca: ../../../ca.pem }"), BadPath, (3, 42), "leaves the tree"),
        row("nobody is checked", http("tls: { insecure: true }"), Insecure, (3, 38), "`ca: PATH`"),
        row("nobody is checked by an authority", http("tls: { insecure: true, ca: /ca.pem }"), NoEffect, (3, 54), "remove `insecure`"),
        row("a key of tls misspelt", http("tls: { cacert: /c.pem }"), UnknownKey, (3, 38), "has no key `cacert`"),
        row("tls on http", with("http: { url: \"http://x\", tls: { ca: /ca.pem } }"), NoEffect, (3, 30), "write `https://`"),
    ]);
}
