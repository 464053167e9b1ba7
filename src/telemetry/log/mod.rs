//! Where log lines go: standard error, one line an event, bounded.
//!
//! Who logs never waits for who reads: lines go through a bounded queue to a
//! thread of their own ([`writer`]), and lines that repeat are left out and
//! counted ([`limit`]). Text for a terminal, JSON or logfmt for machines.

mod format;
mod limit;
mod writer;

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level as TracingLevel, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;

use format::Record;
use limit::{Limiter, Verdict};
use writer::{Note, Writer};

pub use writer::Guard;

/// From which severity on lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// What elder itself could not do.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And what came of each run.
    #[default]
    Info,
    /// And each attempt's begin, each job's change.
    Debug,
    /// And everything else.
    Trace,
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Logfmt,
}

/// Whether text has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// It has, on a terminal.
    Allowed,
    /// It has none.
    Never,
}

/// What the log is told at its start.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// From which severity on.
    pub level: Level,
    /// How lines look.
    pub format: Format,
    /// Whether text may have colours.
    pub colour: Colour,
}

/// A text that is no level or no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of {known}")]
pub struct BadWord {
    text: String,
    known: &'static str,
}

impl FromStr for Level {
    type Err = BadWord;

    /// Reads the level's word in any case; Python's `WARNING` and `CRITICAL` are understood as well.
    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text.to_ascii_lowercase().as_str() {
            "error" | "critical" | "fatal" => Ok(Level::Error),
            "warn" | "warning" => Ok(Level::Warn),
            "info" => Ok(Level::Info),
            "debug" => Ok(Level::Debug),
            "trace" => Ok(Level::Trace),
            _ => Err(BadWord {
                text: text.to_owned(),
                known: "error, warn, info, debug, trace",
            }),
        }
    }
}

impl FromStr for Format {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "auto" => Ok(Format::Auto),
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            "logfmt" => Ok(Format::Logfmt),
            _ => Err(BadWord {
                text: text.to_owned(),
                known: "auto, text, json, logfmt",
            }),
        }
    }
}

/// Sends the log to standard error from now on. What is queued is written when the guard is dropped.
///
/// # Errors
/// When no thread can be made, or the program logs elsewhere already.
pub fn init(options: Options, clock: Arc<dyn Clock>) -> io::Result<Guard> {
    let style = Style::choose(options, io::stderr().is_terminal());
    let (writer, guard) = Writer::start(Box::new(io::stderr()), note(style, clock.clone()))?;
    let lines = Lines::new(options.level, style, clock, writer);
    let subscriber = tracing_subscriber::registry().with(lines);
    subscriber.try_init().map_err(io::Error::other)?;
    Ok(guard)
}

/// How lines look, all being decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Coloured,
    Json,
    Logfmt,
}

impl Style {
    fn choose(options: Options, terminal: bool) -> Self {
        match (options.format, options.colour, terminal) {
            (Format::Json, ..) | (Format::Auto, _, false) => Style::Json,
            (Format::Logfmt, ..) => Style::Logfmt,
            (Format::Text | Format::Auto, Colour::Allowed, true) => Style::Coloured,
            (Format::Text | Format::Auto, ..) => Style::Plain,
        }
    }
}

/// The line that says how many were lost.
fn note(style: Style, clock: Arc<dyn Clock>) -> Note {
    Box::new(move |lost| {
        let mut record = Record::new(clock.now(), TracingLevel::WARN);
        record.text("message", "log lines were lost: nobody read them");
        record.literal("lost", lost);
        let mut line = String::new();
        record.write(style, &mut line);
        line.into_bytes()
    })
}

/// Turns events into lines.
struct Lines {
    level: Level,
    style: Style,
    clock: Arc<dyn Clock>,
    limiter: Mutex<Limiter>,
    writer: Writer,
}

impl Lines {
    fn new(level: Level, style: Style, clock: Arc<dyn Clock>, writer: Writer) -> Self {
        Self {
            level,
            style,
            clock,
            limiter: Mutex::new(Limiter::default()),
            writer,
        }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        // What libraries have to say is of interest when it is a warning.
        let own = matches!(
            metadata.target().split("::").next(),
            Some("elder" | "audit")
        );
        let most = match (self.level, own) {
            (Level::Error, _) => TracingLevel::ERROR,
            (Level::Warn, _) | (Level::Info | Level::Debug, false) => TracingLevel::WARN,
            (Level::Info, true) => TracingLevel::INFO,
            (Level::Debug, true) => TracingLevel::DEBUG,
            (Level::Trace, _) => TracingLevel::TRACE,
        };
        *metadata.level() <= most
    }

    fn put(&self, record: &Record) {
        let mut line = String::with_capacity(256);
        record.write(self.style, &mut line);
        self.writer.send(line.into_bytes());
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut record = Record::new(self.clock.now(), *event.metadata().level());
        event.record(&mut Collect(&mut record));
        let verdicts = {
            let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.clock.monotonic();
            limiter.ask(record.repetition_key(), now, *record.level())
        };
        for left_out in verdicts.summaries {
            self.put(&record.summary(&left_out));
        }
        if verdicts.verdict == Verdict::Write {
            self.put(&record);
        }
    }
}

/// Puts an event's fields into a record.
struct Collect<'a>(&'a mut Record);

impl Visit for Collect<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.text(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.literal(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.literal(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.literal(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.0.literal(field.name(), value);
        } else {
            self.0.text(field.name(), &value.to_string());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.text(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::clock::HandClock;
    use crate::telemetry::example::instant;

    /// A stream that is kept.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Level, style: Style, log: impl FnOnce(&HandClock)) -> String {
        let kept = Kept::default();
        let clock = HandClock::new(instant("2027-01-01T00:00:00.5Z"));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let note = note(style, shared.clone());
        let (writer, guard) = Writer::start(Box::new(kept.clone()), note).unwrap();
        let lines = Lines::new(level, style, shared, writer);
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || log(&clock));
        drop(guard);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn one_of_each() {
        tracing::info!(
            job = "billing",
            attempt = 2_u32,
            exit_code = None::<i32>,
            duration_seconds = 1.25,
            detail = "a \"b\"\nc=\u{1b}[31m",
            "run succeeded"
        );
        tracing::debug!("not at this level");
    }

    #[test]
    fn a_line_for_people_is_short_aligned_and_harmless() {
        let text = logged(Level::Info, Style::Plain, |_| one_of_each());
        assert_eq!(
            text,
            "2027-01-01T00:00:00.500Z INFO  run succeeded            job=billing attempt=2 \
             duration_seconds=1.25 detail=\"a \\\"b\\\"\\nc=\\u{1b}[31m\"\n"
        );
    }

    #[test]
    fn a_line_of_json_is_one_object() {
        let text = logged(Level::Info, Style::Json, |_| one_of_each());
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let want = serde_json::json!({
            "time": "2027-01-01T00:00:00.500Z", "level": "info", "message": "run succeeded",
            "job": "billing", "attempt": 2, "duration_seconds": 1.25,
            "detail": "a \"b\"\nc=\u{1b}[31m",
        });
        assert_eq!(value, want);
    }

    #[test]
    fn a_line_of_logfmt_has_its_message_as_msg() {
        let text = logged(Level::Info, Style::Logfmt, |_| one_of_each());
        assert!(
            text.starts_with(
                "time=2027-01-01T00:00:00.500Z level=info msg=\"run succeeded\" job=billing"
            ),
            "{text}"
        );
    }

    #[test]
    fn colours_are_for_terminals_that_may_have_them() {
        let options = |format, colour| Options {
            level: Level::Info,
            format,
            colour,
        };
        for (format, colour, terminal, want) in [
            (Format::Auto, Colour::Allowed, true, Style::Coloured),
            (Format::Auto, Colour::Never, true, Style::Plain),
            (Format::Auto, Colour::Allowed, false, Style::Json),
            (Format::Text, Colour::Allowed, false, Style::Plain),
            (Format::Json, Colour::Allowed, true, Style::Json),
            (Format::Logfmt, Colour::Never, true, Style::Logfmt),
        ] {
            assert_eq!(Style::choose(options(format, colour), terminal), want);
        }
    }

    #[test]
    fn a_line_that_repeats_is_left_out_and_counted() {
        let text = logged(Level::Info, Style::Logfmt, |clock| {
            for _ in 0..1000 {
                tracing::warn!(job = "a", "run failed");
                tracing::warn!(job = "b", "run failed");
            }
            clock.advance(Duration::from_secs(2));
            tracing::info!("something else");
        });
        let of = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        // Ten, and the line that counts the others.
        assert_eq!(of("msg=\"run failed\" job=a"), 11);
        assert_eq!(of("msg=\"run failed\" job=b"), 11);
        assert_eq!(of("left_out=990"), 2);
        assert_eq!(of("msg=\"something else\""), 1);
    }

    #[test]
    fn words_of_levels_read_in_any_case_and_in_python() {
        for (word, want) in [
            ("INFO", Some(Level::Info)),
            ("Warning", Some(Level::Warn)),
            ("CRITICAL", Some(Level::Error)),
            ("trace", Some(Level::Trace)),
            ("loud", None),
        ] {
            assert_eq!(word.parse::<Level>().ok(), want, "{word}");
        }
        let error = "xml".parse::<Format>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"xml\" is none of auto, text, json, logfmt"
        );
    }
}
