//! A log line while it is put together, and the three ways to write it.

use std::fmt::{Display, Write as _};

use jiff::Timestamp;
use serde_json::ser::to_string as json;
use tracing::Level;

use super::Style;
use super::limit::LeftOut;

/// The longest value that a line holds, in bytes; the rest of a longer one is cut.
const MAX_VALUE: usize = 4096;

/// The width of the message on a line for people.
const MESSAGE: usize = 24;

/// One event.
#[derive(Debug)]
pub(super) struct Record {
    at: Timestamp,
    level: Level,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

#[derive(Debug)]
enum Value {
    /// Is quoted where the format wants it.
    Text(String),
    /// A number, `true`, `false`.
    Literal(String),
}

impl Record {
    /// An empty one.
    pub(super) fn new(at: Timestamp, level: Level) -> Self {
        Self {
            at,
            level,
            message: String::new(),
            fields: Vec::new(),
        }
    }

    /// How severe.
    pub(super) fn level(&self) -> &Level {
        &self.level
    }

    /// Adds a text; the one named `message` is the message.
    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        let mut value = value;
        if value.len() > MAX_VALUE {
            value = &value[..value.floor_char_boundary(MAX_VALUE)];
        }
        if name == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((name, Value::Text(value.to_owned())));
        }
    }

    /// Adds a number or a truth value.
    pub(super) fn literal(&mut self, name: &'static str, value: impl Display) {
        self.fields.push((name, Value::Literal(value.to_string())));
    }

    /// Lines that repeat are those with the same message about the same job.
    pub(super) fn repetition_key(&self) -> (&str, &str) {
        let job = self.fields.iter().find(|(name, _)| *name == "job");
        let job = match job {
            Some((_, Value::Text(job))) => job.as_str(),
            _ => "",
        };
        (&self.message, job)
    }

    /// The line that says how many were left out.
    pub(super) fn summary(&self, left_out: &LeftOut) -> Record {
        let mut record = Record::new(self.at, left_out.level);
        record.text("message", &left_out.message);
        if !left_out.job.is_empty() {
            record.text("job", &left_out.job);
        }
        record.literal("left_out", left_out.count);
        record
    }

    /// Appends the line.
    pub(super) fn write(&self, style: Style, line: &mut String) {
        // Writing to a String cannot fail.
        let _ = match style {
            Style::Plain => self.people(line, ["", "", ""]),
            Style::Coloured => self.people(line, ["\x1b[2m", colour(self.level), "\x1b[0m"]),
            Style::Json => self.json(line),
            Style::Logfmt => self.logfmt(line),
        };
        line.push('\n');
    }

    fn people(&self, line: &mut String, [dim, bright, end]: [&str; 3]) -> std::fmt::Result {
        let level = self.level.as_str();
        let message = shown(&self.message);
        write!(line, "{dim}{:.3}{end} {bright}{level:<5}{end} ", self.at)?;
        if self.fields.is_empty() {
            return line.write_str(&message);
        }
        write!(line, "{message:<MESSAGE$}")?;
        for (name, value) in &self.fields {
            write!(line, " {dim}{name}={end}")?;
            pair(line, value)?;
        }
        Ok(())
    }

    fn json(&self, line: &mut String) -> std::fmt::Result {
        let level = self.level.as_str().to_ascii_lowercase();
        let message = json(&self.message).unwrap_or_default();
        let at = self.at;
        write!(
            line,
            "{{\"time\":\"{at:.3}\",\"level\":\"{level}\",\"message\":{message}"
        )?;
        for (name, value) in &self.fields {
            match value {
                Value::Literal(value) => write!(line, ",\"{name}\":{value}")?,
                Value::Text(value) => {
                    let value = json(value).unwrap_or_default();
                    write!(line, ",\"{name}\":{value}")?;
                }
            }
        }
        line.write_char('}')
    }

    fn logfmt(&self, line: &mut String) -> std::fmt::Result {
        let level = self.level.as_str().to_ascii_lowercase();
        write!(line, "time={:.3} level={level} msg=", self.at)?;
        pair(line, &Value::Text(self.message.clone()))?;
        for (name, value) in &self.fields {
            write!(line, " {name}=")?;
            pair(line, value)?;
        }
        Ok(())
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG | Level::TRACE => "\x1b[2m",
    }
}

/// A value of `key=value`, quoted where it needs it.
fn pair(line: &mut String, value: &Value) -> std::fmt::Result {
    let text = match value {
        Value::Literal(text) => return line.write_str(text),
        Value::Text(text) => text,
    };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(plain) {
        return line.write_str(text);
    }
    // Escapes control characters too: what a job says must not move anybody's cursor.
    write!(line, "{text:?}")
}

/// A message without control characters.
fn shown(message: &str) -> String {
    let hidden = |c: char| c.is_control();
    if message.contains(hidden) {
        message.replace(hidden, " ")
    } else {
        message.to_owned()
    }
}
