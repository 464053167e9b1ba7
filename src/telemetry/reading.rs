//! Reads the text of `/metrics` back, strictly, for tests.

use std::collections::HashSet;

use super::Format;

/// A family as read.
#[derive(Debug)]
pub(crate) struct ReadFamily {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) samples: Vec<ReadSample>,
}

/// A sample as read.
#[derive(Debug)]
pub(crate) struct ReadSample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: String,
    /// The trace of one that it counts.
    pub(crate) exemplar: Option<String>,
}

impl ReadSample {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The value of the one sample with that name and at least these labels.
pub(crate) fn value_of(
    families: &[ReadFamily],
    name: &str,
    labels: &[(&str, &str)],
) -> Option<String> {
    let samples = families.iter().flat_map(|family| &family.samples);
    let mut hits = samples.filter(|sample| {
        sample.name == name
            && labels
                .iter()
                .all(|(label, value)| sample.label(label) == Some(value))
    });
    let hit = hits.next().map(|sample| sample.value.clone());
    assert!(hits.next().is_none(), "{name} {labels:?} is not one sample");
    hit
}

/// Every line must be right, or this panics and says which is not.
pub(crate) fn read(text: &str, format: Format) -> Vec<ReadFamily> {
    let body = match format {
        Format::Text => {
            assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
            text
        }
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("ends with # EOF"),
    };
    assert!(body.is_empty() || body.ends_with('\n'));
    let mut families: Vec<ReadFamily> = Vec::new();
    let mut helped = HashSet::new();
    let mut seen = HashSet::new();
    for line in body.split_terminator('\n') {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect(line);
            assert!(!help.is_empty(), "{line}");
            assert!(helped.insert(name.to_owned()), "twice: {line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert!(helped.contains(name), "help first: {line}");
            let kinds = ["counter", "gauge", "histogram", "info"];
            assert!(kinds.contains(&kind), "{line}");
            assert!(format == Format::OpenMetrics || kind != "info", "{line}");
            families.push(ReadFamily {
                name: name.to_owned(),
                kind: kind.to_owned(),
                samples: Vec::new(),
            });
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').expect(line);
            assert_eq!(families.last().unwrap().name, name, "{line}");
            assert!(name.ends_with(&format!("_{unit}")), "{line}");
        } else {
            let (line, exemplar) = match line.split_once(" # {trace_id=\"") {
                Some((line, exemplar)) => (line, Some(exemplar)),
                None => (line, None),
            };
            let mut sample = sample(line);
            sample.exemplar = exemplar.map(|text| read_exemplar(text, &sample, format));
            let family = families.last_mut().expect(line);
            assert!(belongs(&sample.name, family, format), "{line}");
            let key = (sample.name.clone(), sample.labels.clone());
            assert!(seen.insert(key), "series twice: {line}");
            family.samples.push(sample);
        }
    }
    families
}

fn belongs(sample: &str, family: &ReadFamily, format: Format) -> bool {
    let Some(suffix) = sample.strip_prefix(family.name.as_str()) else {
        return false;
    };
    match (family.kind.as_str(), format) {
        ("counter", Format::OpenMetrics) => suffix == "_total",
        ("counter", Format::Text) => suffix.is_empty() && sample.ends_with("_total"),
        ("info", _) => suffix == "_info",
        ("histogram", _) => matches!(suffix, "_bucket" | "_sum" | "_count"),
        _ => suffix.is_empty(),
    }
}

fn sample(line: &str) -> ReadSample {
    let end = line.find(['{', ' ']).expect(line);
    let name = line[..end].to_owned();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    assert!(!name.is_empty() && name.chars().all(good), "{line}");
    assert!(!name.starts_with(|c: char| c.is_ascii_digit()), "{line}");
    let mut labels = Vec::new();
    let mut rest = &line[end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            assert!(!label.is_empty() && label.chars().all(plain), "{line}");
            let (value, after) = quoted(after, line);
            labels.push((label.to_owned(), value));
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',').expect(line);
        }
    }
    let value = rest.strip_prefix(' ').expect(line).to_owned();
    assert!(value.parse::<f64>().is_ok(), "{line}");
    ReadSample {
        name,
        labels,
        value,
        exemplar: None,
    }
}

/// The trace; buckets of the newer format alone have one, with a length that the bucket counts.
fn read_exemplar(text: &str, sample: &ReadSample, format: Format) -> String {
    assert_eq!(format, Format::OpenMetrics, "{text}");
    assert!(sample.name.ends_with("_bucket"), "{sample:?}");
    let (trace, rest) = text.split_once("\"} ").expect(text);
    assert!(
        trace.len() == 32 && trace.chars().all(|c| c.is_ascii_hexdigit()),
        "{text}"
    );
    let numbers: Vec<f64> = rest.split(' ').map(|part| part.parse().unwrap()).collect();
    assert!(matches!(numbers.len(), 1 | 2), "{text}");
    let le = sample.labels.iter().find(|(name, _)| name == "le");
    let le: f64 = le.unwrap().1.replace("+Inf", "inf").parse().unwrap();
    assert!(numbers[0] <= le, "{text} in {sample:?}");
    trace.to_owned()
}

fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                other => panic!("bad escape {other:?}: {line}"),
            },
            c => value.push(c),
        }
    }
    panic!("no end of a label: {line}");
}
