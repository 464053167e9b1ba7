//! Samples of `/metrics`.

use std::collections::BTreeMap;

/// One scrape.
#[derive(Clone, Debug)]
pub struct Metrics(Vec<Sample>);

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Reads the text format (0.0.4 and OpenMetrics alike); panics at a line that is neither.
    pub fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let sample = |line| parse(line).unwrap_or_else(|| panic!("no sample: {line}"));
        Self(lines.map(sample).collect())
    }

    /// The one sample of that name that has these labels; others do not matter.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value))
        };
        self.0.iter().find(has).map(|sample| sample.value)
    }

    /// The sum over all samples of that name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value))
        };
        self.0.iter().filter(has).map(|sample| sample.value).sum()
    }

    /// All names.
    pub fn names(&self) -> std::collections::BTreeSet<&str> {
        self.0.iter().map(|sample| sample.name.as_str()).collect()
    }
}

fn parse(line: &str) -> Option<Sample> {
    let (name, rest) = match line.find(['{', ' ']) {
        Some(end) => line.split_at(end),
        None => return None,
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    if let Some(inner) = rest.strip_prefix('{') {
        let mut inner = inner;
        while !inner.starts_with('}') {
            inner = inner.trim_start_matches(',');
            let (key, after) = inner.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(key.to_owned(), value);
            inner = after;
        }
        rest = &inner[1..];
    }
    let value = rest.split_whitespace().next()?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        other => other.parse().ok()?,
    };
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[test]
fn samples_are_read_with_their_labels() {
    let text = "# TYPE a counter\na_total{job_name=\"x\\\"y\",outcome=\"success\"} 3\na_total{job_name=\"z\",outcome=\"failed\"} 2 # {trace_id=\"1\"} 1\nb 1.5e3\nc{le=\"+Inf\"} +Inf\n# EOF\n";
    let metrics = Metrics::parse(text);
    assert_eq!(metrics.get("a_total", &[("job_name", "x\"y")]), Some(3.0));
    assert_eq!(metrics.sum("a_total", &[]), 5.0);
    assert_eq!(metrics.get("b", &[]), Some(1500.0));
    assert_eq!(metrics.get("c", &[("le", "+Inf")]), Some(f64::INFINITY));
    assert_eq!(metrics.get("a_total", &[("job_name", "q")]), None);
    assert_eq!(metrics.names().len(), 3);
}
