//! A team's own rules for its job files: `elder validate --policy FILE`.
//!
//! What is read here is judged elsewhere, on what the check of the job files came to.

mod read;

use std::sync::Arc;
use std::time::Duration;

use jiff::civil;

use super::fields::{Kind, Level, here};
use crate::finding::{Code, Excerpt, Finding, Severity};

pub use read::team_policy;

/// What a team asks of each job.
#[derive(Clone, Debug, Default)]
pub struct TeamPolicy {
    /// The file, as a person would name it.
    pub shown: Arc<str>,
    /// Keys that a job must have, by itself or by its defaults.
    pub required: Vec<&'static str>,
    /// Labels that a job must have, with patterns of their values.
    pub labels: Vec<(Arc<str>, Vec<Pattern>)>,
    /// No two fires of a job closer to each other than this.
    pub min_interval: Option<Duration>,
    /// No attempt longer than this.
    pub max_timeout: Option<Duration>,
    /// The zones that jobs may be in.
    pub timezones: Option<Vec<Pattern>>,
    /// `run`, `exec`, `http`: what jobs may be.
    pub actions: Option<Vec<&'static str>>,
    /// Where requests may go.
    pub hosts: Option<Vec<Pattern>>,
    /// What processes may be.
    pub programs: Option<Vec<Pattern>>,
    /// Whether secrets must not stand in the files.
    pub forbids_inline_secrets: bool,
    /// Exceptions, each for a time.
    pub waivers: Vec<Waiver>,
}

/// Text in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Arc<str>);

/// A job that need not keep to a rule, until a day.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// Its name; `*` stands for any characters.
    pub job: Pattern,
    /// Which rule.
    pub rule: TeamRule,
    /// Why.
    pub reason: Arc<str>,
    /// The last day on which it holds.
    pub until: civil::Date,
    /// Where it stands.
    pub at: Excerpt,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $code:ident;)*) => {
        /// One rule of a policy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TeamRule { $($(#[$doc])* $name,)* }

        impl TeamRule {
            /// Every rule, in the order of the documents.
            pub const ALL: &'static [TeamRule] = &[$(TeamRule::$name,)*];

            /// Its key in the policy file, by which waivers name it.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self { $(TeamRule::$name => $key,)* }
            }

            /// The code of a finding that says it is broken.
            #[must_use]
            pub fn code(self) -> Code {
                match self { $(TeamRule::$name => Code::$code,)* }
            }
        }
    };
}

rules! {
    /// Keys that must be there.
    Required = "required", PolicyRequired;
    /// Labels that must be there.
    Labels = "labels", PolicyLabel;
    /// Fires too close to each other.
    MinInterval = "min_interval", PolicyInterval;
    /// Attempts that may take too long.
    MaxTimeout = "max_timeout", PolicyTimeout;
    /// Zones.
    Timezones = "timezones", PolicyTimezone;
    /// Kinds of action.
    Actions = "actions", PolicyAction;
    /// Targets of requests.
    Hosts = "hosts", PolicyHost;
    /// Programs.
    Programs = "programs", PolicyProgram;
    /// Secrets in the file.
    InlineSecrets = "inline_secrets", PolicySecret;
}

impl Pattern {
    /// A pattern as written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is that text, where a `*` stands for any characters, also for none.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.is_but(text, None)
    }

    /// The same of a path: a `*` stands for characters of one part.
    #[must_use]
    pub fn is_path(&self, text: &str) -> bool {
        self.is_but(text, Some('/'))
    }

    fn is_but(&self, text: &str, never: Option<char>) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return *self.0 == *text;
        };
        let Some(mut text) = text.strip_prefix(first) else {
            return false;
        };
        let fits = |skipped: &str| never.is_none_or(|never| !skipped.contains(never));
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return text.strip_suffix(part).is_some_and(fits);
            }
            // The nearest place leaves the most to the parts behind it.
            match text.find(part) {
                Some(at) if fits(&text[..at]) => text = &text[at + part.len()..],
                _ => return false,
            }
        }
        true
    }
}

/// The top of a policy file.
#[rustfmt::skip]
pub(in crate::spec) const TOP: Level = Level {
    what: "a policy file",
    place: "the top level of the file",
    fields: &[
        here("rules", Kind::Anything, "What is asked of each job; a rule that is not named asks nothing.", "{ required: [owner] }"),
        here("waivers", Kind::Anything, "Exceptions from one rule, each for a job, with a reason and a last day.", "[]"),
    ],
};

/// `rules`
#[rustfmt::skip]
pub(in crate::spec) const RULES: Level = Level {
    what: "`rules`",
    place: "`rules` of a policy file",
    fields: &[
        here("required", Kind::TextOrTexts, "Keys that each job must have, by itself or by its defaults.", "[owner, timeout]"),
        here("labels", Kind::Anything, "Labels that each job must have: name, and which values; \"*\" for any.", "{ team: \"*\", tier: [gold, silver] }"),
        here("min_interval", Kind::Duration, "No two fires of a job closer to each other than this.", "1m"),
        here("max_timeout", Kind::Duration, "No attempt may take longer; `timeout: none` may not be.", "6h"),
        here("timezones", Kind::TextOrTexts, "The zones that jobs may be in.", "[UTC, Asia/Tokyo]"),
        here("actions", Kind::TextOrTexts, "What jobs and sages may be: run, exec, http.", "[exec, http]"),
        here("hosts", Kind::TextOrTexts, "Where requests of jobs and sages may go.", "[\"*.example.com\"]"),
        here("programs", Kind::TextOrTexts, "What jobs and sages may start.", "[curl, \"./scripts/*\"]"),
        here("inline_secrets", Kind::Words(&[FORBID]), "`forbid`: no password, token or key may stand in a file.", FORBID),
    ],
};

/// One of `waivers`.
#[rustfmt::skip]
pub(in crate::spec) const WAIVER: Level = Level {
    what: "a waiver",
    place: "`waivers` of a policy file",
    fields: &[
        here("job", Kind::Text, "The job, or sage, by name; * stands for any characters.", "legacy-report"),
        here("rule", Kind::Text, "Which rule, by its key.", "min_interval"),
        here("reason", Kind::Text, "Why.", "the partner polls until March"),
        here("until", Kind::Bound, "The last day on which it holds, in UTC.", "2027-03-31"),
    ],
};

/// The word of `inline_secrets`.
const FORBID: &str = "forbid";

impl TeamPolicy {
    /// Whether there is no rule.
    fn asks_nothing(&self) -> bool {
        let TeamPolicy {
            shown: _,
            required,
            labels,
            min_interval,
            max_timeout,
            timezones,
            actions,
            hosts,
            programs,
            forbids_inline_secrets,
            waivers: _,
        } = self;
        required.is_empty()
            && labels.is_empty()
            && min_interval.is_none()
            && max_timeout.is_none()
            && timezones.is_none()
            && actions.is_none()
            && hosts.is_none()
            && programs.is_none()
            && !forbids_inline_secrets
    }
}

/// Whether what was found makes a policy worthless.
#[must_use]
pub fn is_bad_policy(findings: &[Finding]) -> bool {
    findings.iter().any(|one| one.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters_and_in_paths_for_those_of_one_part() {
        for (pattern, text, whole, path) in [
            ("*.example.com", "a.b.example.com", true, true),
            ("*.example.com", "example.com", false, false),
            ("legacy-*-report", "legacy-x-y-report", true, true),
            ("legacy-*-report", "legacy-report", false, false),
            ("*", "", true, true),
            ("a*b*c", "abbc", true, true),
            ("a*b*c", "acb", false, false),
            ("./bin/*", "./bin/a", true, true),
            ("./bin/*", "./bin/../../tmp/a", true, false),
            ("curl", "curl", true, true),
            ("curl", "curls", false, false),
        ] {
            let pattern = Pattern::new(pattern);
            assert_eq!(pattern.is(text), whole, "{pattern:?} {text}");
            assert_eq!(pattern.is_path(text), path, "{pattern:?} {text}");
        }
    }
}
