//! What the host has to offer: time, limits, disk, reports of changes.

use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::{Cgroup, DiskFacts, Facts, Line, Status, Synchronised, some};

/// Rules older than this have missed changes: there are several a year.
const STALE_MONTHS: i64 = 18;

/// Less than this on the disk and rows will soon be refused.
const LITTLE: u64 = 512 << 20;
const HARDLY_ANY: u64 = 64 << 20;
const FEW_FILES: u64 = 1_000;

/// Descriptors that elder needs beside those of its runs.
const OWN_FILES: u64 = 256;

pub(super) fn check(facts: &Facts, lines: &mut Vec<Line>) {
    lines.push(tzdata(facts));
    lines.push(clock(facts));
    lines.extend(clock_and_files(facts));
    lines.push(inotify(facts));
    lines.push(open_files(facts));
    lines.push(cgroup(facts));
    match &facts.disk {
        Some(disk) => lines.extend(disk_lines(disk)),
        None => lines.push(Line::new(
            "disk",
            Status::Skip,
            "the file system of the state folder cannot be told",
            "",
        )),
    }
}

fn tzdata(facts: &Facts) -> Line {
    let tzdata = &facts.tzdata;
    let shown = format!(
        "{} ({})",
        tzdata.version.as_deref().unwrap_or("of unknown version"),
        tzdata.source
    );
    let newer = "update the package tzdata, or elder; `--tzdata auto` takes the newer of the two";
    let Some(version) = &tzdata.version else {
        let message = format!("time zone data {shown} does not say how old it is");
        return Line::new("tzdata", Status::Warn, message, newer);
    };
    if Some(version) < tzdata.bundled.as_ref() {
        let bundled = tzdata.bundled.as_deref().unwrap_or_default();
        let message = format!("time zone data {shown} is older than what elder has, {bundled}");
        return Line::new("tzdata", Status::Warn, message, "use --tzdata auto");
    }
    // A version is a year and a letter: the last one of a year is from its end at the latest.
    let year = version.get(..4).and_then(|year| year.parse::<i64>().ok());
    let today = facts.now.to_zoned(TimeZone::UTC);
    let months = i64::from(today.year()) * 12 + i64::from(today.month()) - 1;
    if year.is_some_and(|year| months - (year + 1) * 12 > STALE_MONTHS) {
        let message = format!("time zone data {shown} is more than {STALE_MONTHS} months old");
        return Line::new("tzdata", Status::Warn, message, newer);
    }
    Line::ok("tzdata", format!("time zone data is {shown}"))
}

fn clock(facts: &Facts) -> Line {
    // No clock of this year shows a year before these rules were made.
    let built = facts.tzdata.bundled.as_deref();
    let built = built.and_then(|version| version.get(..4)?.parse::<i16>().ok());
    let year = facts.now.to_zoned(TimeZone::UTC).year();
    if built.is_some_and(|built| year < built) {
        let message = format!("the clock says {}, before elder was built", facts.now);
        return Line::new(
            "clock",
            Status::Fail,
            message,
            "set it, and keep it in step by NTP",
        );
    }
    match facts.clock {
        Synchronised::Yes => Line::ok("clock", "the clock is kept in step"),
        Synchronised::NotYet => Line::new(
            "clock",
            Status::Warn,
            "systemd-timesyncd runs and has not set the clock yet",
            "see `timedatectl timesync-status`; jobs fire by this clock",
        ),
        Synchronised::No => Line::new(
            "clock",
            Status::Warn,
            "the kernel says that nobody keeps the clock in step",
            "run an NTP service, such as chrony or systemd-timesyncd; jobs fire by this clock",
        ),
        Synchronised::Unknown => Line::new(
            "clock",
            Status::Skip,
            "nothing here says whether the clock is kept in step",
            "ask the host's NTP service, such as `chronyc tracking`",
        ),
    }
}

/// A file that changes tomorrow was written by a better clock, or a worse one.
fn clock_and_files(facts: &Facts) -> Option<Line> {
    let (file, changed) = facts.newest_file.as_ref()?;
    let ahead = changed.duration_since(facts.now);
    (ahead > SignedDuration::from_mins(5)).then(|| {
        let ahead = std::time::Duration::from_secs(ahead.unsigned_abs().as_secs());
        let message = format!(
            "{} was changed {} from now: one of two clocks is off",
            file.display(),
            crate::duration::print(ahead)
        );
        Line::new(
            "clock",
            Status::Warn,
            message,
            "compare `date` with another machine's",
        )
    })
}

fn inotify(facts: &Facts) -> Line {
    let inotify = &facts.inotify;
    let polled = "changes are found by looking every few seconds until then";
    if let Some(why) = &inotify.refused {
        let message = format!("the kernel reports no changes: {why}");
        let help = format!("raise fs.inotify.max_user_instances; {polled}");
        return Line::new("inotify", Status::Warn, message, help);
    }
    let folders = inotify.folders;
    match inotify.watches {
        Some(watches) if folders > watches => {
            let message = format!("the tree has {folders} folders, and {watches} may be watched");
            let help = format!("raise fs.inotify.max_user_watches; {polled}");
            Line::new("inotify", Status::Warn, message, help)
        }
        Some(watches) => Line::ok(
            "inotify",
            format!("{folders} of {watches} watches are needed"),
        ),
        None => Line::ok("inotify", format!("{folders} watches are needed")),
    }
}

fn open_files(facts: &Facts) -> Line {
    let needed = facts.places + OWN_FILES;
    match facts.open_files {
        Some(limit) if limit < needed => {
            let message = format!(
                "{limit} files may be open, and as many runs at once as there may be need {needed}"
            );
            let help = "raise LimitNOFILE of the service (ulimit -Hn), or lower --max-workers and --max-requests";
            Line::new("files", Status::Warn, message, help)
        }
        Some(limit) => Line::ok("files", format!("{limit} files may be open")),
        None => Line::ok("files", "any number of files may be open"),
    }
}

fn cgroup(facts: &Facts) -> Line {
    // Jobs run without: it is a reason to warn only where a job has a limit that needs them.
    if facts.cgroup != Cgroup::Delegated && !facts.limited.is_empty() {
        let message = format!(
            "limits.memory and limits.processes of {} are not enforced: no control groups are delegated to elder",
            some(&facts.limited)
        );
        let help =
            "Delegate=memory pids in the service of elder (systemd), on a host with cgroup v2";
        return Line::new("cgroup", Status::Warn, message, help);
    }
    match facts.cgroup {
        Cgroup::Delegated => Line::ok("cgroup", "control groups are delegated to elder"),
        Cgroup::NotDelegated => Line::ok(
            "cgroup",
            "control groups are not delegated to elder (systemd: Delegate=yes): limits.memory and \
             limits.processes are not enforced",
        ),
        Cgroup::Absent => Line::ok(
            "cgroup",
            "there is no cgroup v2: limits.memory and limits.processes are not enforced",
        ),
    }
}

fn disk_lines(disk: &DiskFacts) -> Vec<Line> {
    let at = disk.at.display();
    let mut lines = Vec::new();
    if let Some(kind) = &disk.network {
        let message =
            format!("the state folder {at} is on {kind}, where SQLite cannot keep its promises");
        let help = "put --state on a local disk";
        lines.push(Line::new("disk", Status::Fail, message, help));
    }
    if disk.open_to_others {
        let message =
            format!("others may look into the state folder {at}, which holds outputs of runs");
        lines.push(Line::new(
            "disk",
            Status::Warn,
            message,
            format!("chmod 700 {at}"),
        ));
    }
    let free = format!("{} MiB are free at {at}", disk.free >> 20);
    let help = "make room: without it no run can be recorded, so none starts";
    lines.push(if disk.free < HARDLY_ANY {
        Line::new("disk", Status::Fail, free, help)
    } else if disk.free_files.is_some_and(|files| files < FEW_FILES) {
        Line::new(
            "disk",
            Status::Fail,
            format!("hardly any file can be made at {at}"),
            help,
        )
    } else if disk.free < LITTLE {
        Line::new("disk", Status::Warn, free, help)
    } else {
        Line::ok("disk", free)
    });
    lines
}

/// Two daemons on one tree fire each job twice.
pub(super) fn daemons(facts: &Facts) -> Line {
    let on_tree = facts.daemons.iter().filter(|(_, paths)| {
        // One may have a part of the other's tree.
        let meet =
            |(one, other): (&PathBuf, &PathBuf)| one.starts_with(other) || other.starts_with(one);
        let mut pairs = paths
            .iter()
            .flat_map(|one| facts.paths.iter().map(move |other| (one, other)));
        pairs.any(meet)
    });
    let pids: Vec<u32> = on_tree.map(|(pid, _)| *pid).collect();
    match &pids[..] {
        [] => Line::ok("daemons", "no elder runs this tree here"),
        [pid] => Line::ok("daemons", format!("process {pid} runs this tree")),
        many => Line::new(
            "daemons",
            Status::Fail,
            format!(
                "processes {} run this tree, each with a state of its own",
                some(many)
            ),
            "every job fires once for each: stop all but one",
        ),
    }
}
