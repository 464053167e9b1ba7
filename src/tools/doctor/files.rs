//! What the tree and the store are like.

use crate::finding::render::amount;

use super::{Facts, Line, Mount, Pages, Status, StoreFacts, host, some};

/// File systems whose changes the kernel of this host does not hear of.
const SILENT: [&str; 9] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "virtiofs",
    "ceph",
    "fuse.sshfs",
    "fuse.s3fs",
];

pub(super) fn check(facts: &Facts, lines: &mut Vec<Line>) {
    lines.push(jobs(facts));
    lines.extend(facts.mounts.iter().filter_map(mount));
    lines.push(writable(facts));
    lines.extend(secrets(facts));
    if !facts.unreadable.is_empty() {
        lines.push(Line::new(
            "access",
            Status::Warn,
            format!("these cannot be looked at: {}", some(&facts.unreadable)),
            "run the doctor as the user that elder runs as",
        ));
    }
    lines.push(programs(facts));
    lines.extend(settings(facts));
    lines.extend(store(&facts.store));
    lines.push(host::daemons(facts));
}

fn jobs(facts: &Facts) -> Line {
    if facts.bad_files > 0 {
        let message = format!(
            "{}, and {}",
            amount(facts.jobs as u64, "good job"),
            amount(facts.bad_files as u64, "error")
        );
        return Line::new("jobs", Status::Fail, message, "see `elder validate`");
    }
    if facts.jobs == 0 {
        return Line::new(
            "jobs",
            Status::Warn,
            "there are no jobs",
            "write one, or name their folder",
        );
    }
    Line::ok("jobs", amount(facts.jobs as u64, "good job"))
}

fn mount(mount: &Mount) -> Option<Line> {
    let at = mount.at.display();
    if mount.root.contains("/volume-subpaths/") {
        let message = format!("{at} is mounted with subPath: Kubernetes never updates it");
        let help = "mount the whole volume as a folder, without subPath";
        return Some(Line::new("mount", Status::Fail, message, help));
    }
    if mount.is_file {
        let message = format!(
            "{at} is a single file that is mounted: an editor or git that replaces the file outside is not seen"
        );
        let help = "mount the folder that it is in";
        return Some(Line::new("mount", Status::Warn, message, help));
    }
    if SILENT.contains(&&*mount.kind) {
        let message = format!(
            "{at} is on {}, whose changes the kernel does not report",
            mount.kind
        );
        let help =
            "changes are found by the regular look within a minute; `elder sync` looks at once";
        return Some(Line::new("mount", Status::Warn, message, help));
    }
    None
}

fn writable(facts: &Facts) -> Line {
    if facts.writable.is_empty() {
        let message = "only owner and group may write job files, settings, tokens and the store";
        return Line::ok("writers", message);
    }
    let shown: Vec<_> = facts.writable.iter().map(|path| path.display()).collect();
    Line::new(
        "writers",
        Status::Fail,
        format!(
            "anyone on this host may write {}, and so run commands as elder",
            some(&shown)
        ),
        "chmod o-w them",
    )
}

fn settings(facts: &Facts) -> Option<Line> {
    let (file, errors) = facts.settings.as_ref()?;
    let file = file.display();
    Some(match errors.first() {
        None => Line::ok("settings", format!("{file} is good")),
        Some(first) => Line::new(
            "settings",
            Status::Fail,
            format!("{file} is bad, {} in all: {first}", errors.len()),
            "mend it: elder does not start with it, and a running one goes by what it said before",
        ),
    })
}

fn secrets(facts: &Facts) -> Option<Line> {
    let shown: Vec<_> = facts
        .readable_secrets
        .iter()
        .map(|path| path.display())
        .collect();
    (!shown.is_empty()).then(|| {
        let message = format!("anyone on this host may read the secrets {}", some(&shown));
        Line::new("secrets", Status::Warn, message, "chmod o-r them")
    })
}

fn programs(facts: &Facts) -> Line {
    let [first, rest @ ..] = &facts.missing[..] else {
        return Line::ok("programs", "the programs of all jobs are there");
    };
    let (job, why) = first;
    let rest: Vec<&String> = rest.iter().map(|(job, _)| job).collect();
    let also = match rest.is_empty() {
        true => String::new(),
        false => format!(" (also {})", some(&rest)),
    };
    Line::new(
        "programs",
        Status::Fail,
        format!("{job} cannot start{also}"),
        why.clone(),
    )
}

fn store(store: &StoreFacts) -> Vec<Line> {
    let (at, holder, pages) = match store {
        StoreFacts::Memory => {
            let message =
                "--store memory: forgets everything at the end, also which fires have run";
            let help = "leave --store out, and elder keeps a file in its state folder";
            return vec![Line::new("store", Status::Warn, message, help)];
        }
        StoreFacts::Unusable(why) => {
            return vec![Line::new("store", Status::Fail, why.clone(), "")];
        }
        StoreFacts::None(at) => {
            let message = format!(
                "there is no store yet; the first start makes {}",
                at.display()
            );
            return vec![Line::ok("store", message)];
        }
        StoreFacts::File { at, holder, pages } => (at.display(), holder, pages),
    };
    let held = match holder {
        None => "nobody has it open".to_owned(),
        Some(0) => "an elder has it open".to_owned(),
        Some(pid) => format!("process {pid} has it open"),
    };
    vec![match pages {
        Pages::Sound => Line::ok("store", format!("{at} is sound; {held}")),
        Pages::Damaged(said) => Line::new(
            "store",
            Status::Fail,
            format!("{at} is damaged: {said}"),
            "stop elder, keep a copy of the file and of those beside it, and put the last backup in its place",
        ),
        Pages::Unseen(why) => Line::new("store", Status::Skip, format!("{at}: {why}; {held}"), ""),
    }]
}
