//! Prometheus rules out of job files: when a success is overdue follows from each job's own
//! schedule, so nobody has to write it down twice.

mod gap;
mod yaml;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::auto_grace;
use crate::duration;
use crate::model::{Action, Grace, Job, Policy};
use crate::schedule::Schedule;

use gap::largest_gap;
use yaml::quoted;

/// Alerts that need no definitions: of elder itself, and of any job.
pub const GENERAL: &str = include_str!("../../../deploy/prometheus/alerts.yml");

/// A Grafana dashboard over elder's metrics.
pub const DASHBOARD: &str = include_str!("../../../deploy/grafana/elder.json");

/// The alert of a job whose success is overdue by its own schedule.
pub const OVERDUE: &str = "ElderJobOverdue";

/// What rules are made of.
pub struct Question<'a> {
    /// All good jobs.
    pub jobs: &'a [Job],
    /// From when on fires are looked at.
    pub now: Timestamp,
    /// The severity of jobs that have no label `severity`.
    pub severity: &'a str,
    /// Where the runbook is; each alert then names its part of it.
    pub runbook: Option<&'a str>,
}

/// How the rules are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// A rule file.
    File,
    /// A `PrometheusRule` of the Prometheus operator.
    Resource,
}

/// The rules as YAML.
#[must_use]
pub fn rules(question: &Question<'_>, wrapping: Wrapping) -> String {
    let mut groups = general(question.runbook);
    let mut jobs: Vec<&Job> = question.jobs.iter().collect();
    jobs.sort_by_key(|job| job.name());
    let mut gaps: HashMap<&Arc<Schedule>, Option<Duration>> = HashMap::new();
    let mut own = String::new();
    for job in jobs {
        let definition = &job.definition;
        // Where the author said by when, ElderJobStale of the general rules watches that.
        if !definition.enabled || definition.policy.success_within.is_some() {
            continue;
        }
        let gap = gaps
            .entry(&definition.schedule)
            .or_insert_with(|| largest_gap(&definition.schedule, question.now));
        if let Some(gap) = *gap {
            own.push_str(&overdue(question, job, gap));
        }
    }
    if !own.is_empty() {
        groups.push_str("\n  - name: elder-jobs\n    rules:\n");
        groups.push_str(own.trim_start_matches('\n'));
    }
    match wrapping {
        Wrapping::File => format!("{HEAD}groups:\n{groups}"),
        Wrapping::Resource => {
            let groups: String = groups.lines().map(|line| yaml::indented(line, 2)).collect();
            format!("{HEAD}{RESOURCE}  groups:\n{groups}")
        }
    }
}

const HEAD: &str = "\
# Made by `elder rules`: change the job files and make it again.
";

const RESOURCE: &str = "\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: elder
spec:
";

/// The groups of [`GENERAL`], with the runbook's address where there is one.
fn general(runbook: Option<&str>) -> String {
    let groups = GENERAL.split_once("groups:\n").map_or("", |(_, rest)| rest);
    let Some(base) = runbook else {
        return groups.to_owned();
    };
    let mut text = String::new();
    let mut alert = "";
    for line in groups.lines() {
        text.push_str(line);
        text.push('\n');
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            alert = name;
        }
        if line.trim() == "annotations:" {
            text.push_str(&page(base, alert));
        }
    }
    text
}

fn page(base: &str, alert: &str) -> String {
    let anchor = format!("{base}#{}", alert.to_lowercase());
    format!("          runbook_url: {}\n", quoted(&anchor))
}

fn overdue(question: &Question<'_>, job: &Job, gap: Duration) -> String {
    let definition = &job.definition;
    let name = job.name();
    let within = gap + lateness(job, gap) + run_time(&definition.policy, &definition.action, gap);
    let seconds = within.as_secs();
    // A job that never succeeded is counted from elder's own start, and one that was paused from the
    // end of its pause. Other targets may have elder's `instance` (a node's name, under Kubernetes), but
    // not its `job` as well.
    let expr = format!(
        "time() - (elder_job_last_success_timestamp_seconds{{job_name=\"{name}\"}} or on (job, instance, job_name) (elder_job_info{{job_name=\"{name}\"}} * 0 + on (job, instance) group_left () process_start_time_seconds)) > {seconds} unless on (job, instance, job_name) elder_job_paused_until_timestamp_seconds{{job_name=\"{name}\"}} > time() - {seconds}"
    );
    let about = definition.about.as_deref();
    let label = |wanted: &str| {
        let mut labels = about.iter().flat_map(|about| &about.labels);
        labels.find_map(|(name, value)| (**name == *wanted).then(|| value.shown().to_owned()))
    };
    let severity = label("severity").unwrap_or_else(|| question.severity.to_owned());
    let owner = about.and_then(|about| about.owner.as_deref().map(str::to_owned));
    let owner = owner.or_else(|| label("owner"));
    let mut text = format!(
        "\n      - alert: {OVERDUE}\n        expr: {}\n",
        quoted(&expr)
    );
    text.push_str("        labels:\n");
    let mut line = |key: &str, value: &str| {
        let value = quoted(&without_templates(value));
        text.push_str(&format!("          {key}: {value}\n"));
    };
    line("severity", &severity);
    if let Some(owner) = owner {
        line("owner", &owner);
    }
    // The series have it already. Without it the rules of all jobs have one name and the same labels,
    // which promtool calls duplicates.
    line("job_name", name.as_str());
    text.push_str("        annotations:\n");
    if let Some(base) = question.runbook {
        text.push_str(&page(base, OVERDUE));
    }
    let summary = format!("{name} has not succeeded for longer than its schedule explains");
    let description = format!(
        "It fires {}; the largest gap between two fires is {}, and a success is expected after {} at the latest. Defined in {}:{}. Ask `elder explain {name}`, then look at /api/v1/jobs/{name}/runs.",
        definition.schedule.describe(),
        duration::print(gap),
        duration::print(Duration::from_secs(seconds)),
        job.origin.file,
        job.origin.line,
    );
    for (key, value) in [("summary", summary), ("description", description)] {
        let value = quoted(&without_templates(&value));
        text.push_str(&format!("          {key}: {value}\n"));
    }
    text
}

/// Prometheus reads templates in labels and annotations; what job files say is none.
fn without_templates(value: &str) -> String {
    let mut text = value.to_owned();
    // `{{{` leaves one behind.
    while text.contains("{{") {
        text = text.replace("{{", "{ {");
    }
    text
}

/// How late a fire may start.
fn lateness(job: &Job, gap: Duration) -> Duration {
    let definition = &job.definition;
    match definition.policy.grace {
        Grace::Fixed(length) => length,
        Grace::Auto => auto_grace(gap),
    }
}

/// How long a run may take: its timeout where somebody chose one, else a quarter of the gap, up to an hour.
fn run_time(policy: &Policy, action: &Action, gap: Duration) -> Duration {
    let built_in = match action {
        Action::Process(_) => Policy::PROCESS_TIMEOUT,
        Action::Http(_) => Policy::HTTP_TIMEOUT,
    };
    match policy.timeout {
        Some(timeout) if timeout != built_in || timeout <= gap / 4 => timeout,
        _ => (gap / 4).min(Duration::from_secs(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Cron, Item, Zones};

    #[test]
    fn the_largest_gap_is_that_of_a_year_with_its_changes_of_the_clock() {
        let zone = Zones::bundled().get("Europe/Berlin").unwrap();
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        for (cron, want) in [
            ("0 3 * * *", hours(25)),
            ("0 9 * * 1-5", hours(73)),
            ("*/15 * * * *", Some(Duration::from_secs(900))),
            ("0 0 1 1 *", hours(366 * 24)),
            ("0 0 29 2 *", hours(1461 * 24)),
        ] {
            let cron = Cron::parse(cron).unwrap();
            let schedule = Schedule::new(vec![Item::cron(cron.clone(), zone.clone())]);
            let now = "2027-01-04T00:00:00Z".parse().unwrap();
            assert_eq!(largest_gap(&schedule, now), want, "{cron:?}");
        }
    }

    #[test]
    fn no_number_of_braces_is_a_template() {
        for (value, want) in [
            ("a {b} }}", "a {b} }}"),
            ("{{ team }}", "{ { team }}"),
            ("{{{ x", "{ { { x"),
            ("{{{{{", "{ { { { {"),
        ] {
            assert_eq!(without_templates(value), want);
        }
    }

    #[test]
    fn without_two_fires_there_is_no_gap() {
        let now: Timestamp = "2027-01-04T00:00:00Z".parse().unwrap();
        assert_eq!(largest_gap(&Schedule::new(vec![Item::Manual]), now), None);
    }
}
