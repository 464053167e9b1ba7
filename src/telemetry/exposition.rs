//! Samples as text, in either of the two formats that Prometheus asks for.
//!
//! One writer for both: the formats differ in the names of counters and infos,
//! in the `# UNIT` and `# EOF` lines and in how `le` is written, and in nothing else.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use super::histogram::Example;

/// A format of `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that an `Accept` header prefers; text when it says nothing of use.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let mut text = 0.0_f32;
        let mut open = 0.0_f32;
        for range in accept.unwrap_or_default().split(',') {
            let mut pieces = range.split(';').map(str::trim);
            let media = pieces.next().unwrap_or_default();
            let mut quality = 1.0_f32;
            let mut version = None;
            for piece in pieces {
                match piece.split_once('=') {
                    Some(("q", value)) => quality = value.parse().unwrap_or(0.0),
                    Some(("version", value)) => version = Some(value.trim_matches('"')),
                    _ => {}
                }
            }
            match media {
                "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                    open = open.max(quality);
                }
                "text/plain" | "text/*" | "*/*" => text = text.max(quality),
                _ => {}
            }
        }
        if open > 0.0 && open >= text {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }

    /// The `Content-Type` of an answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a family measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only goes up; its samples end in `_total`.
    Counter,
    /// Goes both ways.
    Gauge,
    /// Buckets, a sum and a count.
    Histogram,
    /// Always 1; its labels are what it says. Its samples end in `_info`.
    Info,
}

/// A family: all samples of one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// What it measures.
    pub(super) kind: Kind,
    /// Its name without `_total` and `_info`.
    pub(super) name: &'static str,
    /// `seconds` or `bytes`, when the name ends so.
    pub(super) unit: Option<&'static str>,
    /// A sentence.
    pub(super) help: &'static str,
}

/// A label's name and value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// Labels as text, made once for the many samples that share them.
pub(super) struct Written(String);

impl Written {
    /// The labels at the begin; others follow.
    pub(super) fn begin(labels: &[Label<'_>]) -> Self {
        let mut text = String::new();
        for (index, label) in labels.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            write_label(&mut text, *label);
        }
        Self(text)
    }

    /// The labels at the end, after [`Written::begin`], and what stands before the value.
    pub(super) fn end(labels: &[Label<'_>]) -> Self {
        let mut text = String::new();
        for label in labels {
            text.push(',');
            write_label(&mut text, *label);
        }
        text.push_str("} ");
        Self(text)
    }
}

/// The text while it is written. Samples must follow their own family.
pub(super) struct Exposition {
    text: String,
    format: Format,
    /// The family's name with the suffix of its samples.
    name: String,
}

impl Exposition {
    /// An empty text that expects about `capacity` bytes.
    pub(super) fn new(format: Format, capacity: usize) -> Self {
        Self {
            text: String::with_capacity(capacity),
            format,
            name: String::new(),
        }
    }

    /// Begins a family.
    pub(super) fn family(&mut self, family: Family) {
        let (suffix, word) = match (family.kind, self.format) {
            (Kind::Counter, _) => ("_total", "counter"),
            (Kind::Gauge, _) => ("", "gauge"),
            (Kind::Histogram, _) => ("", "histogram"),
            (Kind::Info, Format::OpenMetrics) => ("_info", "info"),
            (Kind::Info, Format::Text) => ("_info", "gauge"),
        };
        self.name = format!("{}{suffix}", family.name);
        // The older format names a family as its samples are named, the newer one without suffix.
        let shown = match self.format {
            Format::Text => suffix,
            Format::OpenMetrics => "",
        };
        let (name, help) = (family.name, family.help);
        self.line(format_args!("# HELP {name}{shown} {help}\n"));
        self.line(format_args!("# TYPE {name}{shown} {word}\n"));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, family.unit) {
            self.line(format_args!("# UNIT {name} {unit}\n"));
        }
    }

    /// A sample that is a whole number.
    pub(super) fn count(&mut self, labels: &[Label<'_>], value: u64) {
        self.start("", labels);
        self.line(format_args!(" {value}\n"));
    }

    /// A sample that is a whole number, with labels that are written already: there are dozens for each job.
    pub(super) fn count_written(&mut self, begin: &Written, end: &Written, value: u64) {
        self.text.push_str(&self.name);
        self.text.push_str(&begin.0);
        self.text.push_str(&end.0);
        match value {
            0 => self.text.push_str("0\n"),
            value => self.line(format_args!("{value}\n")),
        }
    }

    /// A sample that is an instant.
    pub(super) fn instant(&mut self, labels: &[Label<'_>], value: Timestamp) {
        self.start("", labels);
        self.text.push(' ');
        // The end of all time stands for none.
        if value == Timestamp::MAX {
            self.text.push_str("+Inf\n");
            return;
        }
        let nanos = value.as_nanosecond();
        if nanos < 0 {
            self.text.push('-');
        }
        self.seconds(nanos.unsigned_abs());
        self.text.push('\n');
    }

    /// A sample that is a length of time.
    pub(super) fn length(&mut self, labels: &[Label<'_>], value: Duration) {
        self.start("", labels);
        self.text.push(' ');
        self.seconds(value.as_nanos());
        self.text.push('\n');
    }

    /// All samples of one histogram.
    pub(super) fn histogram(&mut self, labels: &[Label<'_>], value: &super::histogram::Reading) {
        let mut cumulative = 0;
        let bounds = value.bounds.iter().copied().map(Some).chain([None]);
        let examples = value
            .examples
            .iter()
            .copied()
            .chain(std::iter::repeat(None));
        for ((bound, count), example) in bounds.zip(&value.counts).zip(examples) {
            cumulative += count;
            let le = match (bound, self.format) {
                (None, _) => "+Inf".to_owned(),
                (Some(bound), Format::Text) => bound.to_string(),
                // The newer format wants its numbers to look like floating point.
                (Some(bound), Format::OpenMetrics) => format!("{bound:?}"),
            };
            let labels: Vec<_> = labels.iter().copied().chain([("le", &*le)]).collect();
            self.start("_bucket", &labels);
            self.line(format_args!(" {cumulative}"));
            if let (Some(example), Format::OpenMetrics) = (example, self.format) {
                self.exemplar(example);
            }
            self.text.push('\n');
        }
        self.start("_sum", labels);
        self.text.push(' ');
        self.seconds(value.sum.as_nanos());
        self.text.push('\n');
        self.start("_count", labels);
        self.line(format_args!(" {cumulative}\n"));
    }

    /// One of those that a bucket counts: from a slow one to what ran.
    fn exemplar(&mut self, example: Example) {
        let trace = example.run.trace_id();
        self.line(format_args!(" # {{trace_id=\"{trace}\"}} "));
        self.seconds(example.length.as_nanos());
        if let Some(at) = example.at.map(Timestamp::as_nanosecond) {
            self.text.push(' ');
            self.seconds(at.unsigned_abs());
        }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn start(&mut self, part: &str, labels: &[Label<'_>]) {
        self.text.push_str(&self.name);
        self.text.push_str(part);
        for (index, label) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            write_label(&mut self.text, *label);
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
    }

    fn seconds(&mut self, nanos: u128) {
        let (whole, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        self.line(format_args!("{whole}"));
        if fraction > 0 {
            self.line(format_args!(".{fraction:09}"));
            let digits = self.text.trim_end_matches('0').len();
            self.text.truncate(digits);
        }
    }

    fn line(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(arguments);
    }
}

fn write_label(text: &mut String, (name, value): Label<'_>) {
    text.push_str(name);
    text.push_str("=\"");
    escape(text, value);
    text.push('"');
}

/// Appends a label's value; the three characters that would end it or its line are escaped.
fn escape(text: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::reading::read;

    #[test]
    fn the_format_follows_the_accept_header() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, want) in [
            (None, Format::Text),
            (Some(""), Format::Text),
            (Some("*/*"), Format::Text),
            (Some("text/html"), Format::Text),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (Some(prometheus), Format::OpenMetrics),
            (
                Some("application/openmetrics-text;version=0.0.1, text/plain;q=0.1"),
                Format::Text,
            ),
            (
                Some("application/openmetrics-text;q=0.2,text/plain;q=0.8"),
                Format::Text,
            ),
            (Some("application/openmetrics-text;q=0"), Format::Text),
            (Some("application/openmetrics-text;q=x;;=,"), Format::Text),
        ] {
            assert_eq!(Format::negotiate(accept), want, "{accept:?}");
        }
    }

    #[test]
    fn lengths_and_instants_are_written_exactly() {
        let mut out = Exposition::new(Format::Text, 0);
        out.family(Family {
            kind: Kind::Gauge,
            name: "x_seconds",
            unit: Some("seconds"),
            help: "A length.",
        });
        for (nanos, _) in [(0, "0"), (1_500_000_000, "1.5"), (10_000_000_000, "10")] {
            out.length(&[], Duration::from_nanos(nanos));
        }
        out.instant(&[], Timestamp::from_nanosecond(-1_250_000_000).unwrap());
        let text = out.finish();
        let values: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            values,
            [
                "x_seconds 0",
                "x_seconds 1.5",
                "x_seconds 10",
                "x_seconds -1.25"
            ]
        );
    }

    proptest! {
        #[test]
        fn any_label_reads_back_as_it_was(value in any::<String>(), number in any::<u64>()) {
            for format in [Format::Text, Format::OpenMetrics] {
                let mut out = Exposition::new(format, 0);
                out.family(Family { kind: Kind::Counter, name: "elder_x", unit: None, help: "X." });
                out.count(&[("job_name", "a"), ("schedule", &value)], number);
                let begin = Written::begin(&[("job_name", "b")]);
                out.count_written(&begin, &Written::end(&[("schedule", &value)]), number);
                let text = out.finish();
                let families = read(&text, format);
                prop_assert_eq!(families[0].samples.len(), 2);
                for sample in &families[0].samples {
                    prop_assert_eq!(&sample.name, "elder_x_total");
                    prop_assert_eq!(sample.label("schedule"), Some(value.as_str()));
                    prop_assert_eq!(&sample.value, &number.to_string());
                }
            }
        }
    }
}
