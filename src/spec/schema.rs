//! The JSON Schema of the job file, made from the same table as the decoder:
//! it lists what this build accepts and nothing else.

use serde_json::{Map, Value, json};

use super::fields::{
    CALENDAR, DAYS, DST, EXPECT, Field, HISTORY, HTTP, JOB, Kind, LIMITS, Level, MONTHLY, OUTPUT,
    POOL, RANDOM, RANGE, RETRY, RETRY_WORDS, SAGE, SCHEDULE, SCHEDULE_WORDS, SECRET, SIGN, State,
    TLS, TOP, WEEKLY, YEARLY,
};
use super::suite;

/// What a text that is filled in from the environment looks like before that.
const FILLED: &str = "\\$\\{";

/// What each definition is, for editors, and a value of those that are one value.
#[rustfmt::skip] // A table is read by its lines.
const ABOUT: [(&str, &str, Option<&str>); 32] = [
    ("job", "A job: when it fires, what it does, and how its fires become runs.", None),
    ("defaults", "What every job of the file, or of the folder, takes when it says nothing itself.", None),
    ("schedule", "When the job fires: one schedule, or a list whose union it is.", Some("[{ daily: \"02:00\" }, { yearly: { date: 12-31, at: \"23:00\" } }]")),
    ("oneSchedule", "One schedule: a cron line, `startup`, `manual`, or one kind with what goes with it.", Some("{ daily: \"02:00\" }")),
    ("weekly", "At times of day on days of the week.", Some("{ days: [mon, fri], at: \"09:00\" }")),
    ("monthly", "At times of day on days of the month.", Some("{ day: last fri, at: \"09:00\" }")),
    ("yearly", "At times of day on dates of the year.", Some("{ date: 03-31, at: \"23:00\" }")),
    ("random", "So many times a day, elsewhere each day, inside of a window.", Some("{ times: 3, between: [\"22:00\", \"02:00\"] }")),
    ("dst", "What a change of the clock does to times that it skips or shows twice.", Some("{ gap: skip, fold: both }")),
    ("http", "A request to send; an address alone means GET.", Some("{ method: POST, url: https://example.com/run }")),
    ("httpDefaults", "What every job with `http` takes when it says nothing itself.", Some("{ headers: { Accept: application/json } }")),
    ("expect", "What of an answer counts as success.", Some("{ status: [2xx, 404] }")),
    ("sign", "How the body of a request is signed, as Standard Webhooks do.", Some("{ secret: \"${secrets.HOOK}\" }")),
    ("tls", "Whom to believe and who to be on https.", Some("{ ca: /etc/elder/ca.pem }")),
    ("output", "How much of what a run says is kept.", Some("{ keep: 256KiB }")),
    ("history", "How many runs are kept, and for how long.", Some("{ keep: 1000, for: 1w }")),
    ("limits", "What a process may use at most.", Some("{ memory: 512MiB, cpu_time: 5m }")),
    ("retry", "Further attempts after the first: a number, or how.", Some("{ max: 2, backoff: 2s }")),
    ("calendar", "Dates under a name, for `only` and `except`.", Some("{ weekdays: [sat, sun], dates: [01-01, 2027-05-05] }")),
    ("range", "Dates from the first to the last, both in.", Some("{ from: 2027-12-29, until: 2028-01-03 }")),
    ("pool", "How many runs of some jobs may be under way at once.", Some("{ limit: 2 }")),
    ("sage", "Somebody who is told what became of jobs, and how.", Some("{ http: https://hooks.example.com/ops, remind: 1h }")),
    ("secret", "Where a secret is read from, anew at each attempt.", Some("{ file: /run/secrets/token }")),
    ("text", "Text, taken as it is written.", Some("team-platform")),
    ("texts", "One text, or a list of them.", Some("[a, b]")),
    ("textMap", "Names and texts.", Some("{ NAME: value }")),
    ("duration", "A length of time with its units.", Some("1h30m")),
    ("size", "A number of bytes with its unit.", Some("64KiB")),
    ("day", "A day of the week, or several in one word.", Some("weekdays")),
    ("monthDay", "A day of the month: its number, `last`, or one of its weekdays.", Some("last fri")),
    ("yearDay", "A date of every year, MM-DD.", Some("12-24")),
    ("timeOfDay", "HH:MM or HH:MM:SS.", Some("\"02:00\"")),
];

/// The JSON Schema (draft 7, which editors know best) of a job file.
#[must_use]
pub fn schema() -> String {
    let mut root = level(&TOP, Form::Job, &[]);
    root.insert(
        "$schema".into(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    root.insert("title".into(), json!("elder job file"));
    root.insert("patternProperties".into(), json!({ "^x-": {} }));
    root.insert(
        "definitions".into(),
        json!({
            "job": job(),
            "defaults": level(&JOB, Form::Defaults, &[]),
            "http": http(Form::Job),
            "httpDefaults": level(&HTTP, Form::Defaults, &[]),
            "expect": level(&EXPECT, Form::Job, &[]),
            "sign": level(&SIGN, Form::Job, &["secret"]),
            "tls": some_of(&TLS),
            "output": level(&OUTPUT, Form::Job, &["keep"]),
            "history": some_of(&HISTORY),
            "limits": some_of(&LIMITS),
            "size": {
                "type": "string",
                "pattern": format!("^[0-9]+(GiB|MiB|KiB|GB|MB|kB|B)$|{FILLED}"),
            },
            "retry": retry(),
            "schedule": schedule(),
            "oneSchedule": one_schedule(),
            "weekly": level(&WEEKLY, Form::Job, &["days", "at"]),
            "monthly": level(&MONTHLY, Form::Job, &["day", "at"]),
            "yearly": level(&YEARLY, Form::Job, &["date", "at"]),
            "dst": dst(),
            "random": level(&RANDOM, Form::Job, &["times", "between"]),
            "calendar": level(&CALENDAR, Form::Job, &[]),
            "pool": level(&POOL, Form::Job, &["limit"]),
            "sage": one_action(level(&SAGE, Form::Job, &[])),
            "range": level(&RANGE, Form::Job, &["from", "until"]),
            "secret": secret(),
            "text": text(),
            "texts": one_or_more(text()),
            "textMap": { "type": "object", "additionalProperties": nullable(text()) },
            "duration": duration(),
            "day": { "enum": DAYS },
            "monthDay": month_day(),
            "yearDay": {
                "type": "string",
                "pattern": format!("^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$|{FILLED}"),
            },
            "timeOfDay": {
                "type": "string",
                "pattern": format!("^[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?$|{FILLED}"),
            },
        }),
    );
    let mut root = Value::Object(root);
    for (name, says, example) in ABOUT {
        let place = root.pointer_mut(&format!("/definitions/{name}"));
        if let Some(Value::Object(definition)) = place {
            definition.insert("description".into(), json!(says));
            if let Some(example) = example {
                definition.insert("examples".into(), json!([written(example)]));
            }
        }
    }
    let mut text = serde_json::to_string_pretty(&root).unwrap_or_default();
    text.push('\n');
    text
}

/// The JSON Schema of a file of schedule tests.
#[must_use]
pub fn test_schema() -> String {
    let test = level(&suite::TEST, Form::Job, &[]);
    let mut root = level(&suite::TOP, Form::Job, &[]);
    let head = [
        ("$schema", json!("http://json-schema.org/draft-07/schema#")),
        ("title", json!("elder schedule tests")),
        ("patternProperties", json!({ "^x-": {} })),
        (
            "definitions",
            json!({
                "text": text(),
                "test": test,
                "count": level(&suite::COUNT, Form::Job, &["from", "until"]),
            }),
        ),
    ];
    root.extend(head.map(|(key, value)| (key.to_owned(), value)));
    let one_or_more = one_or_more(refer("test"));
    let places = [
        (
            "/properties/tests",
            json!({ "type": "object", "additionalProperties": one_or_more }),
        ),
        ("/definitions/test/properties/count", refer("count")),
    ];
    let mut root = Value::Object(root);
    for (place, value) in places {
        if let (Some(Value::Object(property)), Value::Object(value)) =
            (root.pointer_mut(place), value)
        {
            property.extend(value);
        }
    }
    let mut text = serde_json::to_string_pretty(&root).unwrap_or_default();
    text.push('\n');
    text
}

/// Which keys a level shows: those of a job, or those that may have a default.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Job,
    Defaults,
}

fn level(level: &Level, form: Form, required: &[&str]) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in level.fields {
        let shown = match field.state {
            State::Here => true,
            State::JobOnly => form == Form::Job,
            State::Later => false,
        };
        if shown {
            let may_be_null = !required.contains(&field.key);
            properties.insert(field.key.to_owned(), property(field, form, may_be_null));
        }
    }
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("additionalProperties".into(), json!(false));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema
}

fn property(field: &Field, form: Form, may_be_null: bool) -> Value {
    let kind = kind(field.kind, form);
    // `null` returns to the built-in, whatever the key.
    let kind = if may_be_null { nullable(kind) } else { kind };
    let mut property = match kind {
        // A sibling of `$ref` is ignored in draft 7.
        Value::Object(map) if map.contains_key("$ref") => {
            Map::from_iter([("allOf".to_owned(), json!([map]))])
        }
        Value::Object(map) => map,
        _ => Map::new(),
    };
    property.insert("description".into(), json!(field.doc));
    property.insert("examples".into(), json!([written(field.example)]));
    Value::Object(property)
}

/// An example as the value that YAML makes of it.
fn written(example: &str) -> Value {
    let tree = super::tree::parse(example);
    tree.root.map_or(Value::Null, |node| value_of(&node))
}

fn value_of(node: &super::tree::Node<'_>) -> Value {
    use super::tree::{Style, Value as Written};
    match &node.value {
        Written::Scalar(scalar) if scalar.style == Style::Plain => match &*scalar.text {
            "true" => json!(true),
            "false" => json!(false),
            "null" => Value::Null,
            text => serde_json::from_str::<serde_json::Number>(text)
                .map_or_else(|_| json!(text), Value::Number),
        },
        Written::Scalar(scalar) => json!(scalar.text),
        Written::List(items) => Value::Array(items.iter().map(value_of).collect()),
        Written::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|entry| (entry.key.to_string(), value_of(&entry.value)))
                .collect(),
        ),
    }
}

fn kind(kind: Kind, form: Form) -> Value {
    match kind {
        Kind::Text | Kind::Template => refer("text"),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::Flag => json!({ "anyOf": [{ "type": "boolean" }, filled()] }),
        Kind::Duration => refer("duration"),
        Kind::DurationOr(word) => json!({ "anyOf": [{ "enum": [word] }, refer("duration")] }),
        Kind::Number { least, most } => number("integer", json!(least), json!(most)),
        Kind::Decimal { least, most } => number("number", json!(least), json!(most)),
        Kind::Texts => json!({ "type": "array", "items": text(), "minItems": 1 }),
        Kind::TextOrTexts => refer("texts"),
        Kind::TextMap => refer("textMap"),
        Kind::ExitCodes => one_or_more(number("integer", json!(0), json!(255))),
        Kind::RetryWhen => one_or_more(json!({ "anyOf": [
            { "enum": RETRY_WORDS },
            { "type": "integer", "minimum": 1, "maximum": 599 },
            filled(),
        ] })),
        Kind::Statuses => one_or_more(json!({ "anyOf": [
            { "type": "string", "pattern": format!("^[1-5](xx|[0-9][0-9])$|{FILLED}") },
            { "type": "integer", "minimum": 100, "maximum": 599 },
        ] })),
        Kind::Json | Kind::Anything => json!({}),
        Kind::JsonMap => json!({ "type": "object", "propertyNames": { "pattern": "^(/|$)" } }),
        Kind::Schedule => refer("schedule"),
        Kind::TimesOfDay => one_or_more(refer("timeOfDay")),
        Kind::Minutes => one_or_more(number("integer", json!(0), json!(59))),
        Kind::Days => one_or_more(refer("day")),
        Kind::Instants => one_or_more(json!({ "type": "string" })),
        Kind::Bound => json!({ "type": "string" }),
        Kind::Retry => refer("retry"),
        Kind::Output => refer("output"),
        Kind::History => refer("history"),
        Kind::Http if form == Form::Defaults => refer("httpDefaults"),
        Kind::Http => refer("http"),
        Kind::Expect => refer("expect"),
        Kind::Sign => refer("sign"),
        Kind::Tls => refer("tls"),
        Kind::Size => refer("size"),
        Kind::Limits => refer("limits"),
        Kind::Weekly => refer("weekly"),
        Kind::Monthly => refer("monthly"),
        Kind::MonthDays => one_or_more(refer("monthDay")),
        Kind::Yearly => refer("yearly"),
        Kind::YearDays => one_or_more(refer("yearDay")),
        Kind::Dst => refer("dst"),
        Kind::Spread => json!({ "anyOf": [{ "enum": [true] }, refer("duration")] }),
        Kind::Random => refer("random"),
        Kind::Between => json!({
            "type": "array", "items": refer("timeOfDay"), "minItems": 2, "maxItems": 2,
        }),
        Kind::Secrets => {
            json!({ "type": "object", "additionalProperties": nullable(refer("secret")) })
        }
        Kind::Jobs => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" },
            "additionalProperties": refer("job"),
        }),
        Kind::Calendars => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" },
            "additionalProperties": refer("calendar"),
        }),
        Kind::Pools => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" },
            "additionalProperties": refer("pool"),
        }),
        Kind::Sages => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" },
            "additionalProperties": refer("sage"),
        }),
        Kind::Ranges => one_or_more(refer("range")),
        Kind::Defaults => refer("defaults"),
    }
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

/// Where text is meant, a scalar is taken as it is written.
fn text() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn filled() -> Value {
    json!({ "type": "string", "pattern": FILLED })
}

fn duration() -> Value {
    json!({
        "type": "string",
        "pattern": format!("^([0-9]+(w|d|h|m|s|ms))+$|{FILLED}"),
    })
}

fn number(kind: &str, least: Value, most: Value) -> Value {
    json!({ "anyOf": [{ "type": kind, "minimum": least, "maximum": most }, filled()] })
}

fn one_or_more(item: Value) -> Value {
    json!({ "anyOf": [item, { "type": "array", "items": item }] })
}

fn nullable(kind: Value) -> Value {
    if kind.as_object().is_some_and(Map::is_empty) {
        return kind;
    }
    json!({ "anyOf": [kind, { "type": "null" }] })
}

fn job() -> Value {
    one_action(level(&JOB, Form::Job, &["schedule"]))
}

fn one_action(mut schema: Map<String, Value>) -> Value {
    let actions = ["run", "exec", "http"].map(|key| json!({ "required": [key] }));
    schema.insert("oneOf".into(), json!(actions));
    Value::Object(schema)
}

fn http(form: Form) -> Value {
    json!({ "anyOf": [{ "type": "string" }, level(&HTTP, form, &["url"])] })
}

fn retry() -> Value {
    let max = RETRY.find("max").map_or(Kind::Anything, |field| field.kind);
    json!({ "anyOf": [kind(max, Form::Job), level(&RETRY, Form::Job, &["max"])] })
}

fn schedule() -> Value {
    json!({ "anyOf": [
        refer("oneSchedule"),
        { "type": "array", "items": refer("oneSchedule"), "minItems": 1 },
    ] })
}

fn one_schedule() -> Value {
    json!({ "anyOf": [
        { "enum": SCHEDULE_WORDS },
        { "type": "string", "description": "a cron line" },
        level(&SCHEDULE, Form::Job, &[]),
    ] })
}

/// A mapping of which at least one key is there.
fn some_of(keys: &Level) -> Value {
    let mut schema = level(keys, Form::Job, &[]);
    schema.insert("minProperties".into(), json!(1));
    Value::Object(schema)
}

fn month_day() -> Value {
    let ordinals = "1st|2nd|3rd|4th|5th|first|second|third|fourth|fifth|last";
    let words = format!("^last$|^({ordinals}) +(mon|tue|wed|thu|fri|sat|sun|weekday)$|{FILLED}");
    json!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 31 },
        { "type": "string", "pattern": words },
    ] })
}

fn dst() -> Value {
    let mut schema = level(&DST, Form::Job, &[]);
    schema.insert("minProperties".into(), json!(1));
    Value::Object(schema)
}

fn secret() -> Value {
    let mut schema = level(&SECRET, Form::Job, &[]);
    schema.insert("minProperties".into(), json!(1));
    schema.insert("maxProperties".into(), json!(1));
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use super::super::tests;
    use super::*;

    /// As much of JSON Schema as [`schema`] uses, without patterns.
    fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
        let all = |list: &Value| list.as_array().cloned().unwrap_or_default();
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            return accepts(root, root.pointer(&name[1..]).unwrap(), value);
        }
        let kind = |kind: &str| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("type {other} is not checked here"),
        };
        let mut fine = true;
        for (key, rule) in schema.as_object().unwrap() {
            fine &= match key.as_str() {
                "type" => match rule {
                    Value::String(one) => kind(one),
                    many => all(many).iter().any(|one| kind(one.as_str().unwrap())),
                },
                "enum" => all(rule).contains(value),
                "anyOf" => all(rule).iter().any(|one| accepts(root, one, value)),
                "allOf" => all(rule).iter().all(|one| accepts(root, one, value)),
                "oneOf" => {
                    all(rule)
                        .iter()
                        .filter(|one| accepts(root, one, value))
                        .count()
                        == 1
                }
                "required" => all(rule)
                    .iter()
                    .all(|key| value.get(key.as_str().unwrap()).is_some()),
                "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
                "minItems" => value
                    .as_array()
                    .is_none_or(|a| a.len() as u64 >= rule.as_u64().unwrap()),
                "maxItems" => value
                    .as_array()
                    .is_none_or(|a| a.len() as u64 <= rule.as_u64().unwrap()),
                "minProperties" => value
                    .as_object()
                    .is_none_or(|o| o.len() as u64 >= rule.as_u64().unwrap()),
                "maxProperties" => value
                    .as_object()
                    .is_none_or(|o| o.len() as u64 <= rule.as_u64().unwrap()),
                "items" => value
                    .as_array()
                    .is_none_or(|a| a.iter().all(|one| accepts(root, rule, one))),
                "properties" => value.as_object().is_none_or(|object| {
                    object.iter().all(|(key, value)| {
                        rule.get(key).is_none_or(|rule| accepts(root, rule, value))
                    })
                }),
                "additionalProperties" => value.as_object().is_none_or(|object| {
                    let known = schema.get("properties");
                    object
                        .iter()
                        .filter(|(key, _)| known.and_then(|k| k.get(key)).is_none())
                        .filter(|(key, _)| {
                            !(schema.get("patternProperties").is_some() && key.starts_with("x-"))
                        })
                        .all(|(_, value)| rule.is_object() && accepts(root, rule, value))
                }),
                "$schema" | "title" | "description" | "examples" | "definitions" | "pattern"
                | "patternProperties" | "propertyNames" => true,
                other => panic!("{other} is not checked here"),
            };
        }
        fine
    }

    fn yaml(text: &str) -> Value {
        value_of(&super::super::tree::parse(text).root.unwrap())
    }

    fn is_valid(text: &str) -> bool {
        let root: Value = serde_json::from_str(&schema()).unwrap();
        accepts(&root, &root, &yaml(text))
    }

    #[test]
    fn the_file_in_the_repository_is_this_schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/elder.schema.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == schema(),
            "schema/elder.schema.json is not what this build accepts: run `elder schema > schema/elder.schema.json`"
        );
    }

    #[test]
    fn every_definition_says_what_it_is_and_its_example_is_one() {
        let root: Value = serde_json::from_str(&schema()).unwrap();
        let definitions = root["definitions"].as_object().unwrap();
        assert_eq!(definitions.len(), ABOUT.len());
        for (name, _, example) in ABOUT {
            let definition = &definitions[name];
            assert!(definition["description"].is_string(), "{name}");
            if example.is_some() {
                let example = &definition["examples"][0];
                assert!(accepts(&root, definition, example), "{name}: {example}");
            }
        }
    }

    #[test]
    fn the_schema_of_tests_in_the_repository_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/elder-test.schema.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == test_schema(),
            "schema/elder-test.schema.json is not what this build accepts: run `elder schema --tests > schema/elder-test.schema.json`"
        );
        let root: Value = serde_json::from_str(&test_schema()).unwrap();
        for (text, good) in [
            (
                "tests: { a: [{ fires_at: 2027-01-01, name: x }, { never_at: [2027-01-01] }] }",
                true,
            ),
            (
                "tests: { a: { count: { from: 2027-01-01, until: 2027-01-02, is: 1 } } }",
                true,
            ),
            ("x-a: 1\ntests: {}", true),
            ("tests: { a: { fires: 2027-01-01 } }", false),
            (
                "tests: { a: { count: { from: 2027-01-01, is: 1 } } }",
                false,
            ),
            ("jobs: {}", false),
        ] {
            assert_eq!(accepts(&root, &root, &yaml(text)), good, "{text}");
        }
    }

    #[test]
    fn every_example_is_accepted_by_the_decoder_and_by_the_schema() {
        let try_both = |text: String| {
            let file = tests::file(&text);
            assert!(!file.is_bad(), "{text}\n{}", tests::shown(&file.findings));
            assert!(is_valid(&text), "{text}");
        };
        for field in JOB.fields.iter().filter(|f| f.state != State::Later) {
            let Field { key, example, .. } = field;
            let action = match *key {
                "run" | "exec" | "http" => "",
                _ => "run: x",
            };
            let schedule = if *key == "schedule" {
                ""
            } else {
                "schedule: manual"
            };
            let job = tests::job(&format!("{schedule}\n{action}\n{key}: {example}"));
            try_both(format!("sages: {{ ops: {{ run: x }} }}\n{job}"));
            if field.state == State::Here && *key != "http" {
                try_both(format!("defaults: {{ {key}: {example} }}"));
                try_both(format!("defaults: {{ {key}: null }}"));
            }
        }
        for (level, before) in [
            (&HTTP, "http"),
            (&EXPECT, "http: { url: \"http://x\", expect"),
            (&SIGN, "http: { url: \"http://x\", sign"),
            (&TLS, "http: { url: \"https://x\", tls"),
            (&RETRY, "run: x\nretry"),
            (&SCHEDULE, "schedule"),
            (&MONTHLY, "schedule: { monthly"),
            (&YEARLY, "schedule: { yearly"),
            (&DST, "schedule: { daily: \"02:00\", dst"),
            (&RANDOM, "schedule: { random"),
            (&SECRET, "secrets: { A"),
        ] {
            for field in level.fields.iter().filter(|f| f.state != State::Later) {
                let Field { key, example, .. } = field;
                let beside = match (level.what, *key) {
                    ("`http`", "url") | ("`retry`", "max") | ("a secret" | "`expect`", _) => "",
                    ("`http`", _) => "url: \"https://x\", ",
                    ("`tls`", "cert") => "key: k.pem, ",
                    ("`tls`", "key") => "cert: c.pem, ",
                    ("`retry`", _) => "max: 1, ",
                    ("a schedule", "shift") => "daily: \"02:00\", except: weekend, ",
                    (
                        "a schedule",
                        "timezone" | "from" | "until" | "dst" | "jitter" | "spread" | "only"
                        | "except",
                    ) => "daily: \"02:00\", ",
                    ("`monthly`", "day") | ("`yearly`", "date") => "at: \"09:00\", ",
                    ("`monthly`", _) => "day: 1, ",
                    ("`yearly`", _) => "date: 12-24, ",
                    _ => "",
                };
                let window = "between: [\"09:00\", \"17:00\"], ";
                let beside = match (level.what, *key) {
                    ("`random`", "times") => window.to_owned(),
                    ("`random`", "between") => "times: 3, ".to_owned(),
                    ("`random`", _) => format!("times: 3, {window}"),
                    _ => beside.to_owned(),
                };
                let close = if before.contains('{') { " }" } else { "" };
                let mut keys = format!("{before}: {{ {beside}{key}: {example} }}{close}");
                if !keys.contains("schedule:") {
                    keys.push_str("\nschedule: manual");
                }
                if keys.contains("${secrets.") {
                    keys.push_str("\nsecrets: { HOOK: { env: A }, HOOK_BEFORE: { env: B } }");
                }
                if !keys.contains("http:") && !keys.contains("run:") {
                    keys.push_str("\nrun: x");
                }
                let weekend = "calendars: { weekend: { weekdays: [sat, sun] } }";
                try_both(format!("{weekend}\n{}", tests::job(&keys)));
            }
        }
        for field in POOL.fields {
            let text = format!("pools: {{ a: {{ {}: {} }} }}\n", field.key, field.example);
            assert!(!tests::file(&text).is_bad() && is_valid(&text), "{text}");
        }
        for field in SAGE.fields {
            let Field { key, example, .. } = field;
            let action = match *key {
                "http" | "run" | "exec" => "",
                _ => "run: x, ",
            };
            let text = format!("sages: {{ a: {{ {action}{key}: {example} }} }}\n");
            assert!(!tests::file(&text).is_bad() && is_valid(&text), "{text}");
        }
        for field in CALENDAR.fields {
            let Field { key, example, .. } = field;
            let text = format!(
                "calendars:\n  weekend: {{ weekdays: [sat, sun] }}\n  a: {{ {key}: {example} }}\n"
            );
            let ics = "BEGIN:VCALENDAR\nEND:VCALENDAR\n";
            let files = [("a.yaml", text.as_str()), ("holidays.ics", ics)];
            let checked = tests::tree_with(&files, &tests::options(&[]));
            let findings = &checked.files[0].findings;
            assert!(findings.is_empty(), "{text}\n{}", tests::shown(findings));
            assert!(is_valid(&text), "{text}");
        }
    }

    #[test]
    fn what_the_decoder_refuses_by_its_shape_the_schema_refuses_too() {
        for keys in [
            "schedule: manual",
            "run: x",
            "schedule: manual\nrun: x\nexec: [x]",
            "schedule: manual\nrun: x\non_failure: { a: b }",
            "schedule: manual\nrun: x\nshedule: manual",
            "schedule: manual\nrun: x\nenabled: 7",
            "schedule: { monthly: { day: 1 } }\nrun: x",
            "schedule: { monthly: { day: 32, at: \"09:00\" } }\nrun: x",
            "schedule: { yearly: { at: \"09:00\" } }\nrun: x",
            "schedule: { daily: \"09:00\", dst: { gap: before } }\nrun: x",
            "schedule: { hourly: 60 }\nrun: x",
            "schedule: { random: { times: 3 } }\nrun: x",
            "schedule: { random: { times: 0, between: [\"09:00\", \"17:00\"] } }\nrun: x",
            "schedule: { random: { times: 3, between: [\"09:00\"] } }\nrun: x",
            "schedule: { every: 5m, spread: false }\nrun: x",
            "schedule: []\nrun: x",
            "schedule: manual\nrun: x\nmax_instances: 0",
            "schedule: manual\nrun: x\noverlap: parallel",
            "schedule: manual\nrun: x\nretry: { backoff: 2s }",
            "schedule: manual\nhttp: { method: GET }",
            "schedule: manual\nhttp: { url: \"http://x\", tls: {} }",
            "schedule: manual\nrun: x\nsecrets: { A: { env: B, file: C } }",
        ] {
            let text = tests::job(keys);
            assert!(tests::file(&text).is_bad(), "{text}");
            assert!(!is_valid(&text), "{text}");
        }
        for text in [
            "sages: []",
            "sages: { a: {} }",
            "sages: { a: { run: x, http: \"http://x\" } }",
            "sages: { a: { run: x, after: 0 } }",
            "sages: { a: { run: x, stdin: y } }",
            "calendars: []",
            "pools: []",
            "pools: { a: {} }",
            "pools: { a: { limit: 0 } }",
            "pools: { a: { size: 2 } }",
            "calendars: { a: { weekday: sat } }",
            "calendars: { a: { ranges: [{ from: 2027-01-01 }] } }",
            "jobs: []",
            "defaults: { run: x }",
            "defaults: { http: { url: x } }",
        ] {
            assert!(tests::file(text).is_bad(), "{text}");
            assert!(!is_valid(text), "{text}");
        }
        assert!(is_valid("x-anything: { a: 1 }"));
    }
}
