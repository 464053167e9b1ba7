//! The closed list of codes. A code is never reused for another meaning.

use std::fmt;

use super::Severity;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident, $title:literal;)*) => {
        /// Which rule a finding breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The stable text, such as `E012`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// How bad it is, always alike for one code.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity,)* }
            }

            /// What the rule says, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The text is not YAML.
    Syntax = "E001", Error, "not valid YAML";
    /// A key that does not exist here.
    UnknownKey = "E002", Error, "unknown key";
    /// The same key twice in one mapping.
    DuplicateKey = "E003", Error, "key given twice";
    /// A value of the wrong kind.
    WrongType = "E004", Error, "wrong kind of value";
    /// A key that must be there and is not.
    MissingKey = "E005", Error, "key missing";
    /// A file over a limit: size, depth, aliases, jobs.
    Limit = "E006", Error, "over a limit";
    /// Something that elder knows and this build does not have.
    NotInThisBuild = "E007", Error, "not in this build";
    /// A name that breaks the pattern.
    BadName = "E010", Error, "bad name";
    /// A name that two places claim.
    DuplicateName = "E011", Error, "name defined twice";
    /// A cron line that is none.
    BadCron = "E012", Error, "bad cron expression";
    /// A zone that tzdata does not have.
    UnknownZone = "E013", Error, "unknown time zone";
    /// A length of time, or a size, that is none.
    BadDuration = "E014", Error, "bad length of time or size";
    /// A schedule that is none, other than cron.
    BadSchedule = "E015", Error, "bad schedule";
    /// A schedule that no date could make fire.
    NeverFires = "E016", Error, "schedule that never fires";
    /// `${NAME}` that is not set, not allowed, or not for this place.
    BadVariable = "E017", Error, "bad ${…}";
    /// A file that is missing, no regular file, or outside the tree.
    BadPath = "E018", Error, "bad path";
    /// A value out of its range.
    OutOfRange = "E019", Error, "value out of range";
    /// No action, or two.
    BadAction = "E020", Error, "a job has exactly one action";
    /// A URL or header that cannot be.
    BadHttp = "E021", Error, "bad http request";
    /// A reference to a name that no file defines.
    DanglingName = "E022", Error, "name that is not defined";
    /// A file that cannot be read as text.
    Unreadable = "E023", Error, "file cannot be read";
    /// A key that says nothing in its company, such as `stdin` beside `http`.
    NoEffect = "E024", Error, "key without effect here";
    /// The `_defaults.yaml` above is bad and was never good.
    BadDefaults = "E025", Error, "defaults that cannot be used";
    /// A Kubernetes manifest where a job file should be.
    Manifest = "E026", Error, "Kubernetes manifest";
    /// A test of a schedule that does not hold.
    FailedTest = "E030", Error, "schedule test that does not hold";
    /// A calendar, or an `.ics` file, that cannot be used.
    BadCalendar = "E040", Error, "bad calendar";
    /// An entry of another scheduler that has no counterpart here.
    NotImported = "E050", Error, "cannot be imported";
    /// A key that a team's policy asks for.
    PolicyRequired = "E060", Error, "policy: key missing";
    /// A label that a team's policy asks for.
    PolicyLabel = "E061", Error, "policy: label missing or not allowed";
    /// Fires closer to each other than a team's policy allows.
    PolicyInterval = "E062", Error, "policy: fires too close to each other";
    /// A timeout that a team's policy does not allow.
    PolicyTimeout = "E063", Error, "policy: timeout too long";
    /// A zone that a team's policy does not allow.
    PolicyTimezone = "E064", Error, "policy: time zone not allowed";
    /// A kind of action that a team's policy does not allow.
    PolicyAction = "E065", Error, "policy: kind of action not allowed";
    /// A target that a team's policy does not allow.
    PolicyHost = "E066", Error, "policy: host not allowed";
    /// A program that a team's policy does not allow.
    PolicyProgram = "E067", Error, "policy: program not allowed";
    /// A secret that stands in the file.
    PolicySecret = "E068", Error, "policy: secret in the file";
    /// A waiver whose last day is past.
    WaiverExpired = "E069", Error, "policy: waiver that has expired";
    /// A pipe whose first programs may fail unseen.
    PipeHidesFailure = "W001", Warning, "pipe without pipefail";
    /// Several lines of which only the last one's exit code counts.
    LinesHideFailure = "W002", Warning, "several lines without set -e";
    /// `every` of a day or more drifts against the wall clock.
    LongEvery = "W003", Warning, "a day or more of elapsed time";
    /// `${NAME}` that is not set, where that was allowed.
    MissingVariable = "W004", Warning, "variable that is not set";
    /// So many findings that some are only counted.
    MoreFindings = "W005", Warning, "more findings than are shown";
    /// `tls: { insecure: true }`: nobody is known on the other side.
    Insecure = "W006", Warning, "a certificate that is not checked";
    /// A job that is another one under a second name.
    SameJob = "W010", Warning, "two jobs that are the same";
    /// A part of an `.ics` file that is not read.
    CalendarPart = "W020", Warning, "part of a calendar file that is not read";
    /// A calendar or a pool that is gone and that jobs still use.
    NameGone = "W021", Warning, "name that is gone";
    /// A waiver of a team's policy that waives nothing.
    UnusedWaiver = "W060", Warning, "policy: waiver that waives nothing";
    /// A job file without a job.
    EmptyFile = "N001", Note, "file without a job";
    /// A date that is past.
    PastDate = "N002", Note, "date that is past";
    /// A day that some months or years do not have.
    ShortMonth = "N003", Note, "day that some months lack";
    /// A time of day that a change of the clock skips or shows twice.
    ClockChange = "N004", Note, "time that a clock change touches";
    /// A minute that many jobs share.
    HotMinute = "N010", Note, "many jobs on one minute";
    /// A calendar whose last date is past or near.
    CalendarEnds = "N020", Note, "calendar that runs out";
    /// A calendar or a pool that nothing uses.
    UnusedName = "N021", Note, "name that nothing uses";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
