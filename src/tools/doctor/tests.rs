//! Each check: what is fine, what is not, and with which mend.

use super::*;

fn healthy() -> Facts {
    let jobs = PathBuf::from("/etc/elder/jobs.d");
    Facts {
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        tzdata: TzdataFacts {
            version: Some("2026e".to_owned()),
            source: "bundled".to_owned(),
            bundled: Some("2026e".to_owned()),
        },
        clock: Synchronised::Yes,
        newest_file: Some((jobs.join("a.yaml"), "2026-11-20T12:00:00Z".parse().unwrap())),
        inotify: InotifyFacts {
            refused: None,
            watches: Some(8_192),
            folders: 3,
        },
        mounts: vec![Mount {
            at: "/".into(),
            root: "/".to_owned(),
            kind: "ext4".to_owned(),
            is_file: false,
        }],
        writable: Vec::new(),
        readable_secrets: Vec::new(),
        unreadable: Vec::new(),
        jobs: 7,
        bad_files: 0,
        missing: Vec::new(),
        store: StoreFacts::File {
            at: "/var/lib/elder/elder.db".into(),
            holder: Some(42),
            pages: Pages::Sound,
        },
        disk: Some(DiskFacts {
            at: "/var/lib/elder".into(),
            free: 10 << 30,
            free_files: Some(1_000_000),
            open_to_others: false,
            network: None,
        }),
        open_files: Some(524_288),
        places: 1_152,
        cgroup: Cgroup::Delegated,
        limited: vec!["report".to_owned()],
        settings: None,
        daemons: vec![(42, vec![jobs.clone()]), (43, vec!["/other".into()])],
        paths: vec![jobs],
    }
}

#[test]
fn a_healthy_host_has_a_line_for_each_check_and_nothing_to_mend() {
    let diagnosis = Diagnosis::of(&healthy());
    let bad = diagnosis
        .checks
        .iter()
        .find(|line| line.status != Status::Ok);
    assert_eq!(bad, None);
    let checks: Vec<_> = diagnosis.checks.iter().map(|line| line.check).collect();
    assert_eq!(
        checks,
        [
            "tzdata", "clock", "inotify", "files", "cgroup", "disk", "jobs", "writers", "programs",
            "store", "daemons"
        ]
    );
    assert!(diagnosis.table().ends_with("nothing to mend\n"));
}

type Change = fn(&mut Facts);

#[test]
fn each_ill_is_told_with_its_mend() {
    let ills: &[(&str, Status, &str, Change)] = &[
        ("tzdata", Status::Warn, "older than what elder has", |f| {
            f.tzdata.version = Some("2025b".to_owned());
        }),
        ("tzdata", Status::Warn, "more than 18 months old", |f| {
            f.tzdata.version = Some("2024a".to_owned());
            f.tzdata.bundled = Some("2024a".to_owned());
        }),
        ("tzdata", Status::Warn, "does not say how old", |f| {
            f.tzdata.version = None
        }),
        ("clock", Status::Warn, "not set the clock yet", |f| {
            f.clock = Synchronised::NotYet
        }),
        ("clock", Status::Warn, "nobody keeps the clock", |f| {
            f.clock = Synchronised::No
        }),
        ("clock", Status::Skip, "nothing here says", |f| {
            f.clock = Synchronised::Unknown
        }),
        ("clock", Status::Fail, "before elder was built", |f| {
            f.now = "1970-01-01T00:05:00Z".parse().unwrap();
            f.newest_file = None;
        }),
        ("clock", Status::Warn, "one of two clocks is off", |f| {
            let file = f.newest_file.as_mut().unwrap();
            file.1 = "2026-11-22T13:00:00Z".parse().unwrap();
        }),
        ("inotify", Status::Warn, "may be watched", |f| {
            f.inotify.folders = 9_000
        }),
        ("inotify", Status::Warn, "reports no changes", |f| {
            f.inotify.refused = Some("Too many open files".to_owned());
        }),
        ("files", Status::Warn, "1024 files may be open", |f| {
            f.open_files = Some(1_024)
        }),
        (
            "cgroup",
            Status::Warn,
            "limits.processes of report are not enforced",
            |f| f.cgroup = Cgroup::NotDelegated,
        ),
        ("cgroup", Status::Ok, "there is no cgroup v2", |f| {
            f.cgroup = Cgroup::Absent;
            f.limited.clear();
        }),
        ("settings", Status::Fail, "is bad, 2 in all: line 3", |f| {
            let errors = ["line 3", "line 4"].map(str::to_owned);
            f.settings = Some(("elder.yaml".into(), errors.into()));
        }),
        ("settings", Status::Ok, "elder.yaml is good", |f| {
            f.settings = Some(("elder.yaml".into(), Vec::new()));
        }),
        ("disk", Status::Warn, "400 MiB are free", |f| {
            disk(f).free = 400 << 20
        }),
        ("disk", Status::Fail, "1 MiB are free", |f| {
            disk(f).free = 1 << 20
        }),
        ("disk", Status::Fail, "hardly any file", |f| {
            disk(f).free_files = Some(3)
        }),
        ("disk", Status::Warn, "others may look", |f| {
            disk(f).open_to_others = true
        }),
        ("disk", Status::Fail, "is on nfs4", |f| {
            disk(f).network = Some("nfs4".to_owned())
        }),
        ("disk", Status::Skip, "cannot be told", |f| f.disk = None),
        ("jobs", Status::Fail, "2 errors", |f| f.bad_files = 2),
        ("jobs", Status::Warn, "there are no jobs", |f| f.jobs = 0),
        ("mount", Status::Fail, "subPath", |f| {
            f.mounts[0].root = "/pods/x/volume-subpaths/jobs/elder/0".to_owned();
        }),
        ("mount", Status::Warn, "single file", |f| {
            f.mounts[0].is_file = true
        }),
        ("mount", Status::Warn, "does not report", |f| {
            f.mounts[0].kind = "nfs4".to_owned()
        }),
        ("writers", Status::Fail, "/etc/elder/jobs.d/a.yaml", |f| {
            f.writable = vec!["/etc/elder/jobs.d/a.yaml".into()];
        }),
        ("secrets", Status::Warn, "/run/secrets/x", |f| {
            f.readable_secrets = vec!["/run/secrets/x".into()];
        }),
        ("access", Status::Warn, "private", |f| {
            f.unreadable = vec!["private".to_owned()]
        }),
        (
            "programs",
            Status::Fail,
            "a cannot start (also b, c)",
            |f| {
                f.missing = ["a", "b", "c"]
                    .map(|job| (job.to_owned(), "install it".to_owned()))
                    .into();
            },
        ),
        ("store", Status::Warn, "forgets everything", |f| {
            f.store = StoreFacts::Memory
        }),
        ("store", Status::Ok, "the first start makes", |f| {
            f.store = StoreFacts::None("elder.db".into());
        }),
        ("store", Status::Fail, "damaged", |f| {
            pages(f, Pages::Damaged("row 3".to_owned()))
        }),
        ("store", Status::Skip, "not closed", |f| {
            pages(f, Pages::Unseen("it was not closed".to_owned()));
        }),
        ("store", Status::Fail, "no PostgreSQL", |f| {
            f.store = StoreFacts::Unusable("no PostgreSQL".to_owned());
        }),
        ("daemons", Status::Fail, "processes 42, 43", |f| {
            f.daemons[1].1 = f.paths.clone()
        }),
        ("daemons", Status::Fail, "processes 42, 43", |f| {
            f.daemons[1].1 = vec!["/etc/elder/jobs.d/team".into()]
        }),
        ("daemons", Status::Ok, "no elder", |f| f.daemons.clear()),
    ];
    let sound = Diagnosis::of(&healthy());
    for (check, status, words, change) in ills {
        let mut facts = healthy();
        change(&mut facts);
        let diagnosis = Diagnosis::of(&facts);
        let found = diagnosis
            .checks
            .iter()
            .find(|line| line.message.contains(words));
        let line = found.unwrap_or_else(|| panic!("{check} {words}: {diagnosis:#?}"));
        assert_eq!((line.check, line.status), (*check, *status), "{words}");
        if *status == Status::Fail && *check != "store" || *status == Status::Warn {
            assert!(!line.help.is_empty(), "{words}");
        }
        // Nothing else is said to be ill.
        let others = diagnosis
            .checks
            .iter()
            .filter(|other| other.check != *check);
        let as_before = others.filter(|line| !sound.checks.contains(line)).count();
        assert_eq!(as_before, 0, "{words}: {diagnosis:#?}");
    }
}

fn disk(facts: &mut Facts) -> &mut DiskFacts {
    facts.disk.as_mut().unwrap()
}

fn pages(facts: &mut Facts, said: Pages) {
    if let StoreFacts::File { pages, .. } = &mut facts.store {
        *pages = said;
    }
}

#[test]
fn a_long_list_is_cut_and_counted() {
    let all: Vec<u32> = (1..=9).collect();
    assert_eq!(some(&all), "1, 2, 3, 4, 5 and 4 more");
    assert_eq!(some(&all[..5]), "1, 2, 3, 4, 5");
}

#[test]
fn programs_read_the_same_lines() {
    let mut facts = healthy();
    facts.jobs = 0;
    let json = Diagnosis::of(&facts).json();
    assert_eq!(
        (&json["failures"], &json["warnings"]),
        (&0.into(), &1.into())
    );
    let line = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["check"] == "jobs");
    assert_eq!(line.unwrap()["status"], "warn");
    assert!(line.unwrap()["help"].is_string());
}
