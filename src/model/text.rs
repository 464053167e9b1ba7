//! Text of a job file with `${…}` in it.
//!
//! `${NAME}` of elder's own environment is filled in when the file is loaded;
//! what is left for the run are secrets and the run's own facts. A filled-in
//! value is never scanned again, so the rest is kept as parts, not as text.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A value that may hold parts that only a run can fill in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// As it stands in the file; what the API, plan and UI show.
    shown: Arc<str>,
    /// What to build it from; `None` when `shown` is already the value.
    parts: Option<Arc<[Part]>>,
}

/// One piece of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Taken as it is.
    Literal(Arc<str>),
    /// `${secrets.NAME}`
    Secret(Arc<str>),
    /// `${run.…}`, `${job.…}`, `${elder.…}`
    Variable(Variable),
}

/// What the names of labels begin with.
const LABEL: &str = "job.labels.";

/// What a run can fill in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `${run.id}`
    RunId,
    /// `${run.scheduled_at}`
    ScheduledAt,
    /// `${run.attempt}`
    Attempt,
    /// `${run.trigger}`
    Trigger,
    /// `${run.previous_success_at}`
    PreviousSuccessAt,
    /// `${job.name}`
    JobName,
    /// `${job.labels.NAME}`
    JobLabel(Arc<str>),
    /// `${elder.server}`
    Server,
    /// `${event}`, as all that follow only for sages.
    Event,
    /// `${event.count}`
    EventCount,
    /// `${event.at}`
    EventAt,
    /// `${run.outcome}`
    Outcome,
    /// `${run.reason}`
    Reason,
    /// `${run.detail}`
    Detail,
    /// `${run.duration}`
    Duration,
    /// `${run.finished_at}`
    FinishedAt,
    /// `${run.output_tail}`
    OutputTail,
    /// `${run.url}`
    RunUrl,
}

impl Variable {
    /// All but labels, whose names are the jobs' own; those of letters last.
    pub const ALL: [Variable; 17] = [
        Self::RunId,
        Self::ScheduledAt,
        Self::Attempt,
        Self::Trigger,
        Self::PreviousSuccessAt,
        Self::JobName,
        Self::Server,
        Self::Outcome,
        Self::Reason,
        Self::Detail,
        Self::Duration,
        Self::FinishedAt,
        Self::OutputTail,
        Self::RunUrl,
        Self::Event,
        Self::EventCount,
        Self::EventAt,
    ];

    /// Its name between `${` and `}`: `run.id`, `job.labels.team`.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::RunId => "run.id",
            Self::ScheduledAt => "run.scheduled_at",
            Self::Attempt => "run.attempt",
            Self::Trigger => "run.trigger",
            Self::PreviousSuccessAt => "run.previous_success_at",
            Self::JobName => "job.name",
            Self::JobLabel(label) => return Cow::Owned(format!("{LABEL}{label}")),
            Self::Server => "elder.server",
            Self::Event => "event",
            Self::EventCount => "event.count",
            Self::EventAt => "event.at",
            Self::Outcome => "run.outcome",
            Self::Reason => "run.reason",
            Self::Detail => "run.detail",
            Self::Duration => "run.duration",
            Self::FinishedAt => "run.finished_at",
            Self::OutputTail => "run.output_tail",
            Self::RunUrl => "run.url",
        })
    }

    /// The variable of that name; `None` when there is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if let Some(label) = name.strip_prefix(LABEL) {
            return (!label.is_empty()).then(|| Self::JobLabel(label.into()));
        }
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether only a letter to a sage knows it: what came of a run.
    #[must_use]
    pub fn is_of_letters(&self) -> bool {
        match self {
            Self::RunId
            | Self::ScheduledAt
            | Self::Attempt
            | Self::Trigger
            | Self::PreviousSuccessAt
            | Self::JobName
            | Self::JobLabel(_)
            | Self::Server => false,
            Self::Event
            | Self::EventCount
            | Self::EventAt
            | Self::Outcome
            | Self::Reason
            | Self::Detail
            | Self::Duration
            | Self::FinishedAt
            | Self::OutputTail
            | Self::RunUrl => true,
        }
    }
}

impl Text {
    /// Text without anything to fill in.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self {
            shown: Arc::from(text),
            parts: None,
        }
    }

    /// Text as written and the parts that it is built from.
    #[must_use]
    pub fn of_parts(shown: &str, parts: Vec<Part>) -> Self {
        if let [Part::Literal(only)] = parts.as_slice()
            && **only == *shown
        {
            return Self::plain(shown);
        }
        Self {
            shown: Arc::from(shown),
            parts: Some(parts.into()),
        }
    }

    /// As it stands in the file.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The parts, in order.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        match &self.parts {
            Some(parts) => parts.to_vec(),
            None => vec![Part::Literal(self.shown.clone())],
        }
    }

    /// The value, when nothing is left for the run to fill in.
    #[must_use]
    pub fn fixed(&self) -> Option<String> {
        match &self.parts {
            None => Some(self.shown.to_string()),
            Some(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Literal(text) => Some(&**text),
                    _ => None,
                })
                .collect(),
        }
    }

    /// Builds the value; `fill` answers for each part that is no literal.
    ///
    /// # Errors
    /// Whatever `fill` fails with.
    pub fn build<E>(&self, mut fill: impl FnMut(&Part) -> Result<String, E>) -> Result<String, E> {
        let Some(parts) = &self.parts else {
            return Ok(self.shown.to_string());
        };
        let mut text = String::new();
        for part in parts.iter() {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                other => text.push_str(&fill(other)?),
            }
        }
        Ok(text)
    }
}

/// Shows the text as written: a value of the environment may be nobody's business.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.shown, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_read_as_they_print() {
        for variable in Variable::ALL {
            let name = variable.name();
            assert_eq!(Variable::named(&name), Some(variable), "{name}");
        }
        let label = Variable::JobLabel("team".into());
        assert_eq!(label.name(), "job.labels.team");
        assert_eq!(Variable::named("job.labels.team"), Some(label));
        for name in ["job.labels.", "run.nothing", ""] {
            assert_eq!(Variable::named(name), None, "{name}");
        }
    }

    #[test]
    fn a_text_is_built_from_its_parts_and_never_scanned_again() {
        let text = Text::of_parts(
            "${HOST}/${run.id}",
            vec![
                Part::Literal("${run.id}".into()),
                Part::Literal("/".into()),
                Part::Variable(Variable::RunId),
            ],
        );
        let built = text.build(|_| Ok::<_, ()>("42".to_owned()));
        assert_eq!(built.unwrap(), "${run.id}/42");
        assert_eq!(text.fixed(), None);
        assert_eq!(Text::plain("x").fixed().unwrap(), "x");
    }
}
